# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of both styles: which one a host gets, and what stands in them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.definition_reading import read_definitions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_styles import (
    Folder,
    Rendered,
    Style,
    Target,
    parse_version,
    rendered,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._pure.unit_entries import (
    IMAGE,
    entry,
    member,
    read_words,
)

_YAML = "apiVersion: v1\nkind: Pod\n"


def _target(version: tuple[int, int] = (5, 4), *, quadlet: bool = True) -> Target:
    return Target("/usr/bin/podman", version, quadlet, "/etc/podfleet-autoupdate/kube", "default")


def _rendered(given: dict[str, t.Any], style: str = "auto", target: Target | None = None) -> Rendered:
    (definition,) = read_definitions([given])
    return rendered(definition, Style(style), target or _target())


def _lines(unit: Rendered, number: int = 0) -> dict[str, list[str]]:
    """Key → values, of one file."""
    found: dict[str, list[str]] = {}
    for line in unit.files[number].text.split("\n")[1:]:
        if line and not line.startswith("["):
            key, _equals, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize(
    ("given", "version", "expected"),
    [
        (entry(), (4, 3), "service"),
        (entry(), (4, 4), "quadlet"),
        (entry("shop", kind="pod", members=[member("a")]), (4, 9), "service"),
        (entry("shop", kind="pod", members=[member("a")]), (5, 0), "quadlet"),
        (entry("play", kind="kube", yaml=_YAML), (4, 3), "service"),
        (entry("play", kind="kube", yaml=_YAML), (4, 4), "quadlet"),
        (entry(command=["a", "", "b"]), (5, 4), "service"),
        (entry(command=["a", ";", "b"]), (5, 4), "service"),
        (entry(labels={"a": "\x80"}), (5, 4), "service"),
        (entry(image="registry.example.com/web.image"), (5, 4), "service"),
        (entry(image="registry.example.com/web.build:1"), (5, 4), "service"),
        (entry("play", kind="kube", path="/srv/a b.yml"), (5, 4), "service"),
    ],
)
def test_the_style_follows_what_podman_has(given: dict[str, t.Any], version: tuple[int, int], expected: str) -> None:
    assert _rendered(given, target=_target(version)).style.value == expected
    if expected == "service":
        with pytest.raises(InputError, match=r"quadlet|Quadlet"):
            _rendered(given, "quadlet", _target(version))


def test_without_its_generator_there_is_no_quadlet() -> None:
    assert _rendered(entry(), target=_target(quadlet=False)).style is Style.SERVICE


@pytest.mark.parametrize("style", ["service", "quadlet"])
@pytest.mark.parametrize(
    "given",
    [
        entry(unit_options={"Service": {"Environment": "", "Nice": "5"}}),
        entry("web@blue"),
        entry("shop", kind="pod", members=[member("a"), member("b")]),
        entry("play", kind="kube", yaml=_YAML),
    ],
    ids=["container", "instance", "pod", "kube"],
)
def test_every_unit_names_itself_after_whatever_the_user_wrote(given: dict[str, t.Any], style: str) -> None:
    unit = _rendered(given, style)

    for number, file in enumerate(unit.files):
        if file.service:
            assert _lines(unit, number)["Environment"][-1] == "PODMAN_SYSTEMD_UNIT=%n"


def test_a_classic_container_is_what_podman_would_generate() -> None:
    unit = _rendered(
        entry(
            command=["serve", "a b"],
            environment={"A": "100%"},
            timeout_stop=5,
            restart="always",
            requires=["db"],
            upholds=["side"],
        ),
        "service",
    )

    assert [(file.folder, file.name, file.service) for file in unit.files] == [
        (Folder.SYSTEMD, "web.service", "web.service")
    ]
    lines = _lines(unit)
    assert lines["ExecStartPre"] == ["/bin/rm -f %t/%n.ctr-id"]
    start = lines["ExecStart"][0].replace("%t/%n", "ID")
    assert read_words(start) == [
        "/usr/bin/podman",
        "run",
        "--cidfile=ID.ctr-id",
        "--cgroups=no-conmon",
        "--rm",
        "--sdnotify=conmon",
        "-d",
        "--replace",
        "--name=web",
        "--env=A=100%",
        "--label=io.containers.autoupdate=registry",
        "--stop-timeout=5",
        IMAGE,
        "serve",
        "a b",
    ]
    assert lines["ExecStop"] == ["/usr/bin/podman stop --ignore -t 5 --cidfile=%t/%n.ctr-id"]
    assert lines["ExecStopPost"] == ["/usr/bin/podman rm -f --ignore -t 5 --cidfile=%t/%n.ctr-id"]
    assert (lines["Type"], lines["NotifyAccess"]) == (["notify"], ["all"])
    assert (lines["Restart"], lines["TimeoutStopSec"]) == (["always"], ["65"])
    assert lines["Requires"] == ["db.service"]
    assert lines["After"] == ["network-online.target", "db.service"]
    assert lines["Upholds"] == ["side.service"]
    assert lines["WantedBy"] == ["default.target"]


