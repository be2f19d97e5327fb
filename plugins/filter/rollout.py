# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter C(rollout)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout
short_description: Take the decisions of a rollout, step by step
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Decides what the playbook C(podfleet.autoupdate.rollout) does next. The playbook asks hosts and hands over what they
    answered; which hosts a wave has, whether the next one begins, and what goes back is decided here.
  - It is there for that playbook. Use the playbook, not the filter; what it expects and returns may change in any release.
  - Variables that cannot be meant are one error in every step, a plan that cannot be used is one in V(parts).
options:
  _input:
    description: The variables of the playbook, without their prefix C(rollout_). Empty strings mean «not given».
    type: dict
    required: true
  step:
    description: What is decided.
    type: str
    required: true
    choices:
      settings: Whether the variables can be meant, and a rollout can begin with what is given.
      parts: What each host gets of the plan.
      waves: The waves, from what hosts predict.
      window: Whether another wave may begin now.
      soak: Whether a host of the wave was changed, so that it is waited for.
      fallen: The units of one host that did not stay well during the soak, as patterns for C(only).
      undone: Whether nothing more is to be waited for on a host that takes back what fell.
      gate: What became of a wave, and what follows.
      report: What is told at the end.
  plan:
    description: The plan.
    type: dict
  report:
    description:
      - The artifact C(rollout_report) of a rollout whose units are to go back; nothing else does then.
    type: dict
  planned:
    description:
      - What the filter C(podfleet.autoupdate.fleet_plan) said beside the plan, where the plan was made in this job; it names the hosts that
        could not be planned for.
    type: dict
  hosts:
    description: The names of the hosts that are meant.
    type: list
    elements: str
  hostvars:
    description: The variables of all hosts, among them what the playbook registered.
    type: dict
  canaries:
    description: The hosts that are the first wave. In V(settings), null where no canary is given.
    type: list
    elements: str
  given:
    description:
      - In V(settings), the variables that say what a rollout begins with, by their full names. None of their values is returned.
    type: dict
  names:
    description: In V(settings), the names of all variables that begin as the playbook's do. One that it does not know is an error.
    type: list
    elements: str
  units:
    description: In V(undone), the patterns of the units that are to go back.
    type: list
    elements: str
  registered:
    description: In V(undone), what the task registered.
    type: dict
  run:
    description: The name of this rollout, which hosts have got with their parts.
    type: str
  ledger:
    description: What an earlier step returned as C(ledger).
    type: dict
  check_mode:
    description: Whether nothing was to be changed.
    type: bool
    default: false
"""

EXAMPLES = r"""
---
- name: Refuse variables that cannot be meant before anything else is done
  ansible.builtin.debug:
    msg: "{{ ({'state': 'rolled_back', 'waves': '1, 25%'} | podfleet.autoupdate.rollout('parts', hosts=['web1'])).settings.soak }}"
# => 60
"""

RETURN = r"""
_value:
  description: What was decided. Which keys there are depends on the step.
  type: dict
  contains:
    settings:
      description: The variables that tasks need, checked, with their defaults.
      type: dict
      returned: all steps but V(soak), V(fallen) and V(undone)
      sample: {state: updated, scope: system, soak: 60, only: [], exclude: [], lift_holds: false, allow_follower: false, settle: 10}
    parts:
      description:
        - The hosts in the order of their waves, with what each gets of the plan. C(left) is a verdict and a sentence where it gets
          nothing because it is not what the plan was made for.
      type: list
      elements: dict
      returned: steps V(parts) and V(waves)
      sample: [{host: web1, part: {}, left: [], only: []}]
    ledger:
      description: What became of each host so far.
      type: dict
      returned: steps V(waves), V(window), V(gate) and V(report)
      sample: {plan: null, waves: [[web1]], done: 0, halted: null}
    msg:
      description: The step in one sentence.
      type: str
      returned: steps V(gate) and V(report)
      sample: "Wave 1 of 3 (1 host): 1 converged."
    back:
      description: The hosts that are to go back, with patterns for their units.
      type: dict
      returned: steps V(waves), V(window) and V(gate)
      sample: {}
    bad_images:
      description: What is held for the whole fleet.
      type: list
      elements: dict
      returned: steps V(waves), V(window) and V(gate)
      sample: []
    nothing:
      description: A plan of nothing, with which a host only notes what it is to hold.
      type: dict
      returned: steps V(waves), V(window) and V(gate)
      sample: {schema: 1, targets: {}, hosts: {nobody: {units: {}}}}
    report:
      description: What the playbook hands on as the artifact C(rollout_report).
      type: dict
      returned: step V(report)
      sample: {msg: "1 host: 1 converged.", halted: null}
    table:
      description: The report as aligned lines.
      type: list
      elements: str
      returned: step V(report)
      sample: ["HOST  WAVE  VERDICT    WHY", "web1  1     converged  -"]
    failed:
      description: Whether the job is to fail.
      type: bool
      returned: step V(report)
      sample: false
