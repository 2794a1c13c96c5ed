"""Comparisons of runs on disk: which runs compare, the verdict and its words, and everything that must not pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.errors import UsageError
from liftbench.files import write_atomic, write_lines
from liftbench.floors.background import Background
from liftbench.floors.control_scores import HUMANS, ControlScores, SystemScores
from liftbench.floors.ranking import positions
from liftbench.judging.compare import Comparison, compare, exit_code
from liftbench.judging.verdict import CHECKER, TRUTH, Verdict
from liftbench.records.run import Direction, MetricInfo, Protocol, SampleScores
from liftbench.records.system import AdapterRecord
from liftbench.runs.differences import protocol_differences, system_differences
from liftbench.runs.directory import Run
from liftbench.runs.selection import best_prompted, newest_pair
from liftbench.statistics.bootstrap import Bootstrap
from liftbench.statistics.lift import FEWEST, NoLift
from liftbench.text.phrases import metric_label

from ..support.build import BASE, ENVIRONMENT, PROMPT, reseal, write_conversations, write_run
from ..support.lifts import as_lift

N = 36
FLAT = [0.2 + 0.001 * (number % 5) for number in range(N)]
"""A baseline's scores: nearly equal, so that intervals are as narrow as the gains given below."""


def gained(*gains: float, base: list[float] = FLAT) -> dict[str, list[float]]:
    """ROUGE-L scores with these relative gains over `base`, conversation by conversation in turn."""
    return {"rougeL": [value * (1 + gains[number % len(gains)]) for number, value in enumerate(base)]}


@pytest.fixture
def baseline(tmp_path: Path) -> Run:
    return write_run(tmp_path, scores={"rougeL": FLAT})


@pytest.fixture
def candidate(tmp_path: Path) -> Callable[..., Run]:
    def write(**fields: Any) -> Run:
        return write_run(tmp_path, **{"command": "train", "created": "2026-01-06T10:00:00Z", **fields})

    return write


def verdict(comparison: Comparison) -> Verdict:
    (result,) = comparison.candidates
    return result.verdict


# ------------------------------------------------------------------------------------------------------------ verdicts


@pytest.mark.parametrize(
    ("gains", "outcome", "words"),
    [
        (
            (0.7, 0.8),
            "verified",
            "scores 75% higher on ROUGE-L (95% interval +73% to +77%), compared with smollm2-135m; the target of +40%",
        ),
        (
            (0.4,),
            "verified",
            "(95% interval +40.00% to +40.00%), compared with smollm2-135m; the target of +40% is reached",
        ),
        ((0.2, 0.7), "undecided", "the target of +40% lies within the interval"),
        ((0.10, 0.14), "not met", "scores 12% higher on ROUGE-L ("),
        ((0.10, 0.14), "not met", "the target of +40% is not reached"),
        ((-0.3, -0.28), "not met", "scores 29% lower on ROUGE-L"),
        ((0.0,), "not met", "scores the same on ROUGE-L"),
        ((0.392, 0.4), "not met", "scores 39.6% higher on"),
        ((0.0025, 0.0015), "not met", "scores 0.2% higher on"),
    ],
)
def test_the_interval_against_the_target_decides(
    baseline: Run, candidate: Callable[..., Run], gains: tuple[float, ...], outcome: str, words: str
) -> None:
    # A hair above 40%, so that rounding in the scores cannot put an exact 0.4 below it.
    scores = gained(*(gain + 1e-9 for gain in gains) if gains != (0.0,) else gains)
    comparison = compare(baseline, [candidate(scores=scores)])
    judged = verdict(comparison)
    assert judged.lift == outcome
    assert "On 36 conversations, smollm2-135m+qlora scores " in judged.sentence
    assert words in judged.sentence


