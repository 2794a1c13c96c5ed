"""Finds passwords, PINs and codes of cards, user names and handles, by the words beside them."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from ..text.names import gazetteer
from ..text.spans import Kind, Span

_QUOTE = r"[\"'“”‘’`]?"
_IS = r"(?:['’]s|\s+(?:is|was|are|ist|es|est|to)\b)(?:\s*:)?"
_SIGN = r"\s*[:=]"
_VALUE = rf"\s*{_QUOTE}(?P<value>[^\s\"“”<>]*[^\s\"'“”‘’`<>.,;:!?)])"
_PASSWORD = regex.compile(
    r"(?i)\b(?:pass ?words?|passcode|pass ?phrase|pwd|pw(?=\s*[:=])|passwd|passwort|kennwort|contraseña"
    r"|mot de passe|wachtwoord)"
    rf"(?:\s+(?:for|to|of|on)\s+(?:\w+\s+){{0,4}}?\w+)?(?:(?P<sign>{_SIGN})|{_IS}|(?P<bare>\s)){_VALUE}"
)
_USER = (
    r"(?:user ?(?:name|id)|log-?in(?: (?:name|id))?|handle|screen ?name|gamer ?tag|nick(?:name)?|account name"
    r"|benutzername"
    r"|(?:psn|xbox(?: live)?|skype|discord|telegram|insta(?:gram)?|twitter|tiktok|snap(?:chat)?|steam|twitch|reddit)"
    r"(?: (?:id|name|user ?name|handle|tag|account))?)"
)
_USER_NAMED = regex.compile(rf"(?i)\b{_USER}(?:(?P<sign>{_SIGN})|{_IS}|(?P<bare>\s))\s*@?{_VALUE}")
_HANDLE = regex.compile(
    rf"(?i)\b(?:(?:me|i['’]?m|i am)(?: (?:at|on|via|as|here|twitter|insta(?:gram)?))*|my {_USER}"
    rf"|{_USER}(?:{_SIGN}|{_IS}))"
    r"[\s:(]*@(?P<value>(?!\d+\b)\w[\w.]{1,40}\w)"
    r"|(?<![\w@])@(?P<value>(?!\d+\b)\w[\w.]{1,40}\w) (?:on|at|via) "
    r"(?:my )?(?:twitter|x|insta(?:gram)?|tiktok|telegram|snap(?:chat)?|threads|mastodon)\b"
)
_ADDRESSED = regex.compile(r"^\s*@(?P<value>(?!\d+\b)\w{3,40})")
_PIN = regex.compile(
    r"(?i)\b(?:pin(?! ?code)(?: (?:number|no\.?))?|cvv2?|cvc2?|cvn|card verification (?:code|value|number)|otp"
    r"|(?:security|verification|one[- ]time|2fa|authentication|auth|access|log-?in) (?:pass)?(?:code|password|pin))\b"
    r"(?:\s+(?:number|code|is|was|on the back|of))*\s*[:=#]?\s*(?P<value>\d{3,8})(?![\w%]|[.,:/-]\d)"
)
_ASKED = regex.compile(
    r"(?i)\b(?:pass ?word|passcode|pass ?phrase|pin|cvv|cvc|security code|one[- ]time)\b[^.?!]{0,80}\?"
)
_USER_ASKED = regex.compile(rf"(?i)\b{_USER}\b[^.?!]{{0,80}}\?")
_FIELD = regex.compile(r"(?i)^(?:\w+ ){0,2}(?:password|passcode|pin|cvv|cvc|secret|login|handle)\?$")
_ANSWER = regex.compile(
    r"(?i)^\W*(?:(?:yes|sure|it['’]?s|its|ok|okay|is)\W+)*@?(?P<value>[^\s,;!?]*\d[^\s,;!?.]*)(?=\W*(?:$|[.,;!?\s]))"
)
_LENGTH = regex.compile(
    r"(?i)\s*(?:characters?|digits?|letters?|chars?|days?|times?|hours?|minutes?|attempts?|or\b|to\b|%)"
)
_ENDS = regex.compile(r"[\"'”’`)]*\s*(?:[.,;!?)](?:\s|$)|$|\n|(?:and|but|for|if|on|with|can|could|please|thanks|so)\b)")
_DESCRIBES = regex.compile(r"(?:ing|ed|able|ible|ful|less|ly)$")
_OF_LOGIN = regex.compile(
    r"(?i)pass|pwd|user|screen ?name|gamer|nick|psn|kennwort|contraseña|mot de|wachtwoord|benutzer"
)
"""Cues whose word is a value even if it has no digit: `my handle is loose` is about a door."""

_SAID_OF_VALUES = """
a about an and any at being blank by called case changed compromised correct disabled empty enough exactly expired fine
for forgotten gone hacked here hidden if in incorrect incorrectly invalid is it kept locked long lost mandatory me
missing my needed new no none not nothing null of ok old on optional or outdated please private protected rejected
required reset right safe same secure sensitive sent set short still strong taken that the there this to too
unavailable unknown unsafe broken useless rubbish stuck dead down loose slow ready different similar easy simple
difficult hard great nice confusing also again unsecure up updated valid via weak what when with working wrong your you
"""
NOT_VALUES = frozenset(_SAID_OF_VALUES.split())
"""Words that say something about a password or user name, and are none."""


def credentials(text: str, question: str, role: str) -> Iterator[Span]:
    """Passwords, PINs and codes (`SECRET`), and user names and handles (`USERNAME`); some may overlap.

    `question` is what the text may answer; `role` is the speaker's.
    """
    for match in _PASSWORD.finditer(text):
        if _is_value(text, match):
            yield _span("SECRET", match)
    for match in _PIN.finditer(text):
        if not _LENGTH.match(text, match.end()):
            yield _span("SECRET", match)
    for pattern in (_USER_NAMED, _HANDLE):
        for match in pattern.finditer(text):
            if pattern is _HANDLE or _is_value(text, match):
                yield _span("USERNAME", match)
    # An agent's turn begins with the handle of the customer whom it answers.
    if role == "agent" and (addressed := _ADDRESSED.match(text)):
        yield _span("USERNAME", addressed)
    secret = _ASKED.search(question)
    if _FIELD.match(question) and text.strip():
        start = len(text) - len(text.lstrip())
        kind: Kind = "SECRET" if secret or "secret" in question.casefold() else "USERNAME"
        yield _of(kind, text.strip(), start)
    elif (secret or _USER_ASKED.search(question)) and (answer := _ANSWER.match(text)):
        yield _span("SECRET" if secret else "USERNAME", answer)


def _is_value(text: str, match: regex.Match[str]) -> bool:
    """Whether the word after a cue is a password or a user name, and not what is said about one."""
    value, word = match["value"], match["value"].casefold()
    if regex.split(r"\W", word)[0] in NOT_VALUES or _LENGTH.match(text, match.end()):
        return False
    if match["bare"] and not (len(value) > 4 and regex.search(r"\d", value) and regex.search(r"\p{L}", value)):
        return False
    if not value.isalpha():
        return any(map(str.isalnum, value)) and not regex.fullmatch(r"(?:\p{L}+['’]\p{L}+|\d{1,2})", value)
    # A word: only where the clause ends after it, and it is not an ordinary one.
    if not _ENDS.match(text, match.end()):
        return False
    mine = regex.search(r"(?i)\b(?:my|our|your) (?:\w+ )?$", text[: match.start()][-20:]) and _OF_LOGIN.match(match[0])
    if match["sign"] is not None or not value.islower():
        return True
    return bool(mine) and not gazetteer().is_ordinary(word) and not _DESCRIBES.search(word)


def _span(kind: Kind, match: regex.Match[str]) -> Span:
    return _of(kind, match["value"], match.start("value"))


def _of(kind: Kind, value: str, start: int) -> Span:
    key = value.casefold() if kind == "USERNAME" else value
    return Span(kind, start, start + len(value), key)
