from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from liftbench.errors import RunFailed
from liftbench.files import append_lines, digest, recover_lines, write_atomic, write_folder, write_lines
from liftbench.records.run import Prediction


@pytest.mark.parametrize("keep", [0, 1, 5, -3, -1])
def test_a_line_that_a_kill_cut_is_dropped_and_whole_ones_stay(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    rows = [Prediction(id=f"é{number}", text="line\nbreak") for number in range(3)]
    append_lines(path, rows[:2])
    whole = path.read_bytes()
    append_lines(path, rows[2:])
    data = path.read_bytes()
    path.write_bytes(whole + data[len(whole) :][:keep])
    assert recover_lines(path, Prediction) == rows[:2]
    assert path.read_bytes() == whole
    append_lines(path, rows[2:])
    assert recover_lines(path, Prediction) == rows


def test_nothing_is_recovered_from_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert recover_lines(tmp_path / "absent", Prediction) == []


def test_a_failed_write_keeps_the_old_file_and_leaves_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.json"
    write_atomic(path, {"a": 1})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    writes: list[Callable[[], None]] = [
        lambda: write_atomic(path, {"a": 2}),
        lambda: write_lines(path, [1]),
        lambda: append_lines(path, []),
    ]
    for write in writes:
        with pytest.raises(RunFailed, match=r"No space left[^\n]*\n.*same command again"):
            write()
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_digest_ignores_the_order_of_keys_and_nothing_else() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert len({digest(1), digest("1"), digest([1]), digest(1, 1), digest(None), digest(0)}) == 6


def test_a_folder_is_replaced_completely_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with write_folder(folder) as staging:
        (staging / "a").write_text("1")
    with pytest.raises(FileNotFoundError), write_folder(folder) as staging:
        (staging / "b").rename(staging / "c")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "a"]
    with write_folder(folder) as staging:
        (staging / "b").write_text("2")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "b"]
