# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Read the definitions of units from a module's parameters, and refuse what could not run or would mean something else."""

from __future__ import annotations

import json
import re
import typing as t

from .container_definitions import (
    ContainerOptions,
    ContainerUnit,
    Definition,
    Health,
    KubeUnit,
    Notify,
    PodUnit,
    State,
    UnitOptions,
)
from .errors import InputError
from .published_ports import InvalidPortError, check_ports
from .references import InvalidReferenceError, Reference
from .reserved_words import instead_of_label, is_own_option
from .unit_files import checked, raw_entry

_Params = t.Mapping[str, t.Any]

#: A unit's name, with or without an instance; short enough for «-pod.service» and a member's name (UNIT_NAME_MAX is 255).
_UNIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(?:@[A-Za-z0-9_.-]{1,60})?\Z")
#: podman's own rule for names of containers and pods.
_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}\Z")
_OTHER_UNIT = re.compile(r"[A-Za-z0-9_.:@\\-]{1,200}\Z")
_UNIT_TYPES = (
    ".service",
    ".target",
    ".socket",
    ".mount",
    ".path",
    ".timer",
    ".device",
    ".swap",
    ".slice",
    ".automount",
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h))+\Z")
_LONGEST_TIMEOUT = 86400
_MOST_RETRIES = 1000
#: What only one kind has, or what a kind gives to its members.
_NOT_OF_A_POD = (
    "image",
    "container_name",
    "authfile",
    "command",
    "environment",
    "environment_files",
    "secrets",
    "user",
    "health",
    "labels",
    "yaml",
    "path",
    "policies",
)
_NOT_OF_KUBE = (
    "image",
    "container_name",
    "authfile",
    "command",
    "environment",
    "environment_files",
    "secrets",
    "volumes",
    "user",
    "userns",
    "health",
    "labels",
    "members",
)


def read_definitions(entries: t.Sequence[_Params]) -> tuple[Definition, ...]:
    """All definitions whose state is not C(absent), in the order given.

    Raises:
        InputError: An entry is unusable, or two would make the same unit, container or pod.
    """
    read = tuple(_definition(entry, f"units[{number}]") for number, entry in enumerate(entries))
    _no_name_twice([name for definition in read for name in definition.services], "unit")
    _no_name_twice([name for definition in read for name in _podman_names(definition)], "container or pod")
    return tuple(definition for definition, entry in zip(read, entries) if entry["state"] != "absent")


def _no_name_twice(names: t.Sequence[str], kind: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"the {kind} {name} would be made by more than one entry")


def _podman_names(definition: Definition) -> t.Iterator[str]:
    if isinstance(definition, ContainerUnit):
        yield definition.container.name
    elif isinstance(definition, PodUnit):
        yield definition.name
        for member in definition.members:
            yield member.container.name


def _definition(entry: _Params, where: str) -> Definition:
    name = entry["name"]
    if not _UNIT_NAME.match(name) or name.endswith(_UNIT_TYPES):
        raise InputError(
            f"{where}: {name[:64]!r} is not a name for a unit: letters, digits, dots, dashes and underscores, without a"
            " suffix like .service"
        )
    where = f"{where} ({name})"
    if entry["state"] == "absent":
        return ContainerUnit(name, ContainerOptions(name.replace("@", "-"), "absent", "disabled"), UnitOptions())
    if entry["kind"] == "container":
        _only(entry, where, ("yaml", "path", "policies", "members"))
        return _container(name, entry, where, None)
    if "@" in name:
        raise InputError(f"{where}: only the unit of a single container can be an instance")
    return _pod(name, entry, where) if entry["kind"] == "pod" else _kube(name, entry, where)


def _only(entry: _Params, where: str, foreign: t.Sequence[str]) -> None:
    given = sorted(key for key in foreign if entry.get(key) not in (None, [], {}, ()))
    if given:
        raise InputError(f"{where}: {', '.join(given)} cannot be used for the kind {entry['kind']}")