def test_target_and_headline_come_from_the_baseline_unless_given(tmp_path: Path) -> None:
    scores = {"rougeL": FLAT, "rouge1": FLAT}
    baseline = write_run(tmp_path, scores=scores, headlines=["rouge1"], target=0.1)
    candidate = write_run(
        tmp_path, command="score", scores={**gained(0.5), "rouge1": gained(0.2)["rougeL"]}, target=0.9
    )
    judged = verdict(compare(baseline, [candidate]))
    assert (judged.headlines, judged.target, judged.lift) == (("rouge1",), 0.1, "verified")
    judged = verdict(compare(baseline, [candidate], headlines=["rougeL"], target=0.6))
    assert (judged.headlines, judged.target, judged.lift) == (("rougeL",), 0.6, "not met")
    assert "The target of its recipe is +10%, and +60% was judged." in judged.caveats
    assert "The headlines of its recipe are ROUGE-1." in judged.caveats


def test_the_headline_comes_first_and_every_metric_has_its_lift(baseline: Run, candidate: Callable[..., Run]) -> None:
    result = compare(baseline, [candidate(scores=gained(0.5))]).candidates[0]
    assert [lift.metric for lift in result.lifts] == ["rougeL", "rouge1", "rouge2", "rougeLsum"]
    assert as_lift(result.lifts[0]).lift == pytest.approx(0.5)
    assert all(as_lift(lift).low is not None and lift.n == N for lift in result.lifts)


def test_several_candidates_share_the_error_and_all_must_be_verified(
    baseline: Run, candidate: Callable[..., Run]
) -> None:
    good, bad = candidate(scores=gained(0.6, 0.7)), candidate(command="score", scores=gained(0.1, 0.2))
    both = compare(baseline, [good, bad])
    assert [result.verdict.lift for result in both.candidates] == ["verified", "not met"]
    assert "97.5% interval" in both.candidates[0].verdict.sentence
    assert "95% for 2 candidates together" in as_lift(both.candidates[0].lifts[0]).method
    alone, together = (as_lift(each.candidates[0].lifts[0]) for each in (compare(baseline, [good]), both))
    assert alone.low is not None
    assert together.low is not None
    assert together.low < alone.low


@pytest.mark.parametrize(("gain", "outcome"), [(0.7, "undecided"), (0.1, "not met")])
def test_few_conversations_verify_nothing(tmp_path: Path, gain: float, outcome: str) -> None:
    few = write_conversations(FEWEST - 1)
    base = FLAT[: len(few)]
    baseline = write_run(tmp_path, conversations=few, scores={"rougeL": base})
    candidate = write_run(tmp_path, command="train", conversations=few, scores=gained(gain, base=base))
    judged = verdict(compare(baseline, [candidate]))
    assert judged.lift == outcome
    assert "With 29 conversations the interval is rough" in judged.sentence


def test_systems_of_one_name_are_told_apart(baseline: Run, candidate: Callable[..., Run]) -> None:
    sentence = verdict(compare(baseline, [candidate(name="smollm2-135m", scores=gained(0.5, 0.6))])).sentence
    assert "the candidate smollm2-135m scores 55% higher on ROUGE-L" in sentence
    assert "compared with the baseline smollm2-135m" in sentence


def test_a_comparison_is_the_same_twice_and_for_any_order_of_lines(
    baseline: Run, candidate: Callable[..., Run]
) -> None:
    run = candidate(scores=gained(0.2, 0.5, 0.9))
    first = compare(baseline, [run])
    rows = [SampleScores(id=id_, scores=scores) for id_, scores in run.scores.items()]
    write_lines(run.folder / "scores.jsonl", reversed(rows))
    assert compare(Run(baseline.folder), [reseal(run)]) == first
    assert compare(baseline, [run], seed=1) != first


