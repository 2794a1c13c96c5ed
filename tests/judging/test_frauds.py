"""Planted frauds: each way of flattering a verdict is tried on a real corpus, and caught by name.

The texts are given, and all else is real: helpdesk's conversations, the harness, every metric of the default recipe,
the controls, the guards. The honest candidate writes as people do: it gives each conversation's second human summary,
and is scored against the first.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from liftbench.data.similarity.fingerprints import training_row
from liftbench.errors import UsageError
from liftbench.files import read_lines, write_atomic, write_lines
from liftbench.floors.background import measure_background
from liftbench.floors.control import ControlRequest
from liftbench.floors.controls import BestConstant, SlotTemplate
from liftbench.judging.compare import CandidateResult, compare
from liftbench.judging.guards import GUARDS, PEOPLE
from liftbench.judging.sensitivity import scorers
from liftbench.judging.verdict import Verdict
from liftbench.progress import no_progress
from liftbench.prompts.spec import prompt_spec
from liftbench.records.run import SampleScores
from liftbench.records.system import AdapterRecord, Shot
from liftbench.runs.directory import Run
from liftbench.text.transcript import transcript

from ..support.build import TRAINING, reseal
from ..support.lifts import as_lift
from ..support.scripted import ADAPTER, BASE, Bench, corpus, honest, scored, untuned


@pytest.fixture
def bench(scripted: Bench) -> Bench:
    return scripted


def states(verdict: Verdict) -> dict[str, str]:
    return {guard.name: guard.state for guard in verdict.guards if guard.state != "passed"}


def caught(result: CandidateResult, guard: str, *words: str) -> None:
    """The verdict is unproven, its sentence names the guard, and what the guard found is told."""
    verdict = result.verdict
    assert verdict.outcome == "unproven"
    assert verdict.sentence.startswith("Not proven:")
    assert guard in states(verdict)
    assert guard in verdict.sentence
    found = next(one for one in verdict.guards if one.name == guard)
    assert f"{found.question} {found.words}" in verdict.not_proven
    assert found.fix
    for each in words:
        assert each in found.words


# ---------------------------------------------------------------------------------------------------------- the honest


def test_the_honest_candidate_is_verified(bench: Bench) -> None:
    verdict = bench.judge(bench.measure(honest())).verdict
    assert states(verdict) == {}
    assert verdict.outcome == verdict.lift == "verified"
    assert [guard.name for guard in verdict.guards] == [name for name in GUARDS if name != PEOPLE]


# ---------------------------------------------------------------------------------------------------------- the frauds


def constant(_: Bench) -> dict[str, str]:
    text = BestConstant(ControlRequest(training=corpus("train"), seed=0)).note
    return dict.fromkeys(honest(), text)


def slot_template(_: Bench) -> dict[str, str]:
    texts = SlotTemplate(ControlRequest(training=corpus("train"), seed=0)).write(scored())
    return dict(zip(honest(), texts, strict=True))


def copied_summaries(_: Bench) -> dict[str, str]:
    references = [one.references[0] for one in corpus("train")]
    return {id_: references[number % len(references)] for number, id_ in enumerate(honest())}


def invented_numbers(_: Bench) -> dict[str, str]:
    return {id_: f"{text} The order number is 4821{7000 + n}." for n, (id_, text) in enumerate(honest().items())}


def empty_on_a_tenth(_: Bench) -> dict[str, str]:
    return {id_: "" if number % 10 == 0 else text for number, (id_, text) in enumerate(honest().items())}


def in_circles(_: Bench) -> dict[str, str]:
    return {id_: f"{text} {text}" for id_, text in honest().items()}


def copied_references(_: Bench) -> dict[str, str]:
    return {one.id: one.references[0] for one in scored()}


def edited_references(_: Bench) -> dict[str, str]:
    words = {one.id: one.references[0].split() for one in scored()}
    return {
        id_: " ".join(part for at, word in enumerate(some) for part in (["also", word] if at % 7 == 0 else [word]))
        for id_, some in words.items()
    }


def begun_references(_: Bench) -> dict[str, str]:
    words = {one.id: one.references[0].split() for one in scored()}
    return {id_: " ".join([*some[: len(some) * 4 // 5], "and so on and so forth"]) for id_, some in words.items()}


def another_language(_: Bench) -> dict[str, str]:
    foreign = "Der Kunde beschwert sich über die verspätete Lieferung, und der Mitarbeiter bittet um die Bestellnummer."
    return {id_: f"{foreign} Vorgang {n}." if n % 5 == 0 else t for n, (id_, t) in enumerate(honest().items())}


@pytest.mark.parametrize(
    ("write", "guard", "words"),
    [
        (constant, "controls", "scores lower than the best control"),
        (constant, "degeneration", "another conversation's text again"),
        (slot_template, "controls", "slot-template"),
        (copied_summaries, "leakage", "copies of training summaries"),
        (copied_references, "leakage", "copies of the human summaries"),
        (edited_references, "leakage", "copies of the human summaries"),
        (begun_references, "leakage", "copies of the human summaries"),
        (invented_numbers, "facts", "invented details"),
        (empty_on_a_tenth, "endings", "11 of 104 summaries are empty"),
        (in_circles, "degeneration", "repeat themselves"),
        (another_language, "language", "another language"),
    ],
)
def test_what_is_written(bench: Bench, write: Callable[[Bench], dict[str, str]], guard: str, words: str) -> None:
    caught(bench.judge(bench.measure(write(bench))), guard, words)


def test_one_that_never_stops(bench: Bench) -> None:
    candidate = bench.measure(honest(), endings=dict.fromkeys(honest(), "length"))
    caught(bench.judge(candidate), "endings", "104 of 104 summaries had no end")


@pytest.mark.parametrize(
    ("part", "words"), [("train", "5 scored conversations were trained on"), ("validation", "5 scored conversations")]
)
def test_one_that_saw_scored_conversations_in_training(bench: Bench, part: Any, words: str) -> None:
    rows = [training_row(one, "train") for one in corpus("train")]
    rows += [training_row(replace(one, id=f"other-{one.id}"), part) for one in scored()[:5]]
    result = bench.judge(bench.measure(honest(), rows=rows))
    caught(result, "leakage", words, "chose the checkpoint" if part == "validation" else "trained on")
    without = [choice for choice in result.alternatives if choice.kind == "leakage"]
    assert {choice.lift.n for choice in without} == {99}


def test_one_that_saw_nearly_the_same_conversations(bench: Bench) -> None:
    near = [replace(one, id=f"{one.id}-again", turns=one.turns[:-1]) for one in scored()[:3] if len(one.turns) > 4]
    rows = [training_row(one, "train") for one in (*corpus("train"), *near)]
    caught(bench.judge(bench.measure(honest(), rows=rows)), "leakage", "nearly the same")


def test_scored_conversations_as_examples_in_the_prompt(bench: Bench) -> None:
    shot = Shot(id="x", transcript=transcript(scored()[3].turns), summary="Something.")
    prompt = prompt_spec("Summarize.\n\n{conversation}", "", "plain", shots=(shot,))
    result = bench.judge(bench.measure(honest(), adapter=None, system={"prompt": prompt}))
    caught(result, "leakage", "1 scored conversations", "stand in the prompt")


def test_an_adapter_without_provenance(bench: Bench) -> None:
    unknown = replace(ADAPTER, base_sha256=None, trainer=None, precision=None, family=None)
    result = bench.judge(bench.measure(honest(), adapter=unknown, rows=[]))
    caught(result, "leakage", "not recorded")
    assert states(result.verdict) == {"leakage": "not run", "same base": "not run", "seeds": "not run"}


def test_an_adapter_whose_provenance_was_edited_is_of_unknown_origin(bench: Bench) -> None:
    """It passed as one that has no training with seeds: the best of several could be shown alone."""
    edited = AdapterRecord(sha256=ADAPTER.sha256)
    result = bench.judge(bench.measure(honest(), adapter=edited, rows=[]))
    caught(result, "seeds", "Which training it is from is not recorded")
    caught(result, "leakage", "not recorded")
    assert not any("no training with seeds" in guard.words for guard in result.verdict.guards)


def test_one_unrelated_row_in_place_of_all_that_was_trained_on(bench: Bench) -> None:
    """It passed as: None of the 1 conversations used in training is a scored one."""
    rows = [training_row(one, "train") for one in (*corpus("train"), *scored()[:5])]
    candidate = bench.measure(honest(), rows=rows)
    write_lines(candidate.folder / "training" / "rows.jsonl", rows[:1])
    with pytest.raises(UsageError, match=r"training/rows\.jsonl is not the one"):
        bench.judge(Run(candidate.folder))
    # And were the sums made again, the adapter's own record of its training would tell.
    result = bench.judge(reseal(candidate))
    caught(result, "leakage", f"lists 1 conversation used in training, which are not the {len(rows)} that")
    assert states(result.verdict) == {"leakage": "not run"}


def test_rows_of_a_training_of_another_size(bench: Bench) -> None:
    candidate = bench.measure(honest())
    count = len(candidate.training_rows or [])
    summary = replace(TRAINING, conversations=count)
    write_atomic(candidate.folder / "training" / "summary.json", summary)
    assert bench.judge(reseal(candidate)).verdict.outcome == "verified"
    write_atomic(candidate.folder / "training" / "summary.json", replace(summary, conversations=count + 1))
    caught(bench.judge(reseal(candidate)), "leakage", f"{count} of them to train on", f"summary says {count + 1}")


def test_scores_of_better_texts(bench: Bench) -> None:
    """The sensitivity page scored the texts again and said *not met*, and the verdict said *verified*."""
    good, plain = bench.measure(honest()), bench.measure(untuned())
    shutil.copy(good.folder / "scores.jsonl", plain.folder / "scores.jsonl")
    with pytest.raises(
        UsageError, match=re.escape(f"scores.jsonl is not the one that run {plain.id} was completed with")
    ):
        bench.judge(Run(plain.folder))
    metrics = scorers(bench.baseline, bench.baseline.manifest.headlines, bench.plugins)
    assert states(bench.judge(good, metrics=metrics).verdict) == {}
    result = bench.judge(reseal(plain), metrics=metrics)
    for headline in ("ROUGE-L", "content-overlap"):
        caught(result, "scores", f"recorded {headline} differs from the texts' in 104 of 104 conversations")


def test_the_baseline_under_another_name(bench: Bench) -> None:
    result = bench.judge(bench.measure(untuned()))
    caught(result, "effect", "104 of 104 texts are those of the baseline")
    assert result.verdict.lift == "not met"


def test_an_adapter_as_the_baseline(bench: Bench) -> None:
    (result,) = compare(bench.measure(untuned()), [bench.measure(honest())], bench.background).candidates
    caught(result, "same base", "The baseline has an adapter, too")
    assert not any("untuned" in words for words in result.verdict.proven)


def test_another_model_as_the_baseline(bench: Bench) -> None:
    larger = replace(BASE, sha256="1a59e" + "0" * 59)
    adapter = replace(ADAPTER, base_sha256=larger.sha256)
    caught(
        bench.judge(bench.measure(honest(), adapter=adapter, system={"model": larger})), "same base", "other weights"
    )


@pytest.mark.parametrize("adapter", [ADAPTER, None])
def test_a_baseline_that_was_asked_badly(bench: Bench, adapter: AdapterRecord | None) -> None:
    prompt = prompt_spec("Sum it up well, please.\n\n{conversation}", "", "plain")
    candidate = bench.measure(honest(), adapter=adapter, system={"prompt": prompt})
    caught(bench.judge(candidate), "same base", "another prompt")


def test_scored_conversations_pasted_into_the_template(bench: Bench) -> None:
    pasted = "\n".join(" ".join([*(turn.text for turn in one.turns), *one.references]) for one in scored())
    prompt = prompt_spec(f"Learn from these:\n{pasted}\n\nNow summarize.\n\n{{conversation}}", "", "plain")
    room = ["generation.max_input_tokens=100000"]
    candidate = bench.measure(honest(), system={"prompt": prompt}, settings=room)
    baseline = bench.measure(untuned(), adapter=None, settings=room)
    (result,) = compare(baseline, [candidate], bench.background).candidates
    caught(result, "leakage", "104 scored conversations", "stand in the prompt")


def test_one_conversation_scored_again_and_again(bench: Bench) -> None:
    ids = [one.id for one in scored()]
    few = {one.id: one for one in scored()[:8]}
    again = [replace(few[ids[number % 8]], id=id_) for number, id_ in enumerate(ids)]
    texts = {id_: honest()[ids[number % 8]] for number, id_ in enumerate(ids)}
    write_lines(bench.folder / "repeated.jsonl", again)
    plain = {id_: untuned()[ids[number % 8]] for number, id_ in enumerate(ids)}
    baseline, candidate = (
        bench.measure(said, adapter=adapter, settings=["data.split=repeated"])
        for said, adapter in ((plain, None), (texts, ADAPTER))
    )
    (result,) = compare(
        baseline, [candidate], measure_background(baseline, bench.plugins, no_progress, no_progress)
    ).candidates
    assert (result.verdict.outcome, result.lifts[0].units) == ("undecided", 8)
    assert {leak.kind for leak in result.leaks} == {"twice"}


def test_conversations_that_were_shown_in_part(bench: Bench) -> None:
    settings = ["generation.max_input_tokens=60"]
    baseline = bench.measure(untuned(), adapter=None, settings=settings)
    candidate = bench.measure(honest(), settings=settings)
    (result,) = compare(baseline, [candidate], bench.background).candidates
    caught(result, "truncation", "only a part")


def test_another_output_budget_is_refused_by_name(bench: Bench) -> None:
    candidate = bench.measure(honest(), settings=["generation.max_new_tokens=200"])
    with pytest.raises(UsageError, match="max_new_tokens: 80 against 200"):
        bench.judge(candidate)


def test_a_metric_without_a_number(bench: Bench) -> None:
    settings = ['metrics.extra=["holey"]', 'metrics.headlines=["holey", "rougeL"]']
    baseline = bench.measure(untuned(), adapter=None, settings=settings)
    candidate = bench.measure(honest(), settings=settings)
    (result,) = compare(baseline, [candidate], bench.background).candidates
    caught(result, "scores", "holey has no number for 1 of 104")


def test_a_conversation_without_a_score(bench: Bench) -> None:
    candidate = bench.measure(honest())
    path = candidate.folder / "scores.jsonl"
    rows = read_lines(path, SampleScores)
    write_lines(path, rows[1:])
    caught(bench.judge(reseal(candidate)), "scores", "1 conversations have scores in only one", rows[0].id)


def test_gains_on_most_that_hide_a_loss_on_some(bench: Bench) -> None:
    long = sorted(scored(), key=lambda one: len(one.turns))[-45:]
    texts = honest() | {one.id: f"Nothing of note was said by {one.turns[0].text.split()[0]}." for one in long}
    result = bench.judge(bench.measure(texts))
    caught(result, "slices", "turns")
    assert all(as_lift(lift).lift > 0 for lift in result.lifts[:2])


def test_texts_made_elsewhere_prove_nothing(bench: Bench) -> None:
    system = {"kind": "predictions", "model": None, "prompt": None, "generation_verified": False}
    candidate = bench.measure(honest(), adapter=None)
    manifest = candidate.manifest
    candidate.manifest = replace(manifest, system=replace(manifest.system, **system))
    result = bench.judge(candidate)
    caught(result, "leakage", "made elsewhere")
    assert states(result.verdict)["same base"] == "not run"
