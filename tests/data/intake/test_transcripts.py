from __future__ import annotations

import time

import pytest

from liftbench.data.intake.columns import Columns
from liftbench.data.intake.speakers import Speakers
from liftbench.data.intake.tally import Tally
from liftbench.data.intake.transcripts import Unusable, said_in_text, transcript_turns
from liftbench.plugin_api import Row, conversations


def read(text: str, **columns: object) -> tuple[list[tuple[str, str]], str]:
    """The turns of a transcript, each on one line, and what was noted."""
    tally = Tally()
    said = said_in_text(text, Speakers(Columns(transcript="t", **columns)), tally)  # type: ignore[arg-type]
    return [(name, " ".join(words.split())) for name, words in said], " | ".join(tally.report().notes)


# ----------------------------------------------------------------------------------------------------------- heads


@pytest.mark.parametrize(
    "name",
    [
        "Ana María Cruz",
        "Ana María Cruz Gil",
        "Dr. Ana-María de la Cruz",
        "Mr. J. R. van der Berg",
        "Team 4 Desk North",
        "خدمة العملاء الرئيسية",
        "ВАСИЛИЙ ИВАНОВИЧ ПЕТРОВ",
        "ann.lee@desk.example.org",
        "+49 170 1234567",
        "#Person One Two#",
        "ana maria cruz",
    ],
)
def test_a_name_of_any_length_that_recurs_is_a_speaker(name: str) -> None:
    said, _ = read(f"{name}: The lift squeaks.\nTom: Since when?\n{name}: Since noon.\nTom: We come.")
    assert said == [(name, "The lift squeaks."), ("Tom", "Since when?"), (name, "Since noon."), ("Tom", "We come.")]


def test_a_role_in_or_beside_a_name_is_its_role_and_is_told() -> None:
    said, notes = read("Customer: a\nCustomer Service Agent: b\nCustomer: c\nAnn Lou Lee (Support): d")
    assert said == [("Customer", "a"), ("agent", "b"), ("Customer", "c"), ("Support", "d")]
    assert "speakers read as the agent by a word in or beside their names: 2 (Customer Service Agent, Ann Lou" in notes
    said, notes = read("Customer: a\nField Service Agent: b", roles={"Field Service Agent": "customer"})
    assert (said[1], notes) == (("Field Service Agent", "b"), "")


@pytest.mark.parametrize(
    "line",
    [
        "Here is the link to it: https://fix.example",
        "What I need is this: a new hinge",
        "and the order number was: 44",
        "https://fix.example/a:b",
    ],
)
def test_prose_with_a_colon_is_no_speaker(line: str) -> None:
    said, _ = read(f"Tom: Hello.\n{line}\nSue: I see.\n{line}\nThat is all there is to it.")
    assert [name for name, _ in said] == ["Tom", "Sue"]
    assert said[0][1] == f"Hello. {line}"


def test_prose_that_recurs_is_told() -> None:
    _, notes = read("Tom: Hello.\nhere is the link: x\nSue: I see.\nhere is the link: y\nThanks.")
    assert "lines with several words before a colon, read as text" in notes
    assert "(here is the link)" in notes


# ----------------------------------------------------------------------------------------------------------- times

TOLD = [("Agent", "Hello"), ("Customer", "Hi"), ("Agent", "Bye")]


@pytest.mark.parametrize(
    "text",
    [
        "Agent: Hello\nAt 10:15 I called\nCustomer: Hi",
        "Agent: Hello\n10:15: I called\nCustomer: Hi",
        "Agent: Hello\n10:15 AM: I called\nCustomer: Hi",
        "Agent: Hello\n10h15: I called\nCustomer: Hi",
        "Agent: Hello\nTomorrow 10:15 works\nCustomer: Hi",
        "Agent: Hello\n2025-03-05 10:15:30: I called\nCustomer: Hi",
    ],
)
def test_a_time_is_no_speaker(text: str) -> None:
    said, _ = read(text)
    assert [name for name, _ in said] == ["Agent", "Customer"]


