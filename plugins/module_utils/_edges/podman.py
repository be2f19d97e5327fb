# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""podman's store: four calls tell everything about a host; pulls and tags are podman's own."""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .._pure import health, records
from .._pure.errors import EngineError, InputError, StoreError
from .._pure.health import Healthcheck
from .._pure.platforms import Platform
from .._pure.reasons import Reason
from .._pure.records import ContainerDetails, HostFacts, ImageRecord, ListedContainer
from .._pure.references import Reference
from .command import Command, podman_info
from .containers_conf import signature_policy

#: The path of the authfile for one pull, or None where podman's own search finds the same.
AuthfileMaker = t.Callable[[Reference, t.Optional[str]], t.ContextManager[t.Optional[str]]]

_PULL_SECONDS = 3600.0
_HEALTHCHECK_SECONDS = 120.0
#: Giving and taking names is over before collecting garbage would pay.
_FOR_NAMES = {"GOGC": "400"}
#: Go's own default, for lists of any length: their garbage is worth collecting.
_FOR_LISTS = {"GOGC": "100"}
#: How many containers and images are inspected in one call, and where podman begins to collect more garbage then: so many
#: need half of it.
_AT_ONCE = 100
_FOR_INSPECT = {"GOMEMLIMIT": "20MiB"}


_Said = t.TypeVar("_Said")


class Podman:
    """The store of the user who runs this process. C(begun) answers the first question for containers and for the host.

    C(authfile) is a containers-auth.json(5) for pulls; C(verify_tls) is None where registries.conf decides.
    C(authfiles) makes the authfile for one pull instead, from the reference and the file that a label names.
    """

    def __init__(
        self,
        authfile: str | None = None,
        *,
        verify_tls: bool | None = None,
        authfiles: AuthfileMaker | None = None,
        begun: FirstLook | None = None,
    ) -> None:
        self._podman = Command.podman()
        self._authfile = authfile
        self._authfiles = authfiles
        self._begun = begun
        self._pull_options = [] if verify_tls is None else [f"--tls-verify={str(verify_tls).lower()}"]

    def containers(self) -> tuple[ListedContainer, ...]:
        """All containers as they are now."""
        if self._begun and self._begun.containers:
            return self._begun.containers.pop().result()
        return records.listed_containers(
            self._podman.json("ps", "--all", "--no-trunc", "--format=json", environment=_FOR_LISTS)
        )

    def images(self) -> dict[str, ImageRecord]:
        """All images, by ID."""
        return {
            image.id: image
            for image in records.images(
                self._podman.json("images", "--no-trunc", "--format=json", environment=_FOR_LISTS)
            )
        }

    def host(self) -> HostFacts:
        """The host's facts; the slowest of these calls."""
        if self._begun and self._begun.host:
            return self._begun.host.pop().result()
        host = records.host_facts(podman_info(self._podman))
        host.must_be_supported()
        return host

    def details(
        self, container_ids: t.Sequence[str], image_ids: t.Sequence[str]
    ) -> tuple[dict[str, ContainerDetails], dict[str, ImageRecord]]:
        """Inspect containers and images, many in one call; what has vanished is missing from the answer."""
        ids = [*container_ids, *(image_id[len("sha256:") :] for image_id in image_ids)]
        some = (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
        document = [entry for one in some for entry in self._inspected(one)]
        wanted = set(container_ids)
        containers = [entry for entry in document if isinstance(entry, dict) and entry.get("Id") in wanted]
        images = [entry for entry in document if isinstance(entry, dict) and entry.get("Id") not in wanted]
        return records.container_details(containers), {image.id: image for image in records.images(images)}

    def healthchecks(self, container_ids: t.Sequence[str]) -> dict[str, Healthcheck]:
        """The containers' own healthchecks, by ID; a container without one, or that has vanished, is missing."""
        some = (container_ids[start : start + _AT_ONCE] for start in range(0, len(container_ids), _AT_ONCE))
        return health.healthchecks([entry for one in some for entry in self._inspected(one)])

    def run_healthcheck(self, container_id: str) -> None:
        """Run a container's healthcheck once; what it says counts for its state, and is read from there."""
        self._podman.run("healthcheck", "run", container_id, timeout=_HEALTHCHECK_SECONDS)

    def _inspected(self, ids: t.Sequence[str]) -> list[t.Any]:
        document = self._podman.json("inspect", "--format=json", *ids, tolerant=True, environment=_FOR_INSPECT)
        return document if isinstance(document, list) else [document]

    def pull(self, name: str, platform: Platform | None, authfile: str | None = None) -> str:
        """Pull C(repository@digest); the image is told by the ID that podman prints, not by a second look-up."""
        options = list(self._pull_options)
        if platform is not None:
            options.append(f"--platform={platform}")
        with contextlib.ExitStack() as stack:
            try:
                path = stack.enter_context(self._authfile_for(name, authfile))
            except EngineError as error:
                raise StoreError(f"podman pull {name}: {error}", error.reason) from None
            except InputError as error:
                raise StoreError(f"podman pull {name}: {error}", Reason.PULL_FAILED) from None
            if path:
                options.insert(0, f"--authfile={path}")
            output = self._podman.call(
                "pull", "--quiet", *options, name, timeout=_PULL_SECONDS, reason=Reason.PULL_FAILED
            )
        image_id = records.image_id(output.strip().rpartition("\n")[2])
        if image_id is None:
            raise StoreError(f"podman pulled {name} but printed no image ID: {output[-200:]!r}", Reason.PULL_FAILED)
        return image_id

    def _authfile_for(self, name: str, authfile: str | None) -> t.ContextManager[str | None]:
        if self._authfiles is None:
            return contextlib.nullcontext(authfile or self._authfile)
        return self._authfiles(Reference.parse(name), authfile)

    def takes_unsigned(self, name: str, digest: str) -> bool:
        """Whether podman wants no signature for this reference: else its tag has to be pulled, not the digest."""
        return signature_policy().takes_unsigned(Reference.parse(name), digest)

    def tag(self, image_id: str, *names: str) -> None:
        """Give an image names."""
        self._podman.call("tag", image_id[len("sha256:") :], *names, environment=_FOR_NAMES)

    def untag(self, image_id: str, name: str) -> None:
        """Take a name from an image; the image stays."""
        self._podman.call("untag", image_id[len("sha256:") :], name, environment=_FOR_NAMES)

    def remove_name(self, name: str) -> None:
        """Take a name away; an image that loses its last one goes too, unless a container uses it: then both stay."""
        self._podman.call("rmi", name)


class FirstLook:
    """What every look at a host begins with, asked from now on beside whoever made this. Each answer is for one taker.

    Raises:
        StoreError: podman is not installed; what else fails is told to whoever takes the answer.
    """

    def __init__(self) -> None:
        podman = Podman()
        self.containers = [_Begun(podman.containers)]
        self.host = [_Begun(podman.host)]


class _Begun(t.Generic[_Said]):
    """A call in a thread of its own. A pool would do the same; this one needs no import that others could wait for."""

    def __init__(self, call: t.Callable[[], _Said]) -> None:
        self._call = call
        self._said: list[_Said] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._said.append(self._call())
        except Exception as error:  # noqa: BLE001 (raised again for whoever takes the answer)
            self._error = error

    def result(self) -> _Said:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._said[0]
