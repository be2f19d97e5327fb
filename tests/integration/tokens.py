# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token service as the distribution project specifies it, and a real registry that believes it."""

from __future__ import annotations

import base64
import http.server
import json
import re
import subprocess
import threading
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lablib.paths import GATEWAY
from lablib.registry import PLAIN, Registry
from secrecy import know

_ISSUER, _SERVICE = "podfleet-integration", "registry of tokens"
_SCOPE = re.compile(r"repository:(\S+):(\S+)")


@dataclass(frozen=True)
class TokenRegistry(Registry):
    """The lab's plain registry once more, at another port, for those who have a token."""

    folder: Path = Path()
    realm: str = ""

    def configuration(self) -> str:
        data = self.paths.registry_data
        return super().configuration().replace(str(data / self.name), str(data / PLAIN)) + (
            f"auth:\n  token:\n    realm: {self.realm}\n    service: {_SERVICE}\n    issuer: {_ISSUER}\n"
            f"    rootcertbundle: {self.folder / 'issuer.crt'}\n"
        )


class TokenService:
    """Gives everybody who asks a token for pulling, while the C(with) block runs; C(most) repositories at once."""

    def __init__(self, folder: Path, port: int, most: int = 1000) -> None:
        self.scopes: list[list[str]] = []
        self.realm = f"http://{GATEWAY}:{port}/token"
        self._most = most
        self._folder = folder
        self._key = folder / "issuer.key"
        certificate = folder / "issuer.crt"
        subject = ["-subj", "/CN=podfleet-integration", "-days", "2"]
        command: list[str | Path] = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            self._key,
            "-out",
            certificate,
        ]
        subprocess.run([*command, *subject], check=True, capture_output=True)
        lines = certificate.read_text(encoding="ascii").splitlines()
        self._certificate = "".join(line for line in lines if not line.startswith("-"))
        self._server = http.server.ThreadingHTTPServer((GATEWAY, port), _handler(self))

    def __enter__(self) -> TokenService:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, query: str) -> str | None:
        """What a request is given; None where it asks for too much."""
        scopes = _SCOPE.findall(" ".join(urllib.parse.parse_qs(query).get("scope", [])))
        self.scopes.append([name for name, _actions in scopes])
        if len(scopes) > self._most:
            return None
        now = int(time.time())
        access = [{"type": "repository", "name": name, "actions": ["pull"]} for name, _actions in scopes]
        times = {"nbf": now - 60, "iat": now, "exp": now + 300}
        claims = {"iss": _ISSUER, "sub": "", "aud": _SERVICE, "jti": str(time.time_ns()), "access": access, **times}
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self._certificate]}
        signed = f"{_base64(json.dumps(head).encode())}.{_base64(json.dumps(claims).encode())}"
        command = ["openssl", "dgst", "-sha256", "-sign", str(self._key)]
        signature = subprocess.run(command, input=signed.encode(), check=True, capture_output=True).stdout
        return f"{signed}.{_base64(signature)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _handler(service: TokenService) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = service.token(urllib.parse.urlsplit(self.path).query)
            know(token or "")
            self.send_response(403 if token is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps({"token": token, "expires_in": 300} if token else {}).encode())

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing is logged."""

    return Handler
