# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages the lab needs from this machine's distribution, and how to install them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# sudo and cron often leave the sbin folders out.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Helpers that podman calls from its own folder, in the places that Debian and Fedora put them.
_HELPERS = ("/usr/lib/podman/{0}", "/usr/libexec/podman/{0}", "{0}")


@dataclass(frozen=True)
class Need:
    """A program (one of several names or paths), why, and the package that brings it per distribution family."""

    any_of: Sequence[str]
    debian: str
    fedora: str
    why: str


def _helper(name: str) -> tuple[str, ...]:
    return tuple(pattern.format(name) for pattern in reversed(_HELPERS))


_ALWAYS = (
    Need(("podman",), "podman", "podman", "it runs the hosts"),
    Need(("conmon",), "conmon", "conmon", "podman needs it"),
    Need(_helper("netavark"), "netavark", "netavark", "it makes the lab network"),
    Need(("iptables", "nft"), "iptables", "iptables-nft", "netavark needs it"),
    Need(("docker-registry", "registry"), "docker-registry", "docker-distribution", "it is the registry"),
    Need(("busybox", "/bin/busybox"), "busybox-static", "busybox", "the test images hold it"),
    Need(("ssh",), "openssh-client", "openssh-clients", "Ansible reaches the hosts with it"),
    Need(("ssh-keygen",), "openssh-client", "openssh-clients", "it makes the lab's keys"),
    Need(("openssl",), "openssl", "openssl", "it makes the lab's CA"),
    Need(("unshare",), "util-linux", "util-linux", "it makes the lab's namespace"),
)
_DEBIAN = (
    Need(("mmdebstrap",), "mmdebstrap", "", "it builds the hosts' images"),
    Need(
        ("/usr/share/keyrings/debian-archive-keyring.gpg",),
        "debian-archive-keyring",
        "",
        "mmdebstrap checks the packages with it",
    ),
)


def family(os_release: Mapping[str, str]) -> str:
    """«debian», «fedora» or «other»."""
    words = {os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split()}
    if words & {"debian", "ubuntu"}:
        return "debian"
    return "fedora" if words & {"fedora", "rhel"} else "other"


def needs(distribution: str, can_raise_limits: bool) -> tuple[Need, ...]:
    """What must be there. crun does on an ordinary machine; without CAP_SYS_RESOURCE only runc."""
    runtime = (
        Need(("crun", "runc"), "crun", "crun", "podman needs it")
        if can_raise_limits
        else Need(("runc",), "runc", "runc", "crun needs CAP_SYS_RESOURCE")
    )
    return (*_ALWAYS, runtime, *(_DEBIAN if distribution == "debian" else ()))


def is_present(need: Need) -> bool:
    return any(shutil.which(name, path=SEARCH_PATH) or Path(name).exists() for name in need.any_of)


def missing(distribution: str, can_raise_limits: bool) -> tuple[str, ...]:
    """The packages to install."""
    lacking = [need for need in needs(distribution, can_raise_limits) if not is_present(need)]
    return tuple(dict.fromkeys(need.fedora if distribution == "fedora" else need.debian for need in lacking))


def remedy(distribution: str, need: Need) -> str:
    if distribution == "fedora":
        return f"dnf install {need.fedora}"
    return f"apt-get install {need.debian}"


def install_commands(distribution: str, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What to run, in order. Debian's is in daily use. Fedora's is prepared but was never run."""
    if distribution == "debian":
        # A fresh machine's package lists are empty or old.
        update = ("apt-get", "update", "--quiet")
        return (update, ("apt-get", "install", "--yes", "--no-install-recommends", *names), *_quieten(names))
    if distribution == "fedora":
        return (("dnf", "install", "--assumeyes", "--setopt=install_weak_deps=False", *names),)
    return ()


def _quieten(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Debian starts a registry of its own when its package is installed, on the port that the lab's takes."""
    if "docker-registry" in names and Path("/run/systemd/system").is_dir():
        return (("systemctl", "disable", "--now", "docker-registry.service"),)
    return ()
