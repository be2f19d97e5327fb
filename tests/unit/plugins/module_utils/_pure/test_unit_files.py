# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a value is, it stays one word of one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import InputError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.unit_files import (
    Entry,
    checked,
    checked_group,
    command,
    marker,
    owner,
    raw_entry,
    render,
    without_install,
    word,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._pure.unit_entries import read_words

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(_TEXT, max_size=5))
@example(["", " ", ";", "\n[Service]\n", "%n", "$HOME", "\\", '"', "'", "\r", "\x7f", "#", "-", "--x=y z"])
def test_a_command_is_read_back_as_it_was(words: list[str]) -> None:
    line = command(words)

    assert read_words(line) == words
    assert not re.search(r"[\x00-\x1f\x7f]", line)


def test_plain_words_stay_readable() -> None:
    assert command(["podman", "--name=web", "a/b:c@d,e+f"]) == "podman --name=web a/b:c@d,e+f"
    assert word("a b") == '"a b"'
    assert word("100%") == '"100%%"'


@given(_TEXT, _TEXT, _TEXT)
def test_a_raw_line_is_one_line_or_refused(section: str, key: str, value: str) -> None:
    try:
        entry = raw_entry(section, key, value, "web.unit_options")
    except InputError:
        return
    lines = render("default", [entry]).split("\n")
    assert lines[2:] == [f"[{section}]", f"{key}={value}", ""]
    assert not value.endswith("\\")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("Service]\n[Install", "A", "b"),
        ("Service", "A=b\nC", "d"),
        ("Service", "A", "b\nC=d"),
        ("Service", "A", "b\rC=d"),
        ("Service", "A", "b\\"),
        ("Service", "A", "b\x00"),
        ("", "A", "b"),
        ("Service", "", "b"),
        ("Service", "#A", "b"),
    ],
)
def test_raw_lines_that_would_be_more_are_refused(section: str, key: str, value: str) -> None:
    with pytest.raises(InputError, match=r"^where"):
        raw_entry(section, key, value, "where")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\0b", "NUL"),
        ("\ud800", "not valid Unicode"),
        ("\uffff", "noncharacters"),
        ("\U0010fffe", "noncharacters"),
        ("\ufdd0", "noncharacters"),
        ("x" * 131072, "131072 bytes"),
        ("ä" * 65536, "131072 bytes"),
    ],
)
def test_what_no_program_can_be_given_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked(text, "the value")


def test_the_longest_word_is_taken() -> None:
    assert checked("x" * 131071, "it") == "x" * 131071


def test_a_line_that_systemd_would_not_read_is_refused() -> None:
    with pytest.raises(InputError, match="longer than"):
        render("default", [Entry("Service", "ExecStart", "x" * 1024 * 1024)])


def test_sections_are_kept_together_in_their_first_order() -> None:
    entries = [Entry("Unit", "A", "1"), Entry("Service", "B", "2"), Entry("Unit", "C", "3"), Entry("X-Mine", "D", "4")]

    assert render("one", entries).split("\n")[1:] == [
        "",
        "[Unit]",
        "A=1",
        "C=3",
        "",
        "[Service]",
        "B=2",
        "",
        "[X-Mine]",
        "D=4",
        "",
    ]


@given(st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True))
def test_a_file_knows_its_group(group: str) -> None:
    assert owner(render(checked_group(group), [Entry("Unit", "A", "1")])) == group


@pytest.mark.parametrize(
    "text",
    ["", "[Unit]\nA=1\n", f" {marker('one')}\n", f"\n{marker('one')}\n", f"{marker('one')} more\n", marker("a b")],
)
def test_other_files_have_no_group(text: str) -> None:
    assert owner(text) is None


@pytest.mark.parametrize("group", ["", "a b", "a\nb", "a/b", "x" * 65])
def test_a_group_is_one_plain_word(group: str) -> None:
    with pytest.raises(InputError):
        checked_group(group)


def test_whether_a_unit_starts_at_boot_matters_to_no_running_unit() -> None:
    with_it = render("one", [Entry("Unit", "A", "1"), Entry("Install", "B", "2"), Entry("X-End", "C", "3")])
    without = render("two", [Entry("Unit", "A", "1"), Entry("X-End", "C", "3")])

    assert without_install(with_it) == without_install(without)
    assert without_install(with_it) != without_install(
        render("one", [Entry("Unit", "A", "2"), Entry("X-End", "C", "3")])
    )


def test_the_role_looks_for_the_same_mark() -> None:
    variables = Path(__file__).resolve().parents[5] / "roles" / "container_units" / "vars" / "main.yml"
    (mark,) = re.findall(r'^container_units__marker: "(.*)"$', variables.read_text(encoding="utf-8"), re.MULTILINE)
    assert marker("shop").startswith(f"{mark}shop. ")
