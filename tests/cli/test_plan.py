"""`bench plan`: from a pilot, from assumed scores, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import liftbench
from liftbench.records.conversation import Conversation

from ..conftest import Outcome
from ..support.scripted import Bench as Scripted
from ..support.scripted import honest

Bench = Callable[..., Outcome]


@pytest.fixture
def pilot(command_line: Bench, tmp_path: Path, conversations: list[Conversation]) -> tuple[str, ...]:
    """Two runs of texts: the first words of the references, and the references with a word left out."""
    from liftbench.files import write_lines

    folder = tmp_path / "support"
    folder.mkdir()
    write_lines(folder / "validation.jsonl", conversations)
    runs = str(tmp_path / "runs")
    for name, cut in (("poor", 3), ("good", 7)):
        path = tmp_path / f"{name}.jsonl"
        rows = [
            {"id": one.id, "text": " ".join(one.references[0].split()[number % 3 :][:cut])}
            for number, one in enumerate(conversations)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = command_line("score", "--predictions", str(path), "--dataset", str(folder), "--runs", runs)
        assert done.code == 0, done.err
    return tuple(sorted(str(path) for path in (tmp_path / "runs").glob("2*")))


def test_a_pilot_says_what_a_proven_lift_needs(command_line: Bench, pilot: tuple[str, ...], tmp_path: Path) -> None:
    poor, good = sorted(pilot, key=lambda path: "good" in path)
    options = ("--runs", str(tmp_path / "runs"), "--target", "0.2")
    told = command_line("plan", poor, good, *options)
    assert told.code == 0, told.err
    assert "as in the pilot of 12 conversations" in " ".join(told.out.split())
    plan = json.loads(command_line("plan", poor, good, *options, "--json").out)
    assert plan["pilot"] == 12
    powers = [row["power"] for row in plan["rows"]]
    assert powers == sorted(powers)
    for wanted, fewest in plan["fewest"].items():
        assert next(row["power"] for row in plan["rows"] if row["conversations"] == fewest) >= int(wanted[:-1]) / 100


def test_assumed_scores_need_no_runs(command_line: Bench) -> None:
    told = command_line("plan", "--assume", "0.2", "0.31")
    assert told.code == 0
    assert (
        "If the true lift is +55% on the score (as assumed), 151 conversations prove +40% in 80% of measurements"
        in " ".join(told.out.split())
    )
    one, three = (
        json.loads(command_line("plan", "--assume", "0.2", "0.31", "--seeds", seeds, "--json").out)["fewest"]["80%"]
        for seeds in ("1", "3")
    )
    assert one < three


def test_a_lift_below_the_target_is_never_proven(command_line: Bench) -> None:
    told = command_line("plan", "--assume", "0.2", "0.27")
    assert (told.code, "no number of conversations proves +40% reliably" in " ".join(told.out.split())) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--assume", "0", "0.3"), "must be above 0"),
        (("--assume", "0.2", "nan"), "must be finite"),
        (("--assume", "0.2", "0.3", "--target", "nan"), "must be finite"),
        (("--assume", "0.2", "0.3", "--deviations", "-1", "0.1"), "--deviations above 0"),
        (("--assume", "0.2", "0.3", "--conversations", "10"), "10 conversations are too few"),
        (("some-run", "--assume", "0.2", "0.3"), "not both"),
        (("one", "two", "three"), "a pilot is two runs, not 3"),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments: tuple[str, ...], words: str, command_line: Bench) -> None:
    told = command_line("plan", *arguments)
    assert (told.code, words in told.err) == (2, True)


def test_a_plan_says_what_comes_next(command_line: Bench, pilot: tuple[str, ...], tmp_path: Path) -> None:
    poor, good = (Path(path).name for path in sorted(pilot, key=lambda path: "good" in path))
    options = (poor, good, "--runs", str(tmp_path / "runs"), "--target")
    assert command_line("plan", "--assume", "0.2", "0.31").err.splitlines()[-1] == "next: bench baseline --limit 50"
    # Twelve conversations are fewer than a lift is judged on.
    assert command_line("plan", *options, "0.2").err.splitlines()[-1].startswith("next: bench data import FILE...")
    assert command_line("plan", *options, "9").err.splitlines()[-1].startswith("next: bench sweep")
    assert "next:" not in command_line("plan", *options, "0.2", "--json").err


def test_a_pilot_that_is_large_enough_is_compared(command_line: Bench, scripted: Scripted) -> None:
    good = scripted.measure(honest())
    told = command_line("plan", scripted.baseline.id, good.id, "--runs", str(scripted.runs))
    assert told.code == 0, told.err
    assert "30 conversations prove +40% in 90% of measurements or more; fewer are not judged." in " ".join(
        told.out.split()
    )
    assert told.err.splitlines()[-1].startswith(f"next: bench compare {scripted.baseline.id} {good.id}")


def test_the_python_function_does_what_the_command_does(command_line: Bench, pilot: tuple[str, ...]) -> None:
    poor, good = sorted(pilot, key=lambda path: "good" in path)
    told = json.loads(command_line("plan", poor, good, "--target", "0.2", "--seeds", "2", "--json").out)
    made = liftbench.plan(poor, liftbench.load_run(good), target=0.2, seeds=2)
    assert json.loads(msgspec.json.encode(made)) == told
    with pytest.raises(liftbench.UsageError, match="correlation"):
        liftbench.plan(assume=(0.2, 0.3), correlation=2)
