# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of YAML that Kubernetes files are written in, held against a full reader where it reads at all."""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.kube_yaml import (
    LONGEST,
    KubeYamlError,
    load_documents,
)

#: Ansible brings it; the engine's own tests run where there is none.
yaml = pytest.importorskip("yaml")

_SAME = [
    "a: b",
    "a: b # c",
    "a: b#c",
    "a: 'b # c'",
    'a: "b # c" # d',
    "a: it's # so",
    "a:\n  b: c\n  d:\n  - e\n  - f: g\n    h: i\nj: k",
    "a:\n- b\n- c\nd: e",
    "- a\n- - b\n  - c\n- d: e",
    "-\n  a: b\n-\n  - c",
    "a: {b: c, d: [e, 'f, g', {h: i}]}",
    "a: []\nb: {}",
    "a: ''\nb: \"\"",
    "'a b': c\n\"d: e\": f",
    "a: 'it''s'",
    'a: "\\u00e4 \\" \\\\"',
    "a: b:c\nd: e:5000/f:v1@sha256:00",
    "# only\n\n---\na: b\n---\nc: d\n...\n",
    "---\n---\na: b",
    "%YAML 1.1\n---\na: b",
    "a: &x b\nc: !!str d",
    "a:\n    b:\n      c: d\n    e: f",
    "{}",
    "a:\n\n\n  b: c",
    "a :  b",
    "image: localhost:5000/a/b",
    "[a, b]",
    "- name: a\n  image: b\n-   name: c\n    image: d",
]


@pytest.mark.parametrize("text", _SAME)
def test_it_reads_what_yaml_means(text: str) -> None:
    expected = [one for one in yaml.load_all(text, Loader=yaml.BaseLoader) if one not in (None, "")]
    assert [one for one in load_documents(text) if one is not None] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: |\n  image: b\n  x\nc: d", {"a": None, "c": "d"}),
        ("a: >-\n  image: b\n\n  # no comment\nc: d", {"a": None, "c": "d"}),
        ("- a: |2\n    image: b\n  c: d", [{"a": None, "c": "d"}]),
        ("- |\n  image: b\n- c", [None, "c"]),
        ("a: !!str |\n  image: b\nc: d", {"a": None, "c": "d"}),
        ("a: b\n  c\nd: e", {"a": None, "d": "e"}),
        ('a: "b\n  c"\nd: e', {"a": None, "d": "e"}),
        ("a: *b\nc: ~\nd: null\ne:", {"a": None, "c": None, "d": None, "e": None}),
        ('a: "\\x41"', {"a": None}),
        ("? a\n: b", None),
    ],
)
def test_what_is_not_read_is_there_and_none(text: str, expected: object) -> None:
    assert load_documents(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "a: b\n\tc: d",
        "a: b\nc",
        "a:\n  b: c\n d: e",
        "a: b\na: c",
        "- a\nb: c",
        "a: [b",
        "a: {b: c}}",
        "a: [b c",
        "a: [b}]",
        "a: ['b]",
        "a: [" * 60 + "]" * 60,
        "{ not json",
        "[" * 200,
        "a: " + "[" * 200,
        "\n".join(" " * number + "a:" for number in range(60)),
        "x" * (LONGEST + 1),
    ],
)
def test_what_would_lose_the_structure_is_refused(text: str) -> None:
    with pytest.raises(KubeYamlError):
        load_documents(text)


def test_json_is_yaml() -> None:
    document = {"kind": "Pod", "spec": {"containers": [{"name": "a", "image": "b"}]}}
    assert load_documents(json.dumps(document, indent=2)) == [document]


_PLAIN = st.text("abcXYZ019-_./:@ #'\"{}[],&*!|>%\u00e4", max_size=8)
_TREE = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_PLAIN, inner, max_size=4),
    max_leaves=12,
)


@given(tree=st.dictionaries(_PLAIN, _TREE, min_size=1, max_size=4), flow=st.booleans())
def test_what_a_full_writer_writes_is_read_or_refused(tree: dict[str, t.Any], *, flow: bool) -> None:
    """Never something else: what a value is not known of is None."""
    text = yaml.safe_dump(tree, default_flow_style=flow, width=10**6, allow_unicode=True)
    try:
        (read,) = load_documents(text)
    except KubeYamlError:
        return
    assert _agrees(read, yaml.load(text, Loader=yaml.BaseLoader)), text


def _agrees(read: object, meant: object) -> bool:
    if read is None:
        return True
    if isinstance(read, dict) and isinstance(meant, dict):
        return read.keys() == meant.keys() and all(_agrees(read[key], meant[key]) for key in read)
    if isinstance(read, list) and isinstance(meant, list):
        return len(read) == len(meant) and all(map(_agrees, read, meant))
    return read == meant


@given(st.text("ab:-#'\"{}[],|>&* \n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(KubeYamlError):
        assert isinstance(load_documents(text), list)
