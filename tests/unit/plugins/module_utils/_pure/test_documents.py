# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON from strangers: what is no JSON, and what is JSON that should hurt."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.documents import (
    MOST_BYTES,
    DocumentError,
    load,
    load_object,
    sound,
)

_NAMES = ",".join(f'"{number:x}":{number % 7}' for number in range(400_000))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 2**63 - 1) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_document_is_read_as_it_is(document: object) -> None:
    assert load(json.dumps(document).encode(), "it") == document


@pytest.mark.parametrize(
    "number", ["-1", "0.5", "1e3", "NaN", "Infinity", "-Infinity", "9223372036854775808", "7" * 1_000_000]
)
def test_a_number_that_cannot_be_a_size_is_minus_one_at_no_cost(number: str) -> None:
    began = time.process_time()
    assert load_object(f'{{"size": {number}}}'.encode(), "it") == {"size": -1}
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}{}",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"a": "\xe9"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^the thing is not JSON$"):
        load(body, "the thing")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"7", b"true"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^the thing is not a JSON object$"):
        load_object(body, "the thing")


def test_what_is_larger_than_engines_read_is_refused() -> None:
    assert load_object(b" " * (MOST_BYTES - 2) + b"{}", "it") == {}
    with pytest.raises(DocumentError, match="larger than"):
        load_object(b" " * (MOST_BYTES - 1) + b"{}", "it")


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * 1_000_000 + b"[]]",
        b"[" + b"{}," * 1_000_000 + b"{}]",
        b"{" + _NAMES.encode()[: MOST_BYTES - 10].rpartition(b",")[0] + b"}",
        b"[" + b"[]," * 74_000 + b"[]]",
        b"{" + b",".join(_NAMES.encode().split(b",", 149_000)[:149_000]) + b"}",
        b'["\xf0\x9f\x98\x80' + b"e" * 4_000_000 + b'"]',
    ],
    ids=["lists", "objects", "keys", "most lists", "most keys", "wide text"],
)
def test_memory_is_bounded_whatever_the_shape(body: bytes) -> None:
    tracemalloc.start()
    try:
        load(body, "it")
    except DocumentError:
        pass
    finally:
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 48 * 1024 * 1024


@given(st.text())
def test_a_sound_text_can_be_written_and_stays_what_it_is(text: str) -> None:
    assert sound(text) == text
    assert sound(f"\ud83d{text}\udc00").encode()


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert sound("a\udc00b\ud83d") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
