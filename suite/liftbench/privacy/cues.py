"""Cues for names: the words before or after a name, and the check that the name itself must pass there."""

from __future__ import annotations

from collections.abc import Callable

import regex
from msgspec import Struct

from ..text.names import PARTICLES, gazetteer


class Setting(Struct, frozen=True, kw_only=True):
    """The context of a text."""

    role: str = ""
    """The role of the speaker; empty for a summary or a metadata value."""
    question: str = ""
    """What the text may answer: the turn before it, or the name of its metadata field."""
    company: frozenset[str] = frozenset()
    """The folded words of the company's name, which are not taken for a person's name."""
    lowercase: frozenset[str] = frozenset()
    """Words that the turns also have in lower case; a capital does not prove that they are names."""


NameCheck = Callable[[list[str], Setting], bool]
"""Whether folded words, all of which can be in a name, are taken for a name."""


class Cue(Struct, frozen=True):
    """A pattern with the group `name`, and the check that the name must pass."""

    pattern: regex.Pattern[str]
    accepts: NameCheck
    roles: tuple[str, ...] = ()
    """The roles of the speakers whose texts the cue applies to; empty for all texts."""
    certain: bool = False
    """Whether a name follows in any case: `my name is JOHN SMITH`, `my name is anna`."""


# ------------------------------------------------------------------------------------------------- how a name looks

_JOINT = r"(?:['’](?!(?:ll|re|ve)\b)\p{L}{2,}|-\p{L}+)"
WORD = rf"\p{{L}}[\p{{L}}\p{{M}}]*{_JOINT}*"
"""A word with the apostrophes and hyphens of a name, without a possessive `'s`."""
_PART = rf"(?:\p{{Lu}}\.|(?=\p{{Lu}}){WORD})"
_PARTICLE = rf"(?:{'|'.join(sorted(PARTICLES))})"
NAME = rf"(?P<name>(?!Kia ora){_PART}(?:(?: |(?<=\.))(?:{_PARTICLE} ){{0,2}}{_PART}){{0,3}})"
_LOWER = rf"(?P<name>(?=\p{{Ll}}){WORD}(?: (?=\p{{Ll}}){WORD})?)"
ENDS = r"(?=[.!]?(?:,[^\n]{0,40})?\s*(?:(?:<LINK>|[\d/]{1,3})\s*)*(?:$|\n))"
"""The end of a line or turn; a town or department, the number of the tweet and links may come before it."""
_STOP = r"(?=\s*(?:[,.!?:;\n<–-]|$))"


# ------------------------------------------------------------------------------------------------------- name checks


def is_any_name(_words: list[str], _setting: Setting) -> bool:
    """Accepts all words."""
    return True


def is_known_name(words: list[str], _setting: Setting) -> bool:
    """Accepts a first name, even if it is also an ordinary word, and a last name that is not an ordinary word."""
    names = gazetteer()
    return names.is_first(words[0]) or any(names.is_last(word) and not names.is_ordinary(word) for word in words)


def is_unambiguous_first_name(words: list[str], _setting: Setting) -> bool:
    """Accepts a first name that is not an ordinary word, and any first name before a last name."""
    names = gazetteer()
    if not names.is_first(words[0]):
        return False
    return not names.is_ordinary(words[0]) or (len(words) > 1 and names.is_last(words[1]))


def is_outside_vocabulary(words: list[str], _setting: Setting) -> bool:
    """Accepts words of which none is in the vocabulary."""
    return not any(map(gazetteer().is_vocabulary, words))


def is_known_or_outside_vocabulary(words: list[str], setting: Setting) -> bool:
    """Accepts a known name, and words outside the vocabulary."""
    return is_known_name(words, setting) or is_outside_vocabulary(words, setting)


def is_likely_name(words: list[str], setting: Setting) -> bool:
    """Accepts a known name, and words outside the vocabulary that the turns have only with a capital."""
    return is_known_name(words, setting) or (
        is_outside_vocabulary(words, setting) and setting.lowercase.isdisjoint(words)
    )


def is_first_name_or_two_words(words: list[str], setting: Setting) -> bool:
    """Accepts an unambiguous first name, and two or more words outside the vocabulary that are likely a name."""
    return is_unambiguous_first_name(words, setting) or (
        len(words) > 1 and is_outside_vocabulary(words, setting) and is_likely_name(words, setting)
    )


