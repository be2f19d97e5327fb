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
    description: The plan, a dictionary or the text of a file.
    type: raw
  report:
    description: The artifact C(rollout_report) of a rollout whose units are to go back; nothing else does then.
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
    description: In V(settings), the variables that say what a rollout begins with, by their full names.
    type: dict
  names:
    description: In V(settings), the names of all variables that begin as the playbook's do. One that it does not know is an error.
    type: list
    elements: str
  units:
    description: In V(undone), the patterns of the units that are to go back.
    type: list
    elements: str
  parts:
    description: In V(gate), what V(waves) returned as C(parts).
    type: list
    elements: dict
  sha256:
    description: The hash of the plan that the rollout began with, where it was a variable.
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
    msg: "{{ ({'state': 'rolled_back', 'waves': '1, 25%'} | podfleet.autoupdate.rollout('settings', given={'rollout_report': report})).settings.soak }}"
  vars:
    report: {moved: {web1: [web.service]}}
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
      returned: step V(settings)
      sample: {state: updated, scope: system, soak: 60, only: [], exclude: [], lift_holds: false, allow_follower: false, settle: 10}
    variables:
      description: The variables as they were given; later steps take these.
      type: dict
      returned: step V(settings)
      sample: {waves: "1, 25%"}
    source:
      description: Where the plan comes from, V(plan), V(plan_file), V(made) or V(none).
      type: str
      returned: step V(settings)
      sample: plan_file
    plan_file:
      description: The plan's file, empty where there is none.
      type: str
      returned: step V(settings)
      sample: /srv/plan.json
    sha256:
      description: The hash of the plan, where it was given as a variable.
      type: str
      returned: step V(settings)
      sample: null
    parts:
      description: The hosts in the order of their waves, with what each gets of the plan, or as C(left) a verdict and a sentence.
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
      description:
        - What the playbook hands on as the artifact C(rollout_report).
        - In the step V(settings), what is taken of the report of an earlier rollout.
      type: dict
      returned: steps V(report) and V(settings)
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

from ansible.errors import AnsibleError, AnsibleFilterError
from jinja2 import TemplateError

from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet import (
    rollout_gate,
    rollout_report,
    rollout_start,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.plain import document, plain
from ansible_collections.podfleet.autoupdate.plugins.module_utils._fleet.readers import none_wrong
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
    beginning,
    objections,
)
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.moments import written

Given = t.Mapping[str, t.Any]
#: What the playbook registers.
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
        "settings": _begin,
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
        given["variables"] = plain(variables)
        settings, wrong = RolloutSettings.read(given["variables"], zoneinfo.ZoneInfo)
        if step == "settings":
            canaries = given.get("canaries")
            more = objections(settings, given.get("given") or {}, plain(given.get("names") or []), canaries)
            # What is wrong is not missing.
            named = {one.partition(":")[0] for one in wrong}
            wrong = (*wrong, *(one for one in more if one.partition(":")[0] not in named))
        none_wrong(wrong)
        return steps[step](settings, given)
    except InputError as error:
        raise AnsibleFilterError(str(error)) from None


