# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter image_reference and the test fully_qualified in a real playbook, beside a real podman."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest
from harness import ROOT, command
from lablib.host import Host
from lablib.lab import Lab
from pushing import Push, id_of

_PLAYBOOK = """---
- hosts: all
  gather_facts: false
  vars:
    parts: "{{ image | podfleet.autoupdate.image_reference }}"
  tasks:
    - ansible.builtin.assert:
        that:
          - image is podfleet.autoupdate.fully_qualified
          - parts.repository is not podfleet.autoupdate.fully_qualified
          - "[image, 'nginx'] | select('podfleet.autoupdate.fully_qualified') | list == [image]"
          - parts.tag == '1.2'
          - parts.digest is none

    - name: Put the name together again, without the tag
      ansible.builtin.command: podman pull --quiet docker://{{ parts.registry }}/{{ parts.repository }}@{{ digest }}
      register: pulled
      changed_when: true

    - name: Ask podman by every spelling of the image's ID
      ansible.builtin.command: podman image exists {{ (item | podfleet.autoupdate.image_reference).id }}
      loop: ["{{ pulled.stdout }}", "sha256:{{ pulled.stdout }}"]
      changed_when: false

    - ansible.builtin.debug:
        msg: "pulled {{ pulled.stdout }}"
"""
_BROKEN = """---
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ 'quay.io/Upper' | podfleet.autoupdate.image_reference }}"
"""


def _play(lab: Lab, host: Host, folder: Path, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
    playbook = folder / "play.yml"
    playbook.write_text(text, encoding="utf-8")
    given = [f"--extra-vars={key}={value}" for key, value in variables.items()]
    given = [f"--inventory={lab.inventory}", f"--limit={host.name}", *given, str(playbook)]
    return command("ansible-playbook", *given)


def test_a_playbook_takes_names_apart_and_puts_them_together(lab: Lab, host: Host, push: Push, tmp_path: Path) -> None:
    image = push("plugins", tag="1.2")

    done = _play(lab, host, tmp_path, _PLAYBOOK, image=image.reference, digest=image.digest)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"pulled {id_of(image).partition(':')[2]}" in done.stdout


def test_a_bad_name_fails_the_task_in_the_words_of_the_field(lab: Lab, host: Host, tmp_path: Path) -> None:
    done = _play(lab, host, tmp_path, _BROKEN)

    assert done.returncode == 2
    assert "repository name must be lowercase" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("plugin", ["filter/image_reference", "test/fully_qualified"])
def test_the_examples_run(lab: Lab, host: Host, tmp_path: Path, plugin: str) -> None:
    source = ast.parse((ROOT / "plugins" / f"{plugin}.py").read_text(encoding="utf-8"))
    (examples,) = (
        str(ast.literal_eval(node.value))
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLES"
    )
    tasks = examples.replace("---", "").replace("\n", "\n    ")

    done = _play(lab, host, tmp_path, f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}\n")

    assert done.returncode == 0, done.stdout + done.stderr
    said = "".join(done.stdout.split())
    for promised in [line.partition("# =>")[2] for line in examples.splitlines() if "# =>" in line]:
        # The callback prints a list as YAML: an item in a line.
        assert "".join(promised.split()).strip("[]").replace("','", "-").strip("'") in said.replace("'", "")
