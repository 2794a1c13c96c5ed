"""Cleaning: what becomes of links, handles, emoji, entities and speakers, and that it is done once and for all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.data import cleaning as cleaning_module
from liftbench.data.cleaning import CLEANING, clean, clean_summary, clean_turn, role
from liftbench.data.jsonl import read_jsonl
from liftbench.data.similarity.fingerprints import split_fingerprint
from liftbench.data.sources import cleaning, open_dataset, read_split
from liftbench.errors import UsageError
from liftbench.extension.loader import Plugins
from liftbench.files import write_lines
from liftbench.recipe.sections import DataSection
from liftbench.records.conversation import Conversation, Turn

PIECES = [
    "&amp;",
    "&amp;lt;",
    "<LINK>",
    "http://",
    "www.x.y",
    "@",
    "@@",
    "@123456",
    "@Apple",
    "👍",
    "👍🏽",
    "\u200d",
    "️",
]
messy = st.lists(st.one_of(st.text(max_size=6), st.sampled_from([*PIECES, " ", "\n", "e\u0301", "."]))).map("".join)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Q&amp;A &lt;3 &#39;ok&#39;", "Q&A <3 'ok'"),
        ("twice &amp;amp; encoded", "twice & encoded"),
        ("<p class='x'>Hello <b>you</b>,</p><br/>it <LINK> &lt;div&gt;bye</div>", "Hello you , it <LINK> bye"),
        ("I <3 you, a < b > c, <PERSON_1>", "I <3 you, a < b > c, <PERSON_1>"),
        ("a\u200b zero\u00adwidth \ufeff\x07bell", "a zerowidth bell"),
        ("  many \t\n kinds\u00a0of   space ", "many kinds of space"),
        ("cafe\u0301", "caf\u00e9"),
        ("see https://t.co/aB3dE.", "see <LINK>."),
        ("(http://shop.example.com/a?b=c&amp;d=1), now", "(<LINK>), now"),
        ("t.co/abc and www.example.com", "<LINK> and <LINK>"),
        ("http://a.b http://c.d twice", "<LINK> twice"),
        ("@AppleSupport my phone", "AppleSupport my phone"),
        ("@115712 @AppleSupport we will help", "AppleSupport we will help"),
        ("ask @115712 please", "ask <USER> please"),
        ("bob@example.com is no handle", "bob@example.com is no handle"),
        ("2 @10 each", "2 10 each"),
        ("great 👍👍🏽 👍", "great 👍"),
        ("😀😡😡", "😀😡"),
        ("5 ❤️❤️", "5 ❤"),
        ("@115712", ""),
    ],
)
def test_a_turn(text: str, cleaned: str) -> None:
    assert clean_turn(text) == cleaned


def test_references_keep_handles_links_and_emoji() -> None:
    assert (
        clean_summary(" Customer  asked @Apple &amp; got https://a.b 👍👍 ")
        == "Customer asked @Apple & got https://a.b 👍👍"
    )


@pytest.mark.parametrize(
    ("speaker", "expected"),
    [
        ("User", "customer"),
        ("CLIENT ", "customer"),
        ("end-user", "customer"),
        ("end_user", "customer"),
        ("Assistant", "agent"),
        ("Customer Service", "agent"),
        ("customer", "customer"),
        ("#Person1#", "#person1#"),
        ("Supervisor  Kim", "supervisor kim"),
    ],
)
def test_roles(speaker: str, expected: str) -> None:
    assert role(speaker) == role(role(speaker)) == expected


def test_turns_of_one_speaker_are_joined_and_empty_ones_go() -> None:
    turns = [("user", "hello"), ("client", "anyone? 👍"), ("customer", "👍"), ("rep", "@123456"), ("Agent", "yes")]
    cleaned = clean(Conversation(id="a", turns=tuple(Turn(role=who, text=text) for who, text in turns)))
    assert cleaned.turns == (Turn(role="customer", text="hello anyone? 👍"), Turn(role="agent", text="yes"))


def test_a_run_of_turns_is_cleaned_once_however_long() -> None:
    turns = tuple(Turn(role="customer", text=f"word {number} 👍") for number in range(3000))
    [turn] = clean(Conversation(id="a", turns=turns)).turns
    assert turn.text.startswith("word 0 👍 word 1 👍")


@given(st.lists(st.tuples(st.sampled_from(["user", "agent", "Kim"]), messy), max_size=5), messy)
def test_cleaning_what_is_clean_changes_nothing(turns: list[tuple[str, str]], reference: str) -> None:
    conversation = Conversation(
        id="a", turns=tuple(Turn(role=who, text=text) for who, text in turns), references=(reference,)
    )
    once = clean(conversation)
    assert clean(once) == once
    assert all(turn.text == turn.text.strip() and turn.text for turn in once.turns)
    assert all(one.role != other.role for one, other in zip(once.turns, once.turns[1:], strict=False))


ordinary = st.text(st.sampled_from("aB1 .,&;<>/@:#wt\n\té"), max_size=20)
pieces = st.lists(st.sampled_from(["www.", "WWW.x", "t.co/", "http://a", "&amp;", "<b>", "@12345", "  ", "fine", " "]))


@given(ordinary | pieces.map("".join))
def test_a_text_that_looks_clean_is_clean(text: str) -> None:
    quickly = clean_turn(text), clean_summary(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning_module, "_is_plain", lambda text: False)  # noqa: ARG005 - as the function that it replaces
        assert (clean_turn(text), clean_summary(text)) == quickly


def test_real_tweets_keep_their_words(tweetsumm: Path) -> None:
    for conversation in read_jsonl(tweetsumm / "validation.jsonl"):
        cleaned = clean(conversation)
        assert cleaned.turns
        assert clean(cleaned) == cleaned
        before = sum(len(turn.text.split()) for turn in conversation.turns)
        assert sum(len(turn.text.split()) for turn in cleaned.turns) > 0.9 * before - 3


def test_the_version_is_in_the_fingerprint_and_cleaning_can_be_left_out(tmp_path: Path) -> None:
    conversation = Conversation(id="a", turns=(Turn(role="user", text="a &amp; b"),), references=("x",))
    write_lines(tmp_path / "test.jsonl", [conversation])
    raw, cleaned = DataSection(dataset=str(tmp_path), clean=False), DataSection(dataset=str(tmp_path))
    assert read_split(open_dataset(raw, Plugins()), raw, "test") == [conversation]
    assert read_split(open_dataset(cleaned, Plugins()), cleaned, "test")[0].turns == (
        Turn(role="customer", text="a & b"),
    )
    assert (cleaning(raw), cleaning(cleaned)) == ("none", CLEANING)
    assert split_fingerprint([conversation], "none") != split_fingerprint([conversation], CLEANING)


def test_a_conversation_of_which_nothing_is_left_is_an_error(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "test.jsonl",
        [Conversation(id="ghost", turns=(Turn(role="user", text="@123456"),), references=("x",))],
    )
    section = DataSection(dataset=str(tmp_path))
    with pytest.raises(UsageError, match="'ghost' has no words left after cleaning"):
        read_split(open_dataset(section, Plugins()), section, "test")
