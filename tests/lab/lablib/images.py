# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push small real images to a registry of the lab, in milliseconds."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .ocibuild import MEDIA, Blob, Kind, build, build_index, busybox

__all__ = ["ImageMaker", "Kind", "Pushed"]

USER_AGENT = "podfleet-lab-image-maker"
_TIMEOUT = 30.0
_EVERY_MANIFEST = ", ".join(name for types in MEDIA.values() for name in (types.manifest, types.index))


@dataclass(frozen=True)
class Pushed:
    """What is in the registry now."""

    reference: str
    digest: str
    """What the tag answers with: the index's when there is one, else the manifest's."""
    image_ids: Mapping[str, str]
    """Platform → config digest, which is what podman calls the image ID."""
    manifest_digests: Mapping[str, str]
    media_type: str

    @property
    def pinned(self) -> str:
        """The reference by digest."""
        return f"{self.reference.rpartition(':')[0]}@{self.digest}"


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class ImageMaker:
    """Speaks to one registry. Its requests carry a user agent of their own, so tests can leave them out of counts."""

    def __init__(
        self,
        address: str,
        *,
        ca_path: str | Path | None = None,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self.address = address
        self._base = f"{'https' if ca_path else 'http'}://{address}"
        self._headers = {"User-Agent": USER_AGENT}
        if username is not None:
            pair = base64.b64encode(f"{username}:{password or ''}".encode()).decode("ascii")
            self._headers["Authorization"] = f"Basic {pair}"
        # The lab is on this machine: a proxy that the environment names has no part in it.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if ca_path:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca_path))))
        self._opener = urllib.request.build_opener(*handlers)
        # Digest → the repositories known to hold it: spares questions, and lets the registry mount instead of receive.
        self._known: dict[str, set[str]] = {}

    def push(
        self,
        name: str,
        tag: str = "latest",
        *,
        kind: Kind = Kind.GOOD,
        version: str = "1",
        platforms: Sequence[str] = ("linux/amd64",),
        labels: Mapping[str, str] | None = None,
        config: Mapping[str, object] | None = None,
        index: bool = False,
        media: str = "oci",
        recompress: bool = False,
    ) -> Pushed:
        """Make the image and push it as ``name:tag``.

        ``config`` adds to the image's settings (Volumes, Healthcheck, StopSignal …). Another ``version`` is another image ID;
        ``recompress`` keeps the ID and changes the digests; more than one platform, or ``index``, makes an index.
        """
        if media not in MEDIA:
            raise LabError(f"media must be one of {', '.join(MEDIA)}, not {media}")
        types = MEDIA[media]
        images = tuple(
            build(
                platform,
                version=version,
                kind=kind,
                labels=labels or {},
                config=config or {},
                media=types,
                recompress=recompress,
                program=busybox(),
            )
            for platform in platforms
        )
        for image in images:
            for blob in (*image.layers, image.config):
                self._push_blob(name, blob)
        if len(images) == 1 and not index:
            top = images[0].manifest
        else:
            top = build_index(images, types)
            for image in images:
                self._put_manifest(name, image.manifest, image.manifest.digest)
        self._put_manifest(name, top, tag)
        return Pushed(
            reference=f"{self.address}/{name}:{tag}",
            digest=top.digest,
            image_ids={image.platform: image.config.digest for image in images},
            manifest_digests={image.platform: image.manifest.digest for image in images},
            media_type=top.media_type,
        )

    def tag(self, name: str, source: str, tag: str) -> str:
        """Let ``tag`` answer with what ``source`` (a digest or a tag) answers with; returns the digest."""
        found = self._ask("GET", f"/v2/{name}/manifests/{source}", headers={"Accept": _EVERY_MANIFEST})
        blob = Blob(found.headers.get("content-type", ""), found.body)
        self._put_manifest(name, blob, tag)
        return blob.digest

    def digest(self, name: str, tag: str = "latest") -> str:
        """What the tag answers with now."""
        return self._ask("HEAD", f"/v2/{name}/manifests/{tag}", headers={"Accept": _EVERY_MANIFEST}).headers[
            "docker-content-digest"
        ]

    def delete(self, name: str, digest: str) -> None:
        """Delete a manifest, and with it every tag that answers with it."""
        self._ask("DELETE", f"/v2/{name}/manifests/{digest}")

    def _push_blob(self, name: str, blob: Blob) -> None:
        holders = self._known.setdefault(blob.digest, set())
        if name in holders:
            return
        if self._ask("HEAD", f"/v2/{name}/blobs/{blob.digest}", allowed=(200, 404)).status == 404:
            query = {"mount": blob.digest, "from": min(holders)} if holders else {}
            begun = self._ask(
                "POST", f"/v2/{name}/blobs/uploads/?{urllib.parse.urlencode(query)}", data=b"", allowed=(201, 202)
            )
            if begun.status == 202:
                place = begun.headers["location"]
                joint = "&" if "?" in place else "?"
                headers = {"Content-Type": "application/octet-stream"}
                self._ask(
                    "PUT",
                    f"{place}{joint}{urllib.parse.urlencode({'digest': blob.digest})}",
                    data=blob.data,
                    headers=headers,
                    allowed=(201,),
                )
        holders.add(name)

    def _put_manifest(self, name: str, manifest: Blob, reference: str) -> None:
        self._ask(
            "PUT",
            f"/v2/{name}/manifests/{reference}",
            data=manifest.data,
            headers={"Content-Type": manifest.media_type},
            allowed=(201,),
        )

    def _ask(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        allowed: Sequence[int] = (200, 201, 202),
    ) -> _Answer:
        url = urllib.parse.urljoin(self._base, path)
        request = urllib.request.Request(  # noqa: S310 - the address is the lab's own
            url, data=data, method=method, headers={**self._headers, **(headers or {})}
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                answer = _Answer(
                    response.status, {key.lower(): value for key, value in response.headers.items()}, response.read()
                )
        except urllib.error.HTTPError as refused:
            with refused:
                answer = _Answer(
                    refused.code, {key.lower(): value for key, value in refused.headers.items()}, refused.read()
                )
        except OSError as unreachable:
            raise LabError(f"{method} {url}: {unreachable}; does the registry run («lab.py status»)?") from unreachable
        if answer.status not in allowed:
            raise LabError(f"{method} {url} answered {answer.status}: {_reason(answer.body)}")
        return answer


def _reason(body: bytes) -> str:
    """The registry's own words, where it has some."""
    try:
        errors = json.loads(body)["errors"]
        return "; ".join(
            f"{error['code']} {error.get('message', '')} {error.get('detail') or ''}".strip() for error in errors
        )
    except (ValueError, KeyError, TypeError):
        return body[:300].decode("utf-8", "replace") or "(no body)"
