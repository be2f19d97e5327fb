# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container definitions: as an entry of the role, and as the options of «podman create» that a person would write for it."""

from __future__ import annotations

from typing import Any

from locations import SCRATCH

_HEALTH = {"command": "true", "interval": "20s", "retries": 4, "start_period": "5s", "timeout": "3s"}

#: An option takes the place of all limits of containers.conf, without which the lab's runtime cannot start anything.
_LIMITS = ["--ulimit=core=0:0", "--ulimit=nofile=20000:20000", "--ulimit=nproc=9000:9000"]

#: What the role says, what podman is told before the image, and what after it.
CORPUS: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({}, [], []),
    ({"command": ["serve", "--port", "80"]}, [], ["serve", "--port", "80"]),
    ({"command": ["two words", "it's", 'say "hi"', "back\\slash"]}, [], ["two words", "it's", 'say "hi"', "back\\slash"]),
    ({"command": ["100%", "%n", "$HOME", "${X}", "$$"]}, [], ["100%", "%n", "$HOME", "${X}", "$$"]),
    ({"command": ["ä ß €", "日本", "-v", "--", "#x"]}, [], ["ä ß €", "日本", "-v", "--", "#x"]),
    ({"environment": {"A": "1", "B": "two words"}}, ["--env=A=1", "--env=B=two words"], []),
    ({"environment": {"A": "100% $HOME", "B": ""}}, ["--env=A=100% $HOME", "--env=B="], []),
    ({"environment": {"A": '"quoted" \\ \'too\'', "N": 7}}, ['--env=A="quoted" \\ \'too\'', "--env=N=7"], []),
    ({"environment_files": [f"{SCRATCH}/corpus.env"]}, [f"--env-file={SCRATCH}/corpus.env"], []),
    ({"labels": {"a.b/c": "d e", "x": ""}}, ["--label=a.b/c=d e", "--label=x="], []),
    ({"labels": {"percent": "%n", "dollar": "$HOME"}}, ["--label=percent=%n", "--label=dollar=$HOME"], []),
    ({"secrets": ["it-secret"]}, ["--secret=it-secret"], []),
    ({"secrets": ["it-secret,type=env,target=PASSWORD"]}, ["--secret=it-secret,type=env,target=PASSWORD"], []),
    ({"publish": ["18080:80"]}, ["--publish=18080:80"], []),
    ({"publish": ["127.0.0.1:18081:81/udp", "18082-18083:82-83"]}, ["--publish=127.0.0.1:18081:81/udp", "--publish=18082-18083:82-83"], []),
    ({"volumes": ["it-data:/data"]}, ["--volume=it-data:/data"], []),
    ({"volumes": [f"{SCRATCH}:/x:ro", "it-data:/d:rw,noexec"]}, [f"--volume={SCRATCH}:/x:ro", "--volume=it-data:/d:rw,noexec"], []),
    ({"volumes": [f"{SCRATCH}/a b:/with space"]}, [f"--volume={SCRATCH}/a b:/with space"], []),
    ({"networks": ["none"]}, ["--network=none"], []),
    ({"networks": ["host"]}, ["--network=host"], []),
    ({"networks": ["it-net"]}, ["--network=it-net"], []),
    ({"networks": ["it-net:alias=web"]}, ["--network=it-net:alias=web"], []),
    ({"user": "1000"}, ["--user=1000"], []),
    ({"user": "1000:2000"}, ["--user=1000:2000"], []),
    ({"userns": "host"}, ["--userns=host"], []),
    ({"health": _HEALTH}, ["--health-cmd=true", "--health-interval=20s", "--health-retries=4", "--health-start-period=5s", "--health-timeout=3s"], []),
    ({"health": {"command": 'test "a b" = "a b" && echo $HOME'}}, ['--health-cmd=test "a b" = "a b" && echo $HOME'], []),
    ({"health": {"command": "none"}}, ["--health-cmd=none"], []),
    ({"timeout_stop": 4}, ["--stop-timeout=4"], []),
    ({"restart": "always"}, ["--restart=always"], []),
    ({"autoupdate": "local"}, ["--label=io.containers.autoupdate=local"], []),
    ({"autoupdate": "disabled"}, [], []),
    ({"podman_args": ["--hostname=web.example.com", "--add-host=db:10.0.0.1"]}, ["--hostname=web.example.com", "--add-host=db:10.0.0.1"], []),
    ({"podman_args": ["--read-only", "--tmpfs=/tmp:size=1m"]}, ["--read-only", "--tmpfs=/tmp:size=1m"], []),
    ({"podman_args": ["--cap-drop=all", "--cap-add=net_bind_service"]}, ["--cap-drop=all", "--cap-add=net_bind_service"], []),
    ({"podman_args": ["--security-opt=no-new-privileges"]}, ["--security-opt=no-new-privileges"], []),
    ({"podman_args": ["--init"]}, ["--init"], []),
    ({"podman_args": ["--workdir=/", "--entrypoint=/entry"]}, ["--workdir=/", "--entrypoint=/entry"], []),
    ({"podman_args": ["--tty"]}, ["--tty"], []),
    ({"podman_args": ["--shm-size=8m", *_LIMITS]}, ["--shm-size=8m", *_LIMITS], []),
    ({"podman_args": ["--dns=10.0.0.53", "--dns-search=example.com"]}, ["--dns=10.0.0.53", "--dns-search=example.com"], []),
    ({"podman_args": ["--stop-signal=SIGINT", "--group-add=3000"]}, ["--stop-signal=SIGINT", "--group-add=3000"], []),
    ({"podman_args": ["--annotation=a.b=c d", "--expose=9000"]}, ["--annotation=a.b=c d", "--expose=9000"], []),
    ({"podman_args": ["--log-driver=k8s-file", "--sysctl=net.ipv4.ip_unprivileged_port_start=0"]}, ["--log-driver=k8s-file", "--sysctl=net.ipv4.ip_unprivileged_port_start=0"], []),
    ({"podman_args": ["--env=A=1=2", "--unsetenv=LAB_VERSION"]}, ["--env=A=1=2", "--unsetenv=LAB_VERSION"], []),
    ({"environment": {"A": "x\ny"}, "labels": {"l": "tab\there"}, "command": ["a\nb"]}, ["--env=A=x\ny", "--label=l=tab\there"], ["a\nb"]),
]  # fmt: skip