@given(gain=st.floats(-0.9, 3), target=st.floats(0.01, 2))
@settings(max_examples=12, deadline=None)
def test_an_even_gain_is_verified_exactly_when_it_reaches_the_target(
    tmp_path_factory: pytest.TempPathFactory, gain: float, target: float
) -> None:
    if math.isclose(gain, target, abs_tol=1e-6):
        return
    runs = tmp_path_factory.mktemp("runs")
    baseline = write_run(runs, scores={"rougeL": FLAT})
    comparison = compare(baseline, [write_run(runs, command="train", scores=gained(gain))], target=target)
    assert verdict(comparison).lift == ("verified" if gain > target else "not met")


def test_what_is_compared_survives_json(baseline: Run, candidate: Callable[..., Run]) -> None:
    comparison = compare(baseline, [candidate()])
    assert msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison) == comparison


# --------------------------------------------------------------------------------------------------------- fail closed


def corrupt(run: Run, change: Callable[[list[SampleScores]], list[SampleScores]]) -> Run:
    rows = [SampleScores(id=id_, scores=scores) for id_, scores in run.scores.items()]
    write_lines(run.folder / "scores.jsonl", change(rows))
    return reseal(run)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows[1:], "1 conversations have scores in only one of the runs, for example c000"),
        (lambda rows: [*rows, SampleScores(id="x", scores=rows[0].scores)], "in only one of the runs, for example x"),
        (lambda rows: rows[:0], "36 conversations have scores in only one of the runs"),
        (
            lambda rows: [*rows[1:], SampleScores(id="c000", scores={"rouge1": 0.9})],
            "rougeL has no number for 1 of 36 conversations of the candidate",
        ),
        (
            lambda rows: [*rows[1:], SampleScores(id="c000", scores={"rougeL": math.nan})],
            "rougeL has no number for 1 of 36 conversations of the candidate",
        ),
    ],
)
def test_missing_scores_never_pass(
    baseline: Run,
    candidate: Callable[..., Run],
    change: Callable[[list[SampleScores]], list[SampleScores]],
    reason: str,
) -> None:
    comparison = compare(baseline, [corrupt(candidate(scores=gained(0.9)), change)])
    judged = verdict(comparison)
    assert judged.outcome == "unproven"
    assert judged.sentence.startswith("Not proven: ")
    assert any(reason in words for words in judged.not_proven)
    assert isinstance(comparison.candidates[0].lifts[0], NoLift)
    assert exit_code(comparison) == 1


def test_scores_that_both_runs_lack_are_missed_too(baseline: Run, candidate: Callable[..., Run]) -> None:
    runs = [corrupt(run, lambda rows: rows[1:]) for run in (baseline, candidate(scores=gained(0.9)))]
    judged = verdict(compare(runs[0], runs[1:]))
    assert judged.outcome == judged.lift == "unproven"
    assert any("35 conversations have scores, and the protocol says 36." in words for words in judged.not_proven)


def test_a_zero_baseline_proves_nothing(tmp_path: Path) -> None:
    baseline = write_run(tmp_path, scores={"rougeL": [0.0] * N})
    judged = verdict(compare(baseline, [write_run(tmp_path, command="train", scores={"rougeL": FLAT})]))
    assert (judged.outcome, "baseline's mean is 0" in judged.not_proven[0]) == ("unproven", True)


def test_a_metric_where_lower_is_better_cannot_be_the_headline(tmp_path: Path) -> None:
    runs = []
    columns: dict[Literal["baseline", "train"], list[float]] = {"baseline": FLAT, "train": gained(0.9)["rougeL"]}
    for command, column in columns.items():
        run = write_run(tmp_path, command=command, scores={"errors": column}, headlines=["errors"])
        rows = [msgspec.structs.replace(row, direction="lower") for row in run.summary.metrics]
        write_atomic(run.folder / "summary.json", msgspec.structs.replace(run.summary, metrics=rows))
        runs.append(reseal(run))
    judged = verdict(compare(runs[0], runs[1:]))
    assert judged.outcome == judged.lift == "unproven"
    assert any("where higher is better, and errors is none" in words for words in judged.not_proven)


# ---------------------------------------------------------------------------------------------------- several headlines


