"""Cuts the history that a mail program quotes in a reply.

The libraries for this (`mail-parser-reply`, `quotequail`) are made for mail alone: they take `From: Berlin` above
`To: Paris` for the head of a mail and cut what follows. Here a mark of history needs more evidence than its words: an
address, a time of day, or quoted lines below it. What has less is kept.
"""

from __future__ import annotations

import re
from enum import Enum, auto

_ADDRESS = re.compile(r"[^\s@<>]{1,64}@[\w-]{1,63}\.[\w.-]{1,64}")
_BEGINS = r"(?:on|am|le|el|em|op|den|il|dne|dnia|w\s+dniu|на|\d{1,2}[./ ]|\d{4}[-/.年]|\w{2,4}\.?,)"
_WROTE = (
    r"(?:wrote|writes|schrieb|schreef|geschreven|a\s+écrit|escribi[óo]|escreveu|ha\s+scritto|skrev|napsala?(?:\(a\))?"
    r"|napisała?(?:\(a\))?|написала?(?:\(а\))?|pisze|kirjoitti|写道|書きました)"
)
_ATTRIBUTION = re.compile(rf"\s*(?:.{{0,200}}\b|.{{0,200}}(?=写道|書き)){_WROTE}\b.{{0,120}}[:：]\s*", re.IGNORECASE)
"""A line such as `On Mon, 3 Mar 2025 at 09:00, Ann <ann@example.org> wrote:`."""
_DATED = re.compile(rf"\s*(?:\w{{2,4}}\.?, )?\d{{1,4}}[-/.年 ].{{0,150}}<{_ADDRESS.pattern}>\s*[:：]?\s*")
"""A line such as `2025-03-03 9:00 GMT+01:00 Ann <ann@example.org>:`."""
_ANY_LANGUAGE = re.compile(
    rf"(?=.*(?:\d{{1,2}}[:.h]\d{{2}}|\b(?:19|20)\d{{2}}\b|\bquoting\b|\bzitat von\b))"
    rf".{{0,200}}<{_ADDRESS.pattern}>.{{0,60}}[:：]\s*",
    re.IGNORECASE,
)
"""A line with an address, a time and a colon at its end; above quoted lines it says who wrote them in any language."""
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Invisible marks around words of the other direction, as in mails in Hebrew and Arabic."""
_BEGIN = re.compile(rf"\s*{_BEGINS}", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:you|we|i|he|she|they|sie|ihr|du|ich|wir|vous|tu|nous|usted|ustedes|voi)\b", re.IGNORECASE)
_WORDS = re.compile(_WROTE, re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}[:.h]\d{2}")

_ORIGINAL = (
    r"original\s+message|original\s+appointment|ursprüngliche\s+nachricht|originalnachricht|message\s+d['’]origine"
    r"|message\s+original|mensaje\s+original|mensagem\s+original|messaggio\s+originale|oorspronkelijk\s+bericht"
    r"|origineel\s+bericht|oprindelig\s+meddelelse|ursprungligt\s+meddelande|původní\s+zpráva|oryginalna\s+wiadomość"
    r"|wiadomość\s+oryginalna|исходное\s+сообщение|原始邮件|元のメッセージ"
)
_SEPARATOR = re.compile(rf"-{{2,}}\s*(?:{_ORIGINAL})\s*-{{2,}}", re.IGNORECASE)
_REPLY_ABOVE = re.compile(r"\s*##-.*-##\s*")
"""Help desks ask to write above this line."""
_FORWARDED = re.compile(
    r"\s*(?:-{2,}\s*(?:forwarded\s+message|weitergeleitete\s+nachricht|message\s+transféré|mensaje\s+reenviado)\s*-{2,}"
    r"|begin\s+forwarded\s+message\s*:|anfang\s+der\s+weitergeleiteten)",
    re.IGNORECASE,
)

_LABELS = {
    "from": "from|von|de|da|van|från|fra|od|от|发件人|差出人",
    "sent": (
        "sent|date|gesendet|datum|envoyé|enviado(?: el)?|fecha|data|inviato"
        "|verzonden|skickat|sendt|wysłano|дата|发送时间"
    ),
    "to": "to|an|à|para|a|aan|till|til|komu|do|кому|收件人",
    "subject": "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|předmět|temat|тема|主题",
}
_LABEL = re.compile(
    r"[\s>*]*(?:"
    + "|".join(rf"(?P<{kind}>{words})" for kind, words in _LABELS.items())
    + r")\s?\*{0,2}\s?[:：]\*{0,2}\s*\S",
    re.IGNORECASE,
)
_HEADER_LINES = 8
_ONE_LINE_HEADER = re.compile(
    r"\b(?:from|von|de)\s?: .{2,120}?\b(?:sent|date|gesendet|datum|envoyé|enviado(?: el)?|fecha)\s?: "
    r".{2,80}?\b(?:to|an|à|para)\s?: .{2,200}?\b(?:subject|betreff|objet|asunto)\s?: ",
    re.IGNORECASE,
)
_ONE_LINE_ATTRIBUTION = re.compile(
    rf"(?<!\S)(?:on|am|le|el|em|op|il|den)\s(?:(?!\son\s)[^\n]){{5,120}}?(?:<?{_ADDRESS.pattern}>?\)?\s?{_WROTE}\s?:"
    rf"|{_WROTE}\s[^\n:]{{0,60}}<?{_ADDRESS.pattern}>?\)?\s?:)",
    re.IGNORECASE,
)

_MAY_QUOTE = re.compile(
    rf"^\s*>|>.{{0,60}}[:：]|{_WROTE}|{_ORIGINAL}|##-"
    rf"|^[\s*]*(?:{_LABELS['from']})\s?\*?\s?[:：]|\b(?:from|von|de)\s?: ",
    re.IGNORECASE | re.MULTILINE,
)
_RULE = re.compile(r"[\s_=*-]*")
LONG_QUOTE = 4
"""Words in a line after `>` from which on it is a sentence, and not a step of a menu (`> Settings`)."""


class Quoted(Enum):
    """What a text held besides its own words."""

    NOTHING = auto()
    HISTORY = auto()
    """History below or between the words; it is cut."""
    ONLY_HISTORY = auto()
    """Nothing but history; it is kept."""
    FORWARDED = auto()
    """A forwarded mail; it is kept."""


def cut_quotes(text: str) -> tuple[str, Quoted]:
    """A text without the history that it quotes, and what was found.

    Answers between quoted lines stay. A text that is only history stays as it is.
    """
    has_proof = any(mark in text for mark in (">", "@", "--", "##-")) or text.count(":") > 3 or _CLOCK.search(text)
    if not has_proof or not _MAY_QUOTE.search(text):
        return text, Quoted.NOTHING
    own, forwarded = _own_lines(text.splitlines())
    kept = _cut_within_line(own)
    if kept == text:
        return text, Quoted.FORWARDED if forwarded else Quoted.NOTHING
    if not re.search(r"\w", kept):
        return text, Quoted.ONLY_HISTORY
    return kept, Quoted.HISTORY


def _own_lines(lines: list[str]) -> tuple[str, bool]:
    """The lines that are not history, and whether a forwarded mail is among them."""
    own: list[str] = []
    lines = lines[1:] if lines and _REPLY_ABOVE.fullmatch(lines[0]) else lines
    is_history = _quotes_with_marks(lines)
    cut = number = 0
    while number < len(lines):
        line = lines[number]
        if _FORWARDED.match(line):
            own += lines[number:]
            return "\n".join(own), True
        if length := _attribution_length(lines, number):
            if not _next_is_quoted(lines, number + length):
                if _proves_mail(lines[number : number + length]):
                    return _without_rule(own), False
                length = 0
            elif not is_history:
                is_history = True
        if length:
            number += length
            cut += 1
        elif _SEPARATOR.match(line.strip(" >*")) or _REPLY_ABOVE.fullmatch(line) or _is_header(lines, number):
            return _without_rule(own), False
        else:
            if is_history and line.lstrip().startswith(">"):
                cut += 1
            else:
                own.append(line)
            number += 1
    return (_without_rule(own) if cut else "\n".join(lines)), False


def _quotes_with_marks(lines: list[str]) -> bool:
    """Whether lines that begin with `>` quote without a word of who wrote them: several, and sentences among them."""
    quoted = [line.strip("> \t") for line in lines if line.lstrip().startswith(">")]
    return len(quoted) > 1 and any(len(line.split()) >= LONG_QUOTE for line in quoted)


def _attribution_length(lines: list[str], number: int) -> int:
    """How many lines from one on say who wrote what follows; mail programs break such a line. 0 if they do not."""
    for length in (1, 2, 3):
        joined = " ".join(_DIRECTION.sub("", line).strip(" >*") for line in lines[number : number + length])
        if length == 1 and _ANY_LANGUAGE.fullmatch(joined) and _next_is_quoted(lines, number + 1):
            return length
        if length > 1 and not (_BEGIN.match(joined) and lines[number : number + length][-1].strip(" >")):
            return 0
        if length == 1 and _DATED.fullmatch(joined):
            return length
        if _WORDS.search(joined) and _ATTRIBUTION.fullmatch(joined) and not (length > 1 and _PRONOUN.search(joined)):
            return length
    return 0


def _next_is_quoted(lines: list[str], number: int) -> bool:
    return next((line for line in lines[number:] if line.strip()), "").lstrip().startswith(">")


def _proves_mail(lines: list[str]) -> bool:
    """Whether an attribution names an address, or a day and a time of day and nobody who is spoken to."""
    joined = " ".join(lines)
    return _WORDS.search(joined) is not None and bool(
        _ADDRESS.search(joined)
        or (_BEGIN.match(joined) and _CLOCK.search(joined) and re.search(r"\d", joined) and not _PRONOUN.search(joined))
    )


def _is_header(lines: list[str], number: int) -> bool:
    """Whether a mail's header begins here: who, when, and to whom or about what, with an address or a time of day."""
    first = _LABEL.match(lines[number])
    if first is None or first.lastgroup != "from":
        return False
    kinds, block, gap = {"from"}, [lines[number]], 0
    for line in lines[number + 1 : number + 2 * _HEADER_LINES]:
        label = _LABEL.match(line)
        if label and label.lastgroup:
            kinds.add(label.lastgroup)
            block.append(line)
            gap = 0
        elif (line.strip(" >") and len(kinds) > 1 and "subject" in kinds) or (gap := gap + 1) > 2:
            break
    joined = " ".join(block)
    proof = _ADDRESS.search(joined) or ("subject" in kinds and _CLOCK.search(joined)) or len(kinds) == len(_LABELS)
    return bool("sent" in kinds and kinds & {"to", "subject"} and proof)


def _cut_within_line(text: str) -> str:
    """Cut history that follows the words on their own line, where an export has lost the line breaks."""
    marks = (_ONE_LINE_ATTRIBUTION, _SEPARATOR, _ONE_LINE_HEADER)
    found = [matched for mark in marks if (matched := mark.search(text))]
    matched = min(found, key=lambda match: match.start(), default=None)
    if matched is None or (matched.re is _ONE_LINE_HEADER and not _proves_header(matched[0])):
        return text
    return _without_rule(text[: matched.start()].splitlines())


def _proves_header(header: str) -> bool:
    return bool(_ADDRESS.search(header) or _CLOCK.search(header))


def _without_rule(lines: list[str]) -> str:
    """Lines as a text, without the empty lines and rules at its end."""
    end = len(lines)
    while end and _RULE.fullmatch(lines[end - 1]):
        end -= 1
    return "\n".join(lines[:end]).rstrip()
