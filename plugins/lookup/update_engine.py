# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: update_engine
short_description: Make the file with which a host updates its containers by itself
version_added: 0.1.0
author:
  - Contributors to podfleet.autoupdate (@podfleet)
description:
  - Makes one file of this collection's update engine, on the controller, and returns its path. Python runs it on hosts
    that have C(dbus-python) and C(requests); no Ansible is needed there.
  - The same release makes the same bytes. The file lies in Ansible's local temporary folder, which goes when Ansible ends.
  - The entry point C(timer) of the role P(podfleet.autoupdate.container_units#role) installs it.
options:
  settings:
    description:
      - Settings that the engine is to be given, as the role's C(container_units_timer_settings). The lookup fails with the
        name of one that no run could use. What depends on a host, such as whether a file is there, is not looked at.
    type: dict
seealso:
  - module: podfleet.autoupdate.image_autoupdate
"""

EXAMPLES = r"""
---
- name: Install the engine
  ansible.builtin.copy:
    src: "{{ lookup('podfleet.autoupdate.update_engine') }}"
    dest: /usr/local/lib/podfleet-autoupdate/engine.pyz
    mode: "0755"

- name: Refuse settings that no run could use, before any host is changed
  ansible.builtin.assert:
    that: lookup('podfleet.autoupdate.update_engine', settings=settings) | length > 0
    quiet: true
  vars:
    settings:
      parallel: 4
      exclude: ["unit:db*"]
"""

RETURN = r"""
_raw:
  description: The file's path, on the controller.
  type: list
  elements: str
  sample: ["/home/op/.ansible/tmp/ansible-local-1234/podfleet-autoupdate-0f4a8e93b2c1.pyz"]
"""

import hashlib
import json
import os
import pathlib
import typing as t

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import engine_archive
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.settings import must_be_meant
from ansible_collections.podfleet.autoupdate.plugins.module_utils._engine.unattended import parse_settings
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError


class LookupModule(LookupBase):
    """The lookup plugin."""

    def run(self, terms: t.Any, variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        """The path of the file, which is made if it is not there yet."""
        t.cast("t.Any", self).set_options(var_options=variables, direct=kwargs)
        if terms:
            raise AnsibleLookupError("update_engine takes no terms")
        settings = t.cast("t.Any", self).get_option("settings")
        if settings is not None:
            try:
                must_be_meant(
                    parse_settings(json.dumps(settings, default=str).encode(), "the timer's settings").settings
                )
            except InputError as error:
                raise AnsibleLookupError(str(error)) from None
        source = pathlib.Path(engine_archive.__file__).resolve().parents[1]
        body = engine_archive.engine_archive(source)
        name = f"podfleet-autoupdate-{hashlib.sha256(body).hexdigest()[:12]}.pyz"
        path = pathlib.Path(t.cast("t.Any", constants).DEFAULT_LOCAL_TMP) / name
        if not path.exists():
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_bytes(body)
            unfinished.replace(path)
        return [str(path)]
