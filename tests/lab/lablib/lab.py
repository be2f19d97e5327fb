# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a whole: bring it up, attach to it, take it down."""

from __future__ import annotations

import contextlib
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

from . import hostimage, inventory, keys, namespace, processes, state
from .engine import Engine, host_volumes
from .errors import HostCommandError, LabError
from .guestfiles import GUEST_DIR
from .host import MAX_HOSTS, Host
from .namespace import Namespace
from .paths import GATEWAY, LOCK_FILE, NETWORK_NAME, LabPaths
from .probing import MachineFacts, probe
from .registry import Registry, SecureRegistry

__all__ = ["HostCommandError", "Lab", "LabError"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Lab:
    """The running lab. Tests get it by ``Lab.open()``."""

    paths: LabPaths
    engine: Engine
    registry: Registry
    secure_registry: SecureRegistry | None
    gateway: str = GATEWAY

    @classmethod
    def open(cls) -> Lab:
        """Attach to the lab that runs on this machine."""
        current = _running_state(LabPaths())
        if current is None:
            raise LabError("the lab is down; start it with «python3 tests/lab/lab.py up»")
        lab = _attach(current)
        if not lab.hosts():
            raise LabError("the lab has no running host; «python3 tests/lab/lab.py up» repairs it")
        return lab

    @property
    def inventory(self) -> Path:
        return self.paths.inventory

    def hosts(self, distro: str | None = None) -> tuple[Host, ...]:
        """The running hosts, in order of their names' numbers."""
        running = [name for name, condition in self.engine.containers().items() if condition == "running"]
        found = [
            host
            for host in (Host.named(name, self.engine) for name in running)
            if host and distro in (None, host.distro)
        ]
        return tuple(sorted(found, key=lambda host: (host.distro != "trixie", int(host.name.rpartition("-")[2]))))

    def host(self, name: str) -> Host:
        for host in self.hosts():
            if host.name == name:
                return host
        raise LabError(
            f"no host {name} runs in the lab; «python3 tests/lab/lab.py status» lists them, «up --hosts N --distro …» adds some"
        )


def _attach(current: state.LabState) -> Lab:
    paths = LabPaths(cache=Path(current.cache))
    room = Namespace(paths, current.namespace_inode) if current.namespace_inode is not None else None
    secure = SecureRegistry(paths, password=current.secure_password) if current.secure_password else None
    return Lab(paths, Engine(paths, room), Registry(paths), secure)


def _running_state(paths: LabPaths) -> state.LabState | None:
    """The state of a lab that really runs: of this boot, with its namespace still there."""
    current = state.load(paths)
    if current is None or current.boot_id != state.current_boot_id():
        return None
    if current.namespace_inode is not None and not Namespace(paths, current.namespace_inode).is_alive():
        return None
    return current


def _recover_namespace(paths: LabPaths) -> None:
    """Somebody unmounted the lab's namespace, but its hosts still run in it: get hold of it again."""
    current = state.load(paths)
    if current is not None and current.boot_id == state.current_boot_id() and current.namespace_inode is not None:
        room = Namespace(paths, current.namespace_inode)
        if not room.is_alive():
            namespace.recover(room)


def up(distro: str, count: int, secure: bool, say: Say) -> Lab:
    """Bring up what is missing of ``count`` hosts of ``distro``; never takes anything away."""
    if not 1 <= count <= MAX_HOSTS:
        raise LabError(f"--hosts must be 1 to {MAX_HOSTS}, not {count}")
    facts = MachineFacts.gather()
    with state.locked():
        lab = _prepare(facts)
        if secure and lab.secure_registry is None:
            current = _known(lab.paths)
            state.save(lab.paths, replace(current, secure_password=keys.new_password()))
            lab = _attach(_known(lab.paths))
        image = hostimage.ensure(lab.engine, distro, facts, say)
        _boot(lab, [Host.number(distro, number, lab.engine) for number in range(1, count + 1)], image.name)
        lab.registry.start_locked()
        if lab.secure_registry is not None:
            lab.secure_registry.start_locked()
        lab.inventory.write_text(inventory.render(lab.paths, lab.hosts()), encoding="utf-8")
    return lab


def _known(paths: LabPaths) -> state.LabState:
    current = state.load(paths)
    if current is None:
        raise LabError(
            f"{paths.state} vanished while the lab was coming up; was the folder removed? Run «lab.py up» again"
        )
    return current


def _prepare(facts: MachineFacts) -> Lab:
    """Folders, keys, namespace, settings; on a lab that runs already, nothing."""
    paths = LabPaths()
    _recover_namespace(paths)
    current = _running_state(paths)
    if current is not None:
        if Path(current.cache) != paths.cache:
            raise LabError(
                f"a lab already runs on this machine with its files in {current.cache}, not in {paths.cache}. "
                f"Either use it (export PODFLEET_CACHE={Path(current.cache).parent}) or stop it first («lab.py down»)"
            )
        return _attach(current)
    missing = [finding for finding in probe(paths, facts) if finding.blocking and not finding.fine]
    if missing:
        raise LabError(
            "this machine cannot run the lab yet; «lab.py install» installs missing packages:\n"
            + "\n".join(item.line() for item in missing)
        )
    _remove_remains(paths)
    paths.cache.mkdir(parents=True, exist_ok=True)
    paths.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys.make_ssh_keys(paths)
    keys.make_certificates(paths)
    room = None if facts.cgroups_v2 else namespace.create(paths)
    fresh = state.LabState(state.current_boot_id(), str(paths.cache), room.inode if room else None, None, {})
    lab = _attach(fresh)
    lab.engine.configure(facts)
    # Hosts of a lab that a reboot ended: nothing of them runs, and they are cheaper made than mended.
    lab.engine.remove_containers(list(lab.engine.containers()))
    # Last: what has a state is a whole lab, and what broke before here is swept away by the next attempt.
    state.save(paths, fresh)
    return lab


def _boot(lab: Lab, hosts: list[Host], image: str) -> None:
    """Start the hosts that do not run, a few at a time, and wait until each has booted."""
    conditions = lab.engine.containers()
    new = [host for host in hosts if conditions.get(host.name) != "running"]
    # Also those that podman does not list: of a start that was interrupted, the storage alone may be there.
    lab.engine.remove_containers([host.name for host in new])

    def boot(host: Host) -> None:
        if host not in new:
            # An interrupted «up» may have left it before it had booted; what its users broke in it is theirs.
            host.wait_until_booted(accept_degraded=True)
            return
        stores, homes = host_volumes(host.name)
        options = [
            f"--name={host.name}",
            f"--hostname={host.name}",
            "--systemd=always",
            "--privileged",
            f"--network={NETWORK_NAME}",
            f"--ip={host.address}",
        ]
        options += [
            f"--volume={stores}:/var/lib/containers",
            f"--volume={homes}:/home",
            f"--volume={lab.paths.guest}:{GUEST_DIR}:ro",
        ]
        lab.engine.run("run", "--detach", *options, image, "/lib/systemd/systemd", timeout=120)
        host.wait_until_booted()

    with ThreadPoolExecutor(max_workers=4) as pool:
        for _booted in pool.map(boot, hosts):
            pass


def down(say: Say) -> None:
    """Stop what this lab started, by its own container names and recorded pids. Images stay in the cache."""
    with state.locked():
        paths = LabPaths()
        _recover_namespace(paths)
        current = _running_state(paths)
        if current is None:
            if not paths.run.exists():
                say("the lab is down already")
            _remove_remains(paths)
            return
        lab = _attach(current)
        lab.engine.remove_containers(list(lab.engine.containers()))
        _remove_remains(lab.paths)


def _remove_remains(paths: LabPaths) -> None:
    """Daemons, namespace and files of a lab that ends, or of one that ended without ``down``."""
    current = state.load(paths)
    if current is not None:
        paths = LabPaths(cache=Path(current.cache))
        if current.boot_id == state.current_boot_id():
            for record in (current.daemons or {}).values():
                processes.stop_daemon(record)
    if paths.run.exists():
        namespace.destroy(paths)
        _remove_tree(paths.run)
    _remove_tree(paths.registry_data)


def _remove_tree(folder: Path) -> None:
    """Mounts of podman's may take a moment to go after their container."""
    for attempt in range(10):
        try:
            namespace.unmount_below(folder)
            shutil.rmtree(folder)
            return
        except FileNotFoundError:
            return
        except (OSError, LabError):
            if attempt == 9:
                raise
            time.sleep(0.2)


def clean(say: Say) -> None:
    """As ``down``, then remove every file that the lab made."""
    current = state.load(LabPaths())
    cache = Path(current.cache) if current else LabPaths().cache
    down(say)
    with state.locked():
        _remove_tree(cache)
    with contextlib.suppress(OSError):
        cache.parent.rmdir()
    with contextlib.suppress(OSError):
        LOCK_FILE.unlink()
