# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Every way to name an image: a reference, an image ID, or a source behind a transport (containers-transports(5)).

What a name says is decided here without looking anywhere; whether it is there is for the stores.
"""

from __future__ import annotations

import enum
import re
import typing as t
from dataclasses import dataclass

from .errors import ImageError
from .reasons import Reason
from .references import DOCKER_HUB, InvalidReferenceError, Reference, is_digest, is_in_podmans_grammar
from .texts import printable


class Transport(str, enum.Enum):
    """What stands before the first colon, and where the image then is."""

    DOCKER = "docker"
    CONTAINERS_STORAGE = "containers-storage"
    DOCKER_DAEMON = "docker-daemon"
    DOCKER_ARCHIVE = "docker-archive"
    OCI = "oci"
    OCI_ARCHIVE = "oci-archive"
    DIR = "dir"


@dataclass(frozen=True)
class ImageId:
    """A name that is an image ID: C(id) is C(sha256:<64 hex>)."""

    id: str


@dataclass(frozen=True)
class Source:
    """An image behind a transport other than C(docker).

    C(path) is the file or folder of an archive, layout or C(dir:), and empty for the two stores. C(selector) is what
    follows the path as it was written (a reference, a layout's free name; for the stores the whole name), C(index) the
    number of C(:@index). Neither is set where the source is asked for the one image that it holds.
    """

    transport: Transport
    path: str = ""
    selector: str | None = None
    index: int | None = None

    def __str__(self) -> str:
        chosen = f"@{self.index}" if self.index is not None else self.selector
        return ":".join([self.transport.value, *(part for part in (self.path, chosen) if part)])


ImageName = t.Union[Reference, ImageId, Source]

_DOCKER_PREFIX = "docker://"
_ID_PREFIX = "sha256:"
_HEX_ID = re.compile(r"[a-f0-9]{64}\Z")
#: Transports that podman knows and this collection does not read.
_OTHER_TRANSPORTS = frozenset({"sif"})
_ID_LENGTH = 64
_LONGEST_PATH = 4096
#: More digits than any archive has images.
_INDEX = re.compile(r"@[0-9]{1,9}\Z", re.ASCII)
#: A layout's name for an image (org.opencontainers.image.ref.name in the OCI image spec's annotations).
_LAYOUT_NAME = re.compile(
    r"[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*\Z"
)
_LONGEST_LAYOUT_NAME = 512


def parse_image_name(text: str) -> ImageName:
    """Say what a name means, before anything is looked up.

    A known transport is never taken for a reference, whatever follows it (only C(docker:) without C(//) is one, for
    podman too). C(docker://) means a registry: a short name behind it is Docker Hub's. 64 hex digits, with or without
    C(sha256:), are an image ID; a shorter run of hex digits is a reference here, and only a store can tell that it
    begins an ID.

    Raises:
        ImageError: C(bad_reference), C(bad_id) or C(unsupported_transport).
    """
    if not text.strip():
        raise _bad(text, "invalid reference format, for it is empty")
    transport, colon, rest = text.partition(":")
    if colon and transport in _OTHER_TRANSPORTS:
        raise ImageError(
            f"{printable(text)!r}: images behind {transport}: cannot be read; these can:"
            f" {', '.join(known.value for known in Transport)}",
            Reason.UNSUPPORTED_TRANSPORT,
        )
    if text.startswith(_DOCKER_PREFIX):
        return _on_docker_hub(text, _reference(text, text))
    if colon and transport in _READERS:
        return _READERS[transport](text, rest)
    image_id = _image_id(text)
    return ImageId(image_id) if image_id else _reference(text, text)


def is_pulled_by_id(text: str) -> bool:
    """Whether C(podman pull) takes the text for an image ID and so never asks a registry (libimage's Pull).

    The rule is wider than an ID: C(sha256:) with anything behind it, or exactly 64 characters without C(/.:@), hex or
    not. A look-up reads such a name as a reference if it is not hex; so does L(parse_image_name).
    """
    transport, colon, _rest = text.partition(":")
    if colon and (transport in _READERS or transport in _OTHER_TRANSPORTS or text.startswith(_DOCKER_PREFIX)):
        return False
    return text.startswith(_ID_PREFIX) or (len(text) == _ID_LENGTH and not set(text) & set("/.:@"))


def _image_id(text: str) -> str | None:
    bare = text[len(_ID_PREFIX) :] if text.startswith(_ID_PREFIX) else text
    if _HEX_ID.match(bare):
        return _ID_PREFIX + bare
    # As podman does: the grammar comes first, and the tag before a digest is dropped. What is left of
    # sha256:x@sha256:… is a repository called sha256; sha256:5/x would be a registry, and is taken for an ID.
    name, at, _digest = text.partition("@")
    if text.startswith(_ID_PREFIX) and (not at or "/" in name) and is_in_podmans_grammar(text):
        raise ImageError(f"{printable(text)}: invalid format: no 64-byte hexadecimal value", Reason.BAD_ID)
    return None


def _reference(text: str, rest: str) -> Reference:
    try:
        return Reference.parse(rest)
    except InvalidReferenceError as error:
        message = str(error) if text == rest else f"{printable(text)!r}: {error}"
        raise ImageError(message, Reason.BAD_REFERENCE) from None


def _on_docker_hub(text: str, reference: Reference) -> Reference:
    try:
        return reference.within(DOCKER_HUB)
    except InvalidReferenceError as error:
        raise ImageError(f"{printable(text)!r}: {error}", Reason.BAD_REFERENCE) from None


def _bad(text: str, problem: str) -> ImageError:
    return ImageError(f"{printable(text)!r} is not an image name: {problem}", Reason.BAD_REFERENCE)


def _storage(text: str, rest: str) -> Source:
    """C([store]name[:tag|@digest][@ID]), C(@ID) or C(ID); only the default store, which has no brackets."""
    if rest.startswith("["):
        raise ImageError(
            f"{printable(text)!r}: another store than the user's own cannot be chosen by a name",
            Reason.UNSUPPORTED_TRANSPORT,
        )
    name, at, image_id = rest.rpartition("@")
    if at and _HEX_ID.match(image_id):
        rest_of_name = name
    elif at and not is_digest(image_id):
        raise _bad(text, "what follows @ must be a digest or a full image ID")
    else:
        rest_of_name = rest
    if not _HEX_ID.match(rest) and (rest_of_name or not at):
        _reference(text, rest_of_name)
    return Source(Transport.CONTAINERS_STORAGE, selector=rest)


def _daemon(text: str, rest: str) -> Source:
    """C(name:tag), C(name@digest) or C(sha256:ID); podman refuses what leaves the daemon a choice."""
    if not is_digest(rest):
        reference = _reference(text, rest)
        last = rest.rpartition("/")[2]
        if reference.digest and reference.tag:
            raise _bad(text, "it has both a tag and a digest")
        if ":" not in last and "@" not in last:
            raise _bad(text, "it has neither a tag nor a digest")
        if _on_docker_hub(text, reference).familiar_repository == "sha256":
            raise _bad(text, "what follows sha256: must be 64 hex digits")
    return Source(Transport.DOCKER_DAEMON, selector=rest)


def _docker_archive(text: str, rest: str) -> Source:
    source = _with_path(text, rest, Transport.DOCKER_ARCHIVE)
    if source.selector is not None:
        reference = _reference(text, source.selector)
        if reference.digest:
            raise _bad(text, "an image in a docker-archive is chosen by a tag or :@index, not by a digest")
    return source


def _oci(text: str, rest: str) -> Source:
    return _layout(text, _with_path(text, rest, Transport.OCI))


def _oci_archive(text: str, rest: str) -> Source:
    return _layout(text, _with_path(text, rest, Transport.OCI_ARCHIVE))


def _layout(text: str, source: Source) -> Source:
    name = source.selector
    if name is not None and not (len(name) <= _LONGEST_LAYOUT_NAME and _LAYOUT_NAME.match(name)):
        raise _bad(text, f"{printable(name)!r} is not the name of an image in an OCI layout")
    return source


def _dir(text: str, rest: str) -> Source:
    return Source(Transport.DIR, _path(text, rest))


def _with_path(text: str, rest: str, transport: Transport) -> Source:
    """C(path[:selector|:@index]): the path ends at the first colon and is otherwise free."""
    path, colon, selector = rest.partition(":")
    path = _path(text, path)
    if not colon:
        return Source(transport, path)
    if selector.startswith("@"):
        if not _INDEX.match(selector):
            raise _bad(text, f"{printable(selector)!r} is not an index, which is @ and a number from 0")
        return Source(transport, path, index=int(selector[1:]))
    # podman takes «oci:path:» for no name at all, and refuses it for docker-archive.
    if not selector and transport is not Transport.DOCKER_ARCHIVE:
        return Source(transport, path)
    return Source(transport, path, selector)


def _path(text: str, path: str) -> str:
    if not path:
        raise _bad(text, "the path is missing")
    if "\0" in path or len(path) > _LONGEST_PATH:
        raise _bad(text, "the path is too long or holds a null byte")
    return path


_READERS: dict[str, t.Callable[[str, str], Source]] = {
    Transport.CONTAINERS_STORAGE.value: _storage,
    Transport.DOCKER_DAEMON.value: _daemon,
    Transport.DOCKER_ARCHIVE.value: _docker_archive,
    Transport.OCI.value: _oci,
    Transport.OCI_ARCHIVE.value: _oci_archive,
    Transport.DIR.value: _dir,
}
