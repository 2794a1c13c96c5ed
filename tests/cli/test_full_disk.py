"""Commands on a disk that is really full: what they say, and that the same command continues once there is space.

The disk is a small file system in memory, which needs the right to mount one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from liftbench.errors import RunFailed
from liftbench.files import append_lines, read_lines, write_lines
from liftbench.records.run import Prediction
from liftbench.runs.directory import Run, runs_in
from liftbench_plugins.backends.transformers import TransformersBackend

from ..support.build import untuned_texts, write_conversations

PAGE = 4
"""KiB: the least that a file takes."""

ROOM = 4096
"""KiB that are enough for everything here."""

Bench = Callable[..., Any]


class Disk:
    """A file system of its own, whose size can change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resize(self, kib: int) -> None:
        mount("-o", f"remount,size={kib}k", str(self.folder))

    def clear(self, kib: int) -> None:
        """An empty disk of another size."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.resize(kib)

    @property
    def used(self) -> int:
        """KiB that are taken."""
        return shutil.disk_usage(self.folder).used // 1024


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", f"size={ROOM}k", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk cannot be mounted here: {getattr(error, 'stderr', None) or error}")
    try:
        yield Disk(folder)
    finally:
        with suppress(OSError):
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Conversations to score, and texts for them that take a few pages."""
    rows = write_conversations(24)
    write_lines(tmp_path / "support" / "validation.jsonl", rows[:10])
    write_lines(tmp_path / "support" / "train.jsonl", rows[10:])
    texts = zip(rows[:10], untuned_texts(rows[:10]), strict=True)
    lines = [json.dumps({"id": one.id, "text": f"{text} {'and so on ' * 90}"}) for one, text in texts]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "support"


SETTINGS = ["model.precision=float32", "generation.max_new_tokens=6", "generation.batch_size=2"]
SETTINGS += ["metrics.names=['rougeL']", "metrics.headlines=['rougeL']"]


def arguments(command: str, data: Path, runs: Path, *more: str) -> list[str]:
    given = [command, *more, "--dataset", str(data), "--split", "validation", "--runs", str(runs)]
    return [*given, *(word for setting in SETTINGS for word in ("--set", setting))]


def texts_of(run: Run) -> dict[str, str]:
    return {id_: row.text for id_, row in run.predictions.items()}


def require_clean_stop(done: Any, disk: Disk) -> None:
    """Exit code 4, and an error that says which file had no room, and how to go on."""
    assert (done.code, done.out) == (4, "")
    at = next(place for place, line in enumerate(done.err.splitlines()) if line.startswith("error: "))
    error, *fix = done.err.splitlines()[at:]
    assert error.startswith(f"error: cannot write {disk.folder}")
    assert error.endswith(": No space left on device")
    assert fix == ["Free some space or choose another folder, then run the same command again."]
    assert [path for path in disk.folder.rglob("*.*.json*") if path.name.startswith(".")] == []


def require_continued(bench: Bench, command: list[str], disk: Disk, whole: Run) -> Run:
    """With more space, the same command ends with the same texts and scores, and says that the run goes on."""
    begun = runs_in(disk.folder / "runs")
    disk.resize(ROOM)
    done = bench(*command)
    assert done.code == 0, done.err
    assert ("continuing" in done.err) == bool(begun)
    [run] = runs_in(disk.folder / "runs")
    assert begun == [] or begun[0].id == run.id
    assert run.manifest.status == "complete"
    assert run.changed == []
    assert texts_of(run) == texts_of(whole)
    assert run.scores == whole.scores
    return run


@pytest.mark.parametrize("command", ["score", "baseline"])
def test_a_disk_that_is_full_at_any_file_stops_a_run_that_continues(
    command: str,
    disk: Disk,
    data: Path,
    tmp_path: Path,
    tiny_chat_model: Path,
    command_line: Bench,
) -> None:
    more = ["--predictions", str(tmp_path / "texts.jsonl")] if command == "score" else ["--model", str(tiny_chat_model)]
    given = arguments(command, data, disk.folder / "runs", *more)
    assert command_line(*given).code == 0
    [run] = runs_in(disk.folder / "runs")
    whole = Run(shutil.copytree(run.folder, tmp_path / run.id))
    stopped_at: set[str] = set()
    needed = disk.used
    for kib in range(PAGE, needed, PAGE):
        disk.clear(kib)
        done = command_line(*given)
        require_clean_stop(done, disk)
        stopped_at.add(Path(done.err.partition(": No space")[0].split()[-1]).name)
        require_continued(command_line, given, disk, whole)
    assert stopped_at >= {"conversations.jsonl", "summary.json", "manifest.json"}
    assert command == "baseline" or stopped_at >= {"predictions.jsonl", "scores.jsonl"}


