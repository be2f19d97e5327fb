# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our check of image filters lets pass, the real podman takes, and it finds what it should."""

from __future__ import annotations

from lablib.host import Host
from pushing import Push, id_of

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.image_filters import checked

_ASK = r"""
while IFS= read -r filter; do
    podman images --all --no-trunc --quiet --filter="$filter" 2>/dev/null
    printf 'rc=%s\0' $?
done
"""


def test_podman_takes_what_passes_and_finds_by_it(host: Host, push: Push) -> None:
    """podman 4.3.1 knows no filter «digest», no digest in «reference», and compares whole IDs only."""
    one, two = push("filter", labels={"colour": "deep blue"}), push("filtered", tag="v2")
    host.run(["podman", "pull", "--quiet", one.reference, two.reference])
    first, second = id_of(one), id_of(two)
    both = {first, second}
    repository = one.reference.rpartition(":")[0]
    expected = {
        f"reference={one.reference}": {first},
        f"reference={repository.rpartition('/')[0]}/*": both,
        f"reference=*{repository.rpartition('-')[2]}ed": {second},
        f"reference!={one.reference}": {second},
        "reference=it-[^x]*": both,
        "label=colour=deep blue": {first},
        "label!=colour=deep blue": {second},
        "label=colour": {first},
        f"id={first}": {first},
        f"id!={first}": {second},
        "dangling=1": set(),
        "dangling!=true": both,
        "containers=0": both,
        "manifest=F": both,
        "intermediate=false": both,
        "readonly=true": set(),
        "until=24h": both,
        "until=1.5h": both,
        "until=0": set(),
        "until=1700000000.5": set(),
        "until=2026-01-31T08": both,
        "until=2026-01-31T08:00": both,
        "until=2026-01-31T08:00:00.5+01:00": both,
        "until=2026-01-31Z": both,
        f"before={one.reference}": set(),
        f"since={first}": set(),
        f"after!={two.reference}": both,
    }
    if host.distro == "trixie":
        expected[f"digest={one.digest[:20]}"] = {first}
        expected[f"reference={repository}@{one.digest}"] = {first}
        expected[f"id={second[7:19]}"] = {second}

    passed = checked(list(expected))
    output = host.run(["sh", "-c", _ASK], input="".join(f"{one}\n" for one in passed)).stdout
    *answers, _rest = output.split("\0")

    found = {asked: set(answer.split()) for asked, answer in zip(expected, answers, strict=True)}
    assert found == {asked: {*ids, "rc=0"} for asked, ids in expected.items()}