@pytest.mark.parametrize(
    "text",
    [
        "Agent: Hello\n10:15\nCustomer: Hi\n10:16\nAgent: Bye\n10:17",
        "10:15\nAgent: Hello\n10:16\nCustomer: Hi\n10:17\nAgent: Bye",
        "Agent:\n10:15 AM\nHello\nCustomer:\n10:16 AM\nHi\nAgent:\n10:17 AM\nBye",
        "Agent\n10:15\nHello\nCustomer\n10:16\nHi\nAgent\n10:17\nBye",
        "10:15\nAgent\nHello\n10:16\nCustomer\nHi\n10:17\nAgent\nBye",
        "Agent  10:15 AM\nHello\nCustomer  10:16 AM\nHi\nAgent  10:17 AM\nBye",
        "[3/5/2025 10:15 AM] Agent\nHello\n[3/5/2025 10:16 AM] Customer\nHi\n[3/5/2025 10:17 AM] Agent\nBye",
        "Agent — Today at 10:15 AM\nHello\nCustomer — Today at 10:16 AM\nHi\nAgent — Today at 10:19 AM\nBye",
        "[Agent] 10:15:02\nHello\n\n[Customer] 10:15:09\nHi\n\n[Agent] 10:15:20\nBye",
        "Agent (00:05):\nHello\n\nCustomer (00:09):\nHi\n\nAgent (00:15):\nBye",
        "Agent 10:15: Hello\nCustomer 10:16: Hi\nAgent 10:17: Bye",
        "10:15:02\t From  Agent  to  Everyone : Hello\n10:15:09\t From  Customer  to  Everyone : Hi\n"
        "10:15:20\t From  Agent  to  Everyone : Bye",
        "[10:15] <Agent> Hello\n[10:16] <Customer> Hi\n[10:17] <Agent> Bye",
        "2025-03-05T10:15:02Z Agent: Hello\n2025-03-05T10:15:09Z Customer: Hi\n2025-03-05T10:15:20Z Agent: Bye",
        "( 5s ) Agent: Hello\n( 1m 10s ) Customer: Hi\n( 2m 1s ) Agent: Bye",
        "Agent\nHello\nCustomer\nHi\nAgent\nBye",
        "Agent: [10:15] Hello\nCustomer: [10:16] Hi\nAgent: [10:17] Bye",
        "Agent: Hello (10:15 AM)\nCustomer: Hi (10:16 AM)\nAgent: Bye (10:17 AM)",
        "<p><b>Agent (10:15):</b><br>Hello</p><p><b>Customer (10:16):</b><br>Hi</p><p><b>Agent:</b> Bye</p>",
        "*** Agent joined the chat ***\nAgent: Hello\nCustomer: Hi\nAgent: Bye\n*** Agent left ***",
        "00:00:01,000 --> 00:00:04,000\nAgent: Hello\n00:00:05,000 --> 00:00:08,000\nCustomer: Hi\n"
        "00:00:09,000 --> 00:00:12,000\nAgent: Bye",
    ],
)
def test_times_beside_turns_are_no_words(text: str) -> None:
    assert read(text)[0] == TOLD
    assert len(transcript_turns(text) or ()) == 3


def test_left_out_times_are_told_and_times_that_are_answers_stay() -> None:
    _, notes = read("Agent: Hello\n10:15\nCustomer: Hi\n10:16\nAgent: Bye")
    assert "lines that hold only the time of a turn, left out: 2 (10:15, 10:16)" in notes
    said, notes = read("Agent: [x] 10:15 or 11:00?\nCustomer: 10:15 please.")
    assert (said[1], notes) == (("Customer", "10:15 please."), "")
    said, notes = read("Agent: Which slot?\n10:15\n11:30\nCustomer: The first.\nAgent: Done.\nCustomer: Good.")
    assert said[0] == ("Agent", "Which slot? 10:15 11:30")
    assert not notes