BOTH = ["rougeL", "rouge1"]


def two(low: float, high: float) -> dict[str, list[float]]:
    """A gain on ROUGE-L and one on ROUGE-1."""
    return {name: [value * (1 + gain) for value in FLAT] for name, gain in (("rougeL", low), ("rouge1", high))}


@pytest.mark.parametrize(
    ("gains", "outcome", "words"),
    [
        ((0.7, 0.8), "verified", "the target of +40% is reached on each"),
        ((0.7, 0.2), "not met", "the target of +40% is reached on ROUGE-L and is not reached on ROUGE-1"),
        ((0.2, 0.7), "not met", "the target of +40% is reached on ROUGE-1 and is not reached on ROUGE-L"),
        ((0.2, 0.1), "not met", "the target of +40% is not reached on each"),
    ],
)
def test_the_target_must_be_reached_on_every_headline(
    tmp_path: Path, candidate: Callable[..., Run], gains: tuple[float, float], outcome: str, words: str
) -> None:
    baseline = write_run(tmp_path, scores={"rougeL": FLAT, "rouge1": FLAT}, headlines=BOTH)
    comparison = compare(baseline, [candidate(scores=two(*gains))])
    judged = verdict(comparison)
    assert (judged.lift, judged.headlines) == (outcome, tuple(BOTH))
    assert words in judged.sentence
    assert [lift.metric for lift in comparison.candidates[0].lifts[:2]] == BOTH


def test_one_headline_without_a_number_proves_nothing(tmp_path: Path, candidate: Callable[..., Run]) -> None:
    baseline = write_run(tmp_path, scores={"rougeL": FLAT, "rouge1": FLAT}, headlines=BOTH)
    missing = {"rougeL": gained(0.9)["rougeL"], "rouge1": [None, *FLAT[1:]]}
    assert verdict(compare(baseline, [candidate(scores=missing)])).outcome == "unproven"


def test_only_a_checker_says_whether_summaries_are_true(tmp_path: Path, candidate: Callable[..., Run]) -> None:
    def check_guards(run: Run) -> Run:
        rows = [msgspec.structs.replace(row, sees="faithfulness" if row.name == "checker" else row.sees)
                for row in run.summary.metrics]  # fmt: skip
        write_atomic(run.folder / "summary.json", msgspec.structs.replace(run.summary, metrics=rows))
        return reseal(run)

    column = {"rougeL": FLAT, "checker": FLAT}
    baseline = check_guards(write_run(tmp_path, scores=column))
    judged = verdict(compare(baseline, [check_guards(candidate(scores=column | gained(0.9)))]))
    assert not any("faithfulness checker" in words for words in (*judged.not_proven, *judged.settle))
    plain = verdict(compare(write_run(tmp_path, scores={"rougeL": FLAT}), [candidate(scores=gained(0.9))]))
    assert TRUTH in plain.not_proven
    assert CHECKER in plain.settle


# ------------------------------------------------------------------------------------------------------------- prompts


@pytest.fixture
def prompted(tmp_path: Path) -> Callable[..., Run]:
    def write(gain: float, **fields: Any) -> Run:
        name = "smollm2-135m (best prompt)"
        return write_run(tmp_path, **{"name": name, "best_prompt": True, "scores": gained(gain), **fields})

    return write


def test_both_lifts_are_always_shown_and_the_recipe_says_which_is_judged(
    baseline: Run, candidate: Callable[..., Run], prompted: Callable[..., Run]
) -> None:
    rival, run = prompted(0.3), candidate(scores=gained(0.6))
    over_plain = compare(baseline, [run], best_prompted=rival)
    (result,) = over_plain.candidates
    assert (result.verdict.lift, result.verdict.against) == ("verified", "baseline")
    assert "Over the best-prompted baseline it is +23% (+23% to +23%) on ROUGE-L" in result.verdict.sentence
    assert as_lift(result.prompted[0]).lift == pytest.approx(1.6 / 1.3 - 1)
    over_best = compare(baseline, [run], best_prompted=rival, against="best-prompted")
    (result,) = over_best.candidates
    assert (result.verdict.lift, result.verdict.against) == ("not met", "best-prompted")
    assert "23% higher on ROUGE-L" in result.verdict.sentence
    assert "compared with smollm2-135m (best prompt)" in result.verdict.sentence
    assert "Over the plain baseline it is +60% (+60% to +60%) on ROUGE-L" in result.verdict.sentence


