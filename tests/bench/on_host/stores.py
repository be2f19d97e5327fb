# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copied to the host beside the collection's module_utils: the engine without Ansible, the IDs of local images as JSON.

stores.py NAME…
"""

from __future__ import annotations

import importlib
import json
import sys


def main(names: list[str]) -> None:
    images = importlib.import_module("module_utils._engine.images")
    result = images.image_info(images.ImageSettings(names=tuple(names))).to_result()
    print(json.dumps({row["query"]: row["id"] for row in result["images"]}))


if __name__ == "__main__":
    main(sys.argv[1:])