# ------------------------------------------------------------------------------------------------ turns on one line


@pytest.mark.parametrize(
    "text",
    [
        "Customer: Hi. Agent: Which number? Customer: 44: the lamp. Agent: Good.",
        "customer: Hi. | agent: Which number? | customer: 44: the lamp. | agent: Good.",
        "[10:15] User: Hi. [10:16] Support: Which number? [10:17] User: 44: the lamp. [10:18] Support: Good.",
    ],
)
def test_one_line_is_parted_at_roles_that_recur(text: str) -> None:
    said, notes = read(text)
    assert [words for _, words in said] == ["Hi.", "Which number?", "44: the lamp.", "Good."]
    assert "transcripts with several turns on a line, parted at the names of roles: 1" in notes


def test_a_time_at_the_end_of_a_turn_on_one_line_stays() -> None:
    said, _ = read("Customer: Hi. Agent: When? Customer: At 5:10 am Agent: Good. Customer: See you at 9:00 Agent: Bye.")
    assert [words for _, words in said] == ["Hi.", "When?", "At 5:10 am", "Good.", "See you at 9:00", "Bye."]


def test_one_line_is_parted_at_names_that_have_a_role() -> None:
    text = "Ann Lou Lee: Hi. Bob: Which number? Ann Lou Lee: 44. Bob: Good."
    said, _ = read(text, roles={"Ann Lou Lee": "customer", "Bob": "agent"})
    assert said == [("Ann Lou Lee", "Hi."), ("Bob", "Which number?"), ("Ann Lou Lee", "44."), ("Bob", "Good.")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Ann: Hi. Bob: Which? Ann: 44. Bob: Good.", "name them with --role"),
        ("Customer: I told your Agent: no.", "put each turn on a line of its own"),
        ("Nobody says this.", "names no speaker"),
        ("WEBVTT\n\n00:01.000 --> 00:04.000\nThanks for calling.", "name no speaker; write `Agent: …`"),
    ],
)
def test_turns_that_cannot_be_told_apart_are_not_read(text: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        read(text)


def test_lines_above_the_first_speaker_are_told() -> None:
    said, notes = read("Transcript of call 4711\nAgent: Hello\nCustomer: Hi")
    assert said == TOLD[:2]
    assert "lines above the first speaker, left out: 1 (Transcript of call 4711)" in notes


# -------------------------------------------------------------------------------------------------------- captions


def test_voices_of_captions_are_speakers() -> None:
    text = (
        "WEBVTT - made by hand\nLanguage: en\n\nNOTE Confidence: 0.9\nmore of it\n\nSTYLE\n::cue { color: red }\n\n"
        "a1-0\n00:01.000 --> 00:04.000 align:start\n<v.loud Ann Lou van Lee>Hello &amp;\n<i>welcome</i>.</v>\n\n"
        "a1-1\n00:05.000 --> 00:08.000\n<v Bob>It is<00:06.000> off.</v>\n<v Ann Lou van Lee>Oh.</v>\n\n"
        "00:09.000 --> 00:10.000\nHm.\n"
    )
    said, notes = read(text)
    assert said == [
        ("Ann Lou van Lee", "Hello & welcome."),
        ("Bob", "It is off."),
        ("Ann Lou van Lee", "Oh."),
        ("Ann Lou van Lee", "Hm."),
    ]
    assert "cues without a speaker, read as the words of the speaker before: 1 (Hm.)" in notes


@pytest.mark.parametrize("gap", ["\n\n", "\n", "\r\n\r\n"])
def test_speakers_at_the_beginning_of_cues(gap: str) -> None:
    cues = (
        "1\n00:00:01,000 --> 00:00:04,000\nAgent: Your number?",
        "2\n00:00:05,000 --> 00:00:08,000\n{\\an8}Customer: It is\n4417",
        "3\n00:00:09,000 --> 00:00:12,000\n<b>Agent:</b> Thanks,\nthe rest is this: none",
    )
    assert read(gap.join(cues))[0] == [
        ("Agent", "Your number?"),
        ("Customer", "It is 4417"),
        ("Agent", "Thanks, the rest is this: none"),
    ]


def test_names_of_cues_are_speakers() -> None:
    text = 'WEBVTT\n\n1 "Ann Lee" (123)\n00:01.000 --> 00:04.000\nHello\n\n2 "Bob" (4)\n00:05.000 --> 00:08.000\nHi'
    assert read(text)[0] == [("Ann Lee", "Hello"), ("Bob", "Hi")]


# ------------------------------------------------------------------------------------------------------- chat logs


@pytest.mark.parametrize(
    "text",
    [
        "12/31/24, 10:14\u202fPM - Messages are end-to-end encrypted.\n"
        '12/31/24, 10:14\u202fPM - Ann Lou Lee changed the subject to "Lamp: late"\n'
        "12/31/24, 10:15\u202fPM - Ann Lou Lee: Hi\nsecond: line\n"
        "12/31/24, 10:16\u202fPM - +49 170 1234567: <Media omitted>\n"
        "12/31/24, 10:17\u202fPM - +49 170 1234567: I <3 it",
        "[31.12.24, 22:14:01] Lamp Group: \u200eNachrichten sind verschlüsselt.\n"
        "[31.12.24, 22:14:02] Ann Lou Lee hat die Gruppe erstellt\n[31.12.24, 22:14:02] Bob trat bei\n"
        "[31.12.24, 22:15:03] Ann Lou Lee: Hi\nsecond: line\n"
        "\u200e[31.12.24, 22:16:03] +49 170 1234567: I <3 it \u200e<Diese Nachricht wurde bearbeitet.>",
        "03.01.24 10.14 - Ann ha creato il gruppo\n03.01.24 10.15 - Ann Lou Lee: Hi\nsecond: line\n"
        "03.01.24 10.16 - +49 170 1234567: I <3 it",
    ],
)
def test_exports_of_whatsapp(text: str) -> None:
    said, notes = read(text)
    assert said == [("Ann Lou Lee", "Hi second: line"), ("+49 170 1234567", "I <3 it")]
    assert "lines of the chat program itself, which nobody said, left out" in notes or "only a picture" in notes


def test_the_words_below_a_picture_stay() -> None:
    said, notes = read("1/2/24, 10:15 - Ann: IMG-1.jpg (file attached)\nThe crack.\n1/2/24, 10:16 - Bob: I see.")
    assert said == [("Ann", "The crack."), ("Bob", "I see.")]
    assert "messages that are only a picture, a file or a sound, left out: 1 (IMG-1.jpg (file attached))" in notes


# ------------------------------------------------------------------------------------------------------------ cost


@pytest.mark.parametrize(
    "piece", ["a ", "9", "[", "x", "10:15 ", "- ", "_*", "1s ", "jan ", "Agent ", "10:15\n", "On x\n", "<v a>", "a: b "]
)
def test_long_lines_take_linear_time(piece: str) -> None:
    began = time.process_time()
    transcript_turns(piece * 10_000)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "head", ["[Internal note] Ann:", "(Private note)", "[Work notes]:", "[internal comment] Agent:"]
)
def test_a_note_in_brackets_before_its_author_is_nobodys_turn(head: str) -> None:
    text = f"Customer: My fridge is warm.\nAgent: Which model?\n{head} he is a crank\nCustomer: X200."
    columns = Columns(transcript="t")
    [conversation] = conversations([Row(number=1, values={"t": text})], columns, tally := Tally())
    assert [turn.text for turn in conversation.turns] == ["My fridge is warm.", "Which model?", "X200."]
    assert [item.count_and_reason for item in tally.report().left_out] == ["1 message left out: said by internal note"]