def test_judging_over_prompts_that_were_not_tried_proves_nothing(baseline: Run, candidate: Callable[..., Run]) -> None:
    comparison = compare(baseline, [candidate(scores=gained(0.9))], against="best-prompted")
    assert verdict(comparison).outcome == verdict(comparison).lift == "unproven"
    told = " ".join(verdict(comparison).not_proven)
    assert "The lift is judged over the best prompt, and none was searched for." in told
    assert "no complete scores (scores): Search for it: `bench baseline --tune`." in verdict(comparison).settle
    assert "best-prompted" in comparison.missing


def test_the_recipe_of_the_baseline_says_over_what(tmp_path: Path, candidate: Callable[..., Run]) -> None:
    baseline = write_run(tmp_path, scores={"rougeL": FLAT})
    write_atomic(baseline.folder / "manifest.json", msgspec.structs.replace(baseline.manifest, against="best-prompted"))
    assert verdict(compare(Run(baseline.folder), [candidate()])).against == "best-prompted"


def test_the_rival_is_the_strongest_best_prompt_of_the_same_model_and_protocol(
    baseline: Run, candidate: Callable[..., Run], prompted: Callable[..., Run]
) -> None:
    strong, lazy = prompted(0.3), prompted(0.2, created="2026-01-07T10:00:00Z")
    other = prompted(0.5, created="2026-01-08T10:00:00Z", protocol={"max_new_tokens": 7})
    running = prompted(0.6, created="2026-01-09T10:00:00Z", status="running")
    coarse = prompted(0.7, created="2026-01-10T10:00:00Z", system={"precision": "nf4-other"})
    everyone = [baseline, candidate(), strong, lazy, other, running, coarse]
    assert best_prompted(baseline, everyone) is strong
    assert best_prompted(baseline, [baseline, other]) is None
    # And a best-prompted run is never taken for the plain baseline.
    assert newest_pair([baseline, lazy, candidate()])[0].id == baseline.id
    with pytest.raises(UsageError, match="--against best-prompted"):
        compare(lazy, [candidate()])


# ---------------------------------------------------------------------------------------------------- floors, ceilings


def yardsticks(baseline: Run, **columns: list[float | None]) -> Background:
    rows = [
        SystemScores(name=name, role="humans" if name == HUMANS else "floor", scores={"rougeL": column})
        for name, column in columns.items()
    ]
    found = ControlScores(
        key="k",
        dataset="tweetsumm",
        split="validation",
        metrics=[MetricInfo(name="rougeL", signature="s", direction="higher", sees="overlap")],
        ids=[one.id for one in baseline.conversations],
        rows=rows,
    )
    return Background(controls=found)


def test_a_candidate_stands_between_the_best_control_and_the_humans(
    baseline: Run, candidate: Callable[..., Run]
) -> None:
    humans: dict[str, list[float | None]] = {HUMANS: [None, *(3 * value for value in FLAT[1:])]}
    beside = yardsticks(baseline, weak=[0.5 * value for value in FLAT], strong=list(FLAT), **humans)
    comparison = compare(baseline, [candidate(scores=gained(0.5))], beside)
    (position,) = comparison.candidates[0].positions
    # Compared where the humans have a score, too.
    assert (position.floor, position.n, position.n_humans) == ("strong", N, N - 1)
    assert position.value == pytest.approx(0.25)
    assert [one.role for one in comparison.systems] == ["floor", "floor", "baseline", "candidate", "humans"]
    assert comparison.systems[-1].means["rougeL"] == pytest.approx(3 * sum(FLAT[1:]) / (N - 1))


