# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's loader does with a lookup; the loader itself would take over all imports of collections in this process."""

from __future__ import annotations

import importlib
import types
import typing as t

import yaml
from ansible import constants

_COLLECTION = "podfleet.autoupdate."
_FRAGMENTS = "ansible_collections.podfleet.autoupdate.plugins.doc_fragments"


def loaded(module: types.ModuleType) -> t.Any:
    """The lookup of a module, with all options that it documents."""
    name = _COLLECTION + module.__name__.rpartition(".")[2]
    told = yaml.safe_load(module.DOCUMENTATION)
    options = dict(told["options"])
    for fragment in told["extends_documentation_fragment"]:
        shared = importlib.import_module(f"{_FRAGMENTS}.{fragment.removeprefix(_COLLECTION)}").ModuleDocFragment
        options.update(yaml.safe_load(shared.DOCUMENTATION)["options"])
    constants.config.initialize_plugin_configuration_definitions("lookup", name, options)
    plugin = module.LookupModule()
    plugin._load_name = name
    return plugin
