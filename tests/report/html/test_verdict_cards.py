"""The verdict on page and terminal: every state by symbol and word, seeds together first, figures as recorded."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from markupsafe import Markup
from msgspec.structs import replace
from rich.console import Console

from liftbench.files import write_atomic
from liftbench.judging.compare import Comparison, SeedsResult, compare
from liftbench.judging.guards import Guard, GuardState
from liftbench.judging.leakage import Leak, LeakKind
from liftbench.judging.sensitivity import Alternative
from liftbench.judging.slices import SliceResult
from liftbench.judging.verdict import Outcome
from liftbench.records.run import Limits
from liftbench.report import numbers
from liftbench.report.alternatives import describe_alternatives
from liftbench.report.answer import answer_comparison
from liftbench.report.html.comparison import render_comparison
from liftbench.report.leaks import LEAKS
from liftbench.report.outcomes import BADGES, SYMBOLS, sort_guards
from liftbench.report.terminal.comparison import comparison_table
from liftbench.runs.directory import Run
from liftbench.statistics.lift import Lift, NoLift

from ...support.build import make_lift, write_run
from ...support.lifts import as_lift
from .test_comparison import HOSTILE, NO_WORD, TAME, Page, loaded

STATES: tuple[GuardState, ...] = ("passed", "undecided", "failed", "not run")
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
KINDS: tuple[LeakKind, ...] = get_args(LeakKind)


@pytest.fixture(autouse=True)
def fewer_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawing takes a tenth of a second; those that no verdict has are left out."""
    monkeypatch.setattr("liftbench.report.html.gains.draw_gains", lambda *_: Markup())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    trained = [
        write_run(folder, command="train", training=False, seed=seed, created=f"2026-01-05T1{seed}:00:00Z")
        for seed in range(1, 6)
    ]
    return [write_run(folder), *trained]


@pytest.fixture(scope="module")
def bare(runs: list[Run]) -> Comparison:
    """One candidate, of which nothing is known but its scores: no slices, leaks or other choices."""
    comparison = compare(runs[0], runs[1:2])
    [result] = comparison.candidates
    return replace(comparison, candidates=[replace(result, slices=[], leaks=[], alternatives=[])])


def with_verdict(comparison: Comparison, **changed: Any) -> Comparison:
    results = [replace(one, verdict=replace(one.verdict, **changed)) for one in comparison.candidates]
    return replace(comparison, candidates=results)


def with_result(comparison: Comparison, **changed: Any) -> Comparison:
    return replace(comparison, candidates=[replace(one, **changed) for one in comparison.candidates])


def page_of(comparison: Comparison, runs: Sequence[Run]) -> Page:
    page = Page(render_comparison(comparison, {run.id: run for run in runs}))
    assert page.unbalanced == []
    assert not NO_WORD.search(page.text)
    return page


def terminal_of(comparison: Comparison, runs: Sequence[Run], width: int = 80) -> str:
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(comparison_table(comparison, {run.id: run for run in runs}))
    lines = [line.strip() for line in capture.get().splitlines()]
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    assert not NO_WORD.search(words)
    return words


FIGURES = {"not run": ": not known", "undecided": ": open"}
"""What a chip says in place of a figure."""


def guards() -> list[Guard]:
    return [
        Guard(
            name=f"guard {place}",
            label=f"label {place}",
            question=f"Question {place}?",
            state=state,
            words=f"Found {place}.",
        )
        for place, state in enumerate(STATES)
    ]


def parts(states: Sequence[str]) -> list[SliceResult]:
    figures = {"baseline": 0.21, "candidate": 0.1834, "difference": -0.0266, "low": -0.05, "high": -0.002}
    nothing = dict.fromkeys(figures)
    return [
        msgspec.convert(
            {"field": "turns", "label": f"part {place}", "metric": "rougeL", "n": 31 + place, "p": 0.01, "state": state}
            | (nothing if state == "undecided" else figures),
            SliceResult,
        )
        for place, state in enumerate(states)
    ]


def choice(kind: Any, name: str, lift: Lift | NoLift, outcome: Outcome) -> Alternative:
    return Alternative(kind=kind, name=name, lift=lift, outcome=outcome)


def surplus(lift: Lift) -> Lift:
    return replace(
        lift, low=None, high=None, decides="surplus", surplus_low=-0.0123, surplus_high=0.0456, difference_low=0.0789
    )


