"""Guards one by one: when each passes, fails, stays open or cannot run, and what that makes of a verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from liftbench.data.similarity.fingerprints import training_row
from liftbench.data.similarity.novelty import Novelty
from liftbench.files import write_atomic
from liftbench.floors.background import Background
from liftbench.floors.control_scores import HUMANS, ControlScores, SystemScores
from liftbench.floors.traces import trace_texts
from liftbench.judging.compare import compare, exit_code
from liftbench.judging.guards import FACTS, GUARDS, PEOPLE, Guard
from liftbench.judging.verdict import Verdict
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.run import Limits, MetricInfo
from liftbench.records.system import AdapterRecord
from liftbench.runs.directory import Run

from ..support.build import reseal, retrain, write_run
from ..support.lifts import as_lift

N = 60
LEVELS = [0.2 + 0.002 * (number % 7) for number in range(N)]
GOOD = [0.4 + 0.003 * (number % 5) for number in range(N)]
NONE: list[float | None] = [0.0] * N
GERMAN = (
    "Der Kunde wartet seit Tagen auf sein Paket, und niemand hilft ihm weiter, schreibt er.",
    "Die Mitarbeiterin entschuldigt sich und verspricht, sich morgen darum zu kümmern.",
)


def conversations(**metadata: Callable[[int], str]) -> list[Conversation]:
    """Of unlike words and lengths, in English."""
    things = ("parcel", "refund", "invoice", "login", "flight", "router")
    return [
        Conversation(
            id=f"c{number:02}",
            turns=(
                Turn(role="customer", text=f"Hello, my {things[number % 6]} number {number} has not come and I wait."),
                *(
                    Turn(role="agent", text=f"We are looking into case {number} step {step} for you right now.")
                    for step in range(1 + number % 9)
                ),
            ),
            references=(f"Customer waits for {things[number % 6]} {number}; the agent is looking into it.",),
            metadata={name: value(number) for name, value in metadata.items()},
        )
        for number in range(N)
    ]


def texts(beginning: str) -> list[str]:
    return [f"{beginning} number {number}, which the agent promised to look into by tomorrow." for number in range(N)]


class Bench:
    """A baseline, and candidates that pass every guard unless they are changed."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.shared: dict[str, Any] = {"conversations": conversations()}
        self.limits = Limits()
        self.floor: list[float | None] = list(LEVELS)
        self.humans: list[float | None] = list(NONE)
        self.missing = ""

    def baseline(self, **changes: Any) -> Run:
        fields = {"scores": {"rougeL": LEVELS, FACTS: NONE}, "texts": texts("A chat about case"), **self.shared}
        run = write_run(self.runs, **{**fields, **changes})
        write_atomic(run.folder / "manifest.json", replace(run.manifest, limits=self.limits))
        return Run(run.folder)

    def candidate(self, rows: bool = True, **changes: Any) -> Run:
        fields = {"scores": {"rougeL": GOOD, FACTS: NONE}, "texts": texts("Customer waits for parcel"), **self.shared}
        run = write_run(self.runs, command="train", **{**fields, **changes})
        if not rows:
            (run.folder / "training" / "rows.jsonl").unlink()
            return reseal(run)
        seen = Conversation(id="seen", turns=(Turn(role="customer", text="Quite another matter " * 9),))
        return retrain(run, [training_row(seen, "train")])

    def background(self, baseline: Run) -> Background:
        infos = [
            MetricInfo(name="rougeL", signature="s", direction="higher", sees="overlap"),
            MetricInfo(name=FACTS, signature="s", direction="lower", sees="facts"),
        ]
        pasted = [one.turns[0].text for one in baseline.conversations]
        rows = [
            SystemScores(
                name="template",
                role="floor",
                scores={"rougeL": self.floor, FACTS: NONE},
                missing=self.missing,
                traces=trace_texts(pasted, Novelty(baseline.conversations)),
            ),
            SystemScores(name=HUMANS, role="humans", scores={"rougeL": [0.5] * N, FACTS: self.humans}),
        ]
        ids = [one.id for one in baseline.conversations]
        return Background(
            controls=ControlScores(key="k", dataset="d", split="validation", metrics=infos, ids=ids, rows=rows)
        )

    def verdict(self, candidate: Run | None = None, baseline: Run | None = None) -> Verdict:
        baseline = baseline or self.baseline()
        comparison = compare(baseline, [candidate or self.candidate()], self.background(baseline))
        (result,) = comparison.candidates
        assert exit_code(comparison) == (0 if result.verdict.outcome == "verified" else 1)
        return result.verdict


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def open_guards(verdict: Verdict) -> dict[str, Guard]:
    return {guard.name: guard for guard in verdict.guards if guard.state != "passed"}