def _container(name: str, entry: _Params, where: str, pod: _Params | None) -> ContainerUnit:
    if not entry.get("image"):
        raise InputError(f"{where}: image is missing")
    container_name = entry.get("container_name") or name.replace("@", "-")
    if not _CONTAINER_NAME.match(container_name):
        raise InputError(f"{where}: {container_name[:64]!r} is not a name for a container")
    notify = Notify(entry["notify"])
    health = _health(entry.get("health"), where)
    if notify is Notify.HEALTHY and (health is None or health.command == "none"):
        raise InputError(f"{where}: notify is healthy, but there is no health.command")
    options = ContainerOptions(
        name=container_name,
        image=_image(entry["image"], entry["autoupdate"], where),
        autoupdate=entry["autoupdate"],
        authfile=_path(entry.get("authfile"), f"{where}.authfile"),
        command=_words(entry, "command", where),
        environment=_environment(entry, where),
        environment_files=tuple(str(_path(path, f"{where}.environment_files")) for path in entry["environment_files"]),
        secrets=_values(entry, "secrets", where),
        publish=_publish(entry, where),
        volumes=_volumes(entry, where),
        networks=_values(entry, "networks", where),
        user=_value(entry.get("user"), f"{where}.user"),
        userns=_value(entry.get("userns"), f"{where}.userns"),
        health=health,
        notify=notify,
        labels=_labels(entry, where),
        podman_args=_podman_args(entry, where),
    )
    return ContainerUnit(name, options, _unit(entry, where, pod))


def _image(text: str, autoupdate: str, where: str) -> str:
    try:
        reference = Reference.parse(text)
    except InvalidReferenceError as error:
        raise InputError(f"{where}: {error}") from None
    if autoupdate == "registry" and not reference.fully_qualified:
        raise InputError(f"{where}: {text!r} names no registry, which the autoupdate policy registry needs")
    return text


def _pod(name: str, entry: _Params, where: str) -> PodUnit:
    _only(entry, where, _NOT_OF_A_POD)
    if not entry["members"]:
        raise InputError(f"{where}: a pod needs members")
    members = []
    for number, member in enumerate(entry["members"]):
        inside = f"{where}.members[{number}]"
        full_name = f"{name}-{member['name']}"
        if not _CONTAINER_NAME.match(member["name"]) or not _UNIT_NAME.match(full_name) or member["name"] == "pod":
            raise InputError(f"{inside}: {member['name'][:64]!r} is not a name for a member")
        members.append(_container(full_name, member, inside, entry))
    return PodUnit(
        name=name,
        unit=_unit(entry, where, None),
        members=tuple(members),
        publish=_publish(entry, where),
        volumes=_volumes(entry, where),
        networks=_values(entry, "networks", where),
        userns=_value(entry.get("userns"), f"{where}.userns"),
        podman_args=_podman_args(entry, where),
    )


def _kube(name: str, entry: _Params, where: str) -> KubeUnit:
    _only(entry, where, _NOT_OF_KUBE)
    if bool(entry.get("yaml")) == bool(entry.get("path")):
        raise InputError(f"{where}: a kube unit needs either yaml or path")
    policies = []
    for container, policy in sorted((entry.get("policies") or {}).items()):
        if policy not in ("registry", "local", "disabled"):
            raise InputError(f"{where}.policies: {policy!r} is not a policy: registry, local or disabled")
        if container != "*" and not _CONTAINER_NAME.match(container):
            raise InputError(f"{where}.policies: {container[:64]!r} is not the name of a container")
        policies.append(("" if container == "*" else container, policy))
    return KubeUnit(
        name=name,
        unit=_unit(entry, where, None),
        yaml=_text(entry.get("yaml"), f"{where}.yaml"),
        path=_path(entry.get("path"), f"{where}.path"),
        policies=tuple(policies),
        publish=_publish(entry, where),
        networks=_values(entry, "networks", where),
        podman_args=_podman_args(entry, where),
    )


def _unit(entry: _Params, where: str, pod: _Params | None) -> UnitOptions:
    """The unit's own options; a pod's member is started, stopped and enabled with its pod."""
    for key in ("timeout_start", "timeout_stop"):
        value = entry.get(key)
        if value is not None and not 0 <= value <= _LONGEST_TIMEOUT:
            raise InputError(f"{where}.{key} is in seconds, from 0 to {_LONGEST_TIMEOUT}")
    lines = []
    for section, keys in (entry.get("unit_options") or {}).items():
        if not isinstance(keys, dict):
            raise InputError(f"{where}.unit_options.{section} must be a dictionary of keys")
        for key, value in keys.items():
            for one in value if isinstance(value, list) else [value]:
                lines.append(
                    raw_entry(
                        str(section),
                        str(key),
                        _scalar(one, f"{where}.unit_options.{section}.{key}"),
                        f"{where}.unit_options",
                    )
                )
    lifecycle = pod or entry
    return UnitOptions(
        restart=entry["restart"],
        start_seconds=entry.get("timeout_start"),
        stop_seconds=entry.get("timeout_stop"),
        requires=_other_units(entry, "requires", where),
        after=_other_units(entry, "after", where),
        upholds=_other_units(entry, "upholds", where),
        lines=tuple(lines),
        enabled=lifecycle["enabled"],
        state=State(lifecycle["state"]),
    )


