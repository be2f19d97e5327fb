# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What comparing images needs of registries. The edge implements it; a test hands in another."""

from __future__ import annotations

import typing as t

from .._pure.decisions import RemoteImage
from .._pure.questions import Question, RegistryUsage


class Registry(t.Protocol):
    """The registries behind all references."""

    def prepare(self, questions: t.Iterable[Question]) -> None:
        """Tell all questions beforehand; nothing is asked yet."""

    def resolve(self, question: Question) -> RemoteImage:
        """Answer one question; called from several threads. Raises C(RegistryError)."""

    def usage(self) -> tuple[RegistryUsage, ...]:
        """What was asked so far, by registry."""