"""

import typing as t
import zoneinfo
from datetime import datetime, timezone

from ansible.errors import AnsibleFilterError

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet import (
    rollout_gate,
    rollout_report,
    rollout_start,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.plain import plain
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_answers import (
    UnitKey,
    pattern_of,
    read_answer,
    read_looks,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_gate import WaveAnswer
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_ledger import HostRecord, Ledger
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.rollout_settings import (
    RolloutSettings,
    must_be_a_start,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.moments import written

Given = t.Mapping[str, t.Any]
#: What the playbook registers, and the variable that add_host sets.
_OF = "podfleet_rollout_of"
_LEFT = "podfleet_rollout_left"
_PART = "podfleet_rollout_part"
_ASKED = "podfleet_rollout_asked"
_APPLIED = "podfleet_rollout_applied"
_FIRST = "podfleet_rollout_first"
_LAST = "podfleet_rollout_last"
_UNDONE = "podfleet_rollout_undone"
_BACK = "podfleet_rollout_back"
_HELD = "podfleet_rollout_held"


def rollout(variables: Given, step: str, **given: t.Any) -> object:
    """The decision of one step, as documented."""
    steps = {
        "settings": _check,
        "parts": _parts,
        "waves": _waves,
        "window": _window,
        "soak": _soak,
        "fallen": _fallen,
        "undone": _undone,
        "gate": _gate,
        "report": _report,
    }
    if step not in steps:
        raise AnsibleFilterError(f"rollout: {step!r} is no step")
    try:
        settings = RolloutSettings.parse(plain(variables), zoneinfo.ZoneInfo)
        return steps[step](settings, given)
    except InputError as error:
        raise AnsibleFilterError(str(error)) from None


def _check(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    canaries = given.get("canaries")
    must_be_a_start(settings, given.get("given") or {}, plain(given.get("names") or []), canaries)
    return {"settings": _settings(settings)}


def _parts(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    plan, hosts = plain(given.get("plan")) or None, plain(given["hosts"])
    left = rollout_start.left_out(plain(given.get("planned")), hosts)
    found = rollout_start.slices(settings, plan, hosts, datetime.now(timezone.utc))
    only = rollout_start.only_moved(settings, plain(given.get("report")) or None, list(found))
    parts = [
        {"host": host, "part": part or {}, "left": [], "only": only[host]}
        for host, part in found.items()
        if host in only
    ]
    parts += [{"host": host, "part": {}, "left": list(why), "only": []} for host, why in left.items()]
    return {"settings": _settings(settings), "parts": parts}


def _waves(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    plan = plain(given.get("plan")) or None
    answers, left = {}, {}
    for host in plain(given["hosts"]):
        known = given["hostvars"][host]
        if known.get(_OF) != given.get("run"):
            continue  # What it has is of an earlier rollout of the same job, or nothing.
        if known.get(_LEFT):
            left[host] = HostRecord(plain(known[_LEFT][0]), error=plain(known[_LEFT][1]))
        elif _PART in known:
            answers[host] = (_part(known), read_answer(plain(known.get(_ASKED))))
    ledger, work = rollout_start.begun(settings, plan, answers, plain(given.get("canaries") or []))
    ledger = ledger.noting(left)
    parts = [{"host": host, "part": part or {}, "left": []} for host, part in work.items()]
    return {**_told(settings, ledger), "parts": parts}


def _window(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    ledger, now = Ledger.from_dict(plain(given["ledger"])), datetime.now(timezone.utc)
    window = settings.window
    if window is not None and not window.is_open(now):
        opens = written(window.opens(now))
        ledger = ledger.stopped("window_closed", f"the window is closed until {opens}")
    return _told(settings, ledger)


def _fallen(settings: RolloutSettings, given: Given) -> list[str]:
    (host,) = given["hosts"]
    return _patterns(_wave_answer(given["hostvars"][host]).fallen(settings.state))


def _soak(settings: RolloutSettings, given: Given) -> bool:
    if not _settings(settings)["soak"]:
        return False
    applied = (given["hostvars"][host].get(_APPLIED) for host in plain(given["hosts"]))
    return any(isinstance(one, t.Mapping) and bool(one.get("changed")) for one in applied)


def _undone(_settings: RolloutSettings, given: Given) -> bool:
    return rollout_gate.has_gone_back(read_answer(plain(given.get("registered"))), len(given["units"]))


def _gate(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    ledger = Ledger.from_dict(plain(given["ledger"]))
    answers = {host: _wave_answer(given["hostvars"][host]) for host in ledger.wave}
    ledger = rollout_gate.judge(settings, ledger, answers)
    return {**_told(settings, ledger), "msg": rollout_report.wave_message(ledger)}


def _part(known: Given) -> Given | None:
    """The host's part of the plan; on the way back there is none."""
    part = plain(known.get(_PART))
    return part if isinstance(part, dict) and part else None