def _begin(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    begins = beginning(settings, given.get("given") or {})
    return {**plain(begins), "settings": _settings(settings), "variables": given["variables"]}


def _asked(
    settings: RolloutSettings, given: Given
) -> tuple[t.Any, dict[str, t.Any], dict[str, t.Any], dict[str, t.Any]]:
    """The plan; its parts and the patterns of hosts that are asked; and the hosts that are left, with the reason.

    Raises:
        InputError: The plan cannot be used, or is not the one that the rollout began with.
    """
    plan, hosts = document(given.get("plan")), plain(given["hosts"])
    if given.get("sha256") and (plan or {}).get("sha256") != given["sha256"]:
        raise InputError("plan: it is another one than when this began")
    left = rollout_start.left_out(plain(given.get("planned")), hosts)
    found = rollout_start.slices(settings, plan, hosts, datetime.now(timezone.utc))
    only = rollout_start.only_moved(settings, plain(given.get("report")) or None, list(found))
    return plan, {host: part for host, part in found.items() if host in only and host not in left}, only, left


def _parts(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    _plan, found, only, left = _asked(settings, given)
    parts = [{"host": host, "part": part or {}, "left": [], "only": only[host]} for host, part in found.items()]
    parts += [{"host": host, "part": {}, "left": list(why), "only": []} for host, why in left.items()]
    return {"parts": parts}


def _waves(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    # What a host has got as variables is not asked for: what it tells as facts comes before them.
    plan, found, _only, left = _asked(settings, given)
    answers = {host: (part, read_answer(_told_by(given, host, _ASKED))) for host, part in found.items()}
    ledger, work = rollout_start.begun(settings, plan, answers, plain(given.get("canaries") or []))
    ledger = ledger.noting({host: HostRecord(verdict, error=why) for host, (verdict, why) in left.items()})
    parts = [{"host": host, "part": part or {}, "left": []} for host, part in work.items()]
    return {**_told(settings, ledger), "parts": parts}


def _told_by(given: Given, host: str, name: str) -> t.Any:
    """What a task registered on a host. What Ansible itself cannot read any more is no answer of a module."""
    try:
        return plain(given["hostvars"][host].get(name))
    except (AnsibleError, TemplateError, RecursionError):
        return {"msg": "its answer cannot be read"}


def _window(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    ledger, now = Ledger.from_dict(plain(given["ledger"])), datetime.now(timezone.utc)
    window = settings.window
    if window is not None and not window.is_open(now):
        opens = written(window.opens(now))
        ledger = ledger.stopped("window_closed", f"the window is closed until {opens}")
    return _told(settings, ledger)


def _soak(settings: RolloutSettings, given: Given) -> bool:
    if not _settings(settings)["soak"]:
        return False
    applied = (_told_by(given, host, _APPLIED) for host in plain(given["hosts"]))
    return any(isinstance(one, dict) and bool(one.get("changed")) for one in applied)


def _fallen(settings: RolloutSettings, given: Given) -> list[str]:
    (host,) = plain(given["hosts"])
    return _patterns(_wave_answer(given, host, None).fallen(settings.state))


def _undone(_settings: RolloutSettings, given: Given) -> bool:
    (host,) = plain(given["hosts"])
    return rollout_gate.has_gone_back(read_answer(_told_by(given, host, _UNDONE)), len(given["units"]))


def _gate(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    ledger = Ledger.from_dict(plain(given["ledger"]))
    wave = set(ledger.wave)
    parts = {one["host"]: plain(one["part"]) or None for one in given["parts"] if one["host"] in wave}
    answers = {host: _wave_answer(given, host, parts[host]) for host in ledger.wave}
    ledger = rollout_gate.judge(settings, ledger, answers)
    return {**_told(settings, ledger), "msg": rollout_report.wave_message(ledger)}


def _wave_answer(given: Given, host: str, part: Given | None) -> WaveAnswer:
    first = _told_by(given, host, _FIRST)
    return WaveAnswer(
        part,
        read_answer(_told_by(given, host, _APPLIED)),
        read_looks(first),
        read_looks(_told_by(given, host, _LAST)),
        isinstance(first, dict) and not first.get("skipped"),
        read_answer(_told_by(given, host, _UNDONE)),
    )


def _report(settings: RolloutSettings, given: Given) -> dict[str, t.Any]:
    ledger, check = Ledger.from_dict(plain(given["ledger"])), bool(given.get("check_mode"))
    back = rollout_gate.going_back(settings, ledger)
    answers = {host: read_answer(_told_by(given, host, _BACK)) for host in back}
    ledger = rollout_gate.gone_back(ledger, back, answers)
    hosts = plain(given.get("hosts") or [])
    held = {host: read_answer(_told_by(given, host, _HELD)) for host in hosts}
    not_held = {} if check else rollout_gate.not_held(ledger, held)
    failed = rollout_report.is_failure(settings, ledger, check=check)
    text = rollout_report.message(ledger, check=check)
    return {
        "ledger": ledger.to_dict(),
        "report": rollout_report.report(ledger, text, not_held, check=check, failed=failed),
        "table": rollout_report.table(ledger, text, not_held),
        "msg": text,
        "failed": failed,
    }


def _told(settings: RolloutSettings, ledger: Ledger) -> dict[str, t.Any]:
    return {
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