# --------------------------------------------------------------------------------------------------------- the cues


def _before(words: str, accepts: NameCheck, *, then: str = "", roles: tuple[str, ...] = ()) -> Cue:
    return Cue(regex.compile(rf"(?i:\b(?:{words})) {NAME}{then}"), accepts, roles)


def _before_any_case(words: str) -> Cue:
    """A cue after which a name needs no capital, and may be in capitals."""
    pattern = regex.compile(rf"(?i:\b(?:{words})) (?P<name>{WORD}(?: {WORD}){{0,3}})")
    return Cue(pattern, is_any_name, certain=True)


def _before_lower(words: str) -> Cue:
    """A cue for a name in lower case, as in a chat: it must be an unambiguous first name."""
    return Cue(regex.compile(rf"(?i:\b(?:{words})) {_LOWER}"), is_unambiguous_first_name)


_TITLE = r"Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Mister|Herr|Frau|Mme|Mlle|Monsieur|Madame|Señora?|Sra?|Dra|Mdm"
_NO_PERSON = r"(?!(?:Pepper|Martens?|Kipling|Selfridges?|Bean|Muscle|Oetker|Men|Universe|World)\b)"
_TITLES = (
    Cue(regex.compile(rf"\b(?:{_TITLE})\b\.? {_NO_PERSON}(?:and (?:Mrs|Mr|Ms)\.? )?{NAME}"), is_any_name),
    _before(r"ma['’]?am|madam|sir|lady", is_likely_name),
    _before_lower(r"mr\.?|mrs\.?|dr\.?"),
)

_NAMED = (
    r"(?<!\b(?:company|brand|product|user|file|network|store|shop|street|app) )name(?:['’]?s| is| was)"
    r"|name(?: on (?:the )?(?:account|booking|card|order|policy))?:|i(?:['’]?m| am) called|call me|named|called"
)
_FURTHER = r"(?= (?:from|here|in|at|with|and I|calling|again)\b| ?[,.!-]|$)"
_INTRODUCTIONS = (
    _before(_NAMED, is_likely_name),
    _before(r"(?:my|the) name(?:['’]?s| is)", is_any_name),
    _before_any_case(
        r"(?:my|her|his|their) (?:(?:full|first|last) )?name(?:['’]?s| is)|(?<!\w )(?:full )?name:"
        r"|i(?:['’]?m| am) called"
    ),
    _before_lower(r"name(?:['’]?s| is)|call me|this is|i['’]?m|i am"),
    _before(r"this is|it['’]?s|it is|i['’]?m|i am", is_first_name_or_two_words),
    _before(r"this is|i['’]?m|i am", is_known_name, then=_FURTHER),
    _before(r"i['’]m|i am", is_likely_name, then=r"(?=[.,!]| (?:from|here)\b)"),
    _before(r"this is", is_likely_name, then=r"(?=[.,]| (?:from|here|in|at|with)\b)", roles=("agent",)),
    _before(r"that['’]?s|is that", is_likely_name, then=r"(?=\?)"),
    Cue(
        regex.compile(
            rf"(?:^|[,.!?:;–-] *|(?i:hi|hello|hey|morning|afternoon|evening|it['’]s|yes) ){NAME},? (?:speaking|here)\b"
        ),
        is_likely_name,
    ),
)

_ROLE_WORDS = """
agent assistant aunt aunty auntie boss brother caller cardholder client colleague courier cousin customer dad daughter
driver electrician engineer father friend granddaughter grandson guest host husband inspector instructor keyholder
landlord manager mechanic mom mother mum neighbor neighbour nurse officer owner partner passenger pharmacist plumber
receptionist recipient rep representative sister son supervisor teacher technician tenant uncle wife advisor adviser
"""
ROLES = frozenset(_ROLE_WORDS.split())
"""Words for the role of a person, in a family or for a company."""
_OTHERS = (
    _before(
        r"speaking (?:with|to)|through to|signed by|signed:?|attn:?|c/o|on behalf of|ask(?:ed)? for", is_likely_name
    ),
    _before(r"(?:spoke|spoken|talked|talking|chat(?:ted)?|dealt|speak) (?:to|with)", is_known_name),
    _before(rf"(?:{'|'.join(_ROLE_WORDS.split())}),?", is_likely_name),
    _before_lower(
        r"(?:spoke|spoken|talked|talking|chat(?:ted)?|dealt|speak|speaking) (?:to|with)|ask(?:ed)? for|on behalf of"
        rf"|my (?:{'|'.join(_ROLE_WORDS.split())})"
    ),
)

