"""The forms of an answer: eight lines in the terminal, Markdown that stays text, and JSON that keeps its schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from liftbench.floors.ranking import Position
from liftbench.judging.compare import COMPARISON_SCHEMA, CandidateResult, Comparison, compare
from liftbench.judging.guards import Guard
from liftbench.report.answer import answer_comparison
from liftbench.report.document import answer_in_full, json_schema
from liftbench.report.markdown import escape, escape_words, write_markdown
from liftbench.report.terminal.answer import list_answers
from liftbench.statistics.lift import Lift
from liftbench.workflow.setup import RUNS

from ..support.build import write_run

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "comparison.schema.json"
PAGE = Path("reports/compare-1a2b3c4d.html")
FAILED = ("4 of 104 summaries are cut off", "it invents 4 times as many details as people do")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """One candidate, of 36 conversations."""
    runs = tmp_path_factory.mktemp("runs")
    return compare(write_run(runs), [write_run(runs, command="train")])


STEP = "Read the summaries that were cut off by the limit."


def failing(briefs: Sequence[str], ids: Sequence[str] = (), step: str = STEP) -> list[Guard]:
    more: Any = {"question": "?", "state": "failed", "words": "Found.", "fix": f"{step} Mend it.", "step": step}
    return [
        Guard(name=name, label=f"label of {name}", brief=brief, ids=list(ids), **more)
        for name, brief in zip(("endings", "facts", "controls", "writing", "slices"), briefs, strict=False)
    ]


def judged(comparison: Comparison, **changed: Any) -> Comparison:
    [result] = comparison.candidates
    return replace(comparison, candidates=[replace(result, verdict=replace(result.verdict, **changed))])


def lines(comparison: Comparison, runs: Path = RUNS) -> list[str]:
    console = Console(width=80, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(list_answers(comparison, PAGE, runs))
    return capture.get().splitlines()


# -------------------------------------------------------------------------------------------------------- the terminal


def test_the_terminal_says_badge_reasons_lifts_report_and_what_next(measured: Comparison) -> None:
    shown = lines(judged(measured, outcome="unproven", guards=failing(FAILED, ["c007"])), Path("other runs"))
    [candidate] = measured.candidates
    assert shown[0] == "○ Not proven: do not ship (smollm2-135m+qlora)"
    assert "but 4 of 104 summaries are cut off, and it invents 4 times" in " ".join(shown[1:3])
    assert shown[-4].startswith("ROUGE-L +")
    assert shown[-4].endswith(": reaches the target of +40%")
    assert shown[-3] == f"report: {PAGE}"
    assert shown[-2] == "next:   Read the summaries that were cut off by the limit."
    assert shown[-1].strip() == f"bench show {candidate.run.rpartition('-')[2]} c007 --runs 'other runs'"
    usual = lines(judged(measured, outcome="unproven", guards=failing(FAILED, ["c007"], "Read them.")))
    assert usual[-1] == f"next:   Read them: bench show {candidate.run.rpartition('-')[2]} c007"


@pytest.mark.parametrize("headlines", [1, 3, 7])
@pytest.mark.parametrize("conditions", [0, 9])
@pytest.mark.parametrize("reasons", [0, 2, 5])
def test_it_is_never_longer_than_eight_lines(
    headlines: int, conditions: int, reasons: int, measured: Comparison
) -> None:
    [result] = measured.candidates
    several = [replace(result.lifts[0], metric=f"metric-{number}") for number in range(headlines)]
    briefs = [f"reason number {number} is told in so many words that a line is full" for number in range(reasons)]
    comparison = judged(
        replace(
            measured,
            headlines=tuple(one.metric for one in several),
            candidates=[replace(result, lifts=several)],
        ),
        outcome="undecided" if conditions else "unproven",
        conditions=["a condition that is told at length"] * conditions,
        guards=failing(briefs),
        about="The worst of 3 seeds decides: seed 1",
    )
    shown = lines(comparison)
    assert len(shown) <= 8
    assert all(len(line) <= 80 for line in shown)
    [place] = [number for number, line in enumerate(shown) if line.startswith("report: ")]
    assert shown[place + 1].startswith("next:   ")


def test_the_best_control_is_named_where_it_decides(measured: Comparison) -> None:
    [result] = measured.candidates
    position = msgspec.convert(
        {"metric": "rougeL", "floor": "slot-template", "n": 36, "floor_mean": 0.3, "candidate_mean": 0.312}
        | {"gap_low": -0.004, "gap_high": 0.028, "n_humans": 0, "ceiling_mean": None, "value": None}
        | {"low": None, "high": None},
        type=Position,
    )
    close = replace(measured, candidates=[replace(result, positions=[position])])
    assert "minus slot-template: ROUGE-L +0.012 (-0.004 to +0.028)" in lines(close)
    ahead = replace(position, gap_low=0.004)
    beaten = replace(measured, candidates=[replace(result, positions=[ahead])])
    assert not any("slot-template" in line for line in lines(beaten))


def test_the_next_command_is_about_what_is_said(measured: Comparison) -> None:
    first, second = failing(FAILED, ["c007"])
    silent = replace(first, ids=[], fix="Train.", step="Train.")
    shown = lines(judged(measured, outcome="unproven", guards=[silent, second]))
    assert shown[-1].startswith("next:   Train: bench compare ")


def test_several_candidates_have_a_line_each(measured: Comparison) -> None:
    [result] = measured.candidates
    many: list[CandidateResult] = [replace(result, run=f"{number}-{number}abc") for number in range(9)]
    shown = lines(replace(measured, candidates=many), Path("other runs"))
    assert len(shown) <= 8
    assert any("6 more: --verbose shows all" in line for line in shown)
    assert shown[-2].startswith("next:   ")
    assert shown[-1].endswith("--runs 'other runs'")


# ------------------------------------------------------------------------------------------------------------ Markdown


def test_markdown_has_the_answer_in_the_order_of_the_page(measured: Comparison) -> None:
    text = write_markdown(judged(measured, outcome="unproven", guards=failing(FAILED)), PAGE)
    order = [
        "### ○ Not proven: do not ship",
        FAILED[0],
        "What to do next:",
        "| ROUGE-L (words",
        "✗ label of endings (endings)",
    ]
    order += ["What else would change", "label of facts: ", PAGE.name]
    assert sorted(order, key=text.index) == order
    assert len(text.splitlines()) < 25


def test_markdown_of_several_candidates_names_the_best(measured: Comparison, tmp_path: Path) -> None:
    runs = [write_run(tmp_path), *(write_run(tmp_path, command="train", name=name) for name in ("one", "two"))]
    assert "\nRanking: best: one; not told apart from two.\n" in write_markdown(compare(runs[0], runs[1:]), PAGE)
    assert "Ranking" not in write_markdown(measured, PAGE)


def test_markdown_from_files_stays_text(measured: Comparison) -> None:
    name = "<img src=x onerror=alert(1)> | *bold* [a](http://x) `c` @all\n# title\x1b\u202e"
    systems = [replace(one, name=name) if one.role == "candidate" else one for one in measured.systems]
    text = write_markdown(replace(measured, systems=systems), PAGE)
    assert "<img" not in text
    assert "@all" not in text
    assert "\\*bold\\*" in text
    assert "\\[a\\]" in text
    assert not any(line.startswith("# ") for line in text.splitlines())
    assert not {"\x1b", "\u202e"} & set(text)
    assert all(line.replace("\\|", "").count("|") == 6 for line in text.splitlines() if line.startswith("|"))


def test_commands_stay_code() -> None:
    assert escape_words("Run `bench baseline --tune` on a_b.") == "Run `bench baseline --tune` on a\\_b."
    assert escape("1 < 2 & 3") == "1 &lt; 2 &amp; 3"


# ---------------------------------------------------------------------------------------------------------------- JSON


def test_the_documented_schema_is_that_of_the_code() -> None:
    made = json.loads(json.dumps(json_schema()))  # Defaults that are tuples are lists in a file.
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == made, "run `make docs`"


def test_real_output_is_valid_under_the_schema(measured: Comparison) -> None:
    document = json.loads(msgspec.json.encode(answer_in_full(measured)))
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(document)
    assert document["schema"] == COMPARISON_SCHEMA
    assert document["answers"] == json.loads(msgspec.json.encode(answer_comparison(measured)))
    assert isinstance(measured.candidates[0].lifts[0], Lift)
    wrong = [{**document, "answers": [{"badge": 3}]}, {key: document[key] for key in document if key != "candidates"}]
    assert not any(validator.is_valid(one) for one in wrong)
