# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dockerd's socket, as far as a healthy dockerd cannot show it; sockets and files are real."""

from __future__ import annotations

import pathlib
import socketserver
import threading
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._edges.docker_socket import DockerSocket
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason

_ID = "sha256:" + "0e" * 32


def test_the_socket_that_is_not_there_is_named(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(ImageError) as caught:
        DockerSocket().image("web:1")
    assert str(caught.value) == f"dockerd cannot be asked at {tmp_path}/docker.sock: No such file or directory"
    assert caught.value.reason is Reason.ENGINE_FAILED


def test_a_file_that_is_no_socket_is_named_too(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/file")
    with pytest.raises(ImageError, match=rf"at {tmp_path}/file: Connection refused"):
        DockerSocket().image("web:1")


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Reason.IMAGE_UNKNOWN, "no image 'web:1'"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", Reason.ENGINE_FAILED, "answers 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", Reason.ENGINE_FAILED, "dockerd's answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Reason.ENGINE_FAILED, "IncompleteRead|dockerd's answer"),
        (b"nonsense\r\n", Reason.ENGINE_FAILED, "cannot be asked at .*nonsense"),
        (b"", Reason.ENGINE_FAILED, "cannot be asked at .*closed"),
    ],
)
def test_answers_that_are_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, reason: Reason, said: str
) -> None:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    path = str(tmp_path / "docker.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with socketserver.ThreadingUnixStreamServer(path, t.cast("t.Any", Handler)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(ImageError, match=said) as caught:
            DockerSocket().image("web:1")
        server.shutdown()
    assert caught.value.reason is reason
