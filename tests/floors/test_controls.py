"""Controls: what they settle on and score, and that a floor never looks at what it is scored against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.data.jsonl import read_jsonl
from liftbench.errors import PrerequisiteError
from liftbench.floors import controls
from liftbench.floors.control import Control, ControlRequest
from liftbench.floors.controls import BestConstant, ExtractiveOracle, RandomSummary, SlotTemplate
from liftbench.metrics.rouge import Rouge
from liftbench.records.conversation import Conversation, Turn
from liftbench_plugins.register import CONTROLS

ROUGE = Rouge("rougeL")
MAKERS: dict[str, Callable[[ControlRequest], Control]] = {
    name: getattr(controls, target) for name, target, _ in CONTROLS
}
LEARNERS = ("best-constant", "slot-template", "random-summary")


def talk(*turns: str, id_: str = "a", references: tuple[str, ...] = ()) -> Conversation:
    """A conversation from `role: text` lines."""
    split = (turn.split(": ", 1) for turn in turns)
    return Conversation(id=id_, turns=tuple(Turn(role=role, text=text) for role, text in split), references=references)


def made(name: str, training: list[Conversation], seed: int = 0) -> Control:
    return MAKERS[name](ControlRequest(training=tuple(training), seed=seed))


def mean(texts: list[str], conversations: list[Conversation]) -> float:
    return fmean(value or 0.0 for value in ROUGE.score(texts, conversations))


# ----------------------------------------------------------------------------------------- copied from the conversation

TALK = talk("customer: My parcel is late", "agent: Sorry!", "customer: I need it by Friday", "agent: It comes today")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lead-1", "My parcel is late"),
        ("lead-2", "My parcel is late Sorry!"),
        ("longest-turn", "I need it by Friday"),
        ("whole-conversation", "My parcel is late Sorry! I need it by Friday It comes today"),
    ],
)
def test_copies_are_the_turns_as_they_are(name: str, text: str) -> None:
    assert made(name, []).write([TALK]) == [text]


def test_leads_take_what_a_short_conversation_has() -> None:
    assert made("lead-2", []).write([talk("customer: Hello")]) == ["Hello"]


def test_the_longest_turn_is_the_one_with_most_words_and_the_first_of_equals() -> None:
    assert made("longest-turn", []).write([talk("a: incomprehensibilities", "b: one two", "a: six ten")]) == ["one two"]


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("the parcel is late and comes today", "My parcel is late It comes today"),
        ("parcel late: it comes today", "My parcel is late It comes today"),
        ("sorry", "Sorry!"),
        ("nothing of the kind", ""),
    ],
    ids=["two turns", "in the conversation's order", "one suffices", "none helps"],
)
def test_the_oracle_chooses_turns_while_that_helps(reference: str, text: str) -> None:
    assert made("extractive-oracle", []).write([replace(TALK, references=(reference,))]) == [text]


def test_the_oracle_serves_all_references_and_is_mute_without_any() -> None:
    both = replace(TALK, references=("My parcel is late", "It comes today"))
    assert made("extractive-oracle", []).write([both, TALK]) == ["My parcel is late It comes today", ""]


# ---------------------------------------------------------------------------------------------- learned from training


def test_the_best_constant_is_the_reference_with_the_best_mean_over_the_training_split(
    conversations: list[Conversation],
) -> None:
    candidates = [reference for one in conversations for reference in one.references]
    means = [mean([candidate] * len(conversations), conversations) for candidate in candidates]
    constant = made("best-constant", conversations)
    assert constant.note == candidates[means.index(max(means))]
    assert constant.write(conversations[:3]) == [constant.note] * 3


def test_a_conversation_with_many_references_counts_no_more_than_another() -> None:
    many = talk("customer: hi", references=("the order is late",) * 5)
    few = [talk("customer: hi", id_=id_, references=("a refund was sent",)) for id_ in "bc"]
    assert made("best-constant", [many, *few]).note == "a refund was sent"


def test_blocks_of_candidates_change_nothing(
    conversations: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made("best-constant", conversations).note
    monkeypatch.setattr(controls, "CANDIDATES_AT_ONCE", 5)
    assert made("best-constant", conversations).note == whole


def test_the_random_summary_depends_on_seed_and_id_alone(conversations: list[Conversation]) -> None:
    training, scored = conversations[:8], conversations
    texts = dict(zip((one.id for one in scored), made("random-summary", training).write(scored), strict=True))
    backwards = scored[::-1][:5]
    assert made("random-summary", training).write(backwards) == [texts[one.id] for one in backwards]
    assert set(texts.values()) <= {reference for one in training for reference in one.references}
    assert made("random-summary", training, seed=1).write(scored) != list(texts.values())


def order(number: int, asker: str = "customer", answerer: str = "agent") -> Conversation:
    wrong, promise = f"item{number} broke in room{number}", f"crew{number} comes at hour{number}"
    return talk(
        f"{asker}: {wrong} " + "and so on " * 20,
        f"{answerer}: oh dear",
        f"{answerer}: noted. {promise}",
        id_=str(number),
        references=(f"The {asker} complains that {wrong}. The {answerer} promises that {promise} for good.",),
    )


@pytest.mark.parametrize(("asker", "answerer"), [("customer", "agent"), ("guest", "clerk")])
def test_the_slot_template_finds_the_phrases_and_the_words_between_them(
    asker: str, answerer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SlotTemplate, "ASKER_WORDS", (2, 4, 8))
    monkeypatch.setattr(SlotTemplate, "ANSWERER_WORDS", (2, 4, 8))
    template = made("slot-template", [order(number, asker, answerer) for number in range(12)])
    assert template.note == (
        f"The {asker} complains that {{first 4 words of the {asker}}}. "
        f"The {answerer} promises that {{last 4 words of the {answerer}'s last turn}} for good."
    )
    assert template.write([order(99, asker, answerer)]) == list(order(99, asker, answerer).references)


def test_a_silent_role_leaves_its_slot_empty() -> None:
    template = controls.Template(
        asker="customer", answerer="agent", opening="They ask", asker_words=2, middle="", answerer_words=2, closing=""
    )
    assert template.write(talk("customer: why so late?", "agent: Sorry, busy day.")) == "They ask why so. busy day."
    assert template.write(talk("customer: why?")) == "They ask why."
    assert template.write(talk("bot: hello")) == "They ask."


def test_tuning_is_deterministic_and_never_worse_than_where_it_starts(conversations: list[Conversation]) -> None:
    first, again = made("slot-template", conversations), made("slot-template", conversations)
    assert first.note == again.note
    longest = mean(made("longest-turn", []).write(conversations), conversations)
    assert mean(first.write(conversations), conversations) > longest


@pytest.mark.parametrize("references", [("Yes.",), ("One sentence about nobody",)])
def test_references_without_later_sentences_still_give_a_template(references: tuple[str, ...]) -> None:
    training = [talk("customer: is it so", id_=str(number), references=references) for number in range(3)]
    assert made("slot-template", training).write(training)[0]


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("training", [[], [TALK]], ids=["no split", "no references"])
def test_what_learns_says_what_it_lacks(name: str, training: list[Conversation]) -> None:
    with pytest.raises(PrerequisiteError, match=rf"(?s)'{name}'.*training split.*data\.train_split"):
        made(name, training)


@pytest.mark.parametrize("name", LEARNERS)
def test_training_conversations_without_references_are_passed_over(
    name: str, conversations: list[Conversation]
) -> None:
    assert made(name, [TALK, *conversations]).note


# -------------------------------------------------------------------------------------------------------------- floors


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=10)
@given(references=st.lists(st.text(min_size=1), max_size=3).map(tuple))
def test_only_a_bound_looks_at_references(name: str, references: tuple[str, ...]) -> None:
    training = [order(number) for number in range(4)]
    scored = order(7)
    other = replace(scored, references=references, extracts=references)
    control = made(name, training)
    if control.role == "floor":
        assert control.write([other]) == control.write([scored])
    assert control.role == ("bound" if name == "extractive-oracle" else "floor")


def test_every_control_writes_one_text_a_conversation(conversations: list[Conversation]) -> None:
    for name in MAKERS:
        assert len(made(name, conversations[:6]).write(conversations[6:])) == 6, name
        assert made(name, conversations[:6]).write([]) == [], name


# ----------------------------------------------------------------------------------------------------------- TweetSumm


def test_floors_on_tweetsumm_are_where_they_were_measured(tweetsumm: Path) -> None:
    training, scored = read_jsonl(tweetsumm / "train.jsonl"), read_jsonl(tweetsumm / "validation.jsonl")
    request = ControlRequest(training=tuple(training), seed=0)
    values = {
        kind.__name__: mean(kind(request).write(scored), scored)
        for kind in (BestConstant, SlotTemplate, RandomSummary, ExtractiveOracle)
    }
    # Of humans against each other 0.355 was measured: words in the right places are worth as much, without a model.
    assert values["SlotTemplate"] > 0.34
    assert values["BestConstant"] == pytest.approx(0.267, abs=0.0005)
    assert values["RandomSummary"] < values["BestConstant"] < values["ExtractiveOracle"]
