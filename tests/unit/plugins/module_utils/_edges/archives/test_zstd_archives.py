# Copyright: Contributors to the podfleet.autoupdate collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""zstd, where Python or a library has it, and what is said where neither does."""

from __future__ import annotations

import importlib
import pathlib
import sys
import typing as t

import pytest

from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.errors import ImageError
from ansible_collections.podfleet.autoupdate.plugins.module_utils._pure.reasons import Reason
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.making import (
    GIB,
    ONE,
    SOUND,
    Files,
    as_json,
    digest,
    docker,
    entry,
    file_of,
    header_of,
    layout,
    packed,
    put_image,
    read,
)
from ansible_collections.podfleet.autoupdate.tests.unit.plugins.module_utils._edges.archives.measuring import (
    cheap,
    refused_as_invalid,
)

_LIBRARIES = ("compression.zstd", "backports.zstd", "zstandard")


@pytest.fixture(params=_LIBRARIES)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    """One of the libraries, and no other."""
    found = pytest.importorskip(request.param)
    for name in _LIBRARIES:
        if name != request.param:
            monkeypatch.setitem(sys.modules, name, None)
    return found


def _compressed(library: t.Any, body: bytes, *, window_log: int = 0) -> bytes:
    if library.__name__ == "zstandard":
        more = {"compression_params": library.ZstdCompressionParameters(window_log=window_log)} if window_log else {}
        squeezer = library.ZstdCompressor(**more).compressobj()
        return bytes(squeezer.compress(body) + squeezer.flush())
    options = {library.CompressionParameter.window_log: window_log} if window_log else {}
    # Without its size in the header, the window is what is said of it.
    squeezer = library.ZstdCompressor(options=options)
    return bytes(squeezer.compress(body) + squeezer.flush())


def test_a_zstd_archive_says_the_same(library: t.Any, tmp_path: pathlib.Path) -> None:
    plain = packed(SOUND)
    for body in (
        _compressed(library, plain),
        _compressed(library, plain[:700]) + _compressed(library, plain[700:]),
    ):
        assert [image.id for image in read(docker(tmp_path, body))] == [digest(ONE)]
    files: Files = {}
    made = layout(files, entry(put_image(files, ONE)))
    body = _compressed(library, packed(made))
    assert [image.id for image in read(f"oci-archive:{file_of(tmp_path, body)}")] == [digest(ONE)]


def test_a_damaged_or_cut_stream(library: t.Any, tmp_path: pathlib.Path) -> None:
    body = _compressed(library, packed(SOUND))
    for cut in (5, 20, len(body) // 2, len(body) - 30):
        refused_as_invalid(docker(tmp_path, body[:cut]))
    refused_as_invalid(docker(tmp_path, body[:20] + b"junk" * 10 + body[60:]))


def test_a_window_that_is_too_large(library: t.Any, tmp_path: pathlib.Path) -> None:
    body = _compressed(library, packed(SOUND), window_log=27)
    assert "window" in refused_as_invalid(docker(tmp_path, body))


def test_what_it_costs(tmp_path: pathlib.Path) -> None:
    """A bomb, and a layer that is none. A child of its own cannot be told which library to take."""
    for name in _LIBRARIES:
        try:
            library = importlib.import_module(name)
        except ImportError:
            continue
        zeros = _compressed(library, bytes(64 * 1024 * 1024))
        bomb = _compressed(library, header_of("manifest.json", 16 * GIB)) + zeros * 256
        found = cheap(docker(tmp_path, bomb))
        assert (found.reason, "compressed more than" in found.said) == ("archive_invalid", True)
        item = {"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["layer"]}
        body = packed({"layer": bytes(100 * 1024 * 1024), "config.json": ONE, "manifest.json": as_json([item])})
        found = cheap(docker(tmp_path, _compressed(library, body)))
        assert found.ids == [digest(ONE)]
        return
    pytest.skip("no library for zstd is here")


def test_without_a_library_it_is_said_which_one_to_install(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _LIBRARIES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImageError, match="python3-zstandard") as refused:
        read(docker(tmp_path, b"\x28\xb5\x2f\xfd" + bytes(20)))
    assert refused.value.reason is Reason.ARCHIVE_UNREADABLE
