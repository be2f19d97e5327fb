#!/usr/bin/env python3
# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, use and stop the lab of real hosts; see README.md beside this file."""

from __future__ import annotations

import sys

from lablib.cli import main

if __name__ == "__main__":
    sys.exit(main())