_GREETING = r"hi|hello|hey|hiya|heya|dear|hallo|hola|bonjour|ciao|beste|liebe[rs]?|chère|cher|g['’]day"
_DAYTIME = r"(?:good )?(?:morning|afternoon|evening)"
_COURTESY = rf"(?:welcome(?: back)?|{_DAYTIME}|thanks|thank you|thx|ty|cheers|sorry|bye|goodbye|okay|ok|yes|no)"
_MUCH = r"(?: (?:again|there|both|so much|very much|a lot|for waiting))?,?"
_GREETINGS = (
    _before(rf"(?:{_GREETING}){_MUCH}", is_unambiguous_first_name),
    _before(rf"(?:{_GREETING}){_MUCH}", is_known_name, then=_STOP),
    _before(rf"(?:dear|beste|liebe[rs]?|chère|cher){_MUCH}", is_likely_name, then=_STOP),
    # The customer may have written the name in lower case before, so a lower-case occurrence does not count here.
    _before(rf"(?:{_GREETING}){_MUCH}", is_outside_vocabulary, then=_STOP, roles=("agent",)),
    _before_lower(r"(?:hi|hello|hey|hiya|dear),?"),
    _before(
        rf"(?:{_COURTESY}|apologies|no problem|no worries|inconvenience|delay|trouble){_MUCH}",
        is_likely_name,
        then=_STOP,
        roles=("agent",),
    ),
    _before(rf"{_COURTESY}{_MUCH}", is_known_name, then=_STOP),
)

_CLOSING = r"""
regards thanks thank\ you thx best wishes cheers sincerely yours truly faithfully cordially greetings respectfully love
ta ty groeten grüßen? gruß saludos cordialement
"""
_CLOSINGS = "|".join(regex.split(r"(?<!\\)\s+", _CLOSING.strip()))
_SIGNATURES = (
    Cue(regex.compile(rf"\b(?i:regards|sincerely|wishes)\b[,.!]*\s+{_LOWER}{ENDS}"), is_unambiguous_first_name),
    Cue(regex.compile(rf"\b(?i:{_CLOSINGS})\b(?:[,.!]+\s*|\s+){NAME}{ENDS}"), is_known_or_outside_vocabulary),
    Cue(regex.compile(rf"\^ ?{NAME}(?=\W|$)"), is_any_name),
    Cue(regex.compile(rf"(?<=[.!?\n] ?)(?:--?|–|—|~) ?{NAME}{ENDS}"), is_known_or_outside_vocabulary),
    Cue(
        regex.compile(rf"(?<=[.!?,]\s*\n\s*|\n\s*\n\s*){NAME}{ENDS}(?=[^\n]*(?:\n+[^\n]{{0,40}})?\s*$)"),
        is_known_or_outside_vocabulary,
    ),
    Cue(
        regex.compile(rf"(?<=(?:[.!?]|<LINK>) ){NAME}[.!]?\s*(?:(?:<LINK>|[\d/]{{1,3}})\s*)*$"),
        is_likely_name,
        roles=("agent",),
    ),
)

CUES = (*_TITLES, *_INTRODUCTIONS, *_OTHERS, *_GREETINGS, *_SIGNATURES)

NAME_ASKED = regex.compile(r"(?i)\bname\b[^.?!]{0,200}\?")
_WELL = r"yes|yeah|yep|sure|hi|hello|it['’]?s|um+|uh+|er|ok|okay|of course|certainly|well|so|that['’]?s|sorry"
NAME_ANSWERED = regex.compile(rf"^\W*(?:(?i:{_WELL})\W+)*{NAME}(?:, {NAME}(?=[.!]?\s*(?:$|\p{{Lu}}-)))?")
"""An answer with a name: `Yes, it's Ngozi Okafor`, or with the last name first, `Birkett, Stanley.`"""