def _wave_answer(known: Given) -> WaveAnswer:
    first = plain(known.get(_FIRST))
    return WaveAnswer(
        _part(known),
        read_answer(plain(known.get(_APPLIED))),
        read_looks(first),
        read_looks(plain(known.get(_LAST))),
        isinstance(first, dict) and not first.get("skipped"),
        read_answer(plain(known.get(_UNDONE))),
    )


def _report(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    ledger, check = Ledger.from_dict(plain(given["ledger"])), bool(given.get("check_mode"))
    back = rollout_gate.going_back(settings, ledger)
    answers = {host: read_answer(plain(given["hostvars"][host].get(_BACK))) for host in back}
    ledger = rollout_gate.gone_back(ledger, back, answers)
    hosts = plain(given.get("hosts") or [])
    held = {host: read_answer(plain(given["hostvars"][host].get(_HELD))) for host in hosts}
    not_held = {} if check else rollout_gate.not_held(ledger, held)
    failed = rollout_report.is_failure(settings, ledger, check=check)
    text = rollout_report.message(ledger, check=check)
    return {
        "settings": _settings(settings),
        "ledger": ledger.to_dict(),
        "report": rollout_report.report(ledger, text, not_held, check=check, failed=failed),
        "table": rollout_report.table(ledger, text, not_held),
        "msg": text,
        "failed": failed,
    }


def _told(settings: RolloutSettings, ledger: Ledger) -> dict[str, t.Any]:
    return {
        "settings": _settings(settings),
        "ledger": ledger.to_dict(),
        "back": {host: _patterns(units) for host, units in rollout_gate.going_back(settings, ledger).items()},
        "bad_images": [one.to_entry() for one in ledger.bad if one.id],
        "nothing": rollout_start.nothing(datetime.now(timezone.utc)),
    }


def _settings(settings: RolloutSettings) -> dict[str, t.Any]:
    """What tasks need of them."""
    return {
        "state": settings.state,
        "scope": settings.scope,
        # What is only staged does not run yet.
        "soak": 0 if settings.state == "staged" else settings.soak,
        "only": list(settings.only),
        "exclude": list(settings.exclude),
        "lift_holds": settings.lift_holds,
        "allow_follower": settings.allow_follower,
        **settings.handed_on,
    }


def _patterns(units: t.Iterable[UnitKey]) -> list[str]:
    """Patterns for C(only)."""
    return sorted(map(pattern_of, units))


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., object]]:
        """Name → filter."""
        return {"rollout": rollout}
