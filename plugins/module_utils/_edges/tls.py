# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is private to the collection: it may change or go in any release.

"""What TLS trusts and shows for one registry host: the machine's CAs, the task's, and containers-certs.d(5)."""

from __future__ import annotations

import pathlib
import ssl
import typing as t

from .._pure.errors import RegistryError
from .._pure.reasons import Reason

#: In podman's order; the first folder that a host has is the only one that counts for it.
CERTS_D = ("~/.config/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d")


def tls_context(certificates: str, *, insecure: bool, ca_path: str | None) -> ssl.SSLContext:
    """The settings for one host; C(certificates) is the name of its folder in certs.d.

    Raises:
        RegistryError: A certificate or key that is there cannot be used.
    """
    files = _files(certificates)
    if insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context()
        # urllib3 compares the certificate with the host itself, also where that is an IP address, for which its
        # version 1 would give the context no name to compare.
        context.check_hostname = False
        # Python 3.13 asks more of a CA than podman does, and refuses what "openssl req -x509" makes.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        for path in [ca_path] if ca_path else []:
            _trust(context, path)
        for path in _named(files, ".crt"):
            _trust(context, path)
    _show(context, files)
    return context


def _files(certificates: str) -> list[str]:
    """The files of a host's folder, sorted; the name comes from a reference and must not lead elsewhere."""
    if "/" in certificates or certificates in ("", ".", ".."):
        return []
    for folder in CERTS_D:
        path = pathlib.Path(folder).expanduser() / certificates
        try:
            if path.is_dir():
                return sorted(str(file) for file in path.iterdir())
        except OSError:  # Of another user, most likely: podman goes on to the next folder too.
            continue
    return []


def _named(files: t.Sequence[str], ending: str) -> list[str]:
    return [file for file in files if file.endswith(ending)]


def _trust(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise RegistryError(f"the CA certificate {path} cannot be used: {error}", Reason.TLS) from None


def _show(context: ssl.SSLContext, files: t.Sequence[str]) -> None:
    """Be ready to show the host's first client certificate (OpenSSL holds one of each kind of key)."""
    for certificate in _named(files, ".cert"):
        key = certificate[: -len(".cert")] + ".key"
        if key not in files:
            raise RegistryError(
                f"the client certificate {certificate} has no key {key} beside it (a CA's name ends in .crt)",
                Reason.TLS,
            )
    for key in _named(files, ".key"):
        if key[: -len(".key")] + ".cert" not in files:
            raise RegistryError(f"the key {key} has no client certificate beside it", Reason.TLS)
    for certificate in _named(files, ".cert")[:1]:
        try:
            # A key with a passphrase must not ask for it at a terminal.
            context.load_cert_chain(certificate, certificate[: -len(".cert")] + ".key", password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            raise RegistryError(f"the client certificate {certificate} cannot be used: {error}", Reason.TLS) from None
