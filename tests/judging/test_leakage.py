"""What a candidate has seen of what it is scored on: found where it has, and never alleged of strangers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.data.similarity.containment import ALIKE
from liftbench.data.similarity.fingerprints import training_row
from liftbench.data.similarity.scored import ScoredSplit
from liftbench.data.sources import open_dataset, read_split
from liftbench.extension.loader import load_plugins
from liftbench.judging.leakage import Leak, human_copies, leaks
from liftbench.prompts.spec import prompt_spec
from liftbench.recipe.sections import DataSection
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.system import PromptSpec, Shot
from liftbench.records.training import TrainingRow
from liftbench.text.transcript import transcript


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


def told_by(
    *, shots: list[Shot] | None = None, template: str = "{conversation}", system: str = "", prefill: str = ""
) -> PromptSpec:
    return prompt_spec(template, system, "chat", prefill=prefill, shots=shots or ())


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
    found = leaks(ScoredSplit([SCORED]), {}, trained_on(conversation("t", *texts)))
    assert kinds(found) == ([("trained on", "s", "t")] if likeness >= ALIKE else [])
    assert [leak.likeness for leak in found] == [pytest.approx(likeness, abs=0.03)] * len(found)


def test_validation_rows_chose_the_checkpoint() -> None:
    rows = [training_row(SCORED, "validation"), *trained_on(conversation("t", said("other", 50)))]
    assert kinds(leaks(ScoredSplit([SCORED]), {}, rows)) == [("chose the checkpoint", "s", "s")]


def test_short_conversations_are_alike_only_if_they_are_equal() -> None:
    short = conversation("s", "Hi, where is my parcel?", "Please send us a message.")
    nearly = conversation("t", "Hi, where is my parcel now?", "Please send us a message.")
    equal = conversation("u", "hi where is my parcel", "please send us a message")
    assert leaks(ScoredSplit([short]), {}, trained_on(nearly)) == []
    assert kinds(leaks(ScoredSplit([short]), {}, trained_on(nearly, equal))) == [("trained on", "s", "u")]


def test_an_equal_id_alone_is_no_leak() -> None:
    assert leaks(ScoredSplit([SCORED]), {}, trained_on(conversation("s", said("other", 50)))) == []


def test_of_all_that_are_alike_the_most_alike_is_named_once() -> None:
    half = conversation("half", said("problem", 40), said("question", 20), said("other", 20))
    [leak] = leaks(ScoredSplit([SCORED]), {}, trained_on(half, replace(SCORED, id="same"), half))
    assert (leak.other, leak.likeness) == ("same", 1.0)


def test_strangers_with_a_canned_greeting_are_no_leak() -> None:
    greeting = said("welcome", 30)
    pool = [conversation(str(number), greeting, said(f"n{number}x", 40)) for number in range(8)]
    assert leaks(ScoredSplit(pool[:4]), {}, trained_on(*pool[4:])) == []


def test_what_many_scored_conversations_say_tells_nothing() -> None:
    disclaimer = said("confidential", 100)
    pool = [conversation(str(number), said(f"n{number}x", 40), disclaimer) for number in range(40)]
    assert leaks(ScoredSplit(pool[:20]), {}, trained_on(*pool[20:])) == []
    again = conversation("again", said("n7x", 40).replace("n7x20", "other"), disclaimer)
    assert kinds(leaks(ScoredSplit(pool[:20]), {}, trained_on(*pool[20:], again))) == [("trained on", "7", "again")]


def test_copies_of_a_training_conversation_do_not_hide_each_other() -> None:
    copies = [
        conversation(f"t{number}", *(turn.text.replace(f"problem{number}", "other") for turn in SCORED.turns))
        for number in range(40)
    ]
    assert [leak.kind for leak in leaks(ScoredSplit([SCORED]), {}, trained_on(*copies))] == ["trained on"]


vocabulary = st.lists(st.integers(0, 30), min_size=1, max_size=200)


@settings(max_examples=30)
@given(st.lists(vocabulary, min_size=1, max_size=4))
def test_a_conversation_is_always_found_in_its_own_row(spoken: list[list[int]]) -> None:
    pool = [conversation(str(n), " ".join(f"w{word}" for word in words)) for n, words in enumerate(spoken)]
    found = leaks(ScoredSplit(pool), {}, trained_on(*pool))
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
    shots = [Shot(id=one.id, transcript=transcript(one.turns), summary=one.references[0]) for one in theirs]
    told = " ".join(one.references[0] for one in theirs)
    prompt = told_by(shots=shots, template=f"{told} {{conversation}}", system=told, prefill=told)
    assert {leak.kind for leak in leaks(ScoredSplit(ours), texts, trained_on(*theirs), prompt)} <= {"twice"}
    assert human_copies(ScoredSplit(ours), trained_on(*theirs)) == 0.0


# ------------------------------------------------------------------------------------------ scripts without spaces


PARCEL = (
    "您好,我上周在你们网站订购的一台洗衣机到今天还没有送到,物流信息也一直没有更新。",
    "非常抱歉给您带来不便,我们已经联系了仓库,明天上午会重新为您安排配送。",
)
ROUTER = (
    "我家的路由器每天半夜都会自动重启,已经换过电源了还是这样。",
    "请您先升级固件,如果问题依旧我们会寄一台新的给您。",
)


def test_near_duplicates_are_found_in_a_script_without_spaces() -> None:
    scored = [conversation("s", *PARCEL), conversation("x", *ROUTER)]
    nearly = conversation("t", PARCEL[0].replace("洗衣机", "电冰箱"), PARCEL[1])
    [leak] = leaks(ScoredSplit(scored), {}, trained_on(nearly))
    assert (leak.kind, leak.id) == ("trained on", "s")
    assert ALIKE <= leak.likeness < 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("客户投诉洗衣机没有按时送到,客服承诺明天上午重新配送。", "copied reference"),
        ("客户投诉说洗衣机没有按时送到了,客服承诺在明天上午重新配送。", "copied reference"),
        ("顾客询问退款进度,客服表示三个工作日内到账。", "copied from training"),
        ("用户的洗衣机迟迟未到货,对方答应次日再送一次。", ""),
    ],
)
def test_copies_are_found_in_a_script_without_spaces(text: str, kind: str) -> None:
    scored = conversation("s", *PARCEL, references=("客户投诉洗衣机没有按时送到,客服承诺明天上午重新配送。",))
    row = trained_on(conversation("t", *ROUTER, references=("顾客询问退款进度,客服表示三个工作日内到账。",)))
    assert [leak.kind for leak in leaks(ScoredSplit([scored]), {"s": text}, row)] == ([kind] if kind else [])


def test_a_name_in_latin_letters_alone_makes_no_copy_of_a_text_in_another_script() -> None:
    scored = conversation("s", *PARCEL, references=("客户的 iPhone 14 屏幕碎了,想知道维修价格。",))
    assert leaks(ScoredSplit([scored]), {"s": "有人问 iPhone 14 何时降价,客服没有回答。"}, []) == []


# -------------------------------------------------------------------------------------------------------------- prompts


@pytest.mark.parametrize(
    ("turns", "shown"),
    [
        (SCORED.turns, True),
        (SCORED.turns[:2], True),
        (SCORED.turns[:1], True),
        ((Turn(role="customer", text=said("other", 60)), SCORED.turns[1]), False),
    ],
)
def test_an_example_in_the_prompt_is_held_against_what_is_scored(turns: tuple[Turn, ...], shown: bool) -> None:
    prompt = told_by(shots=[Shot(id="t", transcript=transcript(turns), summary="A summary.")])
    assert kinds(leaks(ScoredSplit([SCORED]), {}, [], prompt)) == ([("shown in the prompt", "s", "t")] if shown else [])


SHORT = conversation("short", "Hi, my parcel never came at all.", "Please send us a message.")
TINY = conversation("tiny", "Hi there.", "Hello!")
INSTRUCTION = f"Summarize for a colleague. {said('instruction', 200)}"


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (transcript(SCORED.turns), ["s"]),
        (transcript(SCORED.turns).upper().replace("CUSTOMER:", "USER:").replace("AGENT:", "BOT:"), ["s"]),
        (" / ".join(turn.text for turn in SCORED.turns), ["s"]),
        (transcript(SCORED.turns[:2]), ["s"]),
        (transcript(SCORED.turns[:1]), []),
        (transcript(SHORT.turns), ["short"]),
        ("hi my parcel never came at all please send us a message", ["short"]),
        ("Please send us a message.", []),
        ("Customer: Hi there. Agent: Hello!", []),
        ("The customer wants a refund for a flight that never left", ["s"]),
        ("The customer wants a refund", []),
        ("", []),
    ],
)
@pytest.mark.parametrize("where", ["the template", "the system message", "the prefill"])
def test_what_is_pasted_into_a_prompt_is_held_against_what_is_scored(where: str, shown: str, found: list[str]) -> None:
    scored = [
        replace(SCORED, references=("Fine.", "The customer wants a refund for a flight that never left.")),
        SHORT,
        TINY,
    ]
    told = f"{INSTRUCTION} {shown} Now this:"
    prompt = {
        "the template": told_by(template=f"{told} {{conversation}}"),
        "the system message": told_by(system=told),
        "the prefill": told_by(prefill=told),
    }[where]
    assert kinds(leaks(ScoredSplit(scored), {}, [], prompt)) == [("shown in the prompt", id_, where) for id_ in found]


@pytest.mark.parametrize("one", [SCORED, SHORT, TINY], ids=lambda one: str(one.id))
def test_an_example_as_long_as_a_scored_conversation_is_that_conversation(one: Conversation) -> None:
    prompt = told_by(shots=[Shot(id="t", transcript=transcript(one.turns), summary="A summary.")])
    assert kinds(leaks(ScoredSplit([SCORED, SHORT, TINY]), {}, [], prompt)) == [("shown in the prompt", one.id, "t")]


def test_a_scored_conversations_summary_under_another_example_is_shown() -> None:
    scored = replace(SCORED, references=("The customer wants a refund for a flight that never left.",))
    shot = Shot(id="t", transcript=f"Customer: {said('other', 60)}", summary=scored.references[0])
    assert kinds(leaks(ScoredSplit([scored]), {}, [], told_by(shots=[shot]))) == [("shown in the prompt", "s", "t")]


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
        (f"{OWN} {said('own', 5)}", [("copied reference", "s", 2 * 16 / (16 + 21))]),
        (f"{' '.join(OWN.split()[:12])} {said('own', 8)}", [("copied reference", "s", 2 * 12 / (16 + 20))]),
        (f"{' '.join(OWN.split()[:12])} {said('own', 9)}", []),
        ("", []),
    ],
)
def test_a_text_is_a_copy_by_its_longest_run_of_words(text: str, expected: list[tuple[str, str, float]]) -> None:
    scored = replace(SCORED, references=(OWN, "Short."))
    row = trained_on(conversation("t", said("other", 40), references=("Refund.", SUMMARY)))
    found = leaks(ScoredSplit([scored]), {"s": text}, row)
    assert [(leak.kind, leak.other) for leak in found] == [(kind, other) for kind, other, _ in expected]
    assert [leak.likeness for leak in found] == [pytest.approx(likeness) for *_, likeness in expected]
    assert all(len(leak.words.split()) >= 8 and leak.words in SUMMARY.lower() + OWN.lower() for leak in found)


@pytest.mark.parametrize(
    ("text", "likeness"),
    [
        ("The caller asks why the router very restarts every night and gets a new very one by mail.", 32 / 34),
        ("The caller asks why his router restarts every night and gets some new one by mail.", 28 / 32),
        ("The caller wonders why his router restarts every night and gets some new one by mail.", None),
        ("By mail one new a gets and night every restarts router the why asks caller the.", None),
        ("The router of the caller restarts at night, so the agent mails a new one.", None),
    ],
    ids=["words put in", "two words changed", "three words changed", "backwards", "said otherwise"],
)
def test_an_edited_copy_of_the_own_summary_is_a_copy(text: str, likeness: float | None) -> None:
    scored = replace(SCORED, references=("Another summary of the same, told in a very different way.", OWN))
    found = leaks(ScoredSplit([scored]), {"s": text}, [])
    assert kinds(found) == ([] if likeness is None else [("copied reference", "s", "s")])
    assert [leak.likeness for leak in found] == ([] if likeness is None else [pytest.approx(likeness)])


def test_human_copies_are_the_share_of_summaries_that_the_rule_for_texts_hits() -> None:
    stock = "Customer is complaining about the delay of his order"
    scored = [
        replace(SCORED, references=(f"{stock} again.", OWN)),
        replace(SHORT, references=("Refund.", f"{stock} and wants to hear by tonight whether it comes at all.")),
        TINY,
    ]
    rows = trained_on(conversation("t", said("other", 40), references=(f"{stock}.",)))
    assert human_copies(ScoredSplit(scored), rows) == 1 / 4
    assert human_copies(ScoredSplit(scored), []) == 0.0
    assert human_copies(ScoredSplit([TINY]), rows) == 0.0
    assert human_copies(ScoredSplit([]), rows) == 0.0
    assert kinds(leaks(ScoredSplit(scored), {"s": f"{stock} again."}, rows)) == [
        ("copied from training", "s", "t"),
        ("copied reference", "s", "s"),
    ]


def test_no_run_goes_from_one_training_summary_into_another_conversations() -> None:
    first, second = said("first", 10), said("second", 10)
    rows = trained_on(conversation("t", "x", references=(first,)), conversation("u", "y", references=(second,)))
    tail = said("own", 3)
    assert kinds(leaks(ScoredSplit([SCORED]), {"s": f"{first} {second}"}, rows)) == [("copied from training", "s", "t")]
    assert leaks(ScoredSplit([SCORED]), {"s": f"{first} {second} {tail}"}, rows) == []


# ------------------------------------------------------------------------------------------------- the scored split


def test_the_later_of_two_scored_conversations_is_there_twice() -> None:
    nearly = conversation("n", *(turn.text.replace("answer20", "other") for turn in SCORED.turns))
    stranger = conversation("x", said("other", 60))
    found = leaks(ScoredSplit([SCORED, stranger, nearly, replace(SCORED, id="again")]), {}, [])
    assert kinds(found) == [("twice", "n", "s"), ("twice", "again", "s")]
    assert [leak.likeness for leak in found] == [pytest.approx(0.95, abs=0.01), 1.0]


def test_the_ends_of_a_chain_are_no_repetition_of_each_other() -> None:
    chain = [conversation(str(at), " ".join(f"w{number}" for number in range(at, at + 100))) for at in (0, 20, 40, 60)]
    assert kinds(leaks(ScoredSplit(chain), {}, [])) == [("twice", "20", "0"), ("twice", "60", "40")]


# ----------------------------------------------------------------------------------------------------------- real data


Real = tuple[Sequence[Conversation], Sequence[Conversation]]


@pytest.fixture(scope="module")
def real(tweetsumm: Path) -> Real:
    """TweetSumm's validation split and its training split."""
    section = DataSection(dataset="tweetsumm", data_dir=str(tweetsumm))
    dataset = open_dataset(section, load_plugins())
    return list(read_split(dataset, section, "validation")), list(read_split(dataset, section, "train"))