@pytest.mark.parametrize(
    ("direction", "human", "words"),
    [
        ("higher", 0.9, "humans do not score above the best control"),
        ("higher", 1.0, "humans do not score above the best control"),
        ("higher", 1.1, ""),
        ("lower", 1.1, "humans do not score below the best control"),
        ("lower", 0.9, ""),
    ],
)
def test_there_is_no_position_where_the_humans_are_no_better_than_the_best_control(
    direction: Direction, human: float, words: str, baseline: Run, candidate: Callable[..., Run]
) -> None:
    humans: dict[str, list[float | None]] = {HUMANS: [human * value for value in FLAT]}
    controls = yardsticks(baseline, template=list(FLAT), **humans).controls
    assert controls is not None
    controls = replace(controls, metrics=[replace(info, direction=direction) for info in controls.metrics])
    (position,) = positions(candidate(scores=gained(0.05)), ["rougeL"], controls, Bootstrap(seed=0))
    assert position.problem == words
    assert (position.value is None) == (position.low is None) == (position.high is None) == bool(words)
    assert position.ceiling_mean == pytest.approx(human * position.floor_mean)


def test_without_a_second_summary_the_controls_still_count(baseline: Run, candidate: Callable[..., Run]) -> None:
    humans: dict[str, list[float | None]] = {HUMANS: [None] * N}
    beside = yardsticks(baseline, constant=[2 * value for value in FLAT], **humans)
    comparison = compare(baseline, [candidate(scores=gained(0.9))], beside)
    (position,) = comparison.candidates[0].positions
    assert (position.n, position.n_humans, position.value, position.ceiling_mean) == (N, 0, None, None)
    assert (position.gap_high or 0) < 0


