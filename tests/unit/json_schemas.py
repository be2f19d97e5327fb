# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of JSON Schema that the files in docs use: a validator is no library of every host that runs these tests."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

_TYPES: dict[str, t.Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "null": type(None),
    "boolean": bool,
}
_KNOWN = {
    "$schema", "$id", "$defs", "title", "description", "type", "additionalProperties", "required", "properties", "const",
    "items", "minItems", "oneOf", "anyOf", "$ref", "pattern", "minLength", "maxLength", "minimum", "maximum",
}  # fmt: skip


class Schema:
    """One of the schemas in docs."""

    def __init__(self, name: str) -> None:
        path = Path(__file__).resolve().parents[2] / "docs" / name
        self._document: dict[str, t.Any] = json.loads(path.read_text(encoding="utf-8"))

    def fits(self, value: t.Any) -> bool:
        """Whether the value is as the schema says."""
        return self._fits(self._document, value)

    def _fits(self, schema: t.Mapping[str, t.Any], value: t.Any) -> bool:
        assert set(schema) <= _KNOWN, set(schema) - _KNOWN
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self._fits(self._document["$defs"][name], value)
        wanted = schema.get("type", list(_TYPES))
        kinds = tuple(_TYPES[one] for one in ([wanted] if isinstance(wanted, str) else wanted))
        # To Python, true is a whole number too.
        sound = (isinstance(value, kinds) and not isinstance(value, bool)) or (
            isinstance(value, bool) and bool in kinds
        )
        const = schema.get("const", value)
        sound = sound and const == value and isinstance(const, bool) == isinstance(value, bool)
        sound = sound and ("oneOf" not in schema or sum(self._fits(one, value) for one in schema["oneOf"]) == 1)
        sound = sound and ("anyOf" not in schema or any(self._fits(one, value) for one in schema["anyOf"]))
        if isinstance(value, dict):
            sound = sound and set(schema.get("required", ())) <= set(value) and self._fits_values(schema, value)
        if isinstance(value, list):
            sound = sound and len(value) >= schema.get("minItems", 0)
            sound = sound and all(self._fits(schema.get("items", {}), one) for one in value)
        if isinstance(value, str):
            sound = sound and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
            sound = sound and re.search(schema.get("pattern", ""), value) is not None
        if isinstance(value, int) and not isinstance(value, bool):
            sound = sound and schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return sound

    def _fits_values(self, schema: t.Mapping[str, t.Any], value: t.Mapping[str, t.Any]) -> bool:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        named = all(self._fits(properties[key], one) for key, one in value.items() if key in properties)
        rest = [one for key, one in value.items() if key not in properties]
        return named and (not rest if others is False else all(self._fits(others, one) for one in rest))
