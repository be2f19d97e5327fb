# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS: verified unless somebody says otherwise, and with the reason when it is not trusted."""

from __future__ import annotations

import datetime as dt
import ipaddress
import pathlib
import ssl
import typing as t

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.transport import TlsOptions
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import RegistryError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.servers import (
    DIGEST,
    USER,
    Asked,
    Reply,
    Server,
    always,
    client,
    manifest,
    question,
    raw_server,
    resolve,
)

_Key = ec.EllipticCurvePrivateKey


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A CA that this machine does not know."""
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_path(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its certificate."""
    path = tmp_path_factory.mktemp("ca") / "ca.crt"
    authority.cert_pem.write_to_path(path)
    return str(path)


def _context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_registry_that_speaks_plain_http_is_said_so() -> None:
    with Server(always(manifest())) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address, insecure=False)
    assert caught.value.reason is Reason.TLS
    assert "seems to speak plain HTTP" in str(caught.value)
    assert "insecure = true for it in registries.conf" in str(caught.value)
    assert "validate_certs: false" in str(caught.value)


def test_a_certificate_of_the_tasks_ca_is_trusted(authority: trustme.CA, ca_path: str) -> None:
    with Server(always(manifest()), _context(authority)) as server:
        asking = client(server.address, insecure=False, tls=TlsOptions(ca_path=ca_path), width=1)
        for _time in range(3):
            assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert server.connections == 1, "the connection is kept"


def test_a_certificate_of_an_unknown_ca_is_not_trusted(authority: trustme.CA) -> None:
    with Server(always(manifest()), _context(authority)) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address, insecure=False, credentials={server.address: USER})
    assert caught.value.reason is Reason.TLS
    assert "certificate verify failed" in str(caught.value)
    assert "plain HTTP" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert server.asked == []


def test_another_ca_helps_nothing(authority: trustme.CA, tmp_path: pathlib.Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.crt")
    with Server(always(manifest()), _context(authority)) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address, insecure=False, tls=TlsOptions(ca_path=str(tmp_path / "other.crt")))
    assert caught.value.reason is Reason.TLS


@pytest.mark.parametrize("asked", ["127.0.0.1", "localhost"])
def test_a_certificate_of_another_host_is_not_trusted(authority: trustme.CA, ca_path: str, asked: str) -> None:
    """By address and by name: libraries compare the two in different places."""
    with Server(always(manifest()), _context(authority, "elsewhere.example.com")) as server:
        address = server.address.replace("127.0.0.1", asked)
        with pytest.raises(RegistryError) as caught:
            resolve(address, insecure=False, tls=TlsOptions(ca_path=ca_path))
    assert caught.value.reason is Reason.TLS
    assert asked in str(caught.value)
    assert server.asked == []


def _signed(subject: str, issuer: str, key: _Key, by: _Key, *, ca: bool) -> x509.Certificate:
    """A certificate for 127.0.0.1 without a key usage."""
    now = dt.datetime.now(dt.timezone.utc)
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (issuer, subject)]
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = x509.CertificateBuilder(*names, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return builder.add_extension(x509.SubjectAlternativeName([address]), critical=False).sign(by, hashes.SHA256())


def _plain_files(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """The files of a CA, and of the certificate with its key that it has signed."""
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca, chain = folder / "ca.crt", folder / "server.pem"
    pem = serialization.Encoding.PEM
    ca.write_bytes(_signed("plain", "plain", authority, authority, ca=True).public_bytes(pem))
    chain.write_bytes(
        _signed("127.0.0.1", "plain", server, authority, ca=False).public_bytes(pem)
        + server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ca, chain


def test_a_ca_that_says_nothing_of_its_use_is_a_ca(tmp_path: pathlib.Path) -> None:
    """As podman has it: Python 3.13 would refuse what an administrator makes with one openssl command."""
    ca, chain = _plain_files(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    with Server(always(manifest()), context) as server:
        assert resolve(server.address, insecure=False, tls=TlsOptions(ca_path=str(ca))).digest == DIGEST


@pytest.mark.parametrize("by_task", [True, False])
def test_an_insecure_registry_is_asked_in_tls_whoever_signed_it(authority: trustme.CA, by_task: bool) -> None:
    with Server(always(manifest()), _context(authority)) as server:
        tls = TlsOptions(verify=False) if by_task else TlsOptions()
        asking = client(server.address, insecure=not by_task, tls=tls)
        assert asking.resolve(question(server.address, DIGEST)).digest == DIGEST
        assert asking.usage()[0].requests == 1, "HTTPS was enough"


def test_the_task_may_insist_on_trust(authority: trustme.CA) -> None:
    with Server(always(manifest()), _context(authority)) as server, pytest.raises(RegistryError) as caught:
        resolve(server.address, insecure=True, tls=TlsOptions(verify=True))
    assert caught.value.reason is Reason.TLS


def test_https_is_never_left_by_a_redirect(authority: trustme.CA, ca_path: str) -> None:
    with Server(always(manifest())) as plain:

        def answer(asked: Asked) -> Reply:
            return Reply(307, {"Location": f"http://{plain.address}{asked.path}"})

        with (
            Server(answer, _context(authority)) as server,
            pytest.raises(RegistryError, match="not followed") as caught,
        ):
            resolve(server.address, insecure=False, tls=TlsOptions(ca_path=ca_path))
        assert caught.value.reason is Reason.REGISTRY_INVALID
        assert plain.asked == []


def test_a_redirect_to_another_host_is_verified_too(authority: trustme.CA, ca_path: str) -> None:
    with Server(always(manifest()), _context(trustme.CA())) as stranger:

        def answer(asked: Asked) -> Reply:
            return Reply(307, {"Location": f"https://{stranger.address}{asked.path}"})

        with Server(answer, _context(authority)) as server, pytest.raises(RegistryError) as caught:
            resolve(server.address, insecure=False, tls=TlsOptions(ca_path=ca_path))
        assert caught.value.reason is Reason.TLS
        assert stranger.asked == []


def test_the_password_goes_to_a_token_service_in_tls(authority: trustme.CA, ca_path: str) -> None:
    with Server(always(Reply(200, {}, b'{"token": "t"}')), _context(authority)) as service:

        def answer(asked: Asked) -> Reply:
            if asked.authorization == "Bearer t":
                return manifest()
            return Reply(401, {"WWW-Authenticate": f'Bearer realm="https://{service.address}/token"'})

        with Server(answer, _context(authority)) as server:
            tls = TlsOptions(ca_path=ca_path)
            found = resolve(server.address, DIGEST, insecure=False, tls=tls, credentials={server.address: USER})
        assert found.digest == DIGEST
        assert [one.authorization for one in service.asked] == [f"Basic {USER.basic()}"]


@pytest.mark.parametrize("content", [None, "", "no certificate\n"])
def test_a_ca_that_cannot_be_used_is_named(tmp_path: pathlib.Path, content: str | None) -> None:
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(RegistryError, match=r"ca\.crt cannot be used") as caught:
        resolve("127.0.0.1:1", insecure=False, tls=TlsOptions(ca_path=str(path)))
    assert caught.value.reason is Reason.TLS


def test_a_server_that_speaks_no_tls_is_told_as_such() -> None:
    def greet(connection: t.Any) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH\r\n")

    with raw_server(greet) as (address, _seen), pytest.raises(RegistryError) as caught:
        resolve(address, insecure=False, timeout=2)
    assert caught.value.reason in (Reason.TLS, Reason.REGISTRY_UNREACHABLE)
