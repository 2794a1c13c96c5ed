"""Gates on a real corpus: what was proven passes, and each planted regression is caught by the rule that should."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from liftbench.data.similarity.fingerprints import ids_sha256
from liftbench.errors import UsageError
from liftbench.files import read_lines, write_lines
from liftbench.gating.baselines import Promoted
from liftbench.gating.context import RuleState
from liftbench.gating.explain import describe_rule
from liftbench.gating.gate import ALIKE, Against, GateReport, explain_rule, gate
from liftbench.gating.promote import promote
from liftbench.judging.evidence import Selection
from liftbench.recipe.rules import parse
from liftbench.records.run import Prediction, SampleScores
from liftbench.runs.directory import Run

from ..support.build import reseal
from ..support.scripted import BASE, World, doctored, honest, scored, untuned

RULES = (
    "lift(rougeL) >= 40% verified",
    "lift(content-overlap) >= 40% verified",
    "lift(rougeL, over=best-prompt) >= 10%",
    "rougeL >= 0.33",
    "drop(rougeL) <= 2% significant",
    "drop(rougeL) <= 2% significant per turns",
    "unsupported_facts <= references + 0.05",
    "tokens_per_second >= 0.8x baseline",
)

LONG = {one.id for one in sorted(scored(), key=lambda one: len(one.turns))[-45:]}


def gated(world: World, run: Run, *rules: str, against: Against | None = None) -> GateReport:
    return gate([run], [parse(rule) for rule in rules or RULES], against or world.against)


def states(report: GateReport) -> dict[str, RuleState]:
    return {result.rule: result.state for result in report.results if result.state != "passed"}


def test_what_was_proven_passes(world: World) -> None:
    report = gated(world, world.good)
    assert states(report) == {}
    assert report.passed
    assert [result.rule for result in report.results] == [ALIKE, *RULES]
    assert {guard.state for guard in report.guards} == {"passed"}
    assert not any(result.losses or result.fix for result in report.results)


# ------------------------------------------------------------------------------------------------- planted regressions


def worse(world: World) -> Run:
    return world.write({id_: untuned()[id_] if at % 2 else text for at, (id_, text) in enumerate(honest().items())})


def one_part_worse(world: World) -> Run:
    """Long conversations get worse, and the mean rises: the others are told in their references' words."""
    return world.write({one.id: untuned()[one.id] if one.id in LONG else one.references[0] for one in scored()})


def without_metric(world: World) -> Run:
    metrics = {name: one for name, one in world.good.manifest.protocol.metrics.items() if name != "chrf"}
    return doctored(world.good, "vanished", protocol={"metrics": metrics})


def without_number(world: World) -> Run:
    first = scored()[0].id

    def nan(row: SampleScores) -> SampleScores:
        return replace(row, scores=row.scores | {"rougeL": None}) if row.id == first else row

    return doctored(world.good, "nan", scores=nan)


def ten_ids_missing(world: World) -> Run:
    gone = {one.id for one in scored()[:10]}
    return doctored(world.good, "ten-missing", scores=lambda row: None if row.id in gone else row)


def another_split(world: World) -> Run:
    return doctored(world.good, "split", protocol={"split": "validation", "fingerprint": "f" * 64})


def changed_signature(world: World) -> Run:
    metrics = world.good.manifest.protocol.metrics | {"rougeL": "rougeL|another"}
    return doctored(world.good, "signature", protocol={"metrics": metrics})


def slower(world: World) -> Run:
    return doctored(world.good, "slower", summary={"new_tokens": 3000, "seconds": 60.0})


def passed_off(world: World) -> Run:
    return world.write(untuned())


def inventing(world: World) -> Run:
    return world.write({id_: f"{t} The order number is 4821{7000 + n}." for n, (id_, t) in enumerate(honest().items())})


LIFTS = {RULES[0], RULES[1]}
ON_ROUGE_L = {rule for rule in RULES if "(rougeL" in rule or rule.startswith("rougeL")}