def test_what_should_stand_beside_and_does_not_is_named(baseline: Run, candidate: Callable[..., Run]) -> None:
    missing = compare(baseline, [candidate()]).missing
    assert set(missing) == {"best-prompted", "controls", "validity"}
    beside = Background(missing={"controls": "the data are gone", "validity": "the data are gone"})
    comparison = compare(baseline, [candidate()], beside)
    assert comparison.missing["controls"] == "the data are gone"
    assert "Not measured: controls: the data are gone" in verdict(comparison).caveats


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ({"max_new_tokens": 40}, ["max_new_tokens: 80 against 40"]),
        ({"split": "test", "fingerprint": "f" * 64}, ["split: validation against test", "fingerprint: "]),
        ({"conversations": "a" * 64, "n": 10}, ["conversations: ", "n: 36 against 10"]),
        ({"metrics": {"rougeL": "rougeL|v2"}}, ["metrics.rougeL: rougeL|f1", "against rougeL|v2", "metrics.rouge1: "]),
        ({"postprocess": "none:1"}, ["postprocess: strip:1 against none:1"]),
    ],
)
def test_runs_measured_otherwise_are_refused_with_both_values(
    baseline: Run, candidate: Callable[..., Run], protocol: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        compare(baseline, [candidate(protocol=protocol)])
    message = str(caught.value)
    assert all(word in message for word in words)
    assert "recipe" in message
    assert len(message.splitlines()) <= 3


def test_every_field_of_a_protocol_counts_but_the_data_sets_name(baseline: Run) -> None:
    protocol = baseline.manifest.protocol
    assert protocol is not None
    for field in msgspec.structs.fields(Protocol):
        value = getattr(protocol, field.name)
        changed: Any = {"rougeL": "other"} if isinstance(value, dict) else value * 2 or "other"
        other = msgspec.structs.replace(protocol, **{field.name: changed})
        assert bool(protocol_differences(protocol, other)) == (field.name != "dataset"), field.name


def test_incomplete_runs_are_refused(baseline: Run, candidate: Callable[..., Run]) -> None:
    for run in (candidate(status="running"), candidate(status="trained")):
        with pytest.raises(UsageError, match=run.id.replace("+", r"\+")):
            compare(baseline, [run])
        with pytest.raises(UsageError, match="to continue it"):
            compare(run, [baseline])


def test_misuse_is_told(baseline: Run, candidate: Callable[..., Run]) -> None:
    run = candidate()
    with pytest.raises(UsageError, match="no candidate"):
        compare(baseline, [])
    with pytest.raises(UsageError, match="given twice"):
        compare(baseline, [baseline])
    with pytest.raises(UsageError, match="given twice"):
        compare(baseline, [run, run])
    with pytest.raises(UsageError, match="unknown metric 'rougel'\nDid you mean 'rougeL'"):
        compare(baseline, [run], headlines=["rougel"])
    for target in (math.nan, math.inf, 0.0, -0.5):
        with pytest.raises(UsageError, match="A target is a number above 0"):
            compare(baseline, [run], target=target)
    rows = baseline.conversations[1:]
    write_lines(baseline.folder / "conversations.jsonl", rows)
    with pytest.raises(UsageError, match="35 of 36 conversations"):
        compare(reseal(baseline), [run])


# ------------------------------------------------------------------------------------------------- caveats, differences


def test_caveats(tmp_path: Path, baseline: Run, candidate: Callable[..., Run]) -> None:
    caveats = verdict(compare(baseline, [candidate(notes=["precision mismatch accepted"])])).caveats
    assert "The candidate's run notes: precision mismatch accepted" in caveats
    assert any("Whether the validation split also served to choose" in caveat for caveat in caveats)
    assert any(f"With these {N} conversations a true lift of " in caveat for caveat in caveats)
    elsewhere = write_run(tmp_path, system={"generation_verified": False}, scores={"rougeL": FLAT})
    caveats = verdict(compare(elsewhere, [candidate()])).caveats
    assert any("How the baseline's texts were made was not recorded" in caveat for caveat in caveats)


def test_the_baselines_own_faults_are_told(tmp_path: Path) -> None:
    # A baseline that rarely stops by itself makes part of the lift one of form.
    baseline = write_run(tmp_path, finish_reasons=["length"] * N)
    caveats = verdict(compare(baseline, [write_run(tmp_path, command="train")])).caveats
    assert "36 of 36 summaries of the baseline were cut at the token limit." in caveats


def test_differences_of_systems_are_put_in_words(baseline: Run, candidate: Callable[..., Run]) -> None:
    environment = msgspec.structs.replace(
        ENVIRONMENT, gpu="NVIDIA H200", packages={**ENVIRONMENT.packages, "torch": "2.14.0"}
    )
    prompt = msgspec.structs.replace(PROMPT, sha256="77" * 32)
    run = candidate(environment=environment, system={"precision": "bfloat16", "prompt": prompt})
    differences = {row.key: (row.baseline, row.candidate) for row in system_differences(baseline, run)}
    assert differences == {
        "adapter": ("none", f"qlora (sha256 ada97e12ada9), trained on base {BASE.sha256[:12]} in nf4"),
        "precision": ("nf4", "bfloat16"),
        "prompt": ("chat (sha256 5e2f8a015e2f)", "chat (sha256 777777777777)"),
        "GPU": ("none", "NVIDIA H200"),
        "package torch": ("2.13.0", "2.14.0"),
    }


def test_equal_systems_do_not_differ_and_an_unrecorded_machine_is_not_a_difference(tmp_path: Path) -> None:
    one, other = (write_run(tmp_path, created=f"2026-01-0{day}T10:00:00Z") for day in (1, 2))
    assert system_differences(one, other) == []
    assert system_differences(one, write_run(tmp_path, environment=None, created="2026-01-03T10:00:00Z")) == []


def test_adapters_from_elsewhere_are_of_unknown_origin(baseline: Run, candidate: Callable[..., Run]) -> None:
    run = candidate(system={"adapter": AdapterRecord(sha256="e" * 64)})
    (difference,) = system_differences(baseline, run)
    assert (
        difference.candidate == "unknown trainer (sha256 eeeeeeeeeeee), trained on an unknown base in unknown precision"
    )


@pytest.mark.parametrize(
    ("metric", "label"),
    [("rouge1", "ROUGE-1"), ("rougeLsum", "ROUGE-Lsum"), ("bertscore", "bertscore"), ("rouge", "rouge")],
)
def test_metric_labels(metric: str, label: str) -> None:
    assert metric_label(metric) == label


# --------------------------------------------------------------------------------------------------------- newest pair


def at(day: int) -> str:
    return f"2026-01-{day:02}T10:00:00Z"


def test_the_newest_pair_is_the_newest_candidate_and_its_newest_baseline(tmp_path: Path) -> None:
    runs = {
        "old baseline": write_run(tmp_path, created=at(1)),
        "new baseline": write_run(tmp_path, created=at(3)),
        "old candidate": write_run(tmp_path, command="train", created=at(4)),
        "new candidate": write_run(tmp_path, command="score", created=at(5)),
        "unfinished": write_run(tmp_path, command="train", created=at(6), status="running"),
        "baseline of another protocol": write_run(tmp_path, created=at(7), protocol={"max_new_tokens": 9}),
    }
    assert newest_pair(list(runs.values())) == (runs["new baseline"], runs["new candidate"])
    assert newest_pair(list(reversed(runs.values()))) == (runs["new baseline"], runs["new candidate"])


def test_a_baseline_measured_after_its_candidate_counts(tmp_path: Path) -> None:
    candidate = write_run(tmp_path, command="train", created=at(1))
    baseline = write_run(tmp_path, created=at(2))
    assert newest_pair([candidate, baseline]) == (baseline, candidate)


def test_a_baseline_of_the_candidates_own_model_goes_before_a_newer_one(tmp_path: Path) -> None:
    own = write_run(tmp_path, created=at(1))
    write_run(tmp_path, created=at(2), name="llama", system={"model": msgspec.structs.replace(BASE, sha256="c" * 64)})
    candidate = write_run(tmp_path, command="train", created=at(3))
    everything = [Run(folder) for folder in sorted(tmp_path.iterdir())]
    chosen, judged = newest_pair(everything)
    assert (chosen.id, judged.id) == (own.id, candidate.id)


def test_an_older_candidate_that_compares_goes_before_a_newer_one_that_does_not(tmp_path: Path) -> None:
    baseline = write_run(tmp_path, created=at(1))
    old = write_run(tmp_path, command="train", created=at(2))
    new = write_run(tmp_path, command="train", created=at(3), protocol={"max_new_tokens": 9})
    assert newest_pair([baseline, old, new]) == (baseline, old)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([], ["no measured candidate", "bench train --plugin", "bench score"]),
        ([{"command": "baseline"}], ["no measured candidate"]),
        (
            [{"command": "baseline"}, {"command": "train", "status": "running"}],
            ["no measured candidate", "is not complete"],
        ),
        ([{"command": "train"}], ["no measured baseline", "`bench baseline`"]),
        (
            [{"command": "baseline"}, {"command": "train", "protocol": {"max_new_tokens": 9, "split": "test"}}],
            ["differ in split, max_new_tokens", "`bench baseline`"],
        ),
    ],
)
def test_without_a_pair_the_missing_command_is_named(
    tmp_path: Path, written: list[dict[str, Any]], words: list[str]
) -> None:
    runs = [write_run(tmp_path, created=at(day), **fields) for day, fields in enumerate(written, start=1)]
    with pytest.raises(UsageError) as caught:
        newest_pair(runs)
    assert all(word in str(caught.value) for word in words)