def only(verdict: Verdict, name: str, state: str, words: str) -> Guard:
    """The one guard that did not pass."""
    found = open_guards(verdict)
    assert {key: guard.state for key, guard in found.items()} == {name: state}
    assert words in found[name].words
    brief = found[name].brief
    assert brief
    assert not brief.endswith(".")
    return found[name]


def test_a_candidate_that_passes_every_guard_is_verified(bench: Bench) -> None:
    verdict = bench.verdict()
    assert (verdict.outcome, verdict.lift, open_guards(verdict)) == ("verified", "verified", {})
    assert verdict.sentence.startswith(
        "Proven (judged on ROUGE-L alone; no best prompt was searched for): All 13 guards passed."
    )
    assert verdict.sentence.endswith("(overlap only).")
    assert [guard.name for guard in verdict.guards] == [name for name in GUARDS if name != PEOPLE]
    assert all(guard.question.endswith("?") and not guard.fix for guard in verdict.guards)
    assert "13 of 13 checks passed" in verdict.proven[-1]


def test_a_lift_that_is_not_met_stays_so_when_all_guards_pass(bench: Bench) -> None:
    scores = {"rougeL": [value + 0.05 for value in LEVELS], FACTS: NONE}
    verdict = bench.verdict(bench.candidate(scores=scores))
    assert (verdict.outcome, verdict.lift) == ("not met", "not met")
    assert any(
        words.startswith("The target of +40% on ROUGE-L: it is not reached, even at the upper bound")
        for words in verdict.not_proven
    )


def test_a_failed_guard_makes_any_lift_unproven_and_names_itself(bench: Bench) -> None:
    bench.floor = [0.45] * N
    verdict = bench.verdict()
    guard = only(verdict, "controls", "failed", "The candidate scores lower than the best control on ROUGE-L")
    assert (verdict.outcome, verdict.lift) == ("unproven", "verified")
    assert verdict.sentence.startswith("Not proven: 1 of 13 guards did not pass: controls (failed). ")
    assert f"{guard.question} {guard.words}" in verdict.not_proven
    assert f"no better than a template (controls): {guard.fix}" in verdict.settle
    assert any("at least" in words and "higher than the untuned model" in words for words in verdict.proven)


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"texts": ["", "", *texts("Customer waits for parcel")[2:]]}, "endings", "2 of 60 summaries are empty"),
        ({"finish_reasons": ["length"] * 2 + ["stop"] * 58}, "endings", "2 of 60 summaries had no end"),
        (
            {"texts": ["The agent is sorry, the agent is sorry. " * 3] * 2 + texts("Customer waits for parcel")[2:]},
            "degeneration",
            "2 of 60 summaries repeat themselves",
        ),
        (
            {"texts": ["Customer waits, and the agent helps."] * 3 + texts("Customer waits for parcel")[3:]},
            "degeneration",
            "3 of 60 summaries are another conversation's text again",
        ),
        (
            {"texts": [*GERMAN, *texts("Customer waits for parcel")[2:]]},
            "language",
            "2 of 60 summaries are in another language",
        ),
        ({"system": {"adapter": AdapterRecord(sha256="e" * 64)}}, "same base", "does not tell which weights"),
        ({"system": {"adapter": AdapterRecord(sha256="e" * 64, base_sha256="0" * 64)}}, "same base", "other weights"),
        (
            {"system": {"adapter": AdapterRecord(sha256="e" * 64, chat_template_sha256="7" * 64)}},
            "same base",
            "may come from the template",
        ),
        ({"rows": False}, "leakage", "not recorded"),
    ],
)
def test_what_the_candidate_is_or_writes(bench: Bench, changes: dict[str, Any], name: str, words: str) -> None:
    found = open_guards(bench.verdict(bench.candidate(**changes)))
    assert list(found) == [name]
    assert words in found[name].words
    assert found[name].fix


