"""What weakens an outcome stands in its sentence, and measuring more does not make a verdict worse."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from liftbench.judging.compare import compare
from liftbench.judging.evidence import Selection
from liftbench.records.preferences import Preference
from liftbench.records.run import Limits, Usage
from liftbench.records.system import ModelRecord, ServedModel, System
from liftbench.runs.directory import Run

from ..support.scripted import ADAPTER, Bench, doctored, honest, scored, untuned


@pytest.fixture(scope="module")
def good(scripted: Bench) -> Run:
    return scripted.measure(honest())


def with_limits(run: Run, limits: Limits, name: str) -> Run:
    return doctored(run, name, limits=limits)


def test_loosened_guards_stand_in_the_sentence(scripted: Bench, good: Run) -> None:
    loose = doctored(scripted.baseline, "loose", limits=Limits(faults=0.9, unsupported=3.0, slices=("turns",)))
    (result,) = compare(loose, [good], scripted.background).candidates
    start = (
        "Proven (guards loosened: faults 90% (default 2%), invented details 3 a summary (default 0.1), slices by "
        "length and references not checked; no best prompt was searched for): "
    )
    assert result.verdict.sentence.startswith(start)
    assert result.verdict.outcome == "verified"


def test_a_low_target_and_a_single_headline_stand_in_the_sentence(scripted: Bench, good: Run) -> None:
    verdict = scripted.judge(good, target=0.05, headlines=["rougeL"]).verdict
    assert verdict.conditions[:2] == ["the target is only +5%", "judged on ROUGE-L alone"]
    assert verdict.sentence.startswith("Proven (the target is only +5%; judged on ROUGE-L alone; ")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"precision": "nf4"}, "precision nf4, the baseline's float32"),
        ({"backend": "other"}, "backend other, the baseline's scripted"),
    ],
)
def test_another_precision_or_backend_stands_in_the_sentence(
    scripted: Bench, change: dict[str, str], words: str
) -> None:
    run = scripted.measure(honest(), system=change)
    assert words in scripted.judge(run).verdict.conditions


def test_when_and_in_how_many_ways_a_model_was_served_stands_in_the_sentence(scripted: Bench, good: Run) -> None:
    """A lift of a served model is one of the model as it was served at that time."""
    used = Usage(prompt_tokens=9, new_tokens=9, not_believed=0, answered_by={"m (fp_1)": 3, "m (fp_2)": 5})
    runs = []
    for run, name, usage in ((scripted.baseline, "old", UNSET), (good, "new", used)):
        served = ServedModel(name=name, url="http://127.0.0.1:9/v1")
        model = ModelRecord(reference=f"openai:{name}@{served.url}", sha256=name, source="served", served=served)
        system = replace(run.manifest.system, name=name, model=model, adapter=None)
        days: dict[str, Any] = (
            {"created": "2026-11-30T23:59:00Z", "finished": "2026-12-01T00:09:00Z"} if name == "new" else {}
        )
        runs.append(doctored(run, f"served-{name}", system=system, summary={"usage": usage}, **days))
    (result,) = compare(runs[0], [runs[1]], scripted.background).candidates
    begun = runs[0].manifest.created[:10]
    assert (
        f"new as it was served from 2026-11-30 to 2026-12-01, in 2 configurations and old as it was served on {begun}: "
        "weights, precision and training data are not known"
    ) in result.verdict.conditions


def test_a_baseline_that_was_mostly_cut_stands_in_the_sentence(scripted: Bench, good: Run) -> None:
    cut = doctored(scripted.baseline, "cut", summary={"cut": 80})
    (result,) = compare(cut, [good], scripted.background).candidates
    assert "80 of 104 summaries of the baseline were cut at the token limit" in result.verdict.conditions


def test_other_candidates_in_the_folder_are_counted_and_may_share_the_level(scripted: Bench, good: Run) -> None:
    alone = compare(scripted.baseline, [good], scripted.background, selection=Selection(looks=10))
    assert alone.looks == 10
    assert "one of 10 candidates, each judged at 95%" in alone.candidates[0].verdict.sentence
    shared = doctored(scripted.baseline, "shared", limits=Limits(share_level=True))
    together = compare(shared, [good], scripted.background, selection=Selection(looks=10))
    assert [one.lifts[0].level for one in (alone.candidates[0], together.candidates[0])] == [0.95, 0.995]
    assert not any("candidates" in one for one in together.candidates[0].verdict.conditions)


def test_candidates_that_are_compared_together_share_the_level_already(scripted: Bench, good: Run) -> None:
    other = doctored(good, "again")
    both = compare(scripted.baseline, [good, other], scripted.background, selection=Selection(looks=2))
    assert [one.lifts[0].level for one in both.candidates] == [0.975, 0.975]
    for one in both.candidates:
        assert not any("candidates" in words for words in (*one.verdict.conditions, *one.verdict.caveats))
    among_three = compare(scripted.baseline, [good, other], scripted.background, selection=Selection(looks=3))
    assert "one of 3 candidates, each judged at 97.5%" in among_three.candidates[0].verdict.conditions
    assert any("3 candidates were measured" in words for words in among_three.candidates[0].verdict.caveats)


def test_an_overlong_best_prompt_does_not_fail_a_lift_over_the_plain_baseline(scripted: Bench, good: Run) -> None:
    prompted = doctored(scripted.baseline, "overlong", tuned=True, summary={"shortened": 50})
    comparison = compare(scripted.baseline, [good], scripted.background, best_prompted=prompted)
    (result,) = comparison.candidates
    assert {guard.name: guard.state for guard in result.verdict.guards}["truncation"] == "passed"
    caveat = "With the best prompt, the model was shown only a part of 50 of 104 conversations."
    assert caveat in result.verdict.caveats
    over = compare(
        scripted.baseline, [good], scripted.background, best_prompted=prompted, against="best-prompted"
    ).candidates[0]
    assert {guard.name: guard.state for guard in over.verdict.guards}["truncation"] == "failed"


def test_copies_that_were_found_outrank_a_training_that_is_not_known(scripted: Bench) -> None:
    texts = {one.id: one.references[0] for one in scored()[:57]} | {one.id: honest()[one.id] for one in scored()[57:]}
    run = scripted.measure(texts, adapter=None)
    elsewhere: System = replace(
        run.manifest.system, kind="predictions", model=None, prompt=None, generation_verified=False
    )
    run.manifest = replace(run.manifest, system=elsewhere)
    verdict = scripted.judge(run).verdict
    leakage = next(one for one in verdict.guards if one.name == "leakage")
    assert leakage.state == "failed"
    assert "57 of 104 texts are copies" in leakage.words
    assert not any("higher" in words for words in verdict.proven)


def test_seeds_that_cannot_be_seen_are_a_caveat(scripted: Bench) -> None:
    adapter = replace(ADAPTER, seed=2, family="f")
    run = doctored(scripted.measure(honest(), adapter=adapter), "seed2", family="f")
    caveats = scripted.judge(run).verdict.caveats
    assert "Seeds 0 and 1 of this training cannot be seen in this runs folder; 2 was judged." in caveats


def test_the_verdict_of_the_untuned_texts_has_no_conditions_where_it_is_unproven(scripted: Bench) -> None:
    verdict = scripted.judge(scripted.measure(untuned())).verdict
    assert verdict.sentence.startswith("Not proven: ")


# ------------------------------------------------------------------------------------------- what a recipe may require


def preference(candidate: Run, baseline: Run, **fields: Any) -> Preference:
    found = Preference(
        sheet="s",
        candidate=candidate.id,
        other=baseline.id,
        against="baseline",
        kind="people",
        judges=("Ana", "Ben"),
        n=30,
        wins=22,
        ties=2,
        losses=6,
        identical=0,
        win_rate=0.767,
        low=0.6,
        high=0.9,
        alpha=0.5,
    )
    return replace(found, **fields)


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({}, "passed", "Ana and Ben preferred the candidate in 76.7% of 30 conversations"),
        ({"low": 0.4, "high": 0.7}, "undecided", "40% to 70%"),
        ({"low": 0.1, "high": 0.4}, "failed", "10% to 40%"),
        ({"judges": ("Ana",)}, "not run", "1 person judged, and the recipe requires 2"),
        ({"kind": "model"}, "not run", "0 people judged"),
        ({"other": "humans", "against": "humans"}, "not run", "0 people judged"),
    ],
)
def test_a_recipe_may_require_that_people_prefer_it(
    scripted: Bench, good: Run, fields: dict[str, Any], state: str, words: str
) -> None:
    baseline = doctored(scripted.baseline, "judged", limits=Limits(judges=2))
    selection = Selection(preferences={good.id: [preference(good, baseline, **fields)]})
    (result,) = compare(baseline, [good], scripted.background, selection=selection).candidates
    guard = next(one for one in result.verdict.guards if one.name == "people")
    assert guard.state == state
    assert words in guard.words
    assert "people" not in [one.name for one in scripted.judge(good).verdict.guards]