def _other_units(entry: _Params, key: str, where: str) -> tuple[str, ...]:
    names = []
    for name in entry.get(key) or ():
        if not _OTHER_UNIT.match(name):
            raise InputError(f"{where}.{key}: {name[:64]!r} is not the name of a unit")
        names.append(name if name.endswith(_UNIT_TYPES) else f"{name}.service")
    return tuple(names)


def _health(health: _Params | None, where: str) -> Health | None:
    if health is None:
        return None
    durations = {}
    for key in ("interval", "start_period", "timeout"):
        value = health.get(key)
        if value is not None and not _DURATION.match(value) and (key, value) != ("interval", "disable"):
            raise InputError(f"{where}.health.{key}: {value[:64]!r} is not a duration like 30s or 1m30s")
        durations[key] = value
    retries = health.get("retries")
    if retries is not None and not 1 <= retries <= _MOST_RETRIES:
        raise InputError(f"{where}.health.retries must be from 1 to {_MOST_RETRIES}")
    command = _value(health["command"], f"{where}.health.command")
    return Health(command or "none", durations["interval"], retries, durations["start_period"], durations["timeout"])


def _publish(entry: _Params, where: str) -> tuple[str, ...]:
    published = _values(entry, "publish", where)
    for one in published:
        try:
            check_ports(one)
        except InvalidPortError as error:
            raise InputError(f"{where}.publish: {one[:64]!r}: {error}") from None
    return published


def _volumes(entry: _Params, where: str) -> tuple[str, ...]:
    volumes = _values(entry, "volumes", where)
    for volume in volumes:
        source = volume.partition(":")[0]
        if source.startswith(".") or ("/" in source and not source.startswith("/")):
            raise InputError(f"{where}.volumes: {volume[:64]!r} is relative; a path on the host begins with a slash")
    return volumes


def _podman_args(entry: _Params, where: str) -> tuple[str, ...]:
    given = _words(entry, "podman_args", where)
    for argument in given:
        option = argument.partition("=")[0]
        if is_own_option(option):
            raise InputError(f"{where}.podman_args: {option} is what the unit itself says")
        if not argument or argument == "--":
            raise InputError(f"{where}.podman_args: {argument!r} would end the options")
    return given


def _labels(entry: _Params, where: str) -> tuple[tuple[str, str], ...]:
    pairs = _pairs(entry, "labels", where, None)
    for name in dict(pairs):
        instead = instead_of_label(name)
        if instead:
            raise InputError(f"{where}.labels: {name[:64]} cannot be given as a label: {instead}")
    return pairs


def _environment(entry: _Params, where: str) -> tuple[tuple[str, str], ...]:
    pairs = _pairs(entry, "environment", where, _VARIABLE)
    for name, value in pairs:
        if "\r\n" in value:
            raise InputError(
                f"{where}.environment.{name} has a carriage return before a newline, which podman takes away"
            )
    return pairs


def _pairs(entry: _Params, key: str, where: str, allowed: re.Pattern[str] | None) -> tuple[tuple[str, str], ...]:
    pairs = []
    for name, value in sorted((str(name), value) for name, value in (entry.get(key) or {}).items()):
        if not name or "=" in name or (allowed and not allowed.match(name)):
            raise InputError(f"{where}.{key}: {name[:64]!r} is not a usable name")
        checked(f"{name}={_scalar(value, f'{where}.{key}.{name}')}", f"{where}.{key}.{name}")
        pairs.append((name, _scalar(value, f"{where}.{key}.{name}")))
    return tuple(pairs)


def _scalar(value: object, what: str) -> str:
    """Text or a whole number; of the others YAML loses what was written (yes, 1.10)."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(f"{what} must be text; quote {json.dumps(value, default=str)[:64]}")
    return str(value)


def _words(entry: _Params, key: str, where: str) -> tuple[str, ...]:
    return tuple(checked(str(one), f"{where}.{key}") for one in entry.get(key) or ())


def _values(entry: _Params, key: str, where: str) -> tuple[str, ...]:
    return tuple(str(_value(str(one), f"{where}.{key}")) for one in entry.get(key) or ())


def _value(text: str | None, what: str) -> str | None:
    if text is None:
        return None
    if not text:
        raise InputError(f"{what} is empty")
    return checked(text, what)


def _text(text: str | None, what: str) -> str | None:
    """Text of a file: of any length."""
    if text is None:
        return None
    for part in text.split("\n"):
        checked(part, what)
    return text


def _path(path: str | None, what: str) -> str | None:
    if path is None:
        return None
    if not path.startswith("/") or "\n" in path:
        raise InputError(f"{what}: {path[:64]!r} is not an absolute path")
    return checked(path, what)