# --------------------------------------------------------------------------------------------- outcomes, lists, guards


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_a_word_and_a_symbol(outcome: Outcome, bare: Comparison, runs: list[Run]) -> None:
    comparison = with_verdict(bare, outcome=outcome)
    [answer] = answer_comparison(comparison)
    page = page_of(comparison, runs)
    assert f"{SYMBOLS[outcome]} {answer.badge}: {answer.advice} {answer.reason}" in page.text
    assert f"answer {outcome.replace(' ', '-')}" in page.values("class")


def test_what_is_proven_and_what_not_are_two_lists(bare: Comparison, runs: list[Run]) -> None:
    comparison = with_verdict(bare, proven=["A is."], not_proven=["B is not.", "C is not."], settle=["Run `bench x`."])
    assert "Proven A is. Not proven B is not. C is not. Caveats" in page_of(comparison, runs).text
    assert "Proven - A is. Not proven - B is not. - C is not. What would change the answer - Run `bench x`." in (
        terminal_of(comparison, runs)
    )


def test_a_list_without_an_entry_says_so(bare: Comparison, runs: list[Run]) -> None:
    comparison = with_verdict(bare, proven=[], not_proven=[], settle=[])
    assert "Proven Nothing. Not proven Nothing." in page_of(comparison, runs).text
    assert "Proven" not in terminal_of(comparison, runs)


def test_every_guard_is_shown_with_its_state_the_failed_ones_first(bare: Comparison, runs: list[Run]) -> None:
    comparison = with_verdict(bare, guards=guards())
    ordered = sort_guards(guards())
    assert [guard.state for guard in ordered] == ["failed", "not run", "undecided", "passed"]
    told = [
        f"{SYMBOLS[guard.state]} {guard.state.capitalize()} {guard.title} {guard.question} {guard.words}"
        for guard in ordered
    ]
    page = page_of(comparison, runs)
    chips = [f"{SYMBOLS[guard.state]} {guard.label}{FIGURES.get(guard.state, '')} {guard.state}" for guard in ordered]
    passed = "1 passed"
    assert " ".join(["Checks: 1 of 4 passed", *chips[:3], passed, chips[3]]) in page.text
    assert " ".join(["1 of 4 passed", *told[:3], "What the 1 that passed say", told[3]]) in page.text
    rows = [f"guard-1-guard-{place}" for place in range(4)]
    assert {f"#{row}" for row in rows} <= set(page.values("href"))
    assert set(rows) <= set(page.values("id"))
    compact = " ".join(f"{SYMBOLS[guard.state]} {guard.title} {guard.words}" for guard in ordered)
    assert compact in terminal_of(comparison, runs)


def test_a_guard_links_to_the_conversations_that_it_names_and_to_what_it_looked_at(
    bare: Comparison, runs: list[Run]
) -> None:
    found = Guard(
        name="endings", question="Do they end?", state="failed", words="2 do not, for example c003, c0031.",
        label="cut off", fix="Read them.", ids=["c003", "c007"],
    )  # fmt: skip
    other = replace(found, name="facts", label="invented details", fix="Read `these`.", ids=[])
    text = render_comparison(with_verdict(bare, guards=[found, other]), {run.id: run for run in runs})
    assert 'for example <a href="#c4">c003</a>, c0031.' in text
    assert '<a href="#conversations?guard=endings">See conversations</a>' in text
    assert "<strong>What to do next:</strong> Read them.</p>" in text
    assert "<strong>invented details</strong>: Read <code>these</code>." in text
    for name in ("endings", "facts"):  # One tab stop for each guard, which tells the name that rules use.
        assert text.count(f'href="#guard-1-{name}"') == 1
        assert text.count(f'href="#guard-1-{name}" title="the guard {name}"') == 1


def test_what_a_guard_says_is_not_said_again_among_what_is_not_proven(bare: Comparison, runs: list[Run]) -> None:
    asked = [f"{guard.question} {guard.words}" for guard in guards()]
    comparison = with_verdict(bare, guards=guards(), not_proven=[asked[2], "That it is true."])
    text = page_of(comparison, runs).text
    assert "Not proven That it is true." in text
    assert all(text.count(guard.words) == 1 for guard in guards())