def test_real_strangers_do_not_leak_and_human_summaries_are_no_copies(
    real: Real,
) -> None:
    scored, training = real
    texts = {one.id: one.references[0] for one in scored}
    rows = trained_on(*training)
    assert {leak.kind for leak in leaks(ScoredSplit(scored), texts, rows)} == {"copied reference"}
    assert human_copies(ScoredSplit(scored), rows) == 0.0


def test_a_persons_other_summaries_are_no_copies_of_a_real_reference(
    real: Real,
) -> None:
    for one in real[0]:
        for place, text in enumerate(one.references):
            others = tuple(other for number, other in enumerate(one.references) if number != place)
            assert leaks(ScoredSplit([replace(one, references=others)]), {one.id: text}, []) == []


def test_edited_copies_of_real_references_are_found(real: Real) -> None:
    scored, _ = real
    texts = {
        one.id: " ".join(f"{word} really" if place % 7 == 6 else word for place, word in enumerate(words))
        for one in scored
        for words in [one.references[-1].split()]
    }
    assert [leak.id for leak in leaks(ScoredSplit(scored), texts, [])] == [one.id for one in scored]


def test_real_training_examples_do_not_show_what_is_scored(
    real: Real,
) -> None:
    scored, training = real
    shots = [
        Shot(id=one.id, transcript=transcript(one.turns), summary=one.references[0])
        for one in training[:100]
        if one.references
    ]
    pasted = "\n\n".join(f"{shot.transcript}\n{shot.summary}" for shot in shots)
    assert leaks(ScoredSplit(scored), {}, [], told_by(shots=shots, system=pasted)) == []
    everything = "\n\n".join(transcript(one.turns) for one in scored)
    found = leaks(ScoredSplit(scored), {}, [], told_by(template=f"{everything}\n{{conversation}}"))
    assert kinds(found) == [("shown in the prompt", one.id, "the template") for one in scored]


def test_every_planted_near_duplicate_is_found_among_real_conversations(
    real: Real,
) -> None:
    scored, training = real
    changed = [
        replace(one, id=f"planted {one.id}", turns=(*one.turns[:-1], Turn(role="agent", text="Bye now.")))
        for one in scored
    ]
    cut = [replace(one, id=f"cut {one.id}", turns=one.turns[: len(one.turns) // 2 + 1]) for one in scored]
    for planted in (changed, cut):
        found = leaks(ScoredSplit(scored), {}, trained_on(*training, *planted))
        assert [leak.id for leak in found] == [one.id for one in scored]
        assert all(leak.other.endswith(leak.id) for leak in found)


def test_training_on_the_helpdesk_corpus_shows_nothing_of_its_test_split() -> None:
    section = DataSection(dataset="helpdesk")
    dataset = open_dataset(section, load_plugins())
    training = [one for split in ("train", "validation") for one in read_split(dataset, section, split)]
    assert leaks(ScoredSplit(read_split(dataset, section, "test")), {}, trained_on(*training)) == []
