# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""podman's options for what is to run, each as one literal word; both renderers take theirs from here."""

from __future__ import annotations

import typing as t

from .container_definitions import ContainerOptions, KubeUnit, PodUnit
from .policies import LABEL

AUTHFILE_LABEL = f"{LABEL}.authfile"


def labels(container: ContainerOptions) -> tuple[tuple[str, str], ...]:
    """All labels of a container: the user's, and those that auto-update reads (podman-auto-update(1))."""
    own = {}
    if container.autoupdate != "disabled":
        own[LABEL] = container.autoupdate
        if container.authfile:
            own[AUTHFILE_LABEL] = container.authfile
    return tuple(sorted({**dict(container.labels), **own}.items()))


def run_only_options(container: ContainerOptions, stop_seconds: int | None) -> list[str]:
    """The options that every renderer gives as arguments."""
    words = [f"--env-file={path}" for path in container.environment_files]
    words += [f"--secret={secret}" for secret in container.secrets]
    words += _optional("--authfile", container.authfile)
    words += _optional("--user", container.user)
    words += _optional("--userns", container.userns)
    words += _optional("--stop-timeout", stop_seconds)
    if container.health:
        words += [f"--health-cmd={container.health.command}"]
        words += _optional("--health-interval", container.health.interval)
        words += _optional("--health-retries", container.health.retries)
        words += _optional("--health-start-period", container.health.start_period)
        words += _optional("--health-timeout", container.health.timeout)
    return [*words, *container.podman_args]


def run_options(container: ContainerOptions, stop_seconds: int | None) -> list[str]:
    """All options of C(podman run) for a container, without those that belong to the unit."""
    words = [f"--env={name}={value}" for name, value in container.environment]
    words += [f"--label={name}={value}" for name, value in labels(container)]
    words += sharing_options(container)
    return [*words, *run_only_options(container, stop_seconds)]


def sharing_options(what: ContainerOptions | PodUnit) -> list[str]:
    """Ports, volumes and networks, which containers and pods have alike."""
    words = [f"--publish={one}" for one in what.publish]
    words += [f"--volume={one}" for one in what.volumes]
    return words + [f"--network={one}" for one in what.networks]


def pod_options(pod: PodUnit) -> list[str]:
    """All options of C(podman pod create), without those that belong to the unit."""
    return [*sharing_options(pod), *_optional("--userns", pod.userns), *pod.podman_args]


def policy_annotations(kube: KubeUnit) -> list[str]:
    """The policies of Kubernetes YAML; podman takes them from annotations (podman-kube-play(1))."""
    return [
        f"--annotation={LABEL}{'/' if container else ''}{container}={policy}" for container, policy in kube.policies
    ]


def kube_options(kube: KubeUnit) -> list[str]:
    """All options of C(podman kube play), without those that belong to the unit."""
    words = policy_annotations(kube)
    words += [f"--network={one}" for one in kube.networks]
    words += [f"--publish={one}" for one in kube.publish]
    return [*words, *kube.podman_args]


def warnings(container: ContainerOptions, unit: str) -> list[str]:
    """What works, and spoils updates."""
    found = []
    pulls = [one for one in _after("--pull", container.podman_args) if one in ("always", "newer")]
    if pulls:
        found.append(
            f"{unit}: --pull={pulls[0]} pulls at every start, so a rollback to the image before is undone by its own"
            " restart"
        )
    anonymous = [one for one in container.volumes if ":" not in one]
    if anonymous:
        found.append(
            f"{unit}: the volume {anonymous[0][:64]} has no name, so its data is lost at every start; write NAME:PATH"
        )
    return found


def _after(option: str, words: t.Sequence[str]) -> t.Iterator[str]:
    """The values of an option, written as one word or as two."""
    for number, one in enumerate(words):
        if one == option and number + 1 < len(words):
            yield words[number + 1]
        elif one.startswith(f"{option}="):
            yield one[len(option) + 1 :]


def _optional(option: str, value: str | int | None) -> list[str]:
    return [] if value is None else [f"{option}={value}"]
