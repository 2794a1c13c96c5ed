"""Corruptions: each puts its own fault into a summary and nothing else, applies to most real ones, and never wavers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.data.helpdesk import Helpdesk
from liftbench.data.jsonl import read_jsonl
from liftbench.floors.corruptions import CORRUPTIONS, Case, Material
from liftbench.metrics.evidence import ConversationEvidence
from liftbench.metrics.mentions import mentions
from liftbench.metrics.roles import swap_roles
from liftbench.records.conversation import Conversation, Turn
from liftbench.text.negation import negate
from liftbench.text.sentences import split_sentences


def material(
    conversations: Sequence[Conversation],
    *,
    training: Sequence[Conversation] = (),
    written: dict[str, dict[str, str]] | None = None,
    seed: int = 0,
) -> Material:
    return Material(conversations, training=training, written=written or {}, seed=seed)


def corrupted(name: str, conversation: Conversation, given: Material, reference: str | None = None) -> str | None:
    return CORRUPTIONS[name].apply(Case(conversation, reference or conversation.references[0], given))


def told(id_: str, reference: str, said: str = "", **metadata: str) -> Conversation:
    """A conversation whose one turn says what its one reference tells."""
    return Conversation(
        id=id_, turns=(Turn(role="customer", text=said or reference),), references=(reference,), metadata={**metadata}
    )


HELPDESK = Helpdesk(None)


@pytest.fixture(scope="module")
def helpdesk() -> tuple[list[Conversation], Material]:
    test = HELPDESK.read("test")
    return test, material(test, training=HELPDESK.read("train"))


# ------------------------------------------------------------------------------------------------ another text instead


def test_another_conversation_gives_one_of_its_references(conversations: list[Conversation]) -> None:
    given = material(conversations)
    for one in conversations:
        text = corrupted("another-conversation", one, given)
        assert any(text in other.references for other in conversations if other.id != one.id)


@pytest.mark.parametrize("key", ["company", "cluster"])
def test_another_conversation_is_of_another_company_and_cluster(key: str) -> None:
    split = [told(str(number), f"summary {number}", **{key: "a" if number < 8 else "b"}) for number in range(9)]
    assert {corrupted("another-conversation", one, material(split)) for one in split[:8]} == {"summary 8"}


def test_another_conversation_of_the_same_company_is_better_than_none() -> None:
    split = [told(str(number), f"summary {number}", company="a") for number in range(2)]
    assert corrupted("another-conversation", split[0], material(split)) == "summary 1"


def test_a_conversation_with_the_same_summary_is_no_other_one() -> None:
    assert (
        corrupted("another-conversation", told("a", "same"), material([told("a", "same"), told("b", "same")])) is None
    )


@pytest.mark.parametrize("name", ["best-constant", "slot-template"])
def test_a_controls_text_stands_in_where_it_wrote_one(name: str, conversations: list[Conversation]) -> None:
    given = material(conversations, written={name: {"c00": "its own words"}})
    assert [corrupted(name, one, given) for one in conversations[:2]] == ["its own words", None]
    assert corrupted(name, conversations[0], material(conversations)) is None


def test_the_first_turn_is_copied(conversations: list[Conversation]) -> None:
    assert corrupted("first-turn-copied", conversations[1], material([])) == conversations[1].turns[0].text


# ------------------------------------------------------------------------------------------------ one thing is changed


def test_swapped_roles_are_those_of_the_metric() -> None:
    reference = "Customer asks for a refund. The agent refuses."
    assert corrupted("roles-swapped", told("a", reference), material([])) == swap_roles(reference)
    assert corrupted("roles-swapped", told("a", "Nobody is named."), material([])) is None


@pytest.mark.parametrize(
    ("reference", "others", "expected"),
    [
        ("She paid £99.", ["It cost £12.", "It cost £1,250.", "Wait 12 days."], "She paid £12."),
        ("Order KX-40921 is late.", ["Order BD-77310 came.", "Code 5X came."], "Order BD-77310 is late."),
        ("It comes on 4 July.", ["It came on 9 March.", "It came at 10:30."], "It comes on 9 March."),
        ("It opens at 10:30.", ["It opens at 11:45.", "It cost £11."], "It opens at 11:45."),
        (
            "Yesterday Siobhan rang.",
            ["Yesterday Giovanni rang.", "Yesterday Spotify rang."],
            "Yesterday Giovanni rang.",
        ),
        ("She paid £99.", ["He said £99 was too much.", "Wait 12 days."], None),
        ("Nothing in it is one.", ["She paid £12."], None),
    ],
    ids=["amount", "code", "date", "time", "person", "only its own", "no detail"],
)
def test_a_detail_gives_way_to_one_of_its_kind(reference: str, others: list[str], expected: str | None) -> None:
    split = [told("a", reference), *(told(str(number), other) for number, other in enumerate(others))]
    assert corrupted("detail-replaced", split[0], material(split)) == expected


def test_a_detail_that_the_conversation_also_has_is_no_fault() -> None:
    own = told("a", "She paid £99.", said="I paid £99, not £12, nor £15.")
    split = [own, told("b", "It cost £12."), told("c", "It cost £15.")]
    assert corrupted("detail-replaced", own, material(split)) is None


def test_a_detail_that_the_conversation_lacks_is_left_alone() -> None:
    own = told("a", "She paid £99.", said="It cost a lot.")
    assert corrupted("detail-replaced", own, material([own, told("b", "It cost £12.")])) is None


def test_replaced_details_are_unsupported_and_all_else_stays(helpdesk: tuple[list[Conversation], Material]) -> None:
    split, given = helpdesk
    for one in split:
        reference, evidence = one.references[0], ConversationEvidence(one.turns)
        text = corrupted("detail-replaced", one, given)
        assert text is not None
        faults = [
            text[mention.start : len(text) - len(rest)]
            for mention in mentions(reference, given.lexicon)
            if text.startswith(reference[: mention.start]) and text.endswith(rest := reference[mention.end :])
        ]
        unsupported = {
            detail.text for details in given.details.values() for detail in details if not evidence.supports(detail)
        }
        assert unsupported.intersection(faults), text


@pytest.mark.parametrize(
    ("reference", "half"),
    [("a b c d", "a b"), ("a b c", "a b"), ("a  b. c\nd e", "a  b. c"), ("a b", "a"), ("alone", None)],
)
def test_the_first_half_of_the_words_is_kept(reference: str, half: str | None) -> None:
    assert corrupted("half-cut-off", told("a", reference), material([])) == half


@given(words=st.lists(st.sampled_from(["one", "two", "three,", "four."]), min_size=1, max_size=8))
def test_shuffling_keeps_every_word_and_never_the_order(words: list[str]) -> None:
    text = corrupted("words-shuffled", told("a", " ".join(words)), material([]))
    if len(set(words)) == 1:
        assert text is None
        return
    assert text is not None
    assert Counter(text.split()) == Counter(words)
    assert text.split() != words


# ------------------------------------------------------------------------------------------------------------ negation


@pytest.mark.parametrize(
    ("sentence", "negated"),
    [
        ("Agent asks to DM the details.", "Agent never asks to DM the details."),
        ("The agent apologized and sent a link.", "The agent never apologized and sent a link."),
        ("Agent suggest him to wait.", "Agent never suggest him to wait."),
        ("Sinéad replies by noon.", "Sinéad never replies by noon."),
        ("It was refunded.", "It was not refunded."),
        ("They will look into it.", "They will not look into it."),
        ("They’ll look into it.", "They’ll not look into it."),
        ("She has been rebooked.", "She has not been rebooked."),
        ("She has a ticket.", "She never has a ticket."),
        ("Passed to the metering team.", "Never passed to the metering team."),
        ("After the call ended, he paid.", "After the call ended, he never paid."),
        ("The requested details were sent.", "The requested details were not sent."),
        ("She books by 4 May and waits.", "She never books by 4 May and waits."),
        ("The refund, due 4 May, was sent.", "The refund, due 4 May, was not sent."),
        ("Order 17 arrived.", "Order 17 never arrived."),
        # What is denied is affirmed.
        ("It can't be refunded.", "It can be refunded."),
        ("Won’t be refunded.", "Will be refunded."),
        ("It cannot be refunded.", "It can be refunded."),
        ("It was not refunded.", "It was refunded."),
        ("They do not refund it.", "They do refund it."),
        ("It isn't done.", "It is done."),
        ("He never paid.", "He paid."),
        ("Nothing was found.", "Something was found."),
        ("No claim needed.", "Some claim needed."),
        # Nothing to deny.
        ("No", "Some"),
        ("Next charge on the 18th.", None),
        ("Unsigned.", None),
        ("", None),
    ],
)
def test_the_main_clause_says_the_opposite(sentence: str, negated: str | None) -> None:
    assert negate(sentence) == negated


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("He asks. She answers.", "He asks. She never answers."),
        ("He asks.\nShe answers.\n", "He asks.\nShe never answers.\n"),
        ("He asks. Next bill Friday.", "He never asks. Next bill Friday."),
        ("He pays. He pays.", "He pays. He never pays."),
    ],
    ids=["the last sentence", "white space stays", "the last that has a verb", "of equal ones the last"],
)
def test_the_outcome_is_what_the_last_sentence_tells(text: str, negated: str) -> None:
    assert negate(text) == negated


# ----------------------------------------------------------------------------------------------------------- real data

ALWAYS = {"another-conversation", "half-cut-off", "words-shuffled", "first-turn-copied"}


def shares(split: list[Conversation], given: Material) -> dict[str, float]:
    """Corruption → the share of the references that it applies to; what it makes is never what was there."""
    pairs = [(one, reference) for one in split for reference in one.references]
    found = {}
    for name in CORRUPTIONS:
        texts = [corrupted(name, one, given, reference) for one, reference in pairs]
        assert not any(text == reference for text, (_, reference) in zip(texts, pairs, strict=True)), name
        found[name] = sum(text is not None for text in texts) / len(pairs)
    return found


def test_most_corruptions_apply_to_most_of_tweetsumm(tweetsumm: Path) -> None:
    split = read_jsonl(tweetsumm / "validation.jsonl")
    found = shares(split, material(split))
    assert {name for name, share in found.items() if share == 1} >= ALWAYS
    assert found["roles-swapped"] > 0.95
    assert found["outcome-negated"] > 0.95
    # Half of the summaries name nothing: no brand, no number.
    assert found["detail-replaced"] > 0.4


def test_most_corruptions_apply_to_most_of_helpdesk(helpdesk: tuple[list[Conversation], Material]) -> None:
    found = shares(*helpdesk)
    assert {name for name, share in found.items() if share == 1} >= ALWAYS
    assert found["outcome-negated"] > 0.95
    assert found["detail-replaced"] > 0.95
    # Its annotators write of people by their names: few say `customer` or `agent`.
    assert found["roles-swapped"] > 0.3


def test_negation_changes_a_word_or_two_of_one_sentence() -> None:
    references = [reference for one in HELPDESK.read("train") for reference in one.references]
    for reference in references:
        text = negate(reference)
        if text is None:
            continue
        before, after = split_sentences(reference), split_sentences(text)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1, text
        assert abs(len(text.split()) - len(reference.split())) <= 1, text


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_order_of_the_split_and_what_was_asked_before_change_nothing(
    name: str, conversations: list[Conversation]
) -> None:
    written = {name: {one.id: f"text of {one.id}" for one in conversations}}
    forwards = [corrupted(name, one, material(conversations, written=written)) for one in conversations]
    given = material(conversations[::-1], written=written)
    backwards = [corrupted(name, one, given) for one in conversations[::-1]]
    assert forwards == backwards[::-1]


@pytest.mark.parametrize("name", ["another-conversation", "words-shuffled"])
def test_another_seed_draws_others(name: str, conversations: list[Conversation]) -> None:
    first, second = (
        [corrupted(name, one, material(conversations, seed=seed)) for one in conversations] for seed in (0, 1)
    )
    assert first != second


@pytest.mark.parametrize("name", CORRUPTIONS)
@settings(max_examples=15)
@given(reference=st.text(min_size=1, max_size=60))
def test_no_text_is_too_odd(name: str, reference: str) -> None:
    own = told("a", reference)
    text = corrupted(name, own, material([own, told("b", "Ana paid £5 to Spotify on 4 July.")]))
    assert text is None or isinstance(text, str)


def test_a_reference_is_corrupted_alike_whatever_else_its_conversation_has(conversations: list[Conversation]) -> None:
    several = next(one for one in conversations if len(one.references) == 3)
    given = material(conversations)
    alone = replace(several, references=several.references[:1])
    assert corrupted("words-shuffled", alone, given) == corrupted("words-shuffled", several, given)