@pytest.mark.parametrize(
    ("plant", "caught", "words"),
    [
        (worse, {RULES[4]: "failed", RULES[5]: "failed"}, "that of proven"),
        (one_part_worse, {RULES[5]: "failed"}, "turns"),
        (without_metric, {ALIKE: "not run"}, "chrf of untuned vanished from the run"),
        (without_number, dict.fromkeys(ON_ROUGE_L, "not run"), "no number for 1 of 104 conversations"),
        (ten_ids_missing, {ALIKE: "not run", RULES[3]: "not run"}, "10 conversations of 104 have no score"),
        (another_split, {ALIKE: "not run", RULES[4]: "not run"}, "split: validation instead of test"),
        (changed_signature, {ALIKE: "not run", RULES[3]: "not run"}, "rougeL|another"),
        (slower, {RULES[7]: "failed"}, "50, 100 with baseline; at least 80 is required"),
        (passed_off, {RULES[0]: "failed", RULES[1]: "failed", RULES[3]: "failed"}, "+0.0%"),
        (inventing, {RULES[6]: "failed"}, "that of the human summaries"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_planted_regressions(
    world: World, plant: Callable[[World], Run], caught: dict[str, RuleState], words: str
) -> None:
    report = gated(world, plant(world))
    found = states(report)
    assert not report.passed
    assert caught.items() <= found.items()
    results = [result for result in report.results if result.state != "passed"]
    assert any(words in result.found for result in results)
    assert all(result.fix or result.guards for result in results)


def test_a_part_that_got_worse_is_caught_while_the_mean_rises(world: World) -> None:
    report = gated(world, one_part_worse(world), RULES[5], "drop(rougeL) <= 2% significant")
    assert states(report) == {RULES[5]: "failed"}
    (broken,) = (result for result in report.results if result.state == "failed")
    assert {loss.id for loss in broken.losses} <= LONG
    assert all(loss.after < loss.before for loss in broken.losses)


def test_of_a_broken_part_only_its_own_conversations_are_named(world: World) -> None:
    shortest = {one.id for one in sorted(scored(), key=lambda one: len(one.turns))[:3]}
    run = world.write({id_: untuned()[id_] if id_ in LONG | shortest else t for id_, t in honest().items()})
    (broken,) = (result for result in gated(world, run, RULES[5]).results if result.state == "failed")
    assert broken.over == "proven"
    assert {loss.id for loss in broken.losses} <= LONG


def test_a_run_that_writes_the_baselines_texts_fails_by_the_guard_that_sees_it(world: World) -> None:
    (lift,) = (one for one in gated(world, passed_off(world)).results if one.rule == RULES[0])
    assert lift.guards == ["effect", "controls", "writing"]
    assert lift.found.endswith(
        "Not verified: the guards effect (writes nothing of its own), controls (no better than a template) and "
        "writing (pastes from the conversation) did not pass."
    )


def test_the_very_run_of_the_baseline_is_judged_and_fails(world: World) -> None:
    report = gated(world, world.baseline, RULES[0])
    assert states(report) == {RULES[0]: "failed"}
    assert "effect" in report.results[1].guards


# ----------------------------------------------------------------------------------------------------- what rules mean


@pytest.mark.parametrize(
    ("rule", "state", "words"),
    [
        ("rougeL >= 0.33 verified", "passed", "verified"),
        ("rougeL <= 0.9", "not run", "higher is better"),
        ("unsupported-facts >= 0", "not run", "lower is better"),
        ("mean_words <= 500", "passed", "Words a summary"),
        ("empty <= 0%", "passed", "Share of empty summaries: 0"),
        ("empty <= 0 verified", "not run", "no interval"),
        ("cut <= 2", "not run", "is at most 1, and the rule requires 2"),
        ("lift(empty) >= 1%", "not run", "no interval"),
        ("mean_words <= 2x references", "not run", "Human summaries have no mean_words"),
        ("lift(unsupported-facts) >= 1%", "not run", "lower is better"),
        ("drop(compression) <= 1%", "not run", "neither way is better"),
        ("rougeX >= 0.1", "not run", "unknown metric 'rougeX'"),
        ("rougeL >= 0.1 per company", "not run", "unknown field to slice by 'company'"),
        ("rougeL >= nowhere", "not run", "There is no system 'nowhere'"),
        ("rougeL >= 0.1 verified except luck", "not run", "unknown guard 'luck'"),
        ("rougeL >= proven", "passed", "+0.000"),
        ("rougeL >= proven + 0.01", "failed", "at least +0.01"),
        ("rougeL >= 1.1x proven significant", "failed", "1.1 times that of proven"),
        ("drop(rougeL, over=baseline) <= 0%", "passed", "198.5% better"),
        ("drop(rougeL) <= 0% verified", "passed", "0.0% worse"),
        ("drop(unsupported-facts) <= 5%", "passed", "at most 5% worse is required"),
        ("lift(rougeL) >= 40% verified except controls, same-base per turns", "passed", "on all"),
        ("lift(rougeL) >= 900% significant", "failed", "unless chance"),
        ("ROUGEL >= 0.1", "not run", "unknown metric"),
    ],
)
def test_what_a_rule_comes_to(world: World, rule: str, state: RuleState, words: str) -> None:
    result = gated(world, world.good, rule).results[-1]
    assert (result.state, words in result.found) == (state, True), result


def test_an_unknown_metric_is_answered_with_similar_ones(world: World) -> None:
    assert "Did you mean 'rouge" in gated(world, world.good, "rougeX >= 0.1").results[-1].fix


def test_without_a_best_prompt_the_rule_says_how_to_get_one(world: World) -> None:
    plain = Against(baseline=replace(world.untuned, best_prompted=None), proven=world.proven)
    result = gated(world, world.good, RULES[2], against=plain).results[-1]
    assert result.state == "not run"
    assert "bench baseline --tune" in result.fix


def test_without_controls_nothing_is_verified(world: World) -> None:
    bare = Against(baseline=replace(world.untuned, floors=[]))
    report = gated(world, world.good, RULES[0], RULES[6], against=bare)
    assert states(report) == {RULES[0]: "failed", RULES[6]: "not run"}
    assert report.results[1].guards == ["controls", "writing", "facts"]
    rule = "lift(rougeL) >= 40% verified except controls, writing, facts"
    assert states(gated(world, world.good, rule, against=bare)) == {}


def test_where_lower_is_better_a_drop_is_a_rise(world: World) -> None:
    run = inventing(world)
    assert states(gated(world, run, "drop(unsupported-facts) <= 5%")) == {"drop(unsupported-facts) <= 5%": "failed"}


def test_few_conversations_pass_no_rule_that_asks_for_an_interval(world: World) -> None:
    few = {one.id for one in scored()[:29]}

    def small(run: Run, name: str) -> Run:
        kept = {"n": 29, "conversations": ids_sha256(few)}
        smaller = doctored(run, name, scores=lambda row: row if row.id in few else None, protocol=kept)
        smaller.conversations = [one for one in run.conversations if one.id in few]
        smaller.predictions = {id_: one for id_, one in run.predictions.items() if id_ in few}
        return smaller

    against = Against(baseline=promote(small(world.baseline, "few"), "few", world.folder).promoted)
    run = small(world.good, "few-good")
    rule = "drop(rougeL, over=baseline) <= 2% significant"
    report = gated(world, run, rule, "rougeL >= 0.1", against=against)
    assert states(report) == {rule: "not run"}
    assert "30 are needed" in report.results[1].found


def test_a_metric_that_the_baseline_lacks_is_no_difference(world: World) -> None:
    metrics = world.good.manifest.protocol.metrics | {"bertscore": "bertscore|1"}
    assert gated(world, doctored(world.good, "more", protocol={"metrics": metrics})).passed


def another_seed(world: World, name: str, folder: Path) -> Run:
    """A worse run of the same training with another seed, in a folder where no other test's gate finds it."""
    other = doctored(worse(world), name, seed=7)
    return Run(Path(shutil.move(other.folder, folder / name)))


def test_every_seed_must_hold(world: World, tmp_path: Path) -> None:
    other = another_seed(world, "other-seed", tmp_path)
    report = gate([world.good, other], [parse(RULES[4])], world.against)
    assert states(report) == {RULES[4]: "failed"}
    assert report.results[1].run == other.id
    assert report.results[1].found.startswith("Seed 7: ")


def test_seeds_that_were_left_out_verify_nothing(world: World) -> None:
    report = gate([world.good], [parse(RULES[0])], world.against, Selection(unscored_seeds="seed 3 (x)"))
    assert report.results[1].guards == ["seeds"]
    assert [guard.words for guard in report.guards if guard.name == "seeds"] == ["Not judged: seed 3 (x)."]


def test_of_seeds_that_all_hold_the_one_that_holds_least_is_told(world: World, tmp_path: Path) -> None:
    other = another_seed(world, "lesser-seed", tmp_path)
    result = gate([world.good, other], [parse("rougeL >= 0.1")], world.against).results[1]
    assert (result.state, result.run) == ("passed", other.id)


def test_a_drop_is_from_nothing_but_what_is_proven_or_named(world: World) -> None:
    alone = Against(baseline=world.untuned)
    result = gated(world, world.good, RULES[4], against=alone).results[-1]
    assert (result.state, result.found) == ("not run", "No proven adapter is named.")
    named = gated(world, world.good, "drop(rougeL, over=baseline) <= 2%", against=alone)
    assert named.passed


def test_what_nobody_saw_of_texts_made_elsewhere_passes_nothing(world: World) -> None:
    system = replace(world.good.manifest.system, kind="predictions", generation_verified=False)
    run = doctored(world.good, "elsewhere", system=system)
    rows = read_lines(run.folder / "predictions.jsonl", Prediction)
    bare = [Prediction(id=row.id, text=row.text) for row in rows]
    write_lines(run.folder / "predictions.jsonl", bare)
    report = gated(world, reseal(run), "cut <= 2%", "shortened <= 0%", "empty <= 0%")
    assert states(report) == {"cut <= 2%": "not run", "shortened <= 0%": "not run"}


def test_figures_are_counted_from_the_texts(world: World) -> None:
    run = world.bench.measure(honest(), endings=dict.fromkeys(list(honest())[:10], "length"))
    flattered = doctored(run, "flattered", summary={"cut": 0, "n": 1_000_000})
    result = gated(world, flattered, "cut <= 2%").results[-1]
    assert (result.state, result.value) == ("failed", pytest.approx(10 / 104))


def test_values_of_a_few_conversations_stand_for_no_others(world: World) -> None:
    samples = [replace(row, humans=row.humans if at < 3 else {}) for at, row in enumerate(world.untuned.samples)]
    few = Against(baseline=replace(world.untuned, samples=samples))
    result = gated(world, world.good, RULES[6], against=few).results[-1]
    assert (result.state, "for 3 of 104 conversations only" in result.found) == ("not run", True)


def test_a_metric_whose_better_way_is_turned_around_is_no_longer_the_same(world: World) -> None:
    rows = [replace(row, direction="lower") if row.name == "rougeL" else row for row in world.good.summary.metrics]
    run = doctored(passed_off(world), "turned", summary={"metrics": rows})
    found = states(gated(world, run, RULES[4]))
    assert found == {ALIKE: "not run", RULES[4]: "failed"}


def test_of_nothing_there_is_no_share(world: World) -> None:
    rows = {row.id: row.scores | {"unsupported-facts": 0.0} for row in world.proven.samples}
    samples = [replace(row, scores=rows[row.id]) for row in world.proven.samples]
    none = Against(baseline=world.untuned, proven=replace(world.proven, samples=samples))
    result = gated(world, world.good, "drop(unsupported-facts) <= 5%", against=none).results[-1]
    assert (result.state, result.fix) == ("not run", "Write unsupported-facts <= proven + 0.05.")


def test_the_proven_run_itself_is_told(world: World) -> None:
    report = gated(world, world.good, "rougeL >= 0.99")
    assert report.notes == ["The run is the promoted one itself: a rule that it breaks asks for more than it showed."]


def test_another_base_model_is_told(world: World) -> None:
    larger = replace(BASE, sha256="1a59e" + "0" * 59, reference="larger")
    run = doctored(world.good, "larger", system=replace(world.good.manifest.system, model=larger))
    report = gated(world, run, RULES[0])
    assert report.notes == ["The run is of another base model (larger) than the baseline (base)."]
    assert report.results[1].guards == ["same base"]


def test_a_gate_that_waives_guards_says_so_in_its_sentence(world: World) -> None:
    assert gated(world, world.good, RULES[0]).sentence == "Passed: all 2 rules hold."
    both = gated(world, world.good, RULES[0], "lift(rougeL) >= 1% verified except controls, same-base")
    assert both.waived == ["controls", "same base"]
    assert both.sentence == (
        "Passed with waivers: all 3 rules hold; the rules waive guards controls and same base, which the run passes."
    )
    assert gated(world, without_number(world), RULES[0]).sentence.startswith("Failed: ")


def test_a_significant_loss_is_given_one_chance_for_all_parts(world: World) -> None:
    alone, parts = "drop(rougeL) <= 0% significant", "drop(rougeL) <= 0% significant per turns"
    found = gated(world, worse(world), alone, parts).results
    assert "95% interval" in found[1].found
    assert "97.5% interval" in found[2].found  # Two parts.


def test_the_outcome_depends_on_no_order(world: World) -> None:
    first = gated(world, world.good)
    shuffled = list(RULES)
    random.Random(3).shuffle(shuffled)
    again = gated(world, Run(world.good.folder), *shuffled)
    by_rule = {result.rule: result for result in again.results}
    assert [by_rule[result.rule] for result in first.results] == list(first.results)
    lines = (world.good.folder / "scores.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    backwards = doctored(world.good, "backwards")
    (backwards.folder / "scores.jsonl").write_text("".join(reversed(lines)), encoding="utf-8")
    for one, other in zip(gated(world, reseal(backwards)).results, first.results, strict=True):
        assert replace(one, run=other.run) == other


def test_a_gate_without_rules_or_with_an_unfinished_run_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="no rule"):
        gate([world.good], [], world.against)
    with pytest.raises(UsageError, match="not finished"):
        gated(world, doctored(world.good, "running", status="running"))


def test_the_machine_is_told(world: World) -> None:
    measured = world.untuned.measured
    assert measured.environment is not None
    elsewhere = replace(measured, environment=replace(measured.environment, processor="another"))
    report = gated(world, world.good, RULES[3], against=Against(baseline=replace(world.untuned, measured=elsewhere)))
    assert report.passed
    assert [one.baseline for one in report.differences if one.key == "processor"] == ["another"]


# ---------------------------------------------------------------------------------------------------------- explaining


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            "lift(rougeL) >= 40% verified except controls",
            [
                "mean ROUGE-L must be at least 40% higher than that of baseline",
                "every guard of the verdict passed but controls",
            ],
        ),
        ("drop(rougeL) <= 2% significant", ["may be at most 2% worse than that of proven", "broken only where"]),
        ("unsupported_facts <= references + 0.05", ["at most the human summaries' own plus 0.05"]),
        ("tokens_per_second >= 0.8x baseline", ["at least 0.8 times that of baseline"]),
        (
            "rougeL >= proven - 0.01 per turns",
            ["that of proven less 0.01, on each slice of the conversations by turns"],
        ),
        ("cut <= 2%", ["at most 2%"]),
    ],
)
def test_a_rule_is_explained_in_a_sentence_with_todays_figures(world: World, rule: str, words: Sequence[str]) -> None:
    text = explain_rule(parse(rule), gated(world, world.good, rule))
    for each in (*words, "Today: ", "So it passes."):
        assert each in text


