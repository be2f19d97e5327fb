# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What a look-up of one name comes to."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._pure.errors import EngineError
from .._pure.image_facts import ImageFacts


@dataclass(frozen=True)
class Image:
    """An image that was found; C(name) is the full name under which it was, None where it was found otherwise."""

    facts: ImageFacts
    name: str | None = None


#: An error is an answer too: that one name could not be looked up must not lose the others.
Outcome = t.Union[Image, EngineError]
