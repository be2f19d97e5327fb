# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's secrets, new for every lab: SSH keys, a certificate authority, the secure registry's password."""

from __future__ import annotations

import ctypes
import ctypes.util
import secrets
from pathlib import Path

from .commands import run
from .errors import LabError
from .paths import GATEWAY, LabPaths

SECURE_USER = "lab"


def make_ssh_keys(paths: LabPaths) -> None:
    """One key to get in, and one host key that all hosts share: known_hosts is then right before any host exists."""
    for folder in (paths.keys, paths.guest):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    user_key, host_key = paths.keys / "id_ed25519", paths.guest / "ssh_host_ed25519_key"
    for key in (user_key, host_key):
        if not key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "podfleet-lab", "-f", str(key)], timeout=20)
    authorized = paths.guest / "authorized_keys"
    authorized.write_text(user_key.with_suffix(".pub").read_text(encoding="ascii"), encoding="ascii")
    authorized.chmod(0o600)
    kind, data = host_key.with_suffix(".pub").read_text(encoding="ascii").split()[:2]
    (paths.keys / "known_hosts").write_text(f"{GATEWAY.rpartition('.')[0]}.* {kind} {data}\n", encoding="ascii")


def make_certificates(paths: LabPaths) -> None:
    """A CA of the lab's own and a certificate for the gateway's address. Hosts trust the CA for the secure registry only."""
    folder = paths.tls
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca, ca_key, server, server_key, request = (
        folder / name for name in ("ca.crt", "ca.key", "server.crt", "server.key", "server.csr")
    )
    if not server.exists():
        new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        # Python 3.13 refuses a CA that does not say what its key is for.
        authority = ["-x509", "-days", "30", "-subj", "/CN=podfleet lab CA", "-addext", "keyUsage=critical,keyCertSign"]
        run([*new, *authority, "-keyout", str(ca_key), "-out", str(ca)], timeout=30)
        run([*new, "-subj", f"/CN={GATEWAY}", "-keyout", str(server_key), "-out", str(request)], timeout=30)
        extensions = folder / "server.ext"
        extensions.write_text(f"subjectAltName=IP:{GATEWAY}\nextendedKeyUsage=serverAuth\n", encoding="ascii")
        sign = [
            "openssl",
            "x509",
            "-req",
            "-days",
            "30",
            "-in",
            str(request),
            "-CA",
            str(ca),
            "-CAkey",
            str(ca_key),
            "-CAcreateserial",
        ]
        run([*sign, "-extfile", str(extensions), "-out", str(server)], timeout=30)
    (paths.guest / "ca.crt").write_bytes(ca.read_bytes())


def new_password() -> str:
    return secrets.token_urlsafe(12)


def htpasswd_line(user: str, password: str, salt: str = "") -> str:
    """The registry takes bcrypt only. libcrypt, which every login needs, has it; Python's own wrapper for it is gone since 3.13."""
    alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    setting = "$2b$05$" + (salt or "".join(secrets.choice(alphabet) for _ in range(21)) + ".")
    for name in ("libcrypt.so.1", "libcrypt.so.2", ctypes.util.find_library("crypt")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library is None:
            continue
        library.crypt.restype = ctypes.c_char_p
        hashed: object = library.crypt(password.encode(), setting.encode())
        if isinstance(hashed, bytes) and hashed.startswith(b"$2b$"):
            return f"{user}:{hashed.decode('ascii')}"
    raise LabError("libcrypt with bcrypt was not found; install libcrypt1 (Debian) or libxcrypt (Fedora)")


def write_htpasswd(file: Path, user: str, password: str) -> None:
    file.touch(mode=0o600)
    file.write_text(htpasswd_line(user, password) + "\n", encoding="ascii")