@pytest.mark.parametrize(("share", "passes"), [(0.33, True), (0.34, False), (0.6, False)])
def test_a_headline_that_misreads_a_third_of_the_words_proves_nothing(bench: Bench, share: float, passes: bool) -> None:
    run = bench.candidate()
    metrics = [replace(row, misread=share if row.name == "rougeL" else 0.9) for row in run.summary.metrics]
    write_atomic(run.folder / "summary.json", replace(run.summary, metrics=metrics))
    verdict = bench.verdict(reseal(run))
    if passes:
        assert open_guards(verdict) == {}
        return
    guard = only(verdict, "scores", "failed", f"ROUGE-L misreads {share:.0%} of their words; the limit is a third.")
    assert verdict.outcome == "unproven"
    assert "chrf" in guard.fix


def test_faults_that_are_rare_enough_pass_and_are_told(bench: Bench) -> None:
    bench.limits = Limits(faults=0.1)
    verdict = bench.verdict(bench.candidate(finish_reasons=["length"] * 6 + ["stop"] * 54))
    assert verdict.outcome == "verified"
    (endings,) = (guard for guard in verdict.guards if guard.name == "endings")
    assert endings.words == "6 of 60 summaries had no end at the token limit; the limit is 10%."


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(), []),
        (Limits(faults=0.01, unsupported=0.0, slices=("turns", "length", "references", "company")), []),
        (Limits(faults=0.1), ["faults 10% (default 2%)"]),
        (Limits(unsupported=0.5), ["invented details 0.5 a summary (default 0.1)"]),
        (Limits(slices=("turns",)), ["slices by length and references not checked"]),
    ],
)
def test_loosened_guards_are_told(bench: Bench, limits: Limits, words: list[str]) -> None:
    bench.shared["conversations"] = conversations(company=lambda _: "Acme")
    bench.limits = limits
    caveats = bench.verdict().caveats
    assert [each for each in caveats if "loosened" in each] == [f"The guards are loosened: {each}." for each in words]


def test_endings_that_nobody_saw_do_not_pass(bench: Bench) -> None:
    verdict = bench.verdict(bench.candidate(finish_reasons=["unknown"] + ["stop"] * 59))
    only(verdict, "endings", "not run", "Whether the texts ended by themselves was not recorded")


def test_conversations_that_the_baseline_read_in_part(bench: Bench) -> None:
    baseline = bench.baseline()
    write_atomic(baseline.folder / "summary.json", replace(baseline.summary, shortened=30))
    verdict = bench.verdict(baseline=reseal(baseline))
    only(verdict, "truncation", "failed", "With the baseline, the model was shown only a part of 30 of 60")


@pytest.mark.parametrize(
    ("column", "state", "words"),
    [
        ([0.0] * 58 + [1.0] * 2, "passed", "0.033 invented details a summary"),
        ([0.0] * 54 + [1.0] * 6, "failed", "0.100 invented details a summary"),
        ([0.5] * N, "failed", "at most 0.500 more (upper bound), and the limit is 0.1"),
    ],
)
def test_invented_details_are_held_against_the_humans_own(
    bench: Bench, column: list[float], state: str, words: str
) -> None:
    verdict = bench.verdict(bench.candidate(scores={"rougeL": GOOD, FACTS: column}))
    (facts,) = (guard for guard in verdict.guards if guard.name == "facts")
    assert facts.state == state
    assert words in facts.words


