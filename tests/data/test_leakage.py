"""What a candidate has seen of what it is scored on: found where it has, and never alleged of strangers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.config import DataSection
from liftbench.data.fingerprints import training_row
from liftbench.data.leakage import ALIKE, leaks
from liftbench.data.sources import open_dataset, read_split
from liftbench.plugins import load_plugins
from liftbench.prompts import transcript
from liftbench.types import Conversation, Leak, Shot, TrainingRow, Turn


def said(prefix: str, count: int) -> str:
    """So many words that nobody says who has another prefix."""
    return " ".join(f"{prefix}{number}" for number in range(count))


def conversation(id_: str, *texts: str, references: tuple[str, ...] = ()) -> Conversation:
    roles = ("customer", "agent")
    turns = tuple(Turn(role=roles[place % 2], text=text) for place, text in enumerate(texts))
    return Conversation(id=id_, turns=turns, references=references)


def trained_on(*conversations: Conversation) -> list[TrainingRow]:
    return [training_row(one, "train") for one in conversations]


def kinds(found: list[Leak]) -> list[tuple[str, str, str]]:
    return [(leak.kind, leak.id, leak.other) for leak in found]


SCORED = conversation("s", said("problem", 40), said("question", 30), said("answer", 40))


# ------------------------------------------------------------------------------------------------------- conversations


@pytest.mark.parametrize(
    ("texts", "likeness"),
    [
        ((said("problem", 40).upper() + "!", said("question", 30), said("answer", 40)), 1.0),
        ((said("problem", 40).replace("problem20", "other"), said("question", 30), said("answer", 40)), 0.95),
        ((said("problem", 40), said("question", 30)), 1.0),
        ((said("question", 30), said("answer", 40)), 1.0),
        ((said("before", 30), *(turn.text for turn in SCORED.turns), said("after", 60)), 1.0),
        ((*(turn.text for turn in SCORED.turns), said("after", 400)), 1.0),
        ((said("problem", 30), said("other", 30)), 0.46),
        ((said("other", 40), said("words", 30), said("entirely", 40)), 0.0),
    ],
    ids=["case", "a word", "end cut off", "beginning cut off", "a longer thread", "far longer", "half", "a stranger"],
)
def test_what_is_like_a_training_conversation_was_trained_on(texts: tuple[str, ...], likeness: float) -> None:
    found = leaks([SCORED], {}, trained_on(conversation("t", *texts)))
    assert kinds(found) == ([("trained on", "s", "t")] if likeness >= ALIKE else [])
    assert [leak.likeness for leak in found] == [pytest.approx(likeness, abs=0.03)] * len(found)


def test_validation_rows_chose_the_checkpoint() -> None:
    rows = [training_row(SCORED, "validation"), *trained_on(conversation("t", said("other", 50)))]
    assert kinds(leaks([SCORED], {}, rows)) == [("chose the checkpoint", "s", "s")]


def test_short_conversations_are_alike_only_if_they_are_equal() -> None:
    short = conversation("s", "Hi, where is my parcel?", "Please send us a message.")
    nearly = conversation("t", "Hi, where is my parcel now?", "Please send us a message.")
    equal = conversation("u", "hi where is my parcel", "please send us a message")
    assert leaks([short], {}, trained_on(nearly)) == []
    assert kinds(leaks([short], {}, trained_on(nearly, equal))) == [("trained on", "s", "u")]


def test_an_equal_id_alone_is_no_leak() -> None:
    assert leaks([SCORED], {}, trained_on(conversation("s", said("other", 50)))) == []


def test_of_all_that_are_alike_the_most_alike_is_named_once() -> None:
    half = conversation("half", said("problem", 40), said("question", 20), said("other", 20))
    [leak] = leaks([SCORED], {}, trained_on(half, replace(SCORED, id="same"), half))
    assert (leak.other, leak.likeness) == ("same", 1.0)


def test_strangers_with_a_canned_greeting_are_no_leak() -> None:
    greeting = said("welcome", 30)
    pool = [conversation(str(number), greeting, said(f"n{number}x", 40)) for number in range(8)]
    assert leaks(pool[:4], {}, trained_on(*pool[4:])) == []


def test_what_many_scored_conversations_say_tells_nothing() -> None:
    disclaimer = said("confidential", 100)
    pool = [conversation(str(number), said(f"n{number}x", 40), disclaimer) for number in range(40)]
    assert leaks(pool[:20], {}, trained_on(*pool[20:])) == []
    again = conversation("again", said("n7x", 40).replace("n7x20", "other"), disclaimer)
    assert kinds(leaks(pool[:20], {}, trained_on(*pool[20:], again))) == [("trained on", "7", "again")]


def test_copies_of_a_training_conversation_do_not_hide_each_other() -> None:
    copies = [
        conversation(f"t{number}", *(turn.text.replace(f"problem{number}", "other") for turn in SCORED.turns))
        for number in range(40)
    ]
    assert [leak.kind for leak in leaks([SCORED], {}, trained_on(*copies))] == ["trained on"]


vocabulary = st.lists(st.integers(0, 30), min_size=1, max_size=200)


@settings(max_examples=30)
@given(st.lists(vocabulary, min_size=1, max_size=4))
def test_a_conversation_is_always_found_in_its_own_row(spoken: list[list[int]]) -> None:
    pool = [conversation(str(n), " ".join(f"w{word}" for word in words)) for n, words in enumerate(spoken)]
    found = leaks(pool, {}, trained_on(*pool))
    seen = [leak for leak in found if leak.kind == "trained on"]
    assert [(leak.id, leak.likeness) for leak in seen] == [(one.id, 1.0) for one in pool]


@settings(max_examples=30)
@given(st.lists(vocabulary, min_size=1, max_size=4), st.lists(vocabulary, max_size=4))
def test_disjoint_vocabularies_never_leak(scored: list[list[int]], trained: list[list[int]]) -> None:
    def speak(prefix: str, spoken: list[list[int]]) -> list[Conversation]:
        texts = [" ".join(f"{prefix}{word}" for word in words) for words in spoken]
        return [conversation(str(n), text, references=(text,)) for n, text in enumerate(texts)]

    ours, theirs = speak("a", scored), speak("b", trained)
    texts = {one.id: f"nothing of the kind was said {one.id}" for one in ours}
    shots = [Shot(id=one.id, transcript=transcript(one.turns), summary="") for one in theirs]
    assert {leak.kind for leak in leaks(ours, texts, trained_on(*theirs), shots)} <= {"twice"}


# --------------------------------------------------------------------------------------------------------------- shots


@pytest.mark.parametrize(
    ("turns", "shown"),
    [
        (SCORED.turns, True),
        (SCORED.turns[:2], True),
        ((Turn(role="customer", text=said("other", 60)), SCORED.turns[1]), False),
    ],
)
def test_an_example_in_the_prompt_is_held_against_what_is_scored(turns: tuple[Turn, ...], shown: bool) -> None:
    shot = Shot(id="t", transcript=transcript(turns), summary="A summary.")
    assert kinds(leaks([SCORED], {}, [], [shot])) == ([("shown in the prompt", "s", "t")] if shown else [])


# -------------------------------------------------------------------------------------------------------------- copies


SUMMARY = "Customer wants the money back for a flight that was cancelled without any notice."
OWN = "The caller asks why the router restarts every night and gets a new one by mail."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SUMMARY, [("copied from training", "t", 1.0)]),
        (SUMMARY.lower().replace(".", ""), [("copied from training", "t", 1.0)]),
        (f"{SUMMARY} {said('own', 14)}", [("copied from training", "t", 0.5)]),
        (f"{SUMMARY} {said('own', 15)}", []),
        ("Customer wants the money back for a flight", [("copied from training", "t", 1.0)]),
        ("Customer wants the money back for a", []),
        ("Customer wants the money back", []),
        (OWN, [("copied reference", "s", 1.0)]),
        (OWN + " Fine.", [("copied reference", "s", 16 / 17)]),
        (f"{OWN} Agent is sorry.", []),
        ("", []),
    ],
)
def test_a_text_is_a_copy_by_its_longest_run_of_words(text: str, expected: list[tuple[str, str, float]]) -> None:
    scored = replace(SCORED, references=(OWN, "Short."))
    row = trained_on(conversation("t", said("other", 40), references=("Refund.", SUMMARY)))
    found = leaks([scored], {"s": text}, row)
    assert [(leak.kind, leak.other, leak.likeness) for leak in found] == expected
    assert all(len(leak.words.split()) >= 8 and leak.words in SUMMARY.lower() + OWN.lower() for leak in found)


def test_no_run_goes_from_one_training_summary_into_another_conversations() -> None:
    first, second = said("first", 10), said("second", 10)
    rows = trained_on(conversation("t", "x", references=(first,)), conversation("u", "y", references=(second,)))
    tail = said("own", 3)
    assert kinds(leaks([SCORED], {"s": f"{first} {second}"}, rows)) == [("copied from training", "s", "t")]
    assert leaks([SCORED], {"s": f"{first} {second} {tail}"}, rows) == []


# ------------------------------------------------------------------------------------------------- the scored split


def test_the_later_of_two_scored_conversations_is_there_twice() -> None:
    nearly = conversation("n", *(turn.text.replace("answer20", "other") for turn in SCORED.turns))
    stranger = conversation("x", said("other", 60))
    found = leaks([SCORED, stranger, nearly, replace(SCORED, id="again")], {}, [])
    assert kinds(found) == [("twice", "n", "s"), ("twice", "again", "s")]
    assert [leak.likeness for leak in found] == [pytest.approx(0.95, abs=0.01), 1.0]


def test_the_ends_of_a_chain_are_no_repetition_of_each_other() -> None:
    chain = [conversation(str(at), " ".join(f"w{number}" for number in range(at, at + 100))) for at in (0, 20, 40, 60)]
    assert kinds(leaks(chain, {}, [])) == [("twice", "20", "0"), ("twice", "60", "40")]


# ----------------------------------------------------------------------------------------------------------- real data


@pytest.fixture(scope="module")
def real(tweetsumm: Path) -> tuple[list[Conversation], list[Conversation]]:
    """TweetSumm's validation split and its training split."""
    section = DataSection(dataset="tweetsumm", data_dir=str(tweetsumm))
    dataset = open_dataset(section, load_plugins())
    return read_split(dataset, section, "validation"), read_split(dataset, section, "train")


