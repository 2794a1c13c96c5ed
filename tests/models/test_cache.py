from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from liftbench.errors import PrerequisiteError, UsageError
from liftbench.files import file_sha256
from liftbench.models.cache import MARKER, ensure_converted

from ..support.tiny_gguf import write_gguf


class Source:
    """Hands out a GGUF file, and counts."""

    def __init__(self, gguf: Path) -> None:
        self.gguf = gguf
        self.sha256 = file_sha256(gguf)
        self.asked = 0
        self.said: list[str] = []

    def __call__(self, scratch: Path) -> Path:
        self.asked += 1
        copy = scratch / "copy.gguf"
        copy.write_bytes(self.gguf.read_bytes())
        return copy

    def convert(self) -> Path:
        return ensure_converted("tiny", self.sha256, self, self.said.append)


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory, tiny_chat_model: Path) -> Path:
    return write_gguf(tiny_chat_model, tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LIFTBENCH_CACHE", str(folder))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_it_is_converted_once_and_nothing_else_is_left(gguf: Path, cache: Path) -> None:
    source = Source(gguf)
    folder = source.convert()
    assert source.convert() == folder
    assert (source.asked, len(source.said)) == (1, 1)
    assert names(cache / "models") == [folder.name]
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= set(names(folder))


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "chat_template.jinja", MARKER])
@pytest.mark.parametrize("fault", ["flip", "remove", "cut"])
def test_a_damaged_conversion_is_made_again(gguf: Path, name: str, fault: str) -> None:
    source = Source(gguf)
    folder = source.convert()
    path = folder / name
    whole = path.read_bytes()
    if fault == "remove":
        path.unlink()
    else:
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] if fault == "cut" else whole[:middle] + b"\x00" + whole[middle + 1 :])
    assert source.convert() == folder
    assert source.asked == 2
    assert path.read_bytes() == whole


def test_a_failed_conversion_leaves_nothing_behind(gguf: Path, cache: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(gguf.read_bytes()[:5000])
    with pytest.raises(UsageError):
        Source(broken).convert()
    assert names(cache / "models") == []


def test_what_a_killed_process_left_is_swept_away(gguf: Path, cache: Path) -> None:
    source = Source(gguf)
    folder = source.convert()
    part = folder.with_name(f".{folder.name}.part")
    (part / "converted").mkdir(parents=True)
    (folder / MARKER).unlink()
    source.convert()
    assert names(cache / "models") == [folder.name]


def test_a_cache_that_cannot_be_written_is_said(gguf: Path, cache: Path) -> None:
    cache.write_text("a file, where a folder should be")
    with pytest.raises(PrerequisiteError, match="LIFTBENCH_CACHE"):
        Source(gguf).convert()


def test_of_two_processes_at_once_one_converts_and_both_get_it(gguf: Path, cache: Path) -> None:
    code = "import sys; from liftbench.models.references import resolve; print(resolve(sys.argv[1]).path)"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(gguf)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "LIFTBENCH_CACHE": str(cache)},
        )
        for _ in range(2)
    ]
    outcomes = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len({output for output, _ in outcomes}) == 1
    assert sorted(said.count("preparing") for _, said in outcomes) == [0, 1]
    assert Source(gguf).sha256[:12] in outcomes[0][0]