def test_the_default_stop_is_podmans() -> None:
    lines = _lines(_rendered(entry(), "service"))

    assert lines["TimeoutStopSec"] == ["70"]
    assert " -t " not in lines["ExecStop"][0]


def test_a_classic_pod_and_its_member_belong_together() -> None:
    unit = _rendered(entry("shop", kind="pod", publish=["80:80"], members=[member("web")]), "service")

    pod, web = _lines(unit, 0), _lines(unit, 1)
    assert [file.name for file in unit.files] == ["shop-pod.service", "shop-web.service"]
    assert pod["Wants"] == ["network-online.target", "shop-web.service"]
    assert pod["Before"] == ["shop-web.service"]
    assert pod["ExecStartPre"][1] == (
        "/usr/bin/podman pod create --infra-conmon-pidfile=%t/shop-pod.pid --pod-id-file=%t/shop-pod.pod-id"
        " --exit-policy=stop --replace --name=shop --publish=80:80"
    )
    assert (pod["PIDFile"], pod["Type"]) == (["%t/shop-pod.pid"], ["forking"])
    assert web["BindsTo"] == ["shop-pod.service"]
    assert "--pod-id-file=%t/shop-pod.pod-id" in web["ExecStart"][0].split()
    assert "WantedBy" not in web


def test_kube_by_value_is_a_file_of_ours() -> None:
    for style, folder in (("service", Folder.SYSTEMD), ("quadlet", Folder.QUADLET)):
        unit = _rendered(entry("play", kind="kube", yaml=_YAML, policies={"*": "registry", "a": "local"}), style)
        assert [file.folder for file in unit.files] == [folder, Folder.KUBE]
        assert unit.files[1].text.split("\n", 1)[1] == _YAML
        annotations = [
            "--annotation=io.containers.autoupdate=registry",
            "--annotation=io.containers.autoupdate/a=local",
        ]
        lines = _lines(unit)
        if style == "quadlet":
            assert lines["PodmanArgs"] == annotations
            assert lines["Yaml"] == ["/etc/podfleet-autoupdate/kube/play.yml"]
        else:
            assert lines["ExecStart"][0].split()[1:-1] == [
                "kube",
                "play",
                "--replace",
                "--service-container=true",
                *annotations,
            ]


def test_a_quadlet_container_keeps_what_quadlet_would_interpret_away_from_it() -> None:
    lines = _lines(
        _rendered(
            entry(
                volumes=["data:/data", "x.volume:/x", "a b:/c"],
                networks=["host", "shop.network"],
                publish=["80:80"],
                environment={"A": "x y"},
                health={"command": "true"},
                notify="container",
            ),
            "quadlet",
        )
    )

    assert lines["Volume"] == ["data:/data"]
    assert lines["Network"] == ["host"]
    assert lines["PublishPort"] == ["80:80"]
    assert lines["Environment"][0] == '"A=x y"'
    assert lines["Notify"] == ["yes"]
    assert lines["PodmanArgs"] == [
        "--volume=x.volume:/x",
        '"--volume=a b:/c"',
        "--network=shop.network",
        "--health-cmd=true",
    ]


@pytest.mark.parametrize(
    ("given", "version", "message"),
    [
        (entry(notify="healthy", health={"command": "true"}), (4, 3), "notify healthy needs podman 5.0"),
        (entry("db"), (4, 3), "confuses the name db"),
        (entry("play", kind="kube", yaml=_YAML, publish=["80:80"]), (4, 3), "publish needs podman 4.4"),
    ],
)
def test_what_an_old_podman_cannot_do_is_refused(
    given: dict[str, t.Any], version: tuple[int, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _rendered(given, target=_target(version))
    assert _rendered(given, target=_target((5, 0))).files


def test_what_spoils_updates_is_warned_of() -> None:
    found = _rendered(entry(podman_args=["--pull=newer"], volumes=["/data", "named:/x"])).warnings

    assert len(found) == 2
    assert "--pull=newer pulls at every start" in found[0]
    assert "/data has no name" in found[1]
    assert _rendered(entry(podman_args=["--pull", "missing"], volumes=["named:/x"])).warnings == ()
    assert _rendered(entry(podman_args=["--pull", "always"])).warnings


def test_labels_for_updates_stand_beside_the_users() -> None:
    unit = _rendered(entry(authfile="/a.json", labels={"b": "c"}), "quadlet")

    assert _lines(unit)["Label"] == [
        "b=c",
        "io.containers.autoupdate=registry",
        "io.containers.autoupdate.authfile=/a.json",
    ]
    off = _lines(_rendered(entry(autoupdate="disabled"), "quadlet"))
    assert "Label" not in off


@pytest.mark.parametrize(
    ("text", "version"),
    [("podman version 5.4.2\n", (5, 4)), ("podman version 4.3.1\n", (4, 3)), ("5.0.0-dev", (5, 0)), ("podman", None)],
)
def test_podmans_version(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version
