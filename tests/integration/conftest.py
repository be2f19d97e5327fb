# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every integration test has: a clean real host of each distribution, images, and Ansible.

The lab must run: hosts of both distributions, as ``make integration`` starts them. Tests of one distribution touch nothing
of the other, so with pytest-xdist («-n 2») both are tested side by side.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lab")]

from fleet import Fleet, inventory_of  # noqa: E402 (its place is known only now)
from harness import Ansible  # noqa: E402
from lablib import units  # noqa: E402
from lablib.host import Host  # noqa: E402
from lablib.hostimage import DISTROS  # noqa: E402
from lablib.images import ImageMaker  # noqa: E402
from lablib.lab import Lab  # noqa: E402
from lablib.lab import up as bring_up  # noqa: E402
from lablib.paths import GATEWAY  # noqa: E402
from lablib.proxy import FaultProxy  # noqa: E402
from lablib.registry import SecureRegistry  # noqa: E402
from locations import DROP_INS, FLEET, LANE, LEFTOVERS, PROXY_PORTS, SCRATCH  # noqa: E402
from pushing import Push  # noqa: E402
from secrecy import Watch, know  # noqa: E402
from secure import Vault  # noqa: E402

from roles import wipe  # noqa: E402


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """One host, one test at a time: a worker takes a distribution, whatever «--dist» says."""
    scheduler = importlib.import_module("xdist.scheduler").LoadScopeScheduling(config, log)
    scheduler._split_scope = _distribution_of
    return scheduler


def _distribution_of(node_id: str) -> str:
    (name,) = (name for name in DISTROS if f"[{name}" in node_id)
    return name


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab.open()


@pytest.fixture(params=DISTROS)
def distro(request: pytest.FixtureRequest) -> str:
    """Each test runs on each distribution, unless it names its own."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def watch() -> Watch:
    """What sees secrets that are told on hosts."""
    return Watch()


@pytest.fixture(scope="session")
def used(watch: Watch) -> Iterator[dict[str, Host]]:
    """The hosts that were used, by distribution; left as clean as each test finds them."""
    found: dict[str, Host] = {}
    yield found
    for one in found.values():
        clean(one)
        watch.leave(one)


@pytest.fixture
def host(lab: Lab, used: dict[str, Host], distro: str, watch: Watch) -> Iterator[Host]:
    """A host with nothing on it, where no secret may be seen until the test ends."""
    used[distro] = lab.host(f"{distro}-{LANE}")
    clean(used[distro])
    watch.begin(used[distro])
    yield used[distro]
    watch.end(used[distro])


def clean(host: Host) -> None:
    host.run(["sh", "-c", f"rm -rf {SCRATCH} {DROP_INS} {' '.join(LEFTOVERS)}"])
    wipe(host)
    units.reset(host)


@pytest.fixture(scope="session")
def ansible(lab: Lab) -> Ansible:
    return Ansible(lab.inventory)


@pytest.fixture(scope="session")
def maker(lab: Lab) -> ImageMaker:
    return ImageMaker(lab.registry.address)


@pytest.fixture
def push(maker: ImageMaker, distro: str) -> Push:
    return Push(maker, distro)


@pytest.fixture
def proxy(lab: Lab, distro: str) -> Iterator[FaultProxy]:
    """A way to the registry that a test can break."""
    with FaultProxy((GATEWAY, lab.registry.port), (GATEWAY, PROXY_PORTS[distro].start)) as running:
        yield running


@pytest.fixture(scope="session")
def secure_registry(lab: Lab) -> SecureRegistry:
    """Started where the lab has none yet."""
    registry = lab.secure_registry or bring_up(DISTROS[0], 1, True, print).secure_registry
    assert registry is not None
    know(registry.password, Vault(registry, DISTROS[0]).pair)
    return registry


@pytest.fixture
def vault(secure_registry: SecureRegistry, distro: str) -> Vault:
    """The secure registry, and what opens it."""
    return Vault(secure_registry, distro)


@pytest.fixture
def fleet(lab: Lab, watch: Watch, tmp_path: Path) -> Iterator[Fleet]:
    """Six hosts with nothing on them, in turn of one distribution and the other."""
    hosts = tuple(lab.host(f"{distro}-{number}") for number in FLEET for distro in DISTROS)
    found = Fleet(hosts, inventory_of(hosts, lab.inventory, tmp_path / "inventory"), tmp_path)
    found.each(clean)
    found.each(watch.begin)
    yield found
    found.each(watch.end)
    found.each(clean)
    found.each(watch.leave)