#: Which of them podman's own generator breaks: quotes and backslashes in one command, and newlines.
GENERATE_CANNOT = tuple(
    number
    for number, (entry, _before, _after) in enumerate(CORPUS)
    if "back\\slash" in entry.get("command", ()) or "a\nb" in entry.get("command", ())
)

#: What may differ: names and IDs, what is made anew for each container, and how each style watches its process.
DIFFER = (
    ".Id", ".Created", ".State", ".ResolvConfPath", ".HostnamePath", ".HostsPath", ".StaticDir", ".OCIConfigPath",
    ".ConmonPidFile", ".PidFile", ".GraphDriver", ".LogPath", ".ExitCommand", ".lockNumber", ".KernelMemory",
    # Addresses and the sandbox are the network's choice at each start.
    ".NetworkSettings",
    # The container's ID, unless a name was asked for; that is compared with the hostname of the definition.
    ".Config.Hostname", ".Config.CreateCommand", ".Config.sdNotifySocket",
    # Generated units are called container-NAME.service.
    ".Config.Labels.PODMAN_SYSTEMD_UNIT",
    ".HostConfig.ContainerIDFile",
    ".Config.Annotations.io.kubernetes.cri-o.Created",
    ".Config.Annotations.io.podman.annotations.cid-file",
    ".HostConfig.Annotations.io.podman.annotations.cid-file", ".HostConfig.LogConfig.Path",
    # «podman generate systemd» takes --restart away, for systemd restarts; the role never gives it.
    ".HostConfig.RestartPolicy",
    # no-conmon for classic units, split for Quadlet.
    ".HostConfig.Cgroups", ".HostConfig.CgroupParent", ".HostConfig.CgroupMode", ".State.CgroupPath",
)  # fmt: skip
