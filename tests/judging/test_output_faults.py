"""Faults of texts: each rule finds what it is for, and none finds anything in what people wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

from liftbench.data.cleaning import clean
from liftbench.data.helpdesk import Helpdesk
from liftbench.data.jsonl import each_in_jsonl
from liftbench.data.similarity.scored import ScoredSplit
from liftbench.judging.output_faults import Fault, is_degenerate, is_empty, output_faults, usual
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.run import FinishReason, Prediction

ENGLISH = "Customer complains that the parcel has not arrived. Agent asks for the order number."
GERMAN = "Die Kundin beschwert sich, dass ihr Paket nicht angekommen ist. Der Mitarbeiter bittet um die Bestellnummer."
FRENCH = "La cliente se plaint que son colis n'est pas arrivé. L'agent lui demande le numéro de commande."
CHINESE = "顾客投诉包裹没有送到，客服要求提供订单号。"
SAID = "Hello, my parcel {} has been on its way for two weeks now, could you please tell me where it is?"


def conversation(number: int, said: str = SAID, references: Sequence[str] = (ENGLISH,)) -> Conversation:
    turns = (Turn(role="customer", text=said.format(number)), Turn(role="agent", text="Sorry, I will look into that."))
    return Conversation(id=f"c{number}", turns=turns, references=tuple(references))


def made(number: int, text: str = "", *, end: FinishReason = "stop", seen: bool = True, dropped: int = 0) -> Prediction:
    prompt_tokens = 90 if seen else None
    return Prediction(id=f"c{number}", text=text, finish_reason=end, prompt_tokens=prompt_tokens, turns_dropped=dropped)


def faults_of(
    texts: Sequence[str], conversations: Sequence[Conversation] | None = None
) -> dict[Fault, list[str] | None]:
    rows = [conversation(number) for number in range(len(texts))] if conversations is None else conversations
    return output_faults(
        ScoredSplit(rows), {row.id: replace(made(0, text), id=row.id) for row, text in zip(rows, texts, strict=True)}
    )


# --------------------------------------------------------------------------------------------------------- single rules


@pytest.mark.parametrize(
    ("text", "empty"),
    [
        ("", True),
        (" \n\t", True),
        (".", True),
        ("…?!", True),
        ("😀 😀", True),
        ("OK", False),
        ("7", False),
        ("是", False),
    ],
)
def test_a_text_without_a_word_is_empty(text: str, empty: bool) -> None:
    assert is_empty(text) is empty


@pytest.mark.parametrize(
    "text",
    [
        "Agent informs that the firewall is disabled. Agent informs that the firewall is disabled.",
        "Customer says that the app is crashing on the phone. Agent says that the app is crashing on the phone.",
        "no no no no no no",
        "顾客投诉包裹没有送到。顾客投诉包裹没有送到。",
        "KJA 555 XA, 20k, 20k, 20k, 20k, 20k, 20k, 20k, 20k",
        "{ } ] a ; ; ; b <|> ## //",
        "________________",
        "�� a �� �� b ��",
    ],
)
def test_what_goes_in_circles_or_is_no_language_is_degenerate(text: str) -> None:
    assert is_degenerate(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "Refund.",
        "Very very late.",
        ENGLISH,
        GERMAN,
        # Short, on one thing, and honest.
        "Customer asks for the status of the order. Agent checks the status of the order.",
        CHINESE,
        "ग्राहक शिकायत करता है कि पार्सल नहीं आया।",
        "Refund of $1,234.56 (order #A-12/34-B) by 12/05, 10:30.",
        "The customer cannot log in. The agent says that the customer can reset the password.",
    ],
)
def test_what_says_something_once_is_not_degenerate(text: str) -> None:
    assert not is_degenerate(text)


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        (("stop", "stop"), []),
        (("length", "stop"), ["c0"]),
        (("length", "length"), ["c0", "c1"]),
        (("unknown", "length"), None),
        (("unknown", "unknown"), None),
    ],
)
def test_what_the_token_limit_ended_is_never_ending(ends: Sequence[FinishReason], found: list[str] | None) -> None:
    rows = [conversation(0), conversation(1)]
    predictions = {f"c{number}": made(number, ENGLISH, end=end) for number, end in enumerate(ends)}
    assert output_faults(ScoredSplit(rows), predictions)["never-ending"] == found


@pytest.mark.parametrize(
    ("seen", "dropped", "found"),
    [
        ((True, True), (0, 0), []),
        ((True, True), (0, 3), ["c1"]),
        ((True, False), (1, 0), ["c0"]),
        ((False, False), (0, 0), None),
    ],
)
def test_a_prompt_that_lacks_turns_is_shortened(
    seen: Sequence[bool], dropped: Sequence[int], found: list[str] | None
) -> None:
    predictions = {f"c{number}": made(number, seen=seen[number], dropped=dropped[number]) for number in (0, 1)}
    assert output_faults(ScoredSplit([conversation(0), conversation(1)]), predictions)["shortened"] == found


# ------------------------------------------------------------------------------------------------------------- repeated


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["Refund promised.", "refund  PROMISED", "New one sent."], ["c0", "c1"]),
        (["A.", "B.", "a", "b"], ["c0", "c1", "c2", "c3"]),
        (["", ".", "", "A."], []),
        (["A."], []),
        (["Refund promised.", "Refund promised today."], []),
    ],
)
def test_the_same_words_for_several_conversations_are_repeated(texts: list[str], found: list[str]) -> None:
    assert faults_of(texts)["repeated"] == found


def test_one_conversation_that_is_there_twice_may_have_one_summary() -> None:
    rows = [conversation(0), replace(conversation(0), id="again"), conversation(1), conversation(2)]
    assert faults_of(["A.", "A.", "B.", "C."], rows)["repeated"] == []
    assert faults_of(["A.", "A.", "A.", "C."], rows)["repeated"] == ["c0", "again", "c1"]


def test_a_constant_is_repeated_everywhere() -> None:
    assert faults_of([ENGLISH] * 5)["repeated"] == [f"c{number}" for number in range(5)]


# ------------------------------------------------------------------------------------------------------- other language

GERMAN_SAID = "Guten Tag, mein Paket {} ist seit zwei Wochen unterwegs, können Sie mir bitte sagen, wo es bleibt?"


@pytest.mark.parametrize(
    ("text", "said", "references", "found"),
    [
        (ENGLISH, SAID, (ENGLISH,), False),
        (GERMAN, SAID, (ENGLISH,), True),
        (CHINESE, SAID, (ENGLISH,), True),
        (GERMAN, SAID, (), True),
        # Summaries may be wanted in another language than the conversation's, or be in either.
        (GERMAN, SAID, (ENGLISH, GERMAN), False),
        (ENGLISH, GERMAN_SAID, (ENGLISH,), False),
        (GERMAN, GERMAN_SAID, (ENGLISH,), False),
        (FRENCH, GERMAN_SAID, (ENGLISH,), True),
        # What cannot be said is not held against a text.
        ("", SAID, (ENGLISH,), False),
        ("Ravi 20k 20k", SAID, (ENGLISH,), False),
        (GERMAN, SAID, ("OK.",), True),
    ],
)
def test_a_text_in_another_language(text: str, said: str, references: tuple[str, ...], found: bool) -> None:
    rows = [conversation(0), conversation(1, said, references)]
    assert faults_of([ENGLISH, text], rows)["other language"] == (["c1"] if found else [])


def test_without_a_conversation_of_a_known_language_nothing_is_known() -> None:
    wordless = Conversation(id="a", turns=(Turn(role="customer", text="20k?"),), references=(ENGLISH,))
    assert faults_of([GERMAN], [wordless])["other language"] is None
    assert faults_of([GERMAN, ENGLISH], [wordless, conversation(1)])["other language"] == []


# ------------------------------------------------------------------------------------------------------------- together


def test_every_fault_is_answered_in_the_order_of_the_conversations() -> None:
    found = faults_of(["", "no no no no no", ENGLISH, "no no no no no", "."])
    assert set(found) == set(get_args(Fault))
    assert (found["empty"], found["degenerate"], found["repeated"]) == (["c0", "c4"], ["c1", "c3"], ["c1", "c3"])


def test_a_text_that_is_missing_is_empty_and_nothing_is_known_of_its_making() -> None:
    found = output_faults(ScoredSplit([conversation(0), conversation(1)]), {"c0": made(0, ENGLISH), "else": made(7)})
    assert (found["empty"], found["never-ending"], found["shortened"]) == (["c1"], None, [])


def test_of_texts_made_elsewhere_only_the_texts_are_known() -> None:
    found = output_faults(ScoredSplit([conversation(0)]), {"c0": made(0, ".", end="unknown", seen=False)})
    assert (found["empty"], found["never-ending"], found["shortened"]) == (["c0"], None, None)


# ---------------------------------------------------------------------------------------------------- what people wrote


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        ([], {}),
        ([(), ()], {}),
        ([(ENGLISH,), ("Refund promised.",)], {}),
        ([(".",), (ENGLISH,)], {"empty": 1 / 2}),
        ([("no no no no no no", "Refund."), (ENGLISH,)], {"degenerate": 1 / 3}),
        # Templates: the same words for other conversations, and not for one.
        ([("Refund.",), ("refund",), (ENGLISH,), ("New one sent.",)], {"repeated": 1 / 2}),
        ([("Refund.", "Refund."), (ENGLISH,)], {}),
        # A summary in another language than the conversation and the others is unusual; the only one is what is wanted.
        ([(ENGLISH, GERMAN), (ENGLISH + " Now.",)], {"other language": 1 / 3}),
        ([(GERMAN,), (ENGLISH,)], {}),
        ([(FRENCH, "La cliente attend son colis depuis deux semaines et demande de l'aide.")], {}),
    ],
)
def test_what_is_usual_among_people(references: list[tuple[str, ...]], expected: dict[Fault, float]) -> None:
    found = usual(ScoredSplit([conversation(number, references=some) for number, some in enumerate(references)]))
    none: dict[Fault, float] = {"empty": 0, "degenerate": 0, "repeated": 0, "other language": 0}
    assert found == pytest.approx(none | expected)


def test_what_is_usual_of_a_conversation_that_is_there_twice() -> None:
    rows = [conversation(0), replace(conversation(0), id="again"), conversation(1, references=("Refund.",))]
    assert usual(ScoredSplit(rows))["repeated"] == 0


@pytest.mark.parametrize("said", [SAID, "20k?"])
def test_a_single_summary_of_each_conversation_has_the_faults_of_a_system_that_wrote_it(said: str) -> None:
    references = ["Refund.", "Refund.", ".", "no no no no no no", ENGLISH]
    rows = [conversation(number, said, (text,)) for number, text in enumerate(references)]
    assert usual(ScoredSplit(rows)) == {
        fault: len(faults_of(references, rows)[fault] or []) / 5
        for fault in ("empty", "degenerate", "repeated", "other language")
    }


def assert_people_are_without_fault(split: Sequence[Conversation]) -> None:
    assert sum(len(one.references) for one in split) > 0
    assert set(usual(ScoredSplit(split)).values()) == {0}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_tweetsumms_summaries_have_no_fault(split: str, tweetsumm: Path) -> None:
    rows = each_in_jsonl(tweetsumm / f"{split}.jsonl", references_needed=True)
    assert_people_are_without_fault([clean(row) for row in rows])


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_helpdesks_summaries_have_no_fault(split: str) -> None:
    assert_people_are_without_fault([clean(row) for row in Helpdesk(None).read(split)])
