"""What many conversations share is not a likeness; copies are found in spite of it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from liftbench.data.similarity.boilerplate import most_holders
from liftbench.data.similarity.duplicates import NearDuplicates
from liftbench.data.similarity.fingerprints import fingerprint
from liftbench.data.similarity.scored import ScoredSplit
from liftbench.data.splits import exclude_scored
from liftbench.records.conversation import Conversation, Turn

GREETING = " ".join(f"welcome{n}" for n in range(90))
CLOSING = " ".join(f"goodbye{n}" for n in range(30))


def chat(id_: str, *said: str, greeting: str = GREETING, closing: str = CLOSING) -> Conversation:
    texts = (greeting, *said, closing)
    turns = tuple(
        Turn(role="customer" if place == 1 else "agent", text=text) for place, text in enumerate(texts) if text
    )
    return Conversation(id=id_, turns=turns, references=(f"Customer said {said[0]}.",))


def strangers(count: int, length: int, seed: int = 0) -> list[str]:
    source = random.Random(seed)
    return [" ".join(f"w{source.randrange(10**6)}" for _ in range(length)) for _ in range(count)]


def groups(conversations: Sequence[Conversation]) -> set[frozenset[str]]:
    """The ids of groups of two or more."""
    near = NearDuplicates()
    for one in conversations:
        near.add(fingerprint(one))
    found = near.groups(near.pairs()).all()
    return {frozenset(conversations[number].id for number in group) for group in found if len(group) > 1}


@pytest.mark.parametrize("length", [6, 15, 60])
@pytest.mark.parametrize("count", [8, 12, 40, 150])
def test_strangers_with_one_greeting_and_closing_are_no_duplicates(count: int, length: int) -> None:
    assert groups([chat(str(n), said) for n, said in enumerate(strangers(count, length))]) == set()


@pytest.mark.parametrize("share", [1.0, 0.5, 0.2])
def test_a_greeting_of_some_conversations_joins_none_of_them(share: float) -> None:
    texts = strangers(200, 20)
    some = [chat(str(n), said, greeting=GREETING if n < share * 200 else "") for n, said in enumerate(texts)]
    assert groups(some) == set()


def test_slots_with_common_phrases_are_no_likeness() -> None:
    source = random.Random(4)
    things = ["tent", "lamp", "violin", "kettle", "heater", "router", "mirror", "scale", "drill", "piano"]
    problems = ["makes a loud noise every night", "never left the depot", "was charged twice to my account"]
    answers = ["We send the missing part.", "Our fitter visits you tomorrow.", "We refund it in full."]
    some = [
        chat(
            str(n),
            f"My {source.choice(things)} {source.choice(problems)}, order {10**4 + 37 * n}.",
            source.choice(answers),
        )
        for n in range(120)
    ]
    assert max(map(len, groups(some)), default=1) < 10


@pytest.mark.parametrize(
    ("length", "changes"), [(15, 1), (30, 1), (60, 3)], ids=["short, one word", "one word", "three words"]
)
@pytest.mark.parametrize("count", [9, 40, 150])
def test_edited_copies_are_found_beside_boilerplate(count: int, length: int, changes: int) -> None:
    texts = strangers(count, length)
    copied = []
    for said in texts[: max(1, count // 10)]:
        words = said.split()
        for place in range(changes):
            words[3 + 8 * place] = f"edited{place}"
        copied.append(" ".join(words))
    some = [chat(str(n), said) for n, said in enumerate(texts)]
    planted = [chat(f"{n} copy", said) for n, said in enumerate(copied)]
    assert groups([*some, *planted]) == {frozenset((str(n), f"{n} copy")) for n in range(len(copied))}


@pytest.mark.parametrize("edited", ["greeting", "closing"])
def test_an_edit_of_the_boilerplate_hides_no_copy(edited: str) -> None:
    texts = strangers(60, 15)
    changed = {"greeting": GREETING.replace("welcome40 ", "hello there "), "closing": CLOSING.replace("goodbye9", "")}
    copy = chat("copy", texts[5], **{edited: changed[edited]})
    assert groups([*(chat(str(n), said) for n, said in enumerate(texts)), copy]) == {frozenset(("5", "copy"))}


def test_many_copies_that_differ_in_a_word_are_one_group() -> None:
    words = strangers(1, 60)[0].split()
    copies = [
        chat(str(-1 - n), " ".join([*words[:n], "other", *words[n + 1 :]]), greeting="", closing="") for n in range(40)
    ]
    others = [chat(str(n), said, greeting="", closing="") for n, said in enumerate(strangers(60, 60, seed=1))]
    assert groups([*copies, *others]) == {frozenset(one.id for one in copies)}


def test_chats_in_which_only_the_bot_speaks_are_near_duplicates() -> None:
    talks = [chat(str(n), said) for n, said in enumerate(strangers(50, 20))]
    silent = [chat("hi", "hi"), chat("hello", "hello"), chat("yes", "yes please")]
    assert groups([*talks, *silent]) == {frozenset(("hi", "hello", "yes"))}


@pytest.mark.parametrize("count", [4, 5, 10, 40])
@pytest.mark.parametrize("length", [15, 40])
def test_boilerplate_is_no_leak_and_an_edited_copy_is_one(count: int, length: int) -> None:
    texts = strangers(count + 30, length)
    some = [chat(str(n), said) for n, said in enumerate(texts)]
    scored, training = some[:count], some[count:]
    planted = chat("planted", texts[0].replace(texts[0].split()[7], "edited"))
    assert exclude_scored([*training, planted], scored) == training
    found = ScoredSplit(scored).containment.like("", fingerprint(planted).sketch)
    assert list(found) == [0]
    assert 0.6 <= found[0] <= 1


@pytest.mark.parametrize(
    ("conversations", "fewest", "most"),
    [(2, 6, 6), (6, 6, 6), (12, 6, 6), (16, 6, 8), (20, 6, 10), (100, 6, 10), (400, 6, 20), (4, 3, 3), (10, 3, 5)],
)
def test_how_many_make_boilerplate(conversations: int, fewest: int, most: float) -> None:
    assert most_holders(conversations, fewest) == most
