# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an archive in a process of its own, and see what it cost. That process can write to no file."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.archives import reader
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.making import read

#: The engine runs without Ansible, so that nothing else counts here.
_ENGINE = str(pathlib.Path(reader.__file__).resolve().parents[3])
_CHILD = """
import json, re, resource, sys, time
from module_utils._edges.archives.reader import images_of
from module_utils._pure.errors import ImageError
from module_utils._pure.image_names import parse_image_name
from module_utils._pure.platforms import Platform

def highest():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read()).group(1))

source = parse_image_name(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
before, began = highest(), time.process_time()
try:
    found = {"ids": [image.id for image in images_of(source, Platform("linux", "amd64"))], "reason": None, "said": ""}
except ImageError as error:
    found = {"ids": [], "reason": error.reason, "said": str(error)}
found.update(seconds=time.process_time() - began, mib=(highest() - before) / 1024)
print(json.dumps(found))
"""


class Measured(t.NamedTuple):
    """What was said of one archive; C(seconds) of CPU and C(mib) of memory more than before it was opened."""

    ids: list[str]
    reason: str | None
    said: str
    seconds: float
    mib: float


#: Above what Python and the engine take.
_MOST_MIB = 64
_MOST_SECONDS = 10.0


def measured(name: str) -> Measured:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, name],
        env={**os.environ, "PYTHONPATH": _ENGINE, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Measured(**json.loads(done.stdout))


def cheap(name: str) -> Measured:
    """As C(measured), and it was cheap."""
    found = measured(name)
    assert found.mib < _MOST_MIB
    assert found.seconds < _MOST_SECONDS
    return found


def refused_as_invalid(name: str) -> str:
    """What is said of an archive that is invalid."""
    with pytest.raises(ImageError) as refused:
        read(name)
    assert refused.value.reason is Reason.ARCHIVE_INVALID
    said = str(refused.value)
    assert said.startswith(name)
    assert len(said) < 1000
    return said
