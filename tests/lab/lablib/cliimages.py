# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs ``image`` and ``proxy`` of the command line."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from typing import Any

from .errors import LabError
from .images import ImageMaker, Kind
from .lab import Lab
from .ocibuild import MEDIA
from .paths import GATEWAY, PLAIN_PORT, PROXY_PORTS
from .proxy import Address, Fault, FaultProxy


def add_verbs(verbs: Any) -> None:
    """``verbs`` is what argparse's add_subparsers returned; its type has no public name."""
    image = verbs.add_parser("image", help="make small real images")
    push = image.add_subparsers(dest="action", required=True).add_parser(
        "push", help="push one to a registry of the lab; prints what it is as JSON"
    )
    push.add_argument("name")
    push.add_argument("--tag", default="latest")
    push.add_argument("--kind", choices=[kind.value for kind in Kind], default=Kind.GOOD.value)
    push.add_argument("--version", default="1")
    push.add_argument(
        "--platform", action="append", metavar="OS/ARCH", help="several make an index (default linux/amd64)"
    )
    push.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    push.add_argument("--index", action="store_true", help="an index even for one platform")
    push.add_argument("--media", choices=sorted(MEDIA), default="oci")
    push.add_argument("--recompress", action="store_true", help="the same image ID under other digests")
    push.add_argument("--secure", action="store_true", help="to the secure registry")
    push.set_defaults(run=_push)

    proxy = verbs.add_parser("proxy", help="run a slow or broken TCP proxy in the foreground")
    proxy.add_argument("--listen", type=_address, default=(GATEWAY, PROXY_PORTS.start), metavar="HOST:PORT")
    proxy.add_argument("--upstream", type=_address, default=(GATEWAY, PLAIN_PORT), metavar="HOST:PORT")
    proxy.add_argument("--delay-ms", type=float, default=0.0, help="round-trip time to add")
    proxy.add_argument("--fault", choices=[fault.value for fault in Fault], default=Fault.NONE.value)
    proxy.set_defaults(run=_proxy)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT")
    return host, int(port)


def _push(arguments: argparse.Namespace) -> int:
    lab = Lab.open()
    if arguments.secure:
        registry = lab.secure_registry
        if registry is None:
            raise LabError("the secure registry is not up; «lab.py up --secure-registry»")
        maker = ImageMaker(
            registry.address, ca_path=registry.ca_path, username=registry.username, password=registry.password
        )
    else:
        maker = ImageMaker(lab.registry.address)
    pushed = maker.push(
        arguments.name,
        arguments.tag,
        kind=Kind(arguments.kind),
        version=arguments.version,
        platforms=arguments.platform or ["linux/amd64"],
        labels=dict(label.partition("=")[::2] for label in arguments.label),
        index=arguments.index,
        media=arguments.media,
        recompress=arguments.recompress,
    )
    print(json.dumps(vars(pushed), indent=1))
    return 0


def _proxy(arguments: argparse.Namespace) -> int:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with FaultProxy(
        arguments.upstream, arguments.listen, delay_ms=arguments.delay_ms, fault=Fault(arguments.fault)
    ) as proxy:
        print(f"listening at {proxy.address}; Ctrl-C ends it", flush=True)
        ended.wait()
    print(f"{proxy.connections} connections, {proxy.bytes_up} bytes up, {proxy.bytes_down} bytes down")
    return 0
