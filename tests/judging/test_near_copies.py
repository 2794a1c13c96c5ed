"""Near copies: a control's own texts, edited, are known from their words, with or without the control's texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from liftbench.data.similarity.novelty import Novelty
from liftbench.floors.control import ControlRequest
from liftbench.floors.control_scores import HUMANS, ControlScores, SystemScores
from liftbench.floors.controls import LongestTurn, SlotTemplate, lead_1
from liftbench.floors.traces import trace_texts
from liftbench.judging.near_copies import find_near_copies
from liftbench.records.conversation import Conversation

from ..support.rewrites import drop_function_words, reword, swap_pairs
from ..support.scripted import corpus

SCORED = list(corpus("test"))
IDS = [one.id for one in SCORED]


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    request = ControlRequest(training=corpus("train"), seed=0)
    made = {"lead-1": lead_1(request), "slot-template": SlotTemplate(request), "longest-turn": LongestTurn(request)}
    return {name: control.write(SCORED) for name, control in made.items()}


@pytest.fixture(scope="module")
def controls(texts: dict[str, list[str]]) -> ControlScores:
    rows = [
        SystemScores(name=name, role="floor", traces=trace_texts(written, Novelty(SCORED)))
        for name, written in texts.items()
    ]
    rows.append(SystemScores(name="oracle", role="bound", texts=texts["lead-1"]))
    rows.append(SystemScores(name="learned", role="floor", missing="there is no training split"))
    rows.append(SystemScores(name=HUMANS, role="humans"))
    return ControlScores(key="k", dataset="d", split="s", metrics=[], ids=IDS, rows=rows)


def named(texts: Sequence[str]) -> dict[str, str]:
    return dict(zip(IDS, texts, strict=True))


@pytest.mark.parametrize(
    "edit",
    [str, str.upper, reword, drop_function_words, lambda text: drop_function_words(reword(text)), swap_pairs],
    ids=["as it is", "upper case", "reworded", "function words dropped", "both", "pairs swapped"],
)
def test_a_control_is_known_under_its_edits(
    texts: dict[str, list[str]], controls: ControlScores, edit: Callable[[str], str]
) -> None:
    first, *others = find_near_copies(named(list(map(edit, texts["slot-template"]))), controls)
    assert first.control == "slot-template"
    assert (first.share or 0) > 0.9
    assert all((one.share or 0) < 0.5 for one in others)


def test_people_are_no_copies(controls: ControlScores) -> None:
    for place in (0, 1):
        found = find_near_copies(named([one.references[place] for one in SCORED]), controls)
        assert [one.share for one in found] == [0.0, 0.0, 0.0]
        assert {one.n for one in found} == {len(SCORED)}


def test_each_text_is_compared_with_the_control_of_its_own_conversation(
    texts: dict[str, list[str]], controls: ControlScores
) -> None:
    shifted = [*texts["slot-template"][1:], texts["slot-template"][0]]
    assert max(one.share or 0 for one in find_near_copies(named(shifted), controls)) < 0.1


def test_it_names_the_conversations(texts: dict[str, list[str]], controls: ControlScores) -> None:
    given = named(["Nothing of it."] * len(IDS)) | {
        IDS[3]: texts["slot-template"][3],
        IDS[5]: texts["slot-template"][5],
    }
    found = {one.control: one for one in find_near_copies(given, controls)}
    assert found["slot-template"].ids == [IDS[3], IDS[5]]
    assert found["slot-template"].share == pytest.approx(2 / len(IDS))


def test_what_a_control_wrote_may_not_be_known(texts: dict[str, list[str]], controls: ControlScores) -> None:
    rows = [row if row.name == "lead-1" else _untraced(row) for row in controls.rows]
    older = ControlScores(key="k", dataset="d", split="s", metrics=[], ids=IDS, rows=rows)
    found = find_near_copies(named(texts["slot-template"]), older)
    assert {one.control: one.ids is None for one in found} == {
        "lead-1": False, "slot-template": True, "longest-turn": True
    }  # fmt: skip
    assert found[0].control == "lead-1"
    assert found[-1].share is None


def _untraced(row: SystemScores) -> SystemScores:
    return SystemScores(name=row.name, role=row.role, missing=row.missing)


def test_empty_texts_copy_nothing(controls: ControlScores) -> None:
    assert {one.share for one in find_near_copies(named([""] * len(IDS)), controls)} == {0.0}
    assert {(one.n, one.share) for one in find_near_copies({}, controls)} == {(0, 0.0)}


def test_a_conversation_of_one_word_that_a_control_leaves_empty_is_no_copy() -> None:
    silent = [Conversation(id="c", turns=(), references=("Nothing was said.",))]
    row = SystemScores(name="lead-1", role="floor", traces=trace_texts([""], Novelty(silent)))
    alone = ControlScores(key="k", dataset="d", split="s", metrics=[], ids=["c"], rows=[row])
    (found,) = find_near_copies({"c": ""}, alone)
    assert found.ids == []
