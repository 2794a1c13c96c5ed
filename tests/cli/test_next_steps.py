"""The line that ends a command: the step that the present state lacks, as it can be typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from liftbench.cli import next_steps
from liftbench.extension.loader import load_plugins
from liftbench.files import write_lines
from liftbench.gating import baselines
from liftbench.plugin_api import Conversation
from liftbench.runs.directory import Run, runs_in
from liftbench.workflow.setup import BASELINES, RUNS, Setup, resolve_recipe

from ..conftest import Outcome
from ..support.build import write_run

Bench = Callable[..., Outcome]


def setup_in(runs: Path, *argv: str, **overrides: str) -> Setup:
    return Setup(
        resolved=resolve_recipe("helpdesk", overrides), plugins=load_plugins(), runs=runs, argv=["bench", *argv]
    )


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """The step that was said last."""
    return lambda: capsys.readouterr().err.strip().splitlines()[-1].removeprefix("next: ")


def measured(runs: Path, *commands: str) -> list[Run]:
    return [
        write_run(runs, command=command, created=f"2026-01-0{day}T10:00:00Z")  # type: ignore[arg-type]
        for day, command in enumerate(commands, start=1)
    ]


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (["baseline"], "bench train helpdesk --runs RUNS --plugin qlora"),
        (["train"], "bench baseline helpdesk --runs RUNS"),
        (["baseline", "train"], "bench compare --runs RUNS"),
        (["train", "baseline"], "bench compare --runs RUNS"),
        (["score"], "bench baseline helpdesk --runs RUNS"),
    ],
)
def test_after_a_measurement_comes_what_the_verdict_lacks(
    commands: Sequence[str], expected: str, tmp_path: Path, said: Callable[[], str]
) -> None:
    run = measured(tmp_path, *commands)[-1]
    next_steps.after_measuring(setup_in(tmp_path), run, as_json=False)
    assert said() == expected.replace("RUNS", str(tmp_path))


def test_after_a_list_comes_the_newest_run_or_the_removal_of_damaged_ones(
    tmp_path: Path, said: Callable[[], str]
) -> None:
    runs = measured(tmp_path, "baseline", "train")
    next_steps.after_runs(runs, tmp_path)
    assert said() == f"bench runs show {runs[1].id} --runs {tmp_path}"
    (runs[0].folder / "scores.jsonl").unlink()
    next_steps.after_runs(runs_in(tmp_path), tmp_path)
    assert said() == f"bench runs delete --damaged --runs {tmp_path}"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["recipes"], "bench check helpdesk"), (["plugins", "--kind", "trainer"], "bench plugins show command")],
)
def test_after_a_list_comes_a_look_at_one_of_it(arguments: list[str], expected: str, command_line: Bench) -> None:
    assert command_line(*arguments).err.splitlines()[-1] == f"next: {expected}"


def test_an_older_candidate_is_named(tmp_path: Path, said: Callable[[], str]) -> None:
    _, older, _ = measured(tmp_path, "baseline", "score", "train")
    next_steps.after_measuring(setup_in(tmp_path), older, as_json=False)
    assert said() == f"bench compare {older.id} --runs {tmp_path}"


def test_a_run_of_another_protocol_is_no_counterpart(tmp_path: Path, said: Callable[[], str]) -> None:
    write_run(tmp_path, protocol={"split": "test"})
    run = write_run(tmp_path, command="train")
    next_steps.after_measuring(setup_in(tmp_path), run, as_json=False)
    assert said().startswith("bench baseline helpdesk")


def test_what_was_typed_is_named_again(tmp_path: Path, said: Callable[[], str]) -> None:
    typed = ["--set", "generation.max_new_tokens=60", "--metric", "words", "--set=seed=3"]
    setup = setup_in(RUNS, "baseline", *typed, dataset="my chats", data_dir="d")
    next_steps.after_yardsticks(setup)
    assert said() == (
        "bench baseline helpdesk --dataset 'my chats' --data-dir d --metric words "
        "--set generation.max_new_tokens=60 --set seed=3"
    )
    del tmp_path


def test_after_a_promotion_comes_a_gate_that_has_both_sides(
    tmp_path: Path, said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain, trained = measured(tmp_path, "baseline", "baseline", "train")
    promoted: dict[str, Run] = {}
    monkeypatch.setattr(baselines, "promoted_in", lambda _: list(promoted))
    monkeypatch.setattr(baselines, "read_promoted", lambda name, _: SimpleNamespace(measured=promoted[name]))
    next_steps.after_promotion("chats-qlora", trained, tmp_path, BASELINES)
    assert said() == f"bench promote {plain.id} chats-qlora-plain --runs {tmp_path}"
    promoted["chats-qlora"] = trained
    next_steps.after_promotion("chats-plain", plain, tmp_path, BASELINES)
    both = "--baseline chats-plain --proven chats-qlora"
    assert both in said()
    promoted["chats-plain"] = plain
    next_steps.after_promotion("chats-qlora", trained, tmp_path, BASELINES)
    assert both in said()


def test_json_ends_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [run] = measured(tmp_path, "baseline")
    next_steps.after_measuring(setup_in(tmp_path), run, as_json=True)
    assert capsys.readouterr().err == ""


def test_the_path_from_a_table_to_a_baseline(
    command_line: Bench, conversations: list[Conversation], tmp_path: Path
) -> None:
    path = tmp_path / "tickets" / "conversations.jsonl"
    write_lines(path, conversations)
    checked = command_line("data", "check", "tickets", "--no-tokens")
    assert checked.err.splitlines()[-1] == "next: bench data split tickets"
    split = command_line("data", "split", "tickets")
    assert split.err.splitlines()[-1] == "next: bench baseline --dataset tickets-split"
    checked = command_line("data", "check", "tickets-split", "--no-tokens")
    assert checked.err.splitlines()[-1] == "next: bench baseline --dataset tickets-split"
    controls = command_line("controls", "--dataset", "tickets-split")
    assert controls.err.splitlines()[-1] == "next: bench baseline smollm2-135m --dataset tickets-split"


def test_a_dry_run_ends_with_the_command_in_earnest(tiny_command_line: Bench) -> None:
    done = tiny_command_line("train", "--seed", "3", "--dry-run", "--no-calibration")
    assert done.err.splitlines()[-1] == "next: bench train --seed 3"