def test_the_verdict_its_lists_and_guards_come_before_all_else(bare: Comparison, runs: list[Run]) -> None:
    text = page_of(with_verdict(bare, guards=guards()), runs).text
    order = [
        "What to do next",
        "Checks: 1 of 4",
        "Figures, findings",
        "Figures behind the verdict",
        "Metrics Mean",
    ]
    assert sorted(order, key=text.index) == order


# ------------------------------------------------------------------------------------------------------------- figures


def test_the_figures_behind_a_verdict_are_the_records(bare: Comparison, runs: list[Run]) -> None:
    [result] = bare.candidates
    lift = replace(as_lift(result.lifts[0]), p=0.0312, p_holm=0.5, detectable=0.613, needed=1234)
    text = page_of(with_result(bare, lifts=[lift, *result.lifts[1:]]), runs).text
    behind = text[text.index("Figures behind the verdict") :]
    for words in (
        f"Mean of the baseline {lift.baseline:.3f}",
        f"Mean of the candidate {lift.candidate:.3f}",
        f"Lift {numbers.format_lift(lift, 0.4)} {numbers.format_lift_interval(lift, 0.4)}",
        f"Difference of the means {lift.difference:+.3f} {lift.difference_low:+.3f} to {lift.difference_high:+.3f}",
        f"Candidate minus 1.4 times the baseline {lift.surplus_low:+.3f} to {lift.surplus_high:+.3f}",
        "How often chance alone makes a difference this large 3 times in 100",
        "The same, corrected for all metrics and candidates 50 times in 100",
        "Smallest lift that these conversations would verify four times out of five +61%",
        "about 1,234 here: 36",
        lift.method,
    ):
        assert words in behind, words


def test_where_no_ratio_is_stable_the_difference_is_shown_and_said_to_decide(bare: Comparison, runs: list[Run]) -> None:
    [result] = bare.candidates
    lift = surplus(as_lift(result.lifts[0]))
    comparison = with_result(bare, lifts=[lift, *result.lifts[1:]])
    page = page_of(comparison, runs)
    interval = f"of the difference +0.079 to {lift.difference_high:+.3f}"
    assert f"95% interval {interval}" in page.text
    assert "ROUGE-L: the baseline’s mean is too unstable to divide by" in page.text
    assert "the candidate minus 1.4 times the baseline is above zero; its interval is -0.012 to +0.046." in page.text
    assert "-0.012 to +0.046 decides" in page.text
    assert all(word in terminal_of(comparison, runs, 120) for word in interval.split())


def test_a_lift_without_any_number_has_no_figure(bare: Comparison, runs: list[Run]) -> None:
    [result] = bare.candidates
    nothing = make_lift(None, None, None)
    comparison = with_result(bare, lifts=[nothing, *result.lifts[1:]])
    assert (
        "unknown ROUGE-L ○ No number words shared, in order, with the human summaries 95% interval unknown"
        in page_of(comparison, runs).text
    )
    assert "ROUGE-L: rougeL has no number" in terminal_of(comparison, runs)


# ------------------------------------------------------------------------------------------- slices


def test_parts_are_shown_with_their_figures_and_the_worse_are_named(bare: Comparison, runs: list[Run]) -> None:
    comparison = with_result(bare, slices=parts(["not worse", "worse", "undecided"]))
    text = page_of(comparison, runs).text
    assert "part 0 31 ROUGE-L 0.210 0.183 -0.027 -0.050 to -0.002 ✓ Not worse" in text
    assert "part 1 32 ROUGE-L 0.210 0.183 -0.027 -0.050 to -0.002 ✗ Worse" in text
    assert "part 2 33 ROUGE-L unknown unknown unknown unknown ? Undecided" in text
    words = terminal_of(comparison, runs)
    assert (
        "Slices: 3 checked ✗ turns: part 1 (n 32) is worse on ROUGE-L, -0.027 ? turns: part 2 (n 33) is undecided"
        in words
    )
    assert "part 0" not in words


def test_slices_that_are_too_small_are_named_and_not_counted_as_checked(bare: Comparison, runs: list[Run]) -> None:
    comparison = with_result(bare, slices=parts(["not worse", "not judged"]))
    assert "part 1 32 ROUGE-L 0.210 0.183 -0.027 -0.050 to -0.002 ○ Not judged" in page_of(comparison, runs).text
    assert "Slices: 1 checked ○ turns: part 1 (n 32) is not judged on ROUGE-L" in terminal_of(comparison, runs)
    comparison = with_result(bare, slices=parts(["not judged"]))
    assert "Slices: 0 checked ○ turns: part 0" in terminal_of(comparison, runs)