def test_as_many_invented_details_as_people_write_pass(bench: Bench) -> None:
    column = [0.0, 1.0] * (N // 2)
    bench.humans = list(column)
    assert bench.verdict(bench.candidate(scores={"rougeL": GOOD, FACTS: column})).outcome == "verified"


def test_facts_that_some_human_summaries_have_no_number_for_do_not_pass(bench: Bench) -> None:
    bench.humans = [None, *NONE[1:]]
    only(bench.verdict(), "facts", "not run", "59 of 60 conversations have a number")


def test_a_control_that_could_not_be_had_is_not_beaten(bench: Bench) -> None:
    bench.missing = "the control 'template' learns from the training split, and there is none"
    only(bench.verdict(), "controls", "not run", "Not measured: template.")


def test_a_control_that_is_beaten_by_chance_is_not_beaten(bench: Bench) -> None:
    bench.floor = [value + (0.2 if number % 2 else -0.21) for number, value in enumerate(GOOD)]
    only(bench.verdict(), "controls", "failed", "The candidate is not shown to beat the best control on ROUGE-L")


def test_a_declared_slice_that_got_worse_fails(bench: Bench) -> None:
    bench.shared["conversations"] = conversations(channel=lambda number: "chat" if number % 2 else "phone")
    bench.limits = Limits(slices=("channel",))
    worse = [value - 0.05 if number % 2 else 2.2 * value for number, value in enumerate(LEVELS)]
    verdict = bench.verdict(bench.candidate(scores={"rougeL": worse, FACTS: NONE}))
    assert "channel: chat (30) on ROUGE-L" in open_guards(verdict)["slices"].words
    assert verdict.outcome == "unproven"


def test_a_slice_that_is_too_small_is_named_and_does_not_block(bench: Bench) -> None:
    bench.shared["conversations"] = conversations(channel=lambda number: "chat" if number % 10 else "phone")
    bench.limits = Limits(slices=("channel",))
    verdict = bench.verdict()
    assert slices_of(verdict) == (
        "passed",
        "No slice is worse than the baseline (1 checked: channel). Too few conversations to judge channel: phone (6); "
        "30 are needed.",
    )
    assert verdict.outcome == "verified"


@pytest.mark.parametrize(("state", "factor"), [("passed", 2.2), ("failed", 0.5)])
def test_a_long_tail_of_small_slices_is_judged_together(bench: Bench, state: str, factor: float) -> None:
    bench.shared["conversations"] = conversations(company=lambda number: f"company {number // 2}")
    bench.limits = Limits(slices=("company",))
    scores = [factor * value for value in LEVELS]
    words = {
        "passed": "No slice is worse than the baseline (30 small slices by company (60) judged together).",
        "failed": "The candidate is worse than the baseline on company: 30 others (60) on ROUGE-L.",
    }
    found = slices_of(bench.verdict(bench.candidate(scores={"rougeL": scores, FACTS: NONE})))
    assert found == (state, words[state])


def test_a_slice_that_lacks_a_score_leaves_the_guard_undecided(bench: Bench) -> None:
    bench.shared["conversations"] = conversations(channel=lambda number: "chat" if number % 2 else "phone")
    bench.limits = Limits(slices=("channel",))
    lacking: list[float | None] = [None, *GOOD[1:]]
    found = slices_of(bench.verdict(bench.candidate(scores={"rougeL": lacking, FACTS: NONE})))
    assert found == ("undecided", "Scores are missing on channel: phone (30).")


def slices_of(verdict: Verdict) -> tuple[str, str]:
    """The state and words of the guard of slices."""
    return next((guard.state, guard.words) for guard in verdict.guards if guard.name == "slices")


def test_conversations_of_one_customer_count_once(bench: Bench) -> None:
    bench.shared["conversations"] = conversations(cluster=lambda number: f"customer {number % 12}")
    verdict = bench.verdict()
    assert verdict.lift == "undecided"
    assert "With 12 clusters of conversations the interval is rough" in verdict.sentence


def test_several_candidates_make_every_guard_stricter(bench: Bench) -> None:
    column = [0.0] * 57 + [1.0] * 3
    baseline = bench.baseline()
    runs = [
        bench.candidate(scores={"rougeL": GOOD, FACTS: column}, created=f"2026-02-0{day}T10:00:00Z")
        for day in (1, 2, 3)
    ]

    def high(candidates: list[Run]) -> float:
        (result, *_) = compare(baseline, candidates, bench.background(baseline)).candidates
        words = next(guard.words for guard in result.verdict.guards if guard.name == "facts")
        return float(words.split("at most ")[1].split()[0])

    assert high(runs) > high(runs[:1])


# --------------------------------------------------------------------------------------------------------------- seeds


def family(bench: Bench, *gains: float) -> list[Run]:
    runs = []
    for seed, gain in enumerate(gains):
        scores = {"rougeL": [value * (1 + gain) for value in LEVELS], FACTS: NONE}
        run = bench.candidate(scores=scores, seed=seed, created=f"2026-02-0{seed + 1}T10:00:00Z")
        write_atomic(run.folder / "manifest.json", replace(run.manifest, family="one"))
        runs.append(Run(run.folder))
    return runs


def test_of_few_seeds_the_worst_decides(bench: Bench) -> None:
    bench.floor = [0.5 * value for value in LEVELS]
    baseline = bench.baseline()
    runs = family(bench, 0.9, 0.3, 0.8)
    comparison = compare(baseline, runs, bench.background(baseline))
    (together,) = comparison.seeds
    assert together.seeds == [0, 1, 2]
    assert together.runs == [run.id for run in runs]
    assert [result.verdict.outcome for result in comparison.candidates] == ["verified", "not met", "verified"]
    assert together.verdict.outcome == "not met"
    assert together.verdict.sentence.startswith("Target not reached: The worst of 3 seeds decides: seed 1. ")
    assert as_lift(together.lifts[0]).lift == pytest.approx(0.3)
    assert exit_code(comparison) == 1
    assert exit_code(compare(baseline, family(bench, 0.9, 0.8), bench.background(baseline))) == 0


def test_several_seeds_of_one_training_are_one_candidate(bench: Bench) -> None:
    baseline = bench.baseline()
    comparison = compare(baseline, family(bench, 0.9, 0.8, 0.7), bench.background(baseline))
    assert all(as_lift(result.lifts[0]).method.startswith("95% interval") for result in comparison.candidates)


def test_from_five_seeds_on_they_are_resampled_together(bench: Bench) -> None:
    bench.floor = [0.5 * value for value in LEVELS]
    baseline = bench.baseline()
    comparison = compare(baseline, family(bench, 0.3, 1.0, 0.9, 1.1, 1.0), bench.background(baseline))
    (together,) = comparison.seeds
    lift = as_lift(*together.lifts)
    assert lift.lift == pytest.approx(0.86)
    assert lift.low is not None
    assert lift.high is not None
    # One seed alone has hardly any spread over conversations: what is left is that between seeds.
    alone = as_lift(comparison.candidates[1].lifts[0])
    assert alone.low is not None
    assert alone.high is not None
    assert lift.high - lift.low > 10 * (alone.high - alone.low)
    assert together.verdict.sentence.partition(": ")[2].startswith(
        "5 seeds were resampled together with the conversations."
    )
    assert not any("next seed" in words for words in together.verdict.not_proven)


def test_a_guard_that_one_seed_fails_fails_for_all_of_them(bench: Bench) -> None:
    bench.floor = [0.5 * value for value in LEVELS]
    baseline = bench.baseline()
    runs = family(bench, 1.0, 1.0, 0.9, 1.1, 1.0)
    (runs[3].folder / "training" / "rows.jsonl").unlink()
    (together,) = compare(baseline, [reseal(run) for run in runs], bench.background(baseline)).seeds
    leakage = next(guard for guard in together.verdict.guards if guard.name == "leakage")
    assert (together.verdict.outcome, leakage.state) == ("unproven", "not run")
    assert leakage.words.startswith("Seed 3: ")


# ----------------------------------------------------------------------------------------------------------- the words


def test_the_page_of_guards_lists_every_guard_with_its_question() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "guards.md").read_text(encoding="utf-8")
    assert "\n".join(f"| {name} | {one.label} | {one.question} |" for name, one in GUARDS.items()) in page
