"""Numbers, times and calendar words as people write them. Two spellings are equal if they share a reading."""

from __future__ import annotations

import re
from collections.abc import Iterator

import regex
from msgspec import Struct

NUMERAL = r"\d+(?:[.,:]\d+)*"
_THOUSANDS = regex.compile(r"\d{1,3}(?:,\d{2,3})+(?:\.\d+)?")
_DIGITS = regex.compile(r"\d+")


def readings(numeral: str) -> frozenset[str]:
    """The readings of a numeral: its value, and its digits alone, which are what data without punctuation have.

    >>> sorted(readings("1,184.60")), sorted(readings("0815")), sorted(readings("20k"))
    (['1184.6', '118460'], ['815'], ['20000'])
    """
    if numeral[-1:] in "kK":
        return readings(f"{numeral[:-1]},000")
    digits = _plain("".join(_DIGITS.findall(numeral)))
    value = numeral.replace(",", "") if _THOUSANDS.fullmatch(numeral) else numeral.replace(",", ".")
    whole, point, fraction = value.partition(".")
    if not whole.isdigit() or (point and not fraction.isdigit()):
        return frozenset({digits})
    fraction = fraction.rstrip("0")
    return frozenset({digits, f"{_plain(whole)}.{fraction}" if fraction else _plain(whole)})


def clock(hour: int, minute: int) -> frozenset[str]:
    """The readings of a time of day, on a 24-hour and a 12-hour clock: `18:00`, `6 pm` and `6:00` share a reading.

    >>> sorted(clock(18, 0) & clock(6, 0))
    ['t6:00']
    """
    return frozenset({f"t{hour}:{minute:02}", f"t{(hour - 1) % 12 + 1}:{minute:02}"})


def _plain(digits: str) -> str:
    return digits.lstrip("0") or "0"


# --------------------------------------------------------------------------------------------------- numbers in words

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
)
CARDINALS = {
    **{word: value for value, word in enumerate(f"{_UNITS} eighteen nineteen".split())},
    **{word: 10 * value for value, word in enumerate(_TENS.split(), start=2)},
}
SCALES = {"hundred": 100, "thousand": 1000, "grand": 1000, "lakh": 100_000, "million": 1_000_000}
ORDINALS = {
    **{word: value for value, word in enumerate(_ORDINALS.split())},
    **{f"{word}th": value for word, value in CARDINALS.items() if 15 <= value < 20},
    **{f"{word[:-1]}ieth": value for word, value in CARDINALS.items() if value >= 20},
}
_OTHER_WORDS = {"oh": 0, "nought": 0, "once": 1, "both": 2, "couple": 2, "double": 2, "pair": 2, "twice": 2}
"""Words that imply a number. They support a number in a summary, and do not count as numbers themselves."""

_WORDS = {**CARDINALS, **SCALES, **ORDINALS, **_OTHER_WORDS, "dozen": 12, "noon": 12, "midday": 12, "midnight": 12}
_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_RUN = regex.compile(rf"(?i)\b(?:{_WORD})s?(?:(?:-|,? |(?<=hundred|thousand),? and )(?:{_WORD}))*\b")
_PART = regex.compile(rf"(?i)\b(?:{_WORD})")
_TOKEN = regex.compile(r"\w+")
_ASCII_TOKEN = re.compile(r"\w+", re.ASCII)
_FIRST = frozenset((*_WORDS, *(f"{word}s" for word in _WORDS)))
"""What a run begins with, as a whole token."""
_ODD_CASES = frozenset("ſKİı")
"""Letters that `regex` may take for ASCII letters where case is ignored, and `str.lower` does not."""


def may_have(tokens: frozenset[str], text: str) -> bool:
    """Whether a search for these whole tokens, in lower case and without regard to case, may find one in a text.

    Most texts have none, which is much faster to see so than by the search.
    """
    found = (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(text.lower())
    return not (tokens.isdisjoint(found) and _ODD_CASES.isdisjoint(text))


class NumberWords(Struct, frozen=True):
    """A run of number words, `text[start:end]`."""

    start: int
    end: int
    words: tuple[str, ...]
    values: tuple[int, ...]
    """The numbers of the run: `twenty-five` is one number, `two two six` are three."""

    @property
    def digits(self) -> str:
        """The numbers written one after the other, as codes, years and prices are read out: `226`, `2026`, `1140`."""
        return "".join(map(str, self.values))


def find_number_words(text: str) -> Iterator[NumberWords]:
    """The runs of number words in a text.

    >>> [(run.values, run.digits) for run in find_number_words("two two six; a hundred and one; twenty twenty-six")]
    [((2, 2, 6), '226'), ((101,), '101'), ((20, 26), '2026')]
    """
    if not may_have(_FIRST, text):
        return
    for run in _RUN.finditer(text):
        words = tuple(match[0].lower() for match in _PART.finditer(run[0]))
        if not _WORDS.keys() >= set(words):
            continue  # `ſix` is `six` to the pattern
        yield NumberWords(*run.span(), words, tuple(_values(words)))


def replace_number_words(text: str) -> str:
    """The text with digits instead of number words; numbers that are read out one by one become one number.

    >>> replace_number_words("JC one four four two oh, the twenty-third of May")
    'JC 14420, the 23th of May'
    """
    for run in reversed(list(find_number_words(text))):
        ordinal = "th" if run.words[-1] in ORDINALS else ""
        text = f"{text[: run.start]}{run.digits}{ordinal}{text[run.end :]}"
    return text


def _values(words: tuple[str, ...]) -> Iterator[int]:
    total, current, last = 0, 0, None
    for word in words:
        value = _WORDS[word]
        if word in SCALES:
            total, current = (total, max(current, 1) * 100) if value == 100 else (total + max(current, 1) * value, 0)
        elif last is None or last in SCALES or (20 <= _WORDS[last] < 100 and 0 < value < 10):
            current += value
        else:
            yield total + current
            total, current = 0, value
        last = word
    yield total + current


# ------------------------------------------------------------------------------------------------------ calendar words

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
WEEKDAY = r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)"


def calendar_key(word: str) -> str:
    """A key that all spellings of a month or weekday share: their first three letters, after a `~` that no word has.

    >>> calendar_key("Sept"), calendar_key("Thursdays"), calendar_key("MAY")
    ('~sep', '~thu', '~may')
    """
    return f"~{word[:3].lower()}"


def month_key(number: int) -> str | None:
    """The `calendar_key` of a month by its number; None if there is no such month."""
    return calendar_key(_MONTHS[number - 1]) if 1 <= number <= 12 else None
