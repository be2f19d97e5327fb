#!/usr/bin/python3
# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A STAND-IN for crictl, which Debian does not package: two of its commands, as far as tests need them.

What it says comes from the runtime's real CRI socket (runtime.v1.ImageService over gRPC), and is printed as crictl prints
it: the protobuf JSON of ListImages and ImageStatus, the runtime's verbose information beside it.

    crictl images -o json
    crictl inspecti -o json IMAGE…
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import grpc

SOCKET = "unix:///run/containerd/containerd.sock"


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of each field on the protobuf wire; CRI's images hold varints and length-delimited ones only."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while place < len(message):
        key = varint()
        value = varint()
        if key & 7 == 2:
            place += value
            yield key >> 3, message[place - value : place]
        elif key & 7 == 0:
            yield key >> 3, value
        else:
            raise ValueError(f"wire type {key & 7} is not one that CRI's images use")


def field(number: int, text: str) -> bytes:
    """A string field of fewer than 16 KiB, or a message of one."""
    data = text.encode()
    size = bytes([len(data)]) if len(data) < 0x80 else bytes([len(data) & 0x7F | 0x80, len(data) >> 7])
    return bytes([number << 3 | 2]) + size + data


def image(message: bytes) -> dict[str, Any]:
    """runtime.v1.Image as protobuf JSON writes it: 64-bit numbers are strings, defaults are printed."""
    shown: dict[str, Any] = {
        "id": "",
        "repoTags": [],
        "repoDigests": [],
        "size": "0",
        "uid": None,
        "username": "",
        "spec": None,
        "pinned": False,
    }
    for number, value in fields(message):
        if number == 1:
            shown["id"] = value.decode()
        elif number == 2:
            shown["repoTags"].append(value.decode())
        elif number == 3:
            shown["repoDigests"].append(value.decode())
        elif number == 4:
            shown["size"] = str(value)
        elif number == 8:
            shown["pinned"] = bool(value)
    return shown


def ask(method: str, request: bytes) -> bytes:
    with grpc.insecure_channel(SOCKET) as channel:
        call = channel.unary_unary(f"/runtime.v1.ImageService/{method}")
        answer: bytes = call(request, timeout=10)
    return answer


def listed() -> dict[str, Any]:
    return {"images": [image(value) for number, value in fields(ask("ListImages", b"")) if number == 1]}


def status(name: str) -> dict[str, Any]:
    spec = field(1, name)
    request = bytes([1 << 3 | 2, len(spec)]) + spec + bytes([2 << 3 | 0, 1])
    shown: dict[str, Any] = {"status": None}
    for number, value in fields(ask("ImageStatus", request)):
        if number == 1:
            shown["status"] = image(value)
        elif number == 2:
            entry = {key: text.decode() for key, text in fields(value)}
            shown[entry[1]] = json.loads(entry[2])
    if shown["status"] is None:
        sys.exit(
            f'E1121 image_service.go] "ImageStatus from image service failed"\nFATA[0000] no such image "{name}" present'
        )
    return shown


def main() -> None:
    command, option, output, *names = sys.argv[1:]
    if (option, output) != ("-o", "json"):
        sys.exit("this stand-in prints JSON only: crictl images -o json, crictl inspecti -o json IMAGE…")
    if command == "images":
        print(json.dumps(listed(), indent=2))
    elif command == "inspecti":
        for name in names:
            print(json.dumps(status(name), indent=2))
    else:
        sys.exit(f"this stand-in knows images and inspecti, not {command}")


if __name__ == "__main__":
    main()