def test_a_disk_that_fills_up_while_texts_are_generated_keeps_those_that_are_there(
    disk: Disk,
    data: Path,
    tmp_path: Path,
    tiny_chat_model: Path,
    command_line: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("liftbench_plugins.backends.transformers.rows_of", lambda _: 2)
    given = arguments("baseline", data, disk.folder / "runs", "--model", str(tiny_chat_model))
    prompts: list[str] = []
    generate = TransformersBackend.generate

    def fill_up_at_the_fourth(self: TransformersBackend, some: Any, budget: int) -> Any:
        prompts.extend(one.text for one in some)
        if len(prompts) == 8:
            disk.resize(disk.used)
            # Longer than what is left of the file's last page.
            return [replace(one, text="x" * 1024 * PAGE) for one in generate(self, some, budget)]
        return generate(self, some, budget)

    with monkeypatch.context() as patch:
        patch.setattr(TransformersBackend, "generate", fill_up_at_the_fourth)
        require_clean_stop(command_line(*given), disk)
    [run] = runs_in(disk.folder / "runs")
    assert len(read_lines(run.folder / "predictions.jsonl", Prediction)) == 6
    assert command_line(*arguments("baseline", data, tmp_path / "runs", "--model", str(tiny_chat_model))).code == 0
    [whole] = runs_in(tmp_path / "runs")
    prompts.clear()
    with monkeypatch.context() as patch:
        patch.setattr(TransformersBackend, "generate", fill_up_at_the_fourth)
        require_continued(command_line, given, disk, whole)
    assert len(prompts) == 4, "a text that was there was generated again"


def test_rows_that_did_not_fit_leave_the_file_as_it_was(disk: Disk) -> None:
    path = disk.folder / "predictions.jsonl"
    rows = [Prediction(id=str(number), text="word " * 200) for number in range(12)]
    append_lines(path, rows[:2])
    disk.resize(2 * PAGE)
    with pytest.raises(RunFailed, match="No space left on device"):
        append_lines(path, rows[2:])
    assert read_lines(path, Prediction) == rows[:2]
    disk.resize(ROOM)
    append_lines(path, rows[2:])
    assert read_lines(path, Prediction) == rows


def test_a_full_disk_of_the_cache_of_generations_costs_no_run(
    disk: Disk, data: Path, tiny_chat_model: Path, command_line: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LIFTBENCH_CACHE", str(disk.folder / "cache"))
    monkeypatch.setenv("LIFTBENCH_GENERATION_CACHE", "on")
    given = arguments("baseline", data, tmp_path / "runs", "--model", str(tiny_chat_model))
    (disk.folder / "cache" / "generations").mkdir(parents=True)
    disk.resize(PAGE)
    (disk.folder / "full").write_bytes(b"x" * 1024 * PAGE)
    assert command_line(*given).code == 0
    [first] = runs_in(tmp_path / "runs")
    entries = disk.folder / "cache" / "generations"
    assert list(entries.glob("*.entry")) == []
    assert [path for path in entries.iterdir() if path.name != ".lock"] == []
    disk.resize(ROOM)
    assert command_line(*given, "--fresh").code == 0
    assert list(entries.glob("*.entry")) != []
    *_, last = runs_in(tmp_path / "runs")
    assert texts_of(last) == texts_of(first)


@pytest.fixture
def compare(data: Path, tmp_path: Path, command_line: Bench) -> Callable[..., list[str]]:
    """The command that compares two runs of given texts, in a folder."""

    def arguments_in(runs: Path, *more: str) -> list[str]:
        shutil.copy(tmp_path / "texts.jsonl", tmp_path / "others.jsonl")
        for name in ("texts", "others"):
            given = arguments("score", data, runs, "--predictions", str(tmp_path / f"{name}.jsonl"))
            assert command_line(*given).code == 0
        return ["compare", *(run.id for run in runs_in(runs)), "--runs", str(runs), *more]

    return arguments_in


def test_a_page_that_does_not_fit_is_not_there_in_part(
    disk: Disk, compare: Callable[..., list[str]], command_line: Bench, tmp_path: Path
) -> None:
    given = compare(tmp_path / "runs", "--html", str(disk.folder / "page.html"))
    disk.resize(8 * PAGE)
    require_clean_stop(command_line(*given), disk)
    assert list(disk.folder.iterdir()) == []
    disk.resize(ROOM)
    assert command_line(*given).code == 1, "not verified: the texts are equal"
    assert (disk.folder / "page.html").stat().st_size > 1024 * 8 * PAGE


def test_controls_that_do_not_fit_change_no_verdict(
    disk: Disk, compare: Callable[..., list[str]], command_line: Bench, tmp_path: Path
) -> None:
    given = compare(disk.folder / "runs", "--html", str(tmp_path / "page.html"), "--json")
    disk.resize(disk.used)
    require_clean_stop(command_line(*given), disk)
    assert not (tmp_path / "page.html").exists()
    disk.resize(ROOM)
    found = json.loads(command_line(*given).out)
    assert {"controls", "validity"}.isdisjoint(found["missing"])