def test_no_parts_no_leaks_and_no_other_choices_are_said(bare: Comparison, runs: list[Run]) -> None:
    text = page_of(bare, runs).text
    assert "No slices were checked" in text
    assert "No leaks were found" in text
    assert "No other choice was tried." in text
    words = terminal_of(bare, runs)
    assert "Slices: none were checked Leaks: none found Sensitivity: no other choice was tried" in words


def test_parts_of_which_none_is_worse_are_only_counted_in_the_terminal(bare: Comparison, runs: list[Run]) -> None:
    comparison = with_result(bare, slices=parts(["not worse"] * 3))
    assert "Slices: none is worse (3 checked)" in terminal_of(comparison, runs)


# --------------------------------------------------------------------------------------------------------------- leaks


def test_every_kind_of_leak_is_counted_explained_and_linked_to_its_conversation(
    bare: Comparison, runs: list[Run]
) -> None:
    found = [
        Leak(kind=kind, id=f"c{number:03}", other=f"t{number}", likeness=0.873, words="word for word")
        for kind, number in product(KINDS, range(7))
    ]
    comparison = with_result(bare, leaks=found)
    page = page_of(comparison, runs)
    for kind in KINDS:
        assert f"{kind} 7 {LEAKS[kind]}" in page.text
        assert page.text.count(f"{kind} c004 t4 87% word for word") == 1
        assert f"{kind} c005" not in page.text  # Only five of a kind are examples.
    assert {"#c1", "#c5"} <= set(page.values("href"))
    assert ", ".join(f"7 {kind}" for kind in LEAKS) in terminal_of(comparison, runs)


def test_the_lift_without_leaks_stands_beside_them(bare: Comparison, runs: list[Run]) -> None:
    [result] = bare.candidates
    measured = as_lift(result.lifts[0])
    without = replace(measured, lift=0.123, low=0.051, high=0.2, n=20)
    made = [
        choice("as measured", "as measured", measured, "verified"),
        choice("leakage", "without what was seen", without, "not met"),
    ]
    leak = Leak(kind="trained on", id="c003", other="t1", likeness=1.0)
    text = page_of(with_result(bare, leaks=[leak], alternatives=made), runs).text
    leakage = text[text.index("Conversations by kind") : text.index("Sensitivity: would another choice change")]
    assert "without what was seen differs +12% +5% to +20%, n 20 ✗ Does not reach the target" in leakage
    assert "c003 t1 100% –" in leakage


# -------------------------------------------------------------------------------------------------------- other choices


def alternatives(lift: Lift, outcomes: Sequence[Outcome]) -> list[Alternative]:
    """As measured, with the first outcome, then a choice for each of the others, with a lift of 10%, 20%, ..."""
    others = [
        choice("metric", f"choice {place}", replace(lift, lift=place / 10, low=place / 10 - 0.05), outcome)
        for place, outcome in enumerate(outcomes[1:], start=1)
    ]
    return [choice("as measured", "as measured", lift, outcomes[0]), *others]


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (["verified"], ""),
        (
            ["verified", "verified"],
            "No other choice changes whether the lift reaches the target (1 tried). With it the lift is +10% to +10% "
            "on ROUGE-L.",
        ),
        (
            ["verified", "verified", "undecided"],
            "1 of 2 other choices changes whether the lift reaches the target: choice 2 (open on ROUGE-L). "
            "Across them the lift is +10% to +20% on ROUGE-L.",
        ),
        (
            ["undecided", "verified", "not met"],
            "2 of 2 other choices change whether the lift reaches the target: choice 1 (reaches the target on ROUGE-L) "
            "and choice 2 (does not reach the target on ROUGE-L). Across them the lift is +10% to +20% on ROUGE-L.",
        ),
    ],
)
def test_whether_the_verdict_hangs_on_one_choice_is_said(
    outcomes: list[Outcome], words: str, bare: Comparison, runs: list[Run]
) -> None:
    made = alternatives(as_lift(bare.candidates[0].lifts[0]), outcomes)
    assert describe_alternatives(made, ("rougeL",), 0.4) == words
    comparison = with_result(bare, alternatives=made)
    text = page_of(comparison, runs).text
    assert (words or "No other choice was tried.") in text
    assert text.count("differs +") == sum(outcome != outcomes[0] for outcome in outcomes)
    assert (words or "no other choice was tried") in terminal_of(comparison, runs)


