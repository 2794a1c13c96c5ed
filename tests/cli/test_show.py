"""`bench show RUN ID`: a conversation, its human summaries and those of systems, with scores and findings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from liftbench.files import read_lines, write_lines
from liftbench.records.conversation import Turn
from liftbench.records.run import Finding, SampleScores
from liftbench.runs.directory import Run

from ..conftest import Outcome
from ..support.build import reseal, write_conversations, write_run

Bench = Callable[..., Outcome]
RUNS = Path("reports/runs")


@pytest.fixture
def pair(command_line: Bench) -> tuple[Run, Run]:
    """A baseline, and a candidate whose first summary has a finding and was cut off."""
    del command_line
    rows = write_conversations(6)
    rows[0] = replace(rows[0], turns=(*rows[0].turns, Turn(role="agent", text="evil \x1b[31m \u202e [red]x[/red]")))
    baseline = write_run(RUNS, conversations=rows)
    candidate = write_run(
        RUNS,
        command="train",
        conversations=rows,
        texts=["Agent promises 99 dollars.", *("Fine.",) * 5],
        finish_reasons=["length", *("stop",) * 5],
        created="2026-02-01T10:00:00Z",
    )
    path = candidate.folder / "scores.jsonl"
    scores = read_lines(path, SampleScores)
    finding = Finding(start=15, end=17, kind="unsupported number")
    write_lines(path, [replace(scores[0], findings={"unsupported-facts": [finding]}), *scores[1:]])
    return baseline, reseal(candidate)


def test_a_conversation_is_shown_beside_all_its_summaries(command_line: Bench, pair: tuple[Run, Run]) -> None:
    baseline, candidate = pair
    done = command_line("show", candidate.id, "c000")
    assert done.code == 0, done.err
    parts = [
        "Customer: @Support my order has not arrived",
        "human summary 1 of 1",
        "Agent promises 99 dollars.",
        "! cut off at the limit of tokens",
        "! unsupported number: 99",
        baseline.predictions["c000"].text,
        "ROUGE-L *",
    ]
    places = [done.out.index(part) for part in parts]
    assert places == sorted(places)


def test_what_a_customer_wrote_does_nothing_to_the_terminal(command_line: Bench, pair: tuple[Run, Run]) -> None:
    out = command_line("show", pair[1].id, "c000").out
    assert "[red]x[/red]" in out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_as_json_findings_have_their_words(command_line: Bench, pair: tuple[Run, Run]) -> None:
    baseline, candidate = pair
    found = json.loads(command_line("show", candidate.id, "c000", "--json").out)
    assert found["conversation"]["id"] == "c000"
    assert [one["run"] for one in found["summaries"]] == [candidate.id, baseline.id]
    [finding] = found["summaries"][0]["findings"]
    assert finding == {"start": 15, "end": 17, "kind": "unsupported number", "text": "99"}
    assert found["summaries"][0]["scores"]["rougeL"] == candidate.scores["c000"]["rougeL"]


def test_a_baseline_stands_alone_and_others_can_be_named(command_line: Bench, pair: tuple[Run, Run]) -> None:
    baseline, candidate = pair
    alone = json.loads(command_line("show", baseline.id, "c001", "--json").out)
    assert len(alone["summaries"]) == 1
    both = json.loads(command_line("show", baseline.id, "c001", "--beside", candidate.id, "--json").out)
    assert [one["run"] for one in both["summaries"]] == [baseline.id, candidate.id]


@pytest.mark.parametrize(
    ("wanted", "words"), [("c00", "is in 6 ids"), ("x999", "has no conversation"), ("", "has no conversation")]
)
def test_an_unclear_id_is_answered_with_some_that_there_are(
    wanted: str, words: str, command_line: Bench, pair: tuple[Run, Run]
) -> None:
    done = command_line("show", pair[0].id, wanted)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.splitlines()) <= 2
    assert command_line("show", pair[0].id, "005").code == 0
