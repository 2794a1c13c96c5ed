"""A verdict tells a person from a regular expression: people's summaries pass, texts pasted by a program do not.

The texts are given, and all else is real: the conversations, the harness, every metric of the default recipe, the
controls, the guards.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from liftbench.data.cleaning import clean
from liftbench.data.jsonl import read_jsonl
from liftbench.floors.control import ControlRequest
from liftbench.floors.controls import SlotTemplate
from liftbench.judging.compare import compare
from liftbench.judging.verdict import Verdict

from ..support.rewrites import drop_function_words, reword, swap_pairs
from ..support.scripted import Bench, honest

REWRITES = {"reworded": reword, "without function words": drop_function_words, "pairs swapped": swap_pairs}


def paste(bench: Bench, rewrite: Callable[[str], str]) -> dict[str, str]:
    """What the slot template writes, rewritten by a program."""
    texts = SlotTemplate(ControlRequest(training=tuple(bench.train), seed=0)).write(bench.test)
    return {one.id: rewrite(text) for one, text in zip(bench.test, texts, strict=True)}


@pytest.fixture(params=["tweetsumm", "helpdesk"])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue("scripted" if request.param == "helpdesk" else "scripted_tweetsumm")
    return found


def humans(bench: Bench) -> dict[str, str]:
    """A human summary of each conversation that is not among its references."""
    if bench.test[0].id in honest():
        return honest()
    shared = Path(__file__).resolve().parents[3] / "shared" / "data" / "tweetsumm" / "validation.jsonl"
    own = {one.id: clean(one).references[0] for one in read_jsonl(shared)}
    return {one.id: own[one.id] for one in bench.test}


def states(verdict: Verdict) -> dict[str, str]:
    return {guard.name: guard.state for guard in verdict.guards if guard.state != "passed"}


def test_a_person_is_verified(bench: Bench) -> None:
    verdict = bench.judge(bench.measure(humans(bench))).verdict
    assert states(verdict) == {}
    assert verdict.outcome == "verified"


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_paste_that_a_program_rewrote_is_not(bench: Bench, rewrite: str) -> None:
    verdict = bench.judge(bench.measure(paste(bench, REWRITES[rewrite]))).verdict
    assert verdict.outcome == "unproven"
    assert states(verdict)["effect"] == "failed"
    assert "slot-template, but for a few words" in next(one.words for one in verdict.guards if one.name == "effect")
    if rewrite == "reworded":
        assert states(verdict)["writing"] == "failed"


def test_a_headline_that_cannot_tell_people_from_a_template_does_not_decide(scripted_tweetsumm: Bench) -> None:
    bench = scripted_tweetsumm
    result = bench.judge(bench.measure(humans(bench)))
    comparison = compare(bench.baseline, [bench.measure(humans(bench))], bench.background)
    assert {one.metric: one.state for one in comparison.separations} == {
        "rougeL": "does not separate",
        "content-overlap": "separates",
    }
    controls = next(one for one in result.verdict.guards if one.name == "controls")
    assert controls.state == "passed"
    assert (
        "ROUGE-L cannot tell people from a template on these conversations; it does not decide this." in controls.words
    )


def test_without_a_headline_that_separates_the_guard_names_metrics_that_would(scripted_tweetsumm: Bench) -> None:
    bench = scripted_tweetsumm
    verdict = bench.judge(bench.measure(humans(bench)), headlines=["rougeL"]).verdict
    controls = next(one for one in verdict.guards if one.name == "controls")
    assert controls.state == "not run"
    assert "content-overlap" in controls.fix


def test_with_one_reference_every_headline_must_beat_every_control(scripted: Bench) -> None:
    result = scripted.judge(scripted.measure(honest()))
    controls = next(one for one in result.verdict.guards if one.name == "controls")
    assert "Whether people would score higher could not be checked" in controls.words
    comparison = compare(scripted.baseline, [scripted.measure(honest())], scripted.background)
    assert {one.state for one in comparison.separations} == {"not measured"}