def test_a_rule_can_be_explained_without_any_run() -> None:
    assert describe_rule(parse("drop(rougeL) <= 2%")).startswith(
        "The run's mean ROUGE-L may be at most 2% worse than that of"
    )


def test_names_that_rules_may_use(world: World, tmp_path: Path) -> None:
    extra: dict[str, Promoted] = {"older": promote(world.baseline, "older", tmp_path).promoted}
    against = Against(baseline=world.untuned, others=extra, missing={"gone": ("It is not there.", "Promote it.")})
    given: Any = ["lift(rougeL, over=older) >= 40%", "lift(rougeL, over=gone) >= 40%", "rougeL >= 0.9x untuned"]
    results = gated(world, world.good, *given, against=against).results[1:]
    assert [(one.state, one.fix) for one in results] == [("passed", ""), ("not run", "Promote it."), ("passed", "")]


def test_candidates_in_the_folder_share_the_level_of_what_is_verified(world: World) -> None:
    rules = [parse("lift(rougeL) >= 40% verified"), parse("lift(rougeL) >= 40%")]
    alone, among_ten = (gate([world.good], rules, world.against, Selection(looks=looks)) for looks in (1, 10))
    assert (alone.looks, among_ten.looks) == (1, 10)
    assert "95% interval" in alone.results[1].found
    assert "99.5% interval" in among_ten.results[1].found
    # What is only measured makes no such claim.
    assert "95% interval" in among_ten.results[2].found