def test_a_choice_that_one_headline_lacks_or_that_gives_no_number_is_shown(bare: Comparison, runs: list[Run]) -> None:
    [result] = bare.candidates
    one, other = map(as_lift, result.lifts[:2])
    broken = NoLift(metric=one.metric, signature=one.signature, reason="nothing to score", n=one.n, level=one.level)
    made = [
        choice("as measured", "as measured", one, "verified"),
        choice("metric", "one alone", broken, "unproven"),
        choice("as measured", "as measured", other, "verified"),
        choice("seed", "another", other, "verified"),
    ]
    comparison = replace(with_result(bare, alternatives=made), headlines=(one.metric, other.metric))
    text = page_of(comparison, runs).text
    assert "one alone differs unknown nothing to score –" in text
    assert "one alone (no number on ROUGE-L)" in text


def test_why_texts_could_not_be_scored_again_is_said(bare: Comparison, runs: list[Run]) -> None:
    comparison = replace(bare, missing=bare.missing | {"sensitivity": "the data set is gone"})
    text = page_of(comparison, runs).text
    assert text.count("The summaries could not be scored with other choices: the data set is gone") == 1
    assert text.count("the data set is gone") == 1
    assert "sensitivity: the data set is gone" in terminal_of(comparison, runs)


# --------------------------------------------------------------------------------------------------------------- seeds


def of_seeds(bare: Comparison, runs: Sequence[Run], seeds: int, more: int = 0) -> Comparison:
    """`seeds` of one training, of which the first alone is verified, and `more` candidates by themselves."""
    [result] = bare.candidates
    results = [
        replace(
            result,
            run=run.id,
            verdict=replace(
                result.verdict,
                outcome="verified" if not place else "undecided",
                sentence=f"Single verdict {place}.",
                caveats=["Said of all."],
                proven=[f"Proven by {place}."],
            ),
        )
        for place, run in enumerate(runs[1 : 1 + seeds + more])
    ]
    together = SeedsResult(
        name="smollm2-135m+qlora",
        runs=[one.run for one in results[:seeds]],
        seeds=[7 + place for place in range(seeds)],
        verdict=replace(results[0].verdict, outcome="not met", sentence="Judged together.", proven=["Of all seeds."]),
        lifts=[replace(result.lifts[0], lift=0.333, low=0.3, high=0.366)],
    )
    return replace(bare, candidates=results, seeds=[together])


@pytest.mark.parametrize("number", [3, 5])
def test_the_verdict_of_seeds_together_comes_before_those_of_single_seeds(
    number: int, bare: Comparison, runs: list[Run]
) -> None:
    comparison = of_seeds(bare, runs, number)
    text = page_of(comparison, runs).text
    assert f"smollm2-135m+qlora, {number} seeds, against smollm2-135m" in text
    [answer] = answer_comparison(comparison)
    assert f"✗ {answer.badge}: {answer.advice} {answer.reason}" in text
    assert f"+33% {answer.lifts[0].label}" in text
    order = [answer.reason, "Each seed on its own", "Of all seeds."]
    assert sorted(order, key=text.index) == order
    words = terminal_of(comparison, runs)
    order = ["Of all seeds.", "seed 7 on its own", "seed 8 on its own"]
    assert sorted(order, key=words.index) == order
    lift = comparison.candidates[0].lifts[0]
    for place in range(number):
        outcome = comparison.candidates[place].verdict.outcome
        row = f"{numbers.format_lift(lift, 0.4)} {numbers.format_lift_interval(lift, 0.4)}"
        assert f"seed {7 + place} {row} {SYMBOLS[outcome]} {BADGES[outcome]}" in text
        assert re.search(
            rf"\b{7 + place} \{numbers.format_lift(lift, 0.4)} \(.*?\) \{SYMBOLS[outcome]} {BADGES[outcome]}", words
        )
    # A single seed is told shortly: its verdict is not the one that counts.
    assert "Proven by 0." not in text + words
    assert text.count("Said of all.") == 1


