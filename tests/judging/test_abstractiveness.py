"""Writing, not pasting: new bigrams between the best control that copies and the humans, and what is told from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.data.similarity.novelty import Novelty
from liftbench.data.similarity.scored import ScoredSplit
from liftbench.extension.loader import load_plugins
from liftbench.floors.control import ControlRequest
from liftbench.floors.control_scores import ControlScores, SystemScores
from liftbench.floors.controls import BestConstant, SlotTemplate, lead_1
from liftbench.floors.traces import trace_texts
from liftbench.judging.abstractiveness import NO_HUMANS, NOBODY_COPIES, UNSCORED, UNTRACED, Abstractiveness
from liftbench.judging.abstractiveness import measure_abstractiveness as measure
from liftbench.measuring.plan import prepare
from liftbench.metrics.rouge import Rouge
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.run import Limits
from liftbench.statistics.bootstrap import Bootstrap
from liftbench.workflow.setup import resolve_recipe

from ..support.rewrites import drop_function_words, reword, swap_pairs
from ..support.scripted import corpus

BOOTSTRAP = Bootstrap(seed=0, resamples=2000)
N = 12


def conversations(*references: str) -> list[Conversation]:
    """Each says eleven words of its own."""
    return [
        Conversation(
            id=f"c{at}",
            turns=(Turn(role="customer", text=said(at, 11)),),
            references=tuple(f"{reference} {at}" for reference in references),
        )
        for at in range(N)
    ]


def said(at: int, number: int) -> str:
    return " ".join(f"w{at}x{place}" for place in range(number))


def mixed(new: int) -> Callable[[int], str]:
    """A text of ten bigrams, of which `new` are not in the conversation."""
    return lambda at: " ".join([said(at, 11 - new), *(f"new{at}x{place}" for place in range(new))])


def texts_of(write: Callable[[int], str]) -> dict[str, str]:
    return {f"c{at}": write(at) for at in range(N)}


def controls(scored: Sequence[Conversation], **rows: tuple[Callable[[int], str], float]) -> ControlScores:
    """Name → what it writes, and what it scores."""
    return ControlScores(
        key="k",
        dataset="d",
        split="s",
        metrics=[],
        ids=[one.id for one in scored],
        rows=[
            SystemScores(
                name=name,
                role="floor",
                scores={"rougeL": [value] * len(scored)},
                traces=trace_texts([write(at) for at in range(len(scored))], Novelty(scored)),
            )
            for name, (write, value) in rows.items()
        ],
    )


HUMAN = conversations("entirely new words here")  # all bigrams are new


def place(write: Callable[[int], str], beside: ControlScores | None, scored: Sequence[Conversation]) -> Abstractiveness:
    return measure(texts_of(write), ScoredSplit(scored), beside, ["rougeL"], BOOTSTRAP)


@pytest.mark.parametrize(("new", "value"), [(0, -0.25), (2, 0.0), (6, 0.5), (10, 1.0)])
def test_a_position_by_hand(new: int, value: float) -> None:
    found = place(mixed(new), controls(HUMAN, template=(mixed(2), 0.3)), HUMAN)
    assert (found.control, found.n, found.problem) == ("template", N, "")
    assert (found.control_mean, found.candidate_mean) == (pytest.approx(0.2), pytest.approx(new / 10))
    assert found.humans_mean == 1.0
    assert found.value == pytest.approx(value)
    assert found.low == pytest.approx(value)  # all conversations are alike
    assert found.high == pytest.approx(value)


@given(st.lists(st.integers(0, 10), min_size=N, max_size=N))
def test_more_new_words_stand_nearer_to_the_humans(news: list[int]) -> None:
    beside = controls(HUMAN, template=(mixed(2), 0.3))
    fewer = place(lambda at: mixed(news[at])(at), beside, HUMAN)
    more = place(lambda at: mixed(min(news[at] + 1, 10))(at), beside, HUMAN)
    assert (more.value or 0) >= (fewer.value or 0)
    assert (fewer.low or 0) <= (fewer.value or 0) <= (fewer.high or 0)


def test_the_lower_end_is_the_best_control_that_copies() -> None:
    constant: tuple[Callable[[int], str], float] = (lambda _: "the same sentence for everybody", 0.9)
    beside = controls(HUMAN, constant=constant, lead=(mixed(0), 0.2), template=(mixed(4), 0.3), echo=(mixed(1), 0.1))
    assert place(mixed(5), beside, HUMAN).control == "template"


def test_of_several_headlines_the_strictest_control_counts() -> None:
    beside = controls(HUMAN, lead=(mixed(0), 0.2), template=(mixed(4), 0.3))
    lead, template = beside.rows
    lead.scores["content-overlap"], template.scores["content-overlap"] = [0.5] * N, [0.1] * N
    for headlines in (["rougeL", "content-overlap"], ["content-overlap", "rougeL"]):
        assert measure(texts_of(mixed(5)), ScoredSplit(HUMAN), beside, headlines, BOOTSTRAP).control == "template"
    assert measure(texts_of(mixed(5)), ScoredSplit(HUMAN), beside, ["content-overlap"], BOOTSTRAP).control == "lead"


def test_a_control_that_writes_as_people_do_is_no_lower_end() -> None:
    people = [
        msgspec.structs.replace(one, references=(mixed(4 if at % 3 else 10)(at),)) for at, one in enumerate(HUMAN)
    ]
    beside = controls(people, writer=(lambda at: mixed(3 if at % 2 else 8)(at), 0.9), lead=(mixed(0), 0.1))
    found = place(mixed(5), beside, people)
    writer = sum(trace.novel for trace in beside.rows[0].traces) / N
    assert (writer, found.humans_mean) == (pytest.approx(0.55), pytest.approx(0.6))  # lower, but not apart
    assert found.control == "lead"


def test_an_empty_or_missing_text_has_nothing_new() -> None:
    beside = controls(HUMAN, template=(mixed(2), 0.3))
    for texts in ({}, texts_of(lambda _: ""), texts_of(lambda _: "Word.")):
        assert measure(texts, ScoredSplit(HUMAN), beside, ["rougeL"], BOOTSTRAP).value == pytest.approx(-0.25)


@pytest.mark.parametrize(
    ("beside", "scored", "problem"),
    [
        (None, HUMAN, UNTRACED),
        (controls(HUMAN), HUMAN, UNTRACED),
        (controls(HUMAN, lead=(mixed(0), 0.2)), conversations(), NO_HUMANS),
        (controls(HUMAN, constant=(lambda _: "the same sentence", 0.2)), HUMAN, NOBODY_COPIES),
        (controls(HUMAN[:1], lead=(mixed(0), 0.2)), HUMAN[:1], "at least 5 conversations"),
    ],
)
def test_without_an_end_there_is_no_position_but_a_reason(
    beside: ControlScores | None, scored: Sequence[Conversation], problem: str
) -> None:
    found = place(mixed(5), beside, scored)
    assert (found.value, found.low, found.high, found.control) == (None, None, None, "")
    assert problem in found.problem


def test_controls_without_a_score_on_a_headline_are_no_end() -> None:
    beside = controls(HUMAN, lead=(mixed(0), 0.2))
    found = measure(texts_of(mixed(5)), ScoredSplit(HUMAN), beside, ["key-facts"], BOOTSTRAP)
    assert (found.value, found.problem) == (None, UNSCORED)


def test_people_who_copy_demand_no_writing() -> None:
    extracts = conversations()
    extracts = [msgspec.structs.replace(one, references=(said(at, 8),)) for at, one in enumerate(extracts)]
    found = place(mixed(5), controls(extracts, lead=(mixed(0), 0.2)), extracts)
    assert (found.value, found.problem) == (None, NOBODY_COPIES)
    assert found.humans_mean == 0.0


def test_it_is_what_a_recipe_may_set_and_old_records_have() -> None:
    assert msgspec.convert({"faults": 0.02}, Limits).abstraction == 0.5
    assert msgspec.convert({"abstraction": 0}, Limits).abstraction == 0
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"abstraction": -0.1}, Limits)


# --------------------------------------------------------------------------------------------------------- on real data


class Real:
    """A corpus, and what the slot template makes of it."""

    def __init__(self, scored: Sequence[Conversation], training: Sequence[Conversation]) -> None:
        self.scored = list(scored)
        request = ControlRequest(training=tuple(training), seed=0)
        made = {
            "slot-template": SlotTemplate(request),
            "best-constant": BestConstant(request),
            "lead-1": lead_1(request),
        }
        self.texts = {name: control.write(self.scored) for name, control in made.items()}
        rouge = Rouge("rougeL")
        rows = [
            SystemScores(
                name=name,
                role="floor",
                scores={"rougeL": rouge.score(texts, self.scored)},
                traces=trace_texts(texts, Novelty(self.scored)),
            )
            for name, texts in self.texts.items()
        ]
        ids = [one.id for one in self.scored]
        self.controls = ControlScores(key="k", dataset="d", split="s", metrics=[], ids=ids, rows=rows)

    def place(self, texts: Sequence[str]) -> Abstractiveness:
        given = {one.id: text for one, text in zip(self.scored, texts, strict=True)}
        return measure(given, ScoredSplit(self.scored), self.controls, ["rougeL"], BOOTSTRAP)

    def edit(self, edit: Callable[[str], str], control: str = "slot-template") -> list[str]:
        return list(map(edit, self.texts[control]))


@pytest.fixture(scope="module")
def helpdesk() -> Real:
    return Real(corpus("test"), corpus("train"))


@pytest.fixture(scope="module")
def real_tweetsumm(tweetsumm: Path) -> Real:
    given = {"dataset": "tweetsumm", "data_dir": str(tweetsumm), "split": "validation"}
    only = ['metrics.names=["rougeL"]', 'metrics.headlines=["rougeL"]']
    measurement = prepare(resolve_recipe(None, given, [], only), load_plugins())
    return Real([measurement.conversations[id_] for id_ in measurement.scored], measurement.training)


def test_on_tweetsumm_the_ends_are_as_measured(real_tweetsumm: Real) -> None:
    found = real_tweetsumm.place(real_tweetsumm.texts["slot-template"])
    assert (found.control, found.value) == ("slot-template", pytest.approx(0.0))
    assert found.control_mean == pytest.approx(0.272, abs=0.001)
    assert found.humans_mean == pytest.approx(0.713, abs=0.001)


@pytest.mark.parametrize("corpus_name", ["helpdesk", "real_tweetsumm"])
def test_people_pass_and_rewrites_of_a_control_do_not(corpus_name: str, request: pytest.FixtureRequest) -> None:
    real: Real = request.getfixturevalue(corpus_name)
    limit = Limits().abstraction
    people = real.place([one.references[0] for one in real.scored])
    assert (people.low or 0) > 0.9
    for pasted in (real.texts["slot-template"], real.edit(reword), real.texts["lead-1"], real.edit(reword, "lead-1")):
        found = real.place(pasted)
        assert (found.high if found.high is not None else 1) < limit
    # What this measure alone cannot surely see: words in another order, and sentences about nothing.
    for blind in (real.edit(swap_pairs), real.edit(drop_function_words), real.texts["best-constant"]):
        assert (real.place(blind).high or 0) > limit
