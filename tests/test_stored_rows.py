"""Rows on disk: the same as in memory, and runs of very many conversations have the same files and pages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liftbench import stored_rows
from liftbench.data.similarity.fingerprints import split_fingerprint
from liftbench.data.similarity.scored import ScoredSplit, find_clusters
from liftbench.errors import NotWritten, UsageError
from liftbench.files import digest, read_lines, write_lines
from liftbench.records.conversation import Conversation
from liftbench.runs.directory import Run, runs_in
from liftbench.stored_rows import Selected, StoredRows, by_id, hold, make_each, read_rows

from .support.build import tuned_texts, untuned_texts, write_conversations

ROWS = write_conversations(12)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than three rows are very many."""
    monkeypatch.setattr(stored_rows, "FEW", 3)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("number", [0, 1, 3, 4, 12])
def test_rows_on_disk_are_those_in_memory(number: int) -> None:
    rows, held = ROWS[:number], hold(iter(ROWS[:number]), Conversation)
    assert isinstance(held, StoredRows) == (number > 3)
    assert (len(held), list(held), held[1:3], list(held[::-1])) == (number, rows, rows[1:3], rows[::-1])
    assert all(held[place] == rows[place] and held[-place - 1] == rows[-place - 1] for place in range(number))
    with pytest.raises(IndexError):
        held[number]
    for wanted in (None, ["c002", "c000", "none"]):
        found = by_id(held, wanted)
        assert dict(found) == {one.id: one for one in rows if wanted is None or one.id in wanted}
        assert list(found) == [one.id for one in rows if wanted is None or one.id in wanted]
    assert dict(make_each(held, lambda one: len(one.turns))) == {one.id: len(one.turns) for one in rows}


@pytest.mark.usefixtures("large")
def test_of_several_rows_with_one_id_the_last_counts(tmp_path: Path) -> None:
    rows = [*ROWS, Conversation(id="c001", turns=())]
    write_lines(tmp_path / "rows.jsonl", rows)
    found = by_id(read_rows(tmp_path / "rows.jsonl", Conversation, len(rows)))
    assert found["c001"].turns == ()
    assert len(found) == 12
    assert "c001" in found
    assert [one.id for one in Selected(found, ["c003", "c001"])] == ["c003", "c001"]
    assert [one.id for one in Selected(found, ["c003", "c001"])[:1]] == ["c003"]


@pytest.mark.usefixtures("large")
def test_a_file_that_is_replaced_is_still_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_lines(path, ROWS)
    rows = read_rows(path, Conversation, 12)
    write_lines(path, ROWS[:1])
    assert list(rows) == ROWS


@pytest.mark.usefixtures("large")
def test_a_damaged_line_is_found_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_lines(path, ROWS)
    path.write_bytes(path.read_bytes().replace(b'"id":"c007"', b'"id":7'))
    with pytest.raises(UsageError, match="line 8, is damaged"):
        read_rows(path, Conversation, 12)


@pytest.mark.usefixtures("large")
def test_a_full_folder_for_temporary_files_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full())
    with pytest.raises(NotWritten, match="No space left on device"):
        hold(ROWS, Conversation)


def test_what_is_hashed_piece_by_piece_has_the_hash_of_the_whole() -> None:
    for rows in ([], ROWS[:1], ROWS):
        assert split_fingerprint(iter(rows), "clean-v1") == digest(list(rows), "clean-v1")
    again = [*ROWS, Conversation(id="copy", turns=ROWS[3].turns)]
    assert find_clusters(again) == ScoredSplit(again).clusters


def test_a_run_of_very_many_conversations_has_the_same_files_and_pages(
    tmp_path: Path, command_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = write_conversations(24)
    write_lines(tmp_path / "support" / "validation.jsonl", rows[:10])
    write_lines(tmp_path / "support" / "train.jsonl", rows[10:])
    for name, texts in (("base", untuned_texts(rows[:10])), ("tuned", tuned_texts(rows[:10]))):
        lines = [json.dumps({"id": one.id, "text": text}) for one, text in zip(rows[:10], texts, strict=True)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")

    def measure(runs: str) -> tuple[list[Run], bytes]:
        for name in ("base", "tuned"):
            given = ["score", "--predictions", f"{name}.jsonl", "--dataset", "support", "--split", "validation"]
            done = command_line(*given, "--runs", runs)
            assert done.code == 0, done.err
        found = runs_in(tmp_path / runs)
        page = tmp_path / "page.html"
        assert command_line("report", *(run.id for run in found), "--runs", runs, "--html", str(page)).code == 0
        return found, page.read_bytes()

    few, _ = measure("few")
    monkeypatch.setattr(stored_rows, "FEW", 3)
    many, _ = measure("many")
    for one, other in zip(few, many, strict=True):
        assert isinstance(other.conversations, StoredRows)
        for name in ("conversations.jsonl", "predictions.jsonl", "scores.jsonl", "summary.json"):
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
        assert (one.manifest.key, one.manifest.protocol) == (other.manifest.key, other.manifest.protocol)
        assert one.findings == dict(other.findings)
        assert read_lines(one.folder / "scores.jsonl", dict) == read_lines(other.folder / "scores.jsonl", dict)
    # The same runs, read in both ways.
    names = [run.id for run in many]
    pages, verdicts = [], []
    for few_at_most in (3, 20_000):
        monkeypatch.setattr(stored_rows, "FEW", few_at_most)
        shutil.rmtree(tmp_path / "many" / "yardsticks", ignore_errors=True)
        verdicts.append(command_line("compare", *names, "--runs", "many", "--html", "page.html", "--json").out)
        pages.append((tmp_path / "page.html").read_bytes())
    assert json.loads(verdicts[0]) == json.loads(verdicts[1])
    assert pages[0] == pages[1]
