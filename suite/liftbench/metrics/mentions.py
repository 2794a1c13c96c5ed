"""Finds the details of a summary that can be checked by their letters: numbers, amounts, dates, times, codes, names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import regex
from msgspec import Struct

from ..text.names import fold
from ..text.numbers import (
    CARDINALS,
    MONTH,
    NUMERAL,
    SCALES,
    WEEKDAY,
    calendar_key,
    clock,
    find_number_words,
    may_have,
    month_key,
    readings,
)
from ..text.spans import cover
from .lexicon import Lexicon

Kind = Literal["number", "amount", "date", "time", "code", "name"]


class Mention(Struct, frozen=True):
    """A detail that a text mentions: `text[start:end]`."""

    start: int
    end: int
    kind: Kind
    text: str
    """As written."""
    parts: tuple[frozenset[str], ...]
    """The possible readings of each part: `4 July` has two parts, `1,000` has one part with one reading. A reading that
    all parts have stands for the whole mention: data without punctuation writes `3-5` as 35."""


def mentions(text: str, lexicon: Lexicon = Lexicon()) -> list[Mention]:  # noqa: B008 - it is frozen
    """The details of a text, in order, without overlaps.

    `lexicon` separates names from ordinary words. Without one, a word with a capital is a name, except at the beginning
    of a sentence if the gazetteer knows it as an ordinary word.

    >>> [(mention.kind, mention.text) for mention in mentions("Ana paid Vistamoor £5 for KX-40921 on 4 July.")]
    [('name', 'Ana'), ('name', 'Vistamoor'), ('amount', '£5'), ('code', 'KX-40921'), ('date', '4 July')]
    """
    found: list[Mention] = []
    left = _PLACEHOLDER.sub(lambda match: " " * len(match[0]), text)
    in_figures = (times, _amounts, _digit_groups, _codes, _ranges, _numbers) if _DIGIT.search(left) else ()
    for finder in (_addresses, dates, *in_figures, _number_words):
        more = list(finder(left))
        found += more
        left = cover(left, [(mention.start, mention.end) for mention in more])
    found += _names(left, lexicon)
    return sorted(found, key=lambda mention: mention.start)


_DIGIT = regex.compile(r"\d")
_PLACEHOLDER = regex.compile(r"<\w+>|&[a-z]+;?")
"""`<LINK>` and similar placeholders, and remains of HTML entities such as `&amp;`."""


def alphanumeric(text: str) -> str:
    """Letters and digits of a text, without case and diacritics, so that `kx 40921` equals `KX-40921`."""
    return "".join(filter(str.isalnum, fold(text)))


# --------------------------------------------------------------------------------------------------- dates and times

_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_UNMISTAKABLE = (
    r"(?i:january|february|april|june|july|august|september|october|november|december"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)"
)
"""Without `may`, `march`, `sat` and the like: they need a capital, or a day next to them."""
_DATE = regex.compile(
    rf"\b{_DAY}(?: of)? (?i:{MONTH})\b(?:,? \d{{4}})?|\b(?i:{MONTH})\.? {_DAY}\b(?:,? \d{{4}})?|\b{MONTH},? \d{{4}}\b"
    rf"|\b(?:{MONTH}|{WEEKDAY}|{_UNMISTAKABLE})\b"
    r"|(?<![\w/-])\d{1,2}(?P<mark>[/.-])\d{1,2}(?P=mark)\d{2}(?:\d{2})?(?![\w/-])|\b\d{4}-\d{2}-\d{2}\b"
)
_CALENDAR_TOKENS = frozenset(
    [
        "jan",
        "january",
        "feb",
        "february",
        "mar",
        "march",
        "apr",
        "april",
        "may",
        "jun",
        "june",
        "jul",
        "july",
        "aug",
        "august",
        "sep",
        "sept",
        "september",
        "oct",
        "october",
        "nov",
        "november",
        "dec",
        "december",
        "mon",
        "tue",
        "tues",
        "wed",
        "thu",
        "thur",
        "thurs",
        "fri",
        "sat",
        "sun",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "mondays",
        "tuesdays",
        "wednesdays",
        "thursdays",
        "fridays",
        "saturdays",
        "sundays",
    ]
)
"""What a date without a digit is, as a whole token."""
_DATE_PART = regex.compile(r"\d+|\p{L}{3,}")
_TIME = regex.compile(
    r"(?<![\w.,:])(?P<hour>\d{1,2})"
    r"(?:(?::|\.(?=\d\d ?[ap]\.?m))(?P<minute>\d{2})(?: ?[ap]\.?m\b)?| ?[ap]\.?m\b| o['’]?clock\b)(?![\w:])",
    regex.IGNORECASE,
)


def dates(text: str) -> Iterator[Mention]:
    """Days, months, weekdays and years in any order and spelling. In `3/11`, either number may be the month."""
    if not (_DIGIT.search(text) or may_have(_CALENDAR_TOKENS, text)):
        return
    for match in _DATE.finditer(text):
        written = _DATE_PART.findall(match[0])
        numeric = all(part.isdigit() for part in written)
        joined = readings("".join(written)) if numeric else frozenset()
        parts = tuple(joined.union(_date_readings(part, numeric)) for part in written)
        yield Mention(*match.span(), "date", match[0], parts)


def _date_readings(part: str, numeric: bool) -> Iterator[str]:
    if not part[0].isdigit():
        yield calendar_key(part)
        return
    yield from readings(part)
    if numeric and (month := month_key(int(part))):
        yield month


def times(text: str) -> Iterator[Mention]:
    """Times of day in digits: with minutes, `am`, `pm` or `o'clock`."""
    for match in _TIME.finditer(text):
        yield Mention(*match.span(), "time", match[0], (clock(int(match["hour"]), int(match["minute"] or 0)),))


# ------------------------------------------------------------------------------------------------ amounts and numbers

_SIGN = r"(?:[£$€₦₹¥]|\bR(?=\d))"
_CURRENCY = (
    r"(?i:dollars?|pounds?|euros?|cents?|pence|pesos?|rupees?|naira|rand|quid|bucks|usd|cad|aud|nzd|gbp|eur|inr|rs)"
)
_FIGURE = rf"(?P<figure>{NUMERAL}[kK]?)"
_AMOUNT = regex.compile(
    rf"{_SIGN} ?{_FIGURE}(?!\w)|(?<![\w.,]){_FIGURE}(?: ?{_SIGN}| {_CURRENCY}\b)|\b{_CURRENCY}\.? ?{_FIGURE}(?!\w)"
)
_RANGE = regex.compile(rf"(?<![\w.,])(?P<low>{NUMERAL})(?: ?[-–/] ?| to )(?P<high>{NUMERAL})(?!\w)")
_NUMBER = regex.compile(rf"(?<!\w)(?<!\d[.,:]){_FIGURE}(?!\d)(?:\p{{Ll}}{{1,5}}\b)?")


_COUNTING = CARDINALS.keys() | SCALES.keys()


def _amounts(text: str) -> Iterator[Mention]:
    for match in _AMOUNT.finditer(text):
        yield Mention(*match.span(), "amount", match[0], (readings(match["figure"]),))


def _ranges(text: str) -> Iterator[Mention]:
    for match in _RANGE.finditer(text):
        joined = readings(f"{match['low']}{match['high']}")
        parts = (readings(match["low"]) | joined, readings(match["high"]) | joined)
        yield Mention(*match.span(), "number", match[0], parts)


def _numbers(text: str) -> Iterator[Mention]:
    for match in _NUMBER.finditer(text):
        yield Mention(*match.span(), "number", match[0], (readings(match["figure"]),))


def _number_words(text: str) -> Iterator[Mention]:
    for run in find_number_words(text):
        # `one` is skipped, because it is a pronoun more often than a number.
        if run.words != ("one",) and run.words[0] in CARDINALS and _COUNTING.issuperset(run.words):
            joined = readings(run.digits)
            parts = tuple(joined | {str(value)} for value in run.values)
            yield Mention(run.start, run.end, "number", text[run.start : run.end], parts)


# --------------------------------------------------------------------------------------------------- codes, addresses

_ADDRESS = regex.compile(r"(?<![\w.+-])[\w.+-]++@\w[\w.-]*\w|@\w+|(?i:https?://|www\.)\S*[\w/]")
_DIGIT_GROUPS = regex.compile(r"(?<![\w.,/-])\+?\(?\d+\)?(?:[ -]\(?\d+\)?)+(?![\w/-])")
_CODE = regex.compile(r"(?<!\w)[\p{L}\d]++(?:[-/_.][\p{L}\d]++)*+(?!\w)")
_COUNTED = regex.compile(rf"{NUMERAL}(?:\p{{Ll}}{{1,5}}|-?\p{{L}}{{1,2}}|(?:-\p{{Ll}}+)+|\.\p{{L}}+)")
"""A number that is not a code: with its unit (`30min`, `42V`), at the beginning of a compound (`7-year-old`), or at the
end of a sentence without a space after it (`11.Then`)."""


def _addresses(text: str) -> Iterator[Mention]:
    return map(_code, _ADDRESS.finditer(text))


def _digit_groups(text: str) -> Iterator[Mention]:
    """Telephone, card and case numbers: groups of seven or more digits in total."""
    return (_code(match) for match in _DIGIT_GROUPS.finditer(text) if len(alphanumeric(match[0])) >= 7)


def _codes(text: str) -> Iterator[Mention]:
    for match in _CODE.finditer(text):
        has_both = any(map(str.isdigit, match[0])) and any(map(str.isalpha, match[0]))
        if has_both and not _COUNTED.fullmatch(match[0]):
            yield _code(match)


def _code(match: regex.Match[str]) -> Mention:
    return Mention(*match.span(), "code", match[0], (frozenset({alphanumeric(match[0])}),))


# -------------------------------------------------------------------------------------------------------------- names

_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*(?:['’&-][\p{L}\p{M}]+)*")


def _names(text: str, lexicon: Lexicon) -> list[Mention]:
    """The names in a text; adjacent words form one name."""
    names: list[Mention] = []
    for match in _WORD.finditer(text):
        word = match[0][:-2] if match[0].endswith(("'s", "’s")) else match[0]
        if not lexicon.is_name(word, match.start(), text):
            continue
        name = Mention(match.start(), match.start() + len(word), "name", word, (frozenset({alphanumeric(word)}),))
        if names and text[names[-1].end : name.start] == " ":
            first = names.pop()
            name = Mention(first.start, name.end, "name", text[first.start : name.end], first.parts + name.parts)
        names.append(name)
    return names
