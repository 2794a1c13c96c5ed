"""`bench runs`: filters, what a run is, what it takes on the disk, and deleting with care."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from liftbench.runs.directory import Run, runs_in
from liftbench.runs.removal import disk_use

from ..conftest import Outcome
from ..support.build import write_run

Bench = Callable[..., Outcome]
RUNS = Path("reports/runs")


@pytest.fixture
def runs(command_line: Bench) -> dict[str, Run]:
    """Name → a run of each kind, a day apart."""
    del command_line  # which changes to an empty folder
    return {
        "base": write_run(RUNS, created="2026-01-01T10:00:00Z"),
        "tuned": write_run(RUNS, created="2026-01-02T10:00:00Z", best_prompt=True),
        "trained": write_run(RUNS, command="train", created="2026-01-03T10:00:00Z", protocol={"dataset": "chats"}),
        "stopped": write_run(RUNS, command="train", created="2026-01-04T10:00:00Z", status="running"),
    }


def damage(run: Run) -> None:
    (run.folder / "summary.json").write_text("{")


def listed(bench: Bench, *arguments: str) -> list[str]:
    done = bench("runs", *arguments, "--json")
    assert done.code == 0, done.err
    return [row["manifest"]["id"] for row in json.loads(done.out)]


def there() -> set[str]:
    return {run.id for run in runs_in(RUNS)}


# ---------------------------------------------------------------------------------------------------- list and show


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["base", "tuned", "trained", "stopped"]),
        (["--kind", "baseline"], ["base"]),
        (["--kind", "best-prompt"], ["tuned"]),
        (["--status", "incomplete"], ["stopped"]),
        (["--status", "complete", "--system", "QLoRA"], ["trained"]),
        (["--dataset", "chats"], ["trained"]),
        (["--since", "2026-01-02", "--until", "2026-01-03"], ["tuned", "trained"]),
        (["--status", "damaged"], ["tuned"]),
    ],
)
def test_runs_are_chosen_by_what_they_are(
    arguments: list[str], expected: list[str], command_line: Bench, runs: dict[str, Run]
) -> None:
    if "damaged" in arguments:
        damage(runs["tuned"])
    assert listed(command_line, *arguments) == [runs[name].id for name in expected]


def test_the_list_tells_what_is_on_the_disk(command_line: Bench, runs: dict[str, Run]) -> None:
    (RUNS / "yardsticks" / "x").mkdir(parents=True)
    (RUNS / "yardsticks" / "x" / "controls.json").write_bytes(b"x" * 3_000_000)
    done = command_line("runs", "--kind", "baseline")
    assert f"{disk_use(runs['base'].folder) / 1000:.0f} kB" in done.out
    told, following = done.err.splitlines()
    assert following == f"next: bench runs show {runs['base'].id}"
    assert told.startswith("1 run, ")
    assert told.endswith(f"all of reports/runs takes {round(disk_use(RUNS) / 1e6)} MB")
    assert json.loads(command_line("runs", "--json").out)[0]["bytes"] == disk_use(runs["base"].folder)


def test_nothing_that_matches_is_said(command_line: Bench, runs: dict[str, Run]) -> None:
    assert runs
    assert command_line("runs", "--system", "gpt").out == "none of 4 runs in reports/runs fits these options\n"
    wrong = command_line("runs", "--since", "yesterday")
    assert (wrong.code, "write it as 2026-11-30" in wrong.err) == (2, True)


def test_a_run_is_shown_with_figures_files_and_the_next_step(command_line: Bench, runs: dict[str, Run]) -> None:
    done = command_line("runs", "show", runs["trained"].id)
    assert done.code == 0, done.err
    for words in (
        "train",
        "36 conversations of chats validation",
        "qlora, 10 min, 4.3 GB",
        "rougeL *",
        "predictions.jsonl",
    ):
        assert words in done.out
    assert done.err.splitlines()[-1] == f"next: bench show {runs['trained'].id} c000"
    record = json.loads(command_line("runs", "show", runs["stopped"].id, "--json").out)
    assert (record["kind"], record["summary"]) == ("train", None)
    assert record["bytes"] == disk_use(runs["stopped"].folder)


# -------------------------------------------------------------------------------------------------------------- delete


def test_without_a_terminal_or_yes_nothing_is_deleted(command_line: Bench, runs: dict[str, Run]) -> None:
    done = command_line("runs", "delete", runs["base"].id)
    assert (done.code, "--yes" in done.err) == (2, True)
    assert runs["base"].id in there()


@pytest.mark.parametrize(("answer", "deleted"), [("y", True), ("n", False)])
def test_it_asks_first(
    answer: str, deleted: bool, command_line: Bench, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def confirm(words: str, **_: object) -> bool:
        asked.append(words)
        return answer == "y"

    monkeypatch.setattr("click.confirm", confirm)
    done = command_line("runs", "delete", runs["base"].id)
    assert asked[0].startswith("delete 1 run, ")
    assert runs["base"].id in done.err
    assert (runs["base"].id not in there()) is deleted
    assert done.code == (0 if deleted else 2)


def test_named_runs_are_deleted_and_nothing_else(command_line: Bench, runs: dict[str, Run]) -> None:
    done = command_line("runs", "delete", runs["base"].id, runs["stopped"].id, "--yes", "--json")
    assert json.loads(done.out)["deleted"] == [runs["base"].id, runs["stopped"].id]
    assert there() == {runs["tuned"].id, runs["trained"].id}
    assert list(RUNS.glob(".*.deleted")) == []


def test_selections_choose_what_is_deleted(command_line: Bench, runs: dict[str, Run]) -> None:
    damage(runs["tuned"])
    (RUNS / "old").mkdir()
    (RUNS / "old" / "manifest.json").write_text('{"schema": 1}')
    (RUNS / "yardsticks").mkdir()
    assert command_line("runs", "delete", "--damaged", "--yes").code == 0
    assert there() == {runs["base"].id, runs["trained"].id, runs["stopped"].id}
    assert not (RUNS / "old").exists()
    assert command_line("runs", "delete", "--incomplete", "--since", "2026-02-01", "--yes").code == 0
    assert runs["stopped"].id in there()
    assert command_line("runs", "delete", "--incomplete", "--yes").code == 0
    assert there() == {runs["base"].id, runs["trained"].id}
    assert (RUNS / "yardsticks").is_dir()


def test_a_run_at_work_stays(command_line: Bench, runs: dict[str, Run]) -> None:
    stopped = runs["stopped"]
    with FileLock(RUNS / f".{stopped.manifest.key[:16]}.lock"):
        done = command_line("runs", "delete", stopped.id, runs["base"].id, "--yes")
    assert done.code == 4
    assert f"another process is working on {stopped.id}, so it is not deleted" in done.err
    assert stopped.id in there()
    assert runs["base"].id not in there()


def test_an_adapter_that_another_run_needs_is_announced(command_line: Bench, runs: dict[str, Run]) -> None:
    from msgspec.structs import replace

    from liftbench.files import write_atomic

    scored = write_run(RUNS, command="score", created="2026-01-05T10:00:00Z")
    write_atomic(scored.folder / "manifest.json", replace(scored.manifest, parent=runs["trained"].id))
    done = command_line("runs", "delete", runs["trained"].id, "--yes")
    assert f"warning: {scored.id} was scored with the adapter of {runs['trained'].id}" in done.err


def test_only_what_lies_in_the_folder_of_runs_is_deleted(
    command_line: Bench, runs: dict[str, Run], tmp_path: Path
) -> None:
    elsewhere = write_run(tmp_path / "elsewhere", created="2026-03-01T10:00:00Z")
    link = RUNS / "linked"
    link.symlink_to(elsewhere.folder.resolve())
    for name in (str(elsewhere.folder), "linked"):
        done = command_line("runs", "delete", name, "--yes")
        assert (done.code, "so it is not deleted" in done.err) == (2, True)
    assert elsewhere.folder.is_dir()
    assert len(there()) == len(runs) + 1


@pytest.mark.parametrize("arguments", [[], ["base", "--damaged"], ["nothing", "--yes"]])
def test_what_is_meant_has_to_be_clear(arguments: list[str], command_line: Bench, runs: dict[str, Run]) -> None:
    assert command_line("runs", "delete", *arguments).code == 2
    assert len(there()) == len(runs)
