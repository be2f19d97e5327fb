# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of a lab host: a Debian with systemd, podman, sshd and Python, built once and cached in the lab's store."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import guestfiles
from .aptsources import apt_options, source_lines
from .commands import run
from .engine import Engine
from .errors import LabError
from .probing import MachineFacts, parse_os_release

DISTROS = ("trixie", "bookworm")
_REPOSITORY = "localhost/podfleet-lab"
_BUILD_TIMEOUT = 1800.0

_COMMON = [
    "aardvark-dns",
    "ca-certificates",
    "catatonit",
    "conmon",
    "containerd",
    "crun",
    "dbus",
    "dbus-user-session",
    "docker.io",
    "fuse-overlayfs",
    "iproute2",
    "iptables",
    "libpam-systemd",
    "netavark",
    "nftables",
    "openssh-server",
    "podman",
    "procps",
    "python3",
    "python3-dbus",
    "python3-grpcio",
    "python3-requests",
    "runc",
    "skopeo",
    "sudo",
    "systemd",
    "systemd-sysv",
    "uidmap",
]
# Rootless networking: what each release's podman uses by default. Docker's command: of docker.io itself in bookworm.
_OWN: Mapping[str, tuple[str, ...]] = {"trixie": ("docker-cli", "passt"), "bookworm": ("slirp4netns",)}
_DISABLE = tuple(f"systemctl {scope}disable {unit}" for scope in ("", "--global ") for unit in guestfiles.DISABLED)
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class HostImage:
    """Names and recipe of one distribution's image. A name holds a hash of its recipe: a changed recipe is another image."""

    distro: str
    facts: MachineFacts

    @property
    def packages(self) -> tuple[str, ...]:
        return (*_COMMON, *_OWN[self.distro])

    @property
    def base(self) -> str:
        return f"{_REPOSITORY}/{self.distro}-base:{_short_hash(repr((self.packages, _DISABLE, _LEFT_OUT)).encode())}"

    @property
    def name(self) -> str:
        return f"{_REPOSITORY}/{self.distro}:{_short_hash(self.base.encode() + guestfiles.layer(self.facts.can_raise_limits))}"


def _short_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def ensure(engine: Engine, distro: str, facts: MachineFacts, say: Callable[[str], None]) -> HostImage:
    """Build what is not in the store yet, then forget older recipes of it."""
    image = HostImage(distro, facts)
    present = engine.images()
    if image.name in present:
        return image
    if image.base not in present:
        say(f"building the {distro} host image: about a minute, once")
        if shutil.which("mmdebstrap"):
            _build_with_mmdebstrap(engine, image)
        else:
            _build_from_registry(engine, image)
    with tempfile.TemporaryDirectory(dir=engine.paths.cache, prefix="build-") as folder:
        Path(folder, "files.tar").write_bytes(guestfiles.layer(facts.can_raise_limits))
        # The last instruction must create no process: RUN would need more of the machine than the lab itself does.
        Path(folder, "Containerfile").write_text(
            f"FROM {image.base}\nADD files.tar /\nENV LANG=C.UTF-8\n", encoding="ascii"
        )
        engine.run("build", "--pull-never", "--quiet", "--tag", image.name, folder, timeout=300)
    for old in present:
        repository, keep = old.rpartition(":")[0], (image.name, image.base)
        if repository in (f"{_REPOSITORY}/{distro}", f"{_REPOSITORY}/{distro}-base") and old not in keep:
            engine.run("rmi", old, check=False, timeout=120)
    return image


def _build_with_mmdebstrap(engine: Engine, image: HostImage) -> None:
    codename = parse_os_release(Path("/etc/os-release").read_text(encoding="utf-8")).get("VERSION_CODENAME", "")
    with tempfile.TemporaryDirectory(dir=engine.paths.cache, prefix="build-") as folder:
        archive = Path(folder, "root.tar")
        argv = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(image.packages)}"]
        argv += [f"--aptopt={option}" for option in apt_options()]
        argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
        # A host's keys come from its lab, never from an image that many hosts share.
        argv += ['--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*']
        argv += [f'--customize-hook=chroot "$1" {command} || true' for command in _DISABLE]
        run([*argv, image.distro, str(archive), *source_lines(codename, image.distro)], timeout=_BUILD_TIMEOUT)
        engine.run("import", "--quiet", str(archive), image.base, timeout=300)


def _build_from_registry(engine: Engine, image: HostImage) -> None:
    """For machines without mmdebstrap (Fedora). Prepared, but not tested: it needs a public registry, which we had none of."""
    install = f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(image.packages)} && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*"
    recipe = f"FROM docker.io/library/debian:{image.distro}\nRUN {install}\nRUN {'; '.join((*_DISABLE, 'true'))}\n"
    with tempfile.TemporaryDirectory(dir=engine.paths.cache, prefix="build-") as folder:
        Path(folder, "Containerfile").write_text(recipe, encoding="ascii")
        try:
            engine.run("build", "--quiet", "--tag", image.base, folder, timeout=_BUILD_TIMEOUT)
        except LabError as failed:
            raise LabError(
                f"mmdebstrap is not installed, and the way by docker.io/library/debian:{image.distro} failed too: {failed}"
            ) from failed
