# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""container_units: whatever a value is, the container's first process gets it byte for byte, or the entry is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from harness import Ansible
from hostile import QUADLET_CANNOT, VALUES
from lablib.host import Host
from pushing import Push

from roles import units

STYLES = [("trixie", "service"), ("trixie", "quadlet"), ("bookworm", "service")]
#: How many values a container is given; execve(2) has a bound for all of them together.
_AT_ONCE = 12


def _list(host: Host, path: str) -> list[str]:
    """A file of words with a NUL after each; not as text, in which Python would mend line ends."""
    data = base64.b64decode(host.run(["base64", "-w0", path]).stdout)
    return data.decode().split("\0")[:-1]


def _process(host: Host, container: str) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Arguments and environment of a container's first process, as the kernel has them, and the container's labels."""
    facts = json.loads(host.run(["podman", "inspect", container]).stdout)[0]
    pid = facts["State"]["Pid"]
    arguments, pairs = (_list(host, f"/proc/{pid}/{name}") for name in ("cmdline", "environ"))
    environment = dict(pair.partition("=")[::2] for pair in pairs if pair)
    return arguments, environment, facts["Config"]["Labels"]


@pytest.mark.parametrize(("distro", "style"), STYLES)
def test_every_value_arrives_as_it_is(host: Host, ansible: Ansible, push: Push, style: str) -> None:
    image = push("hostile").reference
    values = [value for value in VALUES if style == "service" or value not in QUADLET_CANNOT]
    batches = [values[first : first + _AT_ONCE] for first in range(0, len(values), _AT_ONCE)]
    entries = [
        {
            "name": f"it-hostile{number}",
            "image": image,
            "command": ["first", *batch],
            "environment": {f"V{index}": value for index, value in enumerate(batch) if "\r\n" not in value},
            "labels": {f"it.label{index}": value for index, value in enumerate(batch)},
            "volumes": [f"it-hostile:/a b,c{number}"],
        }
        for number, batch in enumerate(batches)
    ]

    units(ansible, host, entries, style=style).succeeded()

    for number, batch in enumerate(batches):
        arguments, environment, labels = _process(host, f"it-hostile{number}")
        assert arguments[arguments.index("first") + 1 :] == list(batch)
        got = {name: value for name, value in environment.items() if name[0] == "V"}
        assert got == entries[number]["environment"]
        assert [labels[f"it.label{index}"] for index in range(len(batch))] == list(batch)
        assert labels["PODMAN_SYSTEMD_UNIT"] == f"it-hostile{number}.service"
    assert host.run(["test", "-e", "/run/injected"], check=False).returncode == 1
    assert units(ansible, host, entries, style=style).succeeded().changed == 0


@pytest.mark.parametrize("distro", ["trixie"])
@pytest.mark.parametrize("value", QUADLET_CANNOT, ids=ascii)
def test_what_quadlet_would_change_is_refused_or_written_as_a_service(
    host: Host, ansible: Ansible, push: Push, value: str
) -> None:
    entries = [{"name": "it-odd", "image": push("hostile").reference, "command": ["first", value, "last"]}]

    assert "Quadlet does not hand on the value" in units(ansible, host, entries, style="quadlet").failed()
    chosen = units(ansible, host, entries).succeeded()

    assert [row["style"] for row in chosen.data["units"]] == ["service"]
    assert _process(host, "it-odd")[0][-3:] == ["first", value, "last"]


@pytest.mark.parametrize("distro", ["bookworm"])
def test_what_cannot_arrive_is_refused_by_name(host: Host, ansible: Ansible, push: Push) -> None:
    image = push("hostile").reference
    refused: dict[str, dict[str, Any]] = {
        "environment.V has a carriage return before a newline": {"environment": {"V": "a\r\nb"}},
        "environment: 'A\\nB' is not a usable name": {"environment": {"A\nB": "x"}},
        "environment.V must be text; quote true": {"environment": {"V": True}},
        "environment.V must be text; quote 1.1": {"environment": {"V": 1.10}},
        "command has a NUL character": {"command": ["a\0b"]},
        "command has one of Unicode's noncharacters": {"command": ["\uffff"]},
        "has 131072 bytes, more than the 131071": {"command": ["x" * 131072]},
        "must be one line without control characters": {"unit_options": {"Service": {"Nice": "1\nUser=nobody"}}},
        "'Nice=1\\nUser' is not the name of a key": {"unit_options": {"Service": {"Nice=1\nUser": "nobody"}}},
        "'Service]\\n[Install' is not the name of a section": {"unit_options": {"Service]\n[Install": {"Nice": "1"}}},
        "ends with a backslash": {"unit_options": {"Service": {"Nice": "1\\"}}},
        "is not the name of a unit": {"after": ["a.service\nUser=nobody"]},
        "is not an image reference": {"image": f"{image}\nUser=nobody"},
        "is not a name for a unit": {"name": "../../it-bad"},
        "is not a name for a container": {"container_name": "a b"},
        "is not an absolute path": {"environment_files": ["relative"]},
        "is what the unit itself says": {"podman_args": ["--name=other"]},
    }

    for message, change in refused.items():
        output = units(ansible, host, [{"name": "it-bad", "image": image, **change}]).failed()
        assert message in output, output[-1500:]
    assert host.run(["sh", "-c", "ls /etc/systemd/system | grep it-bad"], check=False).stdout == ""
