# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""Platforms: operating system, architecture and variant, in the words of the OCI image spec."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import InputError
from .texts import printable

#: What machines (C(uname -m)), Debian and people say, and what Go and therefore the OCI image spec say.
_ARCHITECTURES: dict[str, tuple[str, str]] = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv5l": ("arm", "v5"),
    "armv5tel": ("arm", "v5"),
    "armv6l": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv8l": ("arm", "v8"),
    "ppc64el": ("ppc64le", ""),
    "mipsel": ("mipsle", ""),
    "mips64el": ("mips64le", ""),
    "loongarch64": ("loong64", ""),
}
#: From the wanted variant downwards, what a machine also runs (the order that podman's image library tries).
_VARIANTS: dict[str, tuple[str, ...]] = {"arm": ("v8", "v7", "v6", "v5"), "arm64": ("v8",)}
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


@dataclass(frozen=True)
class Platform:
    """One normalised platform; an empty variant means none was named."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def normalised(cls, os: str, architecture: str, variant: str = "") -> Platform:
        """Build a platform from what a machine, an image or a person calls it (C(x86_64), C(armhf), C(macos))."""
        os = {"macos": "darwin"}.get(os.lower(), os.lower())
        architecture = architecture.lower()
        architecture, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
        variant = variant.lower() or implied
        if variant and architecture in _VARIANTS and variant.isdigit():
            variant = f"v{variant}"
        return cls(os, architecture, variant)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read C(os/architecture[/variant]), as a person writes it.

        Raises:
            InputError: It is something else.
        """
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(_PART.match(part) for part in parts):
            raise InputError(
                f"{printable(text)!r} is not a platform: write os/architecture or os/architecture/variant,"
                " such as linux/amd64 or linux/arm/v7"
            )
        return cls.normalised(*parts)

    @classmethod
    def read(cls, text: object) -> Platform | None:
        """What C(str) wrote, or None for what cannot be that."""
        parts = text.split("/") if isinstance(text, str) else []
        return cls(*parts) if len(parts) in (2, 3) and all(parts) else None

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def accepts(self, other: Platform) -> bool:
        """Whether an image of the other platform is one for this: a variant counts where both name one."""
        same = (self.os, self.architecture) == (other.os, other.architecture)
        return same and (not self.variant or not other.variant or self.variant == other.variant)

    def runs(self, other: Platform) -> bool:
        """Whether an image of the other platform would be taken from an index for this one: lower variants will do too."""
        if (self.os, self.architecture) != (other.os, other.architecture):
            return False
        return not self.variant or not other.variant or other.variant in self.variants_in_order()

    def variants_in_order(self) -> tuple[str, ...]:
        """The variants that satisfy this platform, best first."""
        known = _VARIANTS.get(self.architecture, ())
        if not self.variant:
            return ("", *known)
        below = known[known.index(self.variant) :] if self.variant in known else (self.variant,)
        return (*below, "")
