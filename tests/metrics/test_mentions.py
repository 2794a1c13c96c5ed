"""Details of a text: which there are, which other spelling in a conversation supports them, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.metrics import evidence as evidence_module
from liftbench.metrics import mentions as mentions_module
from liftbench.metrics.evidence import ConversationEvidence
from liftbench.metrics.lexicon import HUMP
from liftbench.metrics.mentions import mentions
from liftbench.records.conversation import Turn
from liftbench.text import numbers as numbers_module
from liftbench.text.names import fold
from liftbench.text.numbers import calendar_key, find_number_words, replace_number_words


def lacking(text: str, *turns: str) -> list[str]:
    evidence = ConversationEvidence([Turn(role="customer", text=turn) for turn in turns])
    return [f"{one.kind}: {one.text}" for one in mentions(text) if not evidence.supports(one)]


# ---------------------------------------------------------------------------------------------------- what is a detail


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She paid £1,500 and 20 euros, then CAD 250.", ["amount £1,500", "amount 20 euros", "amount CAD 250"]),
        ("Rs 650, $1k, 200$ and R500 were charged.", ["amount Rs 650", "amount $1k", "amount 200$", "amount R500"]),
        (
            "On 4 July, June 27, the 3rd of May 2026 or Friday.",
            ["date 4 July", "date June 27", "date 3rd of May 2026", "date Friday"],
        ),
        ("It is 2026-07-04, 27/12/17 or in Sept.", ["date 2026-07-04", "date 27/12/17", "date Sept"]),
        ("It may march on; the sun sat there.", []),
        ("Call at 9:30 pm, 6pm or 10 o'clock.", ["time 9:30 pm", "time 6pm", "time 10 o'clock"]),
        ("Case KX-40921, seat 12A, ref GW55102.", ["code KX-40921", "number 12", "code GW55102"]),
        ("Ring 555-0170 or 1-866-951-6592.", ["code 555-0170", "code 1-866-951-6592"]),
        ("Write to ana@example.com or @spotify.", ["code ana@example.com", "code @spotify"]),
        ("A 7-year-old waited 30min, 10% of three hours.", ["number 7", "number 30min", "number 10", "number three"]),
        ("Two hundred and five came in 3-5 days.", ["number Two hundred and five", "number 3-5"]),
        ("One of them was the first, a second one came.", []),
        ("Ana Ruiz wrote to Vistamoor's desk.", ["name Ana Ruiz", "name Vistamoor"]),
        ("Agent asked for it. Customers were told. He's here, I'm not. Don't.", []),
        ("Agnet replied. Custoner left.", []),
        ("The link <LINK> &amp; more", []),
        ("", []),
    ],
)
def test_details(text: str, expected: list[str]) -> None:
    found = [f"{mention.kind} {mention.text}" for mention in mentions(text)]
    assert found == expected


@given(st.text(st.sampled_from("aB1 .,:-/£'’@&<>éß\n2")) | st.text())
@settings(max_examples=150)
def test_mentions_stand_where_they_say_and_never_overlap(text: str) -> None:
    end = 0
    for mention in mentions(text):
        assert end <= mention.start < mention.end
        assert text[mention.start : mention.end] == mention.text
        assert mention.parts
        end = mention.end


@given(st.lists(st.sampled_from(["Ana", "£5.50", "4 July", "KX-409", "two", "x1", "9:30", "Wi-Fi", "3-5"]), min_size=1))
@settings(max_examples=50)
def test_a_text_supports_itself(words: list[str]) -> None:
    text = " then ".join(words)
    assert lacking(text, text) == []


# A quick look at the tokens of a text spares most searches; what it spares must have found nothing.

WORDS = ["two", "Twos", "ones", "ſix", "ſixty", "dozen", "one²", "fi_ve", "hundred", "May", "sat", "SUNDAY", "Tuesdays"]
WORDS += ["june", "maybe", "kilo", "twentieth", "twenty-one", "e\u0301ight", "eight\u0301", "mar_", "sept.", "4", "²"]
phrases = st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=6).flatmap(
    lambda words: st.sampled_from([" ", "-", "", ", ", " and "]).map(lambda mark: mark.join(words))
)


@given(phrases)
@settings(max_examples=300)
def test_no_search_is_spared_that_would_have_found_something(text: str) -> None:
    quickly = mentions(text), list(find_number_words(text))
    with pytest.MonkeyPatch.context() as patch:
        for module in (numbers_module, mentions_module):
            patch.setattr(module, "may_have", lambda tokens, text: True)  # noqa: ARG005 - as the function it replaces
        assert (mentions(text), list(find_number_words(text))) == quickly


SAID = [
    "Play",
    "station",
    "4",
    "GWRHelp",
    "two",
    "twenty-one",
    "£5.50",
    "at 9",
    "0815",
    "18:00",
    "4 July",
    "Inês",
    "may",
]
SAID += ["on Sunday", "12,000.50", "20k", "x1", "fifty pounds ten", "<LINK>"]


@given(
    st.lists(st.lists(st.sampled_from(SAID), min_size=1, max_size=5).map(" ".join), min_size=1, max_size=3), st.data()
)
@settings(max_examples=200)
def test_every_reading_of_the_turns_is_found_and_no_other(turns: list[str], data: st.DataObject) -> None:
    there = {reading for text in turns for reading in evidence_module._spelled_numbers(text)}
    there |= {reading for text in turns for reading in evidence_module._numbers(text)}
    for text in map(replace_number_words, turns):
        tokens = [fold(token) for token in evidence_module._TOKEN.findall(text)]
        there.update(tokens, evidence_module._numbers(text), evidence_module._times(text))
        there.update("".join(tokens[at : at + length]) for length in (2, 3) for at in range(len(tokens) - length + 1))
        there.update(map(fold, HUMP.findall(text)))
        there.update(calendar_key(match[0]) for match in evidence_module._CALENDAR.finditer(text))
    evidence = ConversationEvidence([Turn(role="customer", text=turn) for turn in turns])
    others = ["t9:00", "t8:15", "~may", "~sun", "815", "5", "550", "21", "gwr", "playstation4", "station4", "station42"]
    for reading in data.draw(st.permutations([*sorted(there), *others])):
        assert evidence._has(reading) == (reading in there), reading


# ------------------------------------------------------------------------------------------------------- what supports


@pytest.mark.parametrize(
    ("detail", "turn"),
    [
        ("1,000", "It was one thousand."),
        ("1000", "It was 1,000."),
        ("20,000", "I sent 20k."),
        ("twenty-five", "There are 25."),
        ("two", "A couple of them, i.e. both."),
        ("$5", "I paid 5 dollars."),
        ("$5.50", "It cost 5.5"),
        ("£3.50", "charged 350 for it"),  # Data without punctuation.
        ("£1,184.60", "A bill for one thousand, one hundred and eighty-four pounds sixty!"),
        ("£2.40", "Two pounds forty a day."),
        ("226", "He says two two six."),
        ("5189", "It says five, one, eight, nine."),
        ("3-5", "Please allow up to 35 business days"),
        ("24 to 48", "within 2448 hours"),
        ("30th", "my 30 birthday"),
        ("KX-40921", "my order kx 40921"),
        ("JC-14420", "JC one four four two oh"),
        ("E05", "It shows E zero five."),
        ("PS4", "my PS 4"),
        ("1-866-951-6592", "call 18669516592"),
        ("44172", "It is SD-44172."),
        ("4 July", "on July 4th"),
        ("3 December", "the third of December"),
        ("16 November", "On 14 November you sent it, I planted it on the 16th."),
        ("3/11/2017", "completed by 3112017"),
        ("Monday", "every monday"),
        ("Sept. 30", "30 september"),
        ("18:00", "about 6 pm"),
        ("13:23", "the 1323 to Coventry"),
        ("9.13am", "the 913 from Lawrence Hill"),
        ("10 o'clock", "come at ten"),
        ("5pm", "between two and five tonight"),
        ("1 hour", "It takes an hour."),
        ("Spotify", "SpotifyCares hey"),
        ("Sainsbury's", "sainsburys is closed"),
        ("Sainsburys", "at Sainsbury's"),
        ("Koreans", "a korean bowl"),
        ("PlayStation", "my play station"),
        ("Wi-Fi", "the WiFi is off"),
        ("GWR", "GWRHelp it is late"),
        ("Inês", "I am Ines"),
        ("Moyo-Clark", "Thandeka Moyo Clark here"),
    ],
)
def test_another_spelling_supports(detail: str, turn: str) -> None:
    text = f"The customer mentions {detail} there."
    assert mentions(text), "a detail that is not seen cannot fail"
    assert lacking(text, "Hello.", turn) == []


@pytest.mark.parametrize(
    ("detail", "kind", "turn"),
    [
        ("1,000", "number", "100 or 10,000"),
        ("three", "number", "2 of 33"),
        ("$5.50", "amount", "$55 and 50"),
        ("20 September", "date", "30 September and 20 April"),
        ("Tuesday", "date", "Thursday"),
        ("May", "date", "may I come in"),
        ("18:00", "time", "after 6 days, 600 units"),
        ("$1", "amount", "an hour at $11"),
        ("KX-40922", "code", "KX-40921"),
        ("PS4", "code", "PS5 with 4 games"),
        ("Bo", "name", "about Bob"),
        ("Nair", "name", "in air"),
        ("Ana Ruiz", "name", "Ana here"),
        ("TESCO", "name", "asda"),
    ],
)
def test_something_else_does_not(detail: str, kind: str, turn: str) -> None:
    assert lacking(f"The customer mentions {detail} there.", turn) == [f"{kind}: {detail}"]


@pytest.mark.parametrize(
    ("text", "values", "digits"),
    [
        ("twenty-five", (25,), "25"),
        ("one thousand, one hundred and eighty-four", (1184,), "1184"),
        ("two million three hundred thousand and five", (2300005,), "2300005"),
        ("two two six", (2, 2, 6), "226"),
        ("five, eight, one, seven", (5, 8, 1, 7), "5817"),
        ("twenty twenty-six", (20, 26), "2026"),
        ("eleven forty", (11, 40), "1140"),
        ("zero five", (0, 5), "05"),
        ("the thirty-first", (31,), "31"),
        ("a dozen", (12,), "12"),
    ],
)
def test_number_words(text: str, values: tuple[int, ...], digits: str) -> None:
    (run,) = find_number_words(text)
    assert (run.values, run.digits) == (values, digits)


def test_letters_that_only_a_pattern_takes_for_others_make_no_number() -> None:
    assert list(find_number_words("ſix or ſixty")) == []


def test_number_words_joined_by_and_are_two_numbers() -> None:
    assert [run.values for run in find_number_words("between two and five")] == [(2,), (5,)]
