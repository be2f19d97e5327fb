# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containers-certs.d(5): a registry's own CAs and client certificates, from the folder that podman would take."""

from __future__ import annotations

import pathlib
import ssl
import typing as t

import pytest
import trustme

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges import tls
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    Server,
    always,
    client,
    manifest,
    question,
    resolve,
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A CA that this machine does not know."""
    return trustme.CA()


@pytest.fixture(name="folders")
def _folders(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> list[pathlib.Path]:
    """Three folders in the places of the home's, the system's and Docker's."""
    folders = [tmp_path / name for name in ("home", "containers", "docker")]
    monkeypatch.setattr(tls, "CERTS_D", tuple(str(one) for one in folders))
    return folders


def _serve(authority: trustme.CA, clients: trustme.CA | None = None) -> Server:
    """A server that may want a certificate of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if clients is not None:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        # In TLS 1.3 a client learns only from the first answer that it is not welcome.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return Server(always(manifest()), context)


def _install(folder: pathlib.Path, host: str, **files: bytes) -> pathlib.Path:
    place = folder / host
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / name.replace("_", ".")).write_bytes(content)
    return place


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_registrys_own_ca_is_trusted(authority: trustme.CA, folders: list[pathlib.Path], place: int) -> None:
    with _serve(authority) as server:
        _install(folders[place], server.address, ca_crt=authority.cert_pem.bytes())
        assert resolve(server.address, DIGEST, insecure=False).digest == DIGEST


def test_another_registrys_ca_is_not(authority: trustme.CA, folders: list[pathlib.Path]) -> None:
    with _serve(authority) as server:
        _install(folders[1], "127.0.0.1:1", ca_crt=authority.cert_pem.bytes())
        with pytest.raises(RegistryError) as caught:
            resolve(server.address, DIGEST, insecure=False)
    assert caught.value.reason is Reason.TLS


def test_only_the_first_folder_of_a_registry_counts(authority: trustme.CA, folders: list[pathlib.Path]) -> None:
    with _serve(authority) as server:
        _install(folders[1], server.address)
        _install(folders[2], server.address, ca_crt=authority.cert_pem.bytes())
        with pytest.raises(RegistryError) as caught:
            resolve(server.address, DIGEST, insecure=False)
    assert caught.value.reason is Reason.TLS


def _pair(clients: trustme.CA) -> dict[str, bytes]:
    one = clients.issue_cert("a-client.example.com")
    return {
        "client_cert": b"".join(pem.bytes() for pem in one.cert_chain_pems),
        "client_key": one.private_key_pem.bytes(),
    }


@pytest.mark.parametrize("insecure", [False, True])
def test_a_client_certificate_is_shown(authority: trustme.CA, folders: list[pathlib.Path], insecure: bool) -> None:
    clients = trustme.CA()
    with _serve(authority, clients) as server:
        files = {"ca_crt": authority.cert_pem.bytes(), **_pair(clients)}
        _install(folders[1], server.address, **files)
        assert resolve(server.address, DIGEST, insecure=insecure).digest == DIGEST


def test_without_a_client_certificate_such_a_server_is_closed(
    authority: trustme.CA, folders: list[pathlib.Path]
) -> None:
    with _serve(authority, trustme.CA()) as server:
        _install(folders[1], server.address, ca_crt=authority.cert_pem.bytes())
        with pytest.raises(RegistryError) as caught:
            resolve(server.address, DIGEST, insecure=False)
        assert caught.value.reason in (Reason.TLS, Reason.REGISTRY_UNREACHABLE)
        assert server.asked == []


class Broken(t.NamedTuple):
    """Files that are no use, and what is said of them."""

    files: dict[str, bytes]
    said: str


_BROKEN = [
    Broken({"client_cert": b"x"}, "has no key"),
    Broken({"client_key": b"x"}, "has no client certificate"),
    Broken({"client_cert": b"x", "client_key": b"x"}, "client.cert cannot be used"),
]


@pytest.mark.parametrize(
    "broken", [*_BROKEN, Broken({"ca_crt": b"x"}, "ca.crt cannot be used")], ids=lambda one: one.said
)
def test_files_that_cannot_be_used_are_named(folders: list[pathlib.Path], broken: Broken) -> None:
    _install(folders[1], "registry.example.com", **broken.files)
    with pytest.raises(RegistryError, match=broken.said) as caught:
        resolve("registry.example.com", insecure=False)
    assert caught.value.reason is Reason.TLS


@pytest.mark.parametrize("broken", _BROKEN, ids=lambda one: one.said)
def test_an_insecure_registry_needs_sound_client_certificates_too(folders: list[pathlib.Path], broken: Broken) -> None:
    _install(folders[1], "registry.example.com", **broken.files)
    with pytest.raises(RegistryError, match=broken.said):
        resolve("registry.example.com", insecure=True)


def test_a_key_that_wants_a_passphrase_asks_nobody(folders: list[pathlib.Path]) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    files = _pair(trustme.CA())
    key = serialization.load_pem_private_key(files["client_key"], None)
    files["client_key"] = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"tr0ub4dor"),
    )
    _install(folders[1], "registry.example.com", **files)
    with pytest.raises(RegistryError, match="cannot be used"):
        resolve("registry.example.com", insecure=False)


def test_docker_hubs_folder_has_the_name_that_people_write(folders: list[pathlib.Path]) -> None:
    _install(folders[1], "docker.io", ca_crt=b"x")
    with pytest.raises(RegistryError, match=r"docker\.io/ca\.crt cannot be used"):
        client().resolve(question("docker.io"))


@pytest.mark.parametrize("name", ["", ".", "..", "../docker", "a/b"])
def test_a_name_leads_nowhere_else(folders: list[pathlib.Path], name: str) -> None:
    _install(folders[1], "x", ca_crt=b"x")
    (folders[1] / "ca.crt").write_bytes(b"x")
    assert tls.tls_context(name, insecure=False, ca_path=None).verify_mode is ssl.CERT_REQUIRED
