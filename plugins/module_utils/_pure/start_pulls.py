# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Whether the start of a unit pulls the image: then the way back would fetch the image again that has just failed.

podman-run(1), C(--pull) and C(--platform); podman-kube-play(1) and, per release, what podman 4.3.1 and 5.4.2 were seen to do.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

#: Since this release C(podman kube play) pulls by default only what is tagged C(latest); before, every tag.
_ONLY_LATEST_SINCE = (4, 7)
_NEVER_AGAIN = ("", "missing", "ifmissing", "ifnotpresent", "never", "false")
_NEWER = ("newer", "ifnewer")
_PLATFORM = ("--platform", "--arch", "--os", "--variant")
#: What has no registry fails to be pulled; podman passes over that where it only looks for something newer.
_NO_REGISTRY = "localhost/"


@dataclass(frozen=True)
class StartPull:
    """What a container's definition says of pulling it at its start.

    C(policy) is as its user wrote it, None where nothing is said. C(platform) is the option that asks for a platform.
    """

    policy: str | None = None
    platform: str | None = None
    kube: bool = False

    @classmethod
    def of_command(cls, create_command: t.Sequence[str], image: str) -> StartPull:
        """What the command that created a container says; after the image come the container's own arguments."""
        words = list(create_command[1:])
        options = words[: words.index(image)] if image in words else words
        policy = platform = None
        for position, word in enumerate(options):
            option, equals, value = word.partition("=")
            if not equals:
                value = options[position + 1] if position + 1 < len(options) else ""
            if option == "--pull":
                policy = value
            elif option in _PLATFORM and value:
                platform = f"{option}={value}"
        return cls(policy, platform)

    def pulls_again(self) -> bool:
        """Whether the definition itself asks for a pull, even if the image is there."""
        return self.policy is not None and self.policy.lower() not in _NEVER_AGAIN

    def says_when(self) -> bool:
        """Whether the host's own default does not matter."""
        return self.kube or self.policy is not None

    def why(self, resolved_name: str, podman_version: tuple[int, ...], default: str = "missing") -> str | None:
        """What makes the start pull C(resolved_name) although it is there, in a few words; None where nothing does.

        C(default) is containers.conf's C(pull_policy), which kube does not use.
        """
        local = resolved_name.startswith(_NO_REGISTRY)
        if self.kube:
            return self._why_in_kube(resolved_name, podman_version, local=local)
        policy = (default if self.policy is None else self.policy).lower()
        if policy in ("never", "false"):
            return None
        if policy in _NEVER_AGAIN or (policy in _NEWER and self.platform):
            return self.platform if self.platform and not local else None
        if policy in _NEWER and local:
            return None
        return f"pull_policy={policy} in containers.conf" if self.policy is None else f"--pull={policy}"

    def _why_in_kube(self, resolved_name: str, podman_version: tuple[int, ...], *, local: bool) -> str | None:
        if self.policy is None or not self.policy:
            if local or (podman_version >= _ONLY_LATEST_SINCE and not resolved_name.endswith(":latest")):
                return None
            return "no imagePullPolicy (IfNotPresent would keep it)"
        policy = self.policy.lower()
        if policy in _NEVER_AGAIN or (policy in _NEWER and local):
            return None
        return f"imagePullPolicy: {self.policy}"


#: Nothing is said, so the default counts.
NOTHING_SAID = StartPull()