def test_a_candidate_beside_seeds_keeps_its_whole_verdict(bare: Comparison, runs: list[Run]) -> None:
    comparison = of_seeds(bare, runs, 3, more=1)
    text, words = page_of(comparison, runs).text, terminal_of(comparison, runs)
    assert "4 candidates against smollm2-135m" in text
    assert "candidate 4 smollm2-135m+qlora ? Undecided:" in text
    assert "Proven by 3." in text
    assert "Proven by 3." in words
    assert text.index("3 seeds together") < text.index("candidate 4 smollm2")


def test_seeds_judged_over_prompts_that_were_not_measured_have_no_figures(bare: Comparison, runs: list[Run]) -> None:
    comparison = with_verdict(of_seeds(bare, runs, 3), against="best-prompted")
    [family] = comparison.seeds
    family = replace(family, lifts=[], verdict=replace(family.verdict, against="best-prompted"))
    comparison = replace(comparison, seeds=[family])
    assert "big" not in page_of(comparison, runs).values("class")
    assert "7 not measured" in terminal_of(comparison, runs)


# ------------------------------------------------------------------------------------------------------ how, and safety


def test_the_guards_limits_the_device_the_seed_and_its_family_are_on_the_page(
    bare: Comparison, runs: list[Run], tmp_path: Path
) -> None:
    baseline = Run(Path(shutil.copytree(runs[0].folder, tmp_path / runs[0].id)))
    limits = Limits(slices=("company",), unsupported=0.25, faults=0.125)
    changed = replace(baseline.manifest, device="cuda:0", family="fa311" * 12)
    write_atomic(baseline.folder / "manifest.json", changed)
    text = page_of(replace(bare, limits=limits), [Run(baseline.folder), *runs[1:]]).text
    assert "slices company" in text
    assert "unsupported details beyond the humans' 0.25 per summary" in text
    assert "faulty summaries of each kind 12.5%" in text
    assert "decoding device differs cuda:0 unknown" in text
    assert "seed differs 0 1" in text
    assert f"seed group differs {'fa311' * 12} " in text


def filled(record: Any, text: str, ids: frozenset[str]) -> Any:
    """A record, as JSON, with `text` in every free field."""
    free = {
        "sentence", "name", "question", "words", "fix", "proven", "not_proven", "settle", "caveats", "method",
        "problem", "signature", "label", "field", "other", "note", "baseline", "candidate", "key", "floor",
    }  # fmt: skip

    def changed(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: one if name == "metrics" else changed(name, one) for name, one in value.items()}
        if isinstance(value, list):
            return [changed(key, one) for one in value]
        return f"{value} {text}" if isinstance(value, str) and key in free and value not in ids else value

    return changed("", record)


def test_hostile_words_in_a_record_stay_words(bare: Comparison, runs: list[Run]) -> None:
    [result] = bare.candidates
    lift = as_lift(result.lifts[0])
    whole = with_result(
        with_verdict(bare, guards=guards(), caveats=["A caveat."]),
        slices=parts(["worse", "undecided"]),
        leaks=[Leak(kind=kind, id="c003", other="t1", likeness=0.9, words="words") for kind in KINDS],
        alternatives=alternatives(surplus(lift), ["verified", "undecided"]),
    )
    seeds = of_seeds(whole, runs, 3)
    record = json.loads(msgspec.json.encode(seeds))
    ids = frozenset(run.id for run in runs)
    tame, hostile = (page_of(msgspec.convert(filled(record, text, ids), Comparison), runs) for text in (TAME, HOSTILE))
    assert hostile.tags == tame.tags
    assert [name for _, name, _ in hostile.attributes] == [name for _, name, _ in tame.attributes]
    assert loaded(hostile) == []
    assert " ".join(HOSTILE.split()) in hostile.text
    escaped = msgspec.convert(filled(record, "\x1b[31m[red]", ids), Comparison)
    assert "\x1b" not in terminal_of(escaped, runs)


def test_the_same_record_gives_the_same_page(bare: Comparison, runs: list[Run]) -> None:
    comparison = of_seeds(with_result(bare, slices=parts(["worse"])), runs, 3)
    by_id = {run.id: run for run in runs}
    again = msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison)
    assert render_comparison(again, by_id) == render_comparison(comparison, by_id)
