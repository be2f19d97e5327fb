# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are syntax somewhere between a playbook and a container's first process."""

from __future__ import annotations

#: Every character that C gives a name, and all of one byte but NUL.
CONTROL = "".join(map(chr, range(1, 0x20))) + "\x7f"
VALUES = (
    "plain",
    "",
    " ",
    "two words",
    " leads and trails ",
    "\ttab\t",
    '"',
    "'",
    'it\'s "quoted"',
    "\\",
    "ends with \\",
    "\\n is no newline",
    "\\x41\\101\\u0041",
    "one\ntwo",
    "\n",
    "\r\n",
    "[Service]\nExecStartPre=/bin/touch /run/injected",
    "x\\\n[Service]\nExecStartPre=/bin/touch /run/injected",
    "%n",
    "%%n",
    "%",
    "100% %t/%i/%h %",
    "$HOME",
    "${HOME}",
    "$$HOME",
    "$",
    "$(touch /run/injected)",
    "`touch /run/injected`",
    "; touch /run/injected",
    "a;b",
    "| & > < * ? [a] {b} ~",
    "#not a comment",
    ";not a comment",
    "-",
    "--",
    "-v",
    "--rm=false",
    "@name",
    "+!:",
    "=",
    "a=b=c",
    "ä ß € 日本語 🦭",
    "e\u0301 \u00e9",
    "\u0085\u00a0\u2028\u2029\u3000",
    "\ufeffbyte order",
    "\u202egnol",
    "\ufffd\ufffc\U0010fffd",
    "\x81\x9b",
    "\x80",
    ";",
    CONTROL,
    "x" * 65536,
    '"\n$%\\' * 13107,
)
#: What podman's Quadlet does not hand on to systemd as it is.
QUADLET_CANNOT = ("", ";", "\x80")