def test_real_strangers_do_not_leak_and_human_summaries_are_no_copies(
    real: tuple[list[Conversation], list[Conversation]],
) -> None:
    scored, training = real
    texts = {one.id: one.references[0] for one in scored}
    assert {leak.kind for leak in leaks(scored, texts, trained_on(*training))} == {"copied reference"}


def test_every_planted_near_duplicate_is_found_among_real_conversations(
    real: tuple[list[Conversation], list[Conversation]],
) -> None:
    scored, training = real
    changed = [
        replace(one, id=f"planted {one.id}", turns=(*one.turns[:-1], Turn(role="agent", text="Bye now.")))
        for one in scored
    ]
    cut = [replace(one, id=f"cut {one.id}", turns=one.turns[: len(one.turns) // 2 + 1]) for one in scored]
    for planted in (changed, cut):
        found = leaks(scored, {}, trained_on(*training, *planted))
        assert [leak.id for leak in found] == [one.id for one in scored]
        assert all(leak.other.endswith(leak.id) for leak in found)


def test_training_on_the_helpdesk_corpus_shows_nothing_of_its_test_split() -> None:
    section = DataSection(dataset="helpdesk")
    dataset = open_dataset(section, load_plugins())
    training = [one for split in ("train", "validation") for one in read_split(dataset, section, split)]
    assert leaks(read_split(dataset, section, "test"), {}, trained_on(*training)) == []
