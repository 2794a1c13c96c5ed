"""Finds the names of people in a text, by cues (`cues`) and by the gazetteer (`text.names`), and decides which names
belong to one person.

A name that is also an ordinary word (Grace, Mark, Summer) needs a cue or a last name beside it. A name that is not in
the gazetteer needs a cue.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex
from msgspec import Struct

from ..data.cleaning import role
from ..text.names import BRANDS, NEVER, PARTICLES, VERBS, fold, gazetteer
from ..text.spans import COVER, Span, cover
from .cues import CUES, NAME, NAME_ANSWERED, NAME_ASKED, ROLES, WORD, NameCheck, Setting, is_any_name, is_likely_name


class Mention(Struct, frozen=True):
    """A name in a text."""

    start: int
    end: int
    words: tuple[str, ...]
    """The folded words, without titles, initials and particles."""
    initials: str
    """The folded initials, one after the other."""


_TOKEN = regex.compile(rf"\p{{Lu}}\.|{WORD}")
_RUN = regex.compile(rf"(?<![\w@#&/_]){NAME}")
_CAMEL = regex.compile(r"(?<!\b(?:Mc|Mac|Fitz|De|Di|Du|La|Le|Van|O))\p{Ll}\p{Lu}")
_PLACE_AFTER = regex.compile(
    r"['’]?s? (?:Airport|Arena|Avenue|Bay|Beach|Bridge|Cent(?:re|er)|Church|City|Close|College|County|Court|Drive|Hall"
    r"|Hill|Hospital|Hotel|House|Islands?|Lane|Palace|Park|Rd|Road|School|Square|St|Stadium|Station|Street|University"
    r"|Valley)\b"
)
_PLACE_BEFORE = regex.compile(
    r"\b(?:San|Santa|Los|Las|New|Port|Fort|Lake|Mount|St|Saint|Cape|North|South|East|West|Upper|Lower|Great) $"
)


def mentions(text: str, setting: Setting) -> list[Mention]:
    """The names in a text, in order; they do not overlap, and a longer one wins over a shorter one."""
    found = [*_names_after_cues(text, setting), *names_without_cue(text, setting)]
    if _is_shouted(text):
        found += _shouted_names(text, setting)
    kept: list[Mention] = []
    for mention in sorted(found, key=lambda mention: (mention.start - mention.end, mention.start)):
        if all(mention.end <= other.start or mention.start >= other.end for other in kept):
            kept.append(mention)
    return sorted(kept, key=lambda mention: mention.start)


_LETTERS = regex.compile(r"\p{L}")
_CAPITALS = regex.compile(r"\p{Lu}")
SHOUTED = 0.8
"""A text of which more letters than this share are capitals is searched as if each word had one capital."""


def _is_shouted(text: str) -> bool:
    capitals = len(_CAPITALS.findall(text))
    return capitals >= 8 and capitals > SHOUTED * len(_LETTERS.findall(text))


def _shouted_names(text: str, setting: Setting) -> Iterator[Mention]:
    """The names in a text in capitals. They must begin with a first name that is no ordinary word."""
    written = regex.sub(r"\p{L}+", lambda match: match[0][0] + match[0][1:].lower(), text)
    if len(written) != len(text):
        return
    for mention in (*_names_after_cues(written, setting), *names_without_cue(written, setting)):
        if gazetteer().is_first(mention.words[0]) and is_unambiguous_name(mention.words[0]):
            yield mention


_STRETCH = regex.compile(rf"\p{{L}}(?:[^{COVER}]*[\p{{L}}\p{{M}}\d.])?")
_GENERIC = """
all anonymous anybody auto automatic bot chat chatbot email everybody internal ivr moderator na narrator nobody none
note null other party person phone participant public sms speaker spk system test third unassigned unknown voice web
asesor berater cliente conseiller klant kunde kundin medewerker mitarbeiter operatore
"""
GENERIC = ROLES | frozenset(_GENERIC.split())
"""Folded words that are in name fields or stand for speakers, and are not names."""


def names_in_label(text: str) -> list[Mention]:
    """The names in the value of a name field or in a speaker: everything that is neither covered nor a generic word."""
    found: list[Mention] = []
    for stretch in _STRETCH.finditer(text):
        words = [fold(token[0]) for token in _TOKEN.finditer(stretch[0]) if token[0][1:].strip(".")]
        names = tuple(word for word in words if not _is_generic(word))
        if names:
            found.append(Mention(*stretch.span(), names, ""))
    return found


def _is_generic(word: str) -> bool:
    return word in GENERIC or role(word) in ("customer", "agent")


def _names_after_cues(text: str, setting: Setting) -> Iterator[Mention]:
    for cue in CUES:
        if cue.roles and setting.role not in cue.roles:
            continue
        for match in cue.pattern.finditer(text):
            if cue.certain:
                yield from _certain_name(text, match.span("name"), setting)
            else:
                yield from _leading_name(text, match.span("name"), cue.accepts, setting)
    if NAME_ASKED.search(setting.question):
        for match in NAME_ANSWERED.finditer(text):
            parts = [
                part for span in match.spans("name") for part in _leading_name(text, span, is_likely_name, setting)
            ]
            if parts:
                # The parts of `Birkett, Stanley.` are one person.
                words = tuple(word for part in parts for word in part.words)
                yield Mention(parts[0].start, parts[-1].end, words, parts[0].initials)


def names_without_cue(text: str, setting: Setting) -> Iterator[Mention]:
    """Names that the gazetteer recognizes, anywhere in a run of words with capitals."""
    for run in _RUN.finditer(text):
        tokens = list(_TOKEN.finditer(text, *run.span()))
        words = [fold(token[0]) for token in tokens]
        for position, token in enumerate(tokens):
            following = words[position + 1] if position + 1 < len(words) else ""
            if not _begins_name(token[0], words[position], following, setting):
                continue
            if words[position] in VERBS and _begins_sentence(text, token.start()):
                continue
            if _PLACE_AFTER.match(text, token.end()) or _PLACE_BEFORE.search(text[: token.start()][-8:]):
                continue
            for mention in _leading_name(text, (token.start(), run.end()), is_any_name, setting):
                if not _PLACE_AFTER.match(text, mention.end):
                    yield mention


def _begins_name(written: str, word: str, following: str, setting: Setting) -> bool:
    """Whether a name begins with this word; `following` is the folded word after it, or empty."""
    names = gazetteer()
    last = names.is_last(following) and not names.is_ordinary(following)
    if written.endswith("."):
        return last
    if len(word) < 3 or written.isupper() or word in setting.company:
        return False
    if not names.is_first(word):
        return last and not names.is_vocabulary(word) and word not in setting.lowercase
    if not names.is_ordinary(word):
        return True
    return last and word not in NEVER


def _leading_name(text: str, span: tuple[int, int], accepts: NameCheck, setting: Setting) -> Iterator[Mention]:
    """The longest name that the stretch begins with, if it passes the check."""
    words: list[str] = []
    initials = ""
    end = span[0]
    for token in _TOKEN.finditer(text, *span):
        word = fold(token[0]).removesuffix(".")
        if len(word) == 1 and token[0] != "I":
            initials += word
        elif word in PARTICLES and (words or initials):
            continue
        elif _can_be_name(token[0], word) and (_can_be_last if words else _can_be_first)(token[0], word, setting):
            words.append(word)
        else:
            break
        end = token.end()
    if words and accepts(words, setting):
        yield Mention(span[0], end, tuple(words), initials)


_SAID_OF_NAMES = frozenset(
    ("misspelled", "misspelt", "spelled", "spelt", "spelling", "listed", "registered", "mispronounced"),
)


_ENDS_CLAUSE = regex.compile(r"\s*(?:[.,;:!?\n)]|$)")


def _certain_name(text: str, span: tuple[int, int], setting: Setting) -> Iterator[Mention]:
    """The name that a stretch begins with, in any case: first names, and words outside the vocabulary."""
    names = gazetteer()
    words: list[str] = []
    end = span[0]
    for token in _TOKEN.finditer(text, *span):
        word = fold(token[0]).removesuffix(".")
        if word in NEVER or word in BRANDS or word in _SAID_OF_NAMES or word in setting.company or len(word) == 1:
            break
        ordinary = names.is_ordinary(word) and not _ENDS_CLAUSE.match(text, token.end())
        known = names.is_last(word) and not ordinary if words else names.is_first(word)
        capital = not token[0].islower() and names.is_last(word)
        if not known and not capital and names.is_vocabulary(word):
            break
        words.append(word)
        end = token.end()
    if words:
        yield Mention(span[0], end, tuple(words), "")


def _can_be_name(written: str, word: str) -> bool:
    if len(word) == 1 or word in NEVER or word in BRANDS or _CAMEL.search(written):
        return False
    # A word in capitals may be initials, an abbreviation or shouting.
    return not written.isupper() or (len(word) > 3 and is_unambiguous_name(word))


def _can_be_first(_written: str, word: str, setting: Setting) -> bool:
    return word not in setting.company


def _can_be_last(written: str, word: str, setting: Setting) -> bool:
    names = gazetteer()
    if names.is_last(word):
        return True
    if written.islower() or names.is_vocabulary(word):
        return False
    return word not in setting.lowercase and word not in setting.company


def is_unambiguous_name(word: str) -> bool:
    """Whether a folded word is a name and not an ordinary word."""
    names = gazetteer()
    return not names.is_ordinary(word) and (names.is_first(word) or names.is_last(word))


# ----------------------------------------------------------------------------------------------------------- who is who

_WHOLE_WORD = regex.compile(rf"(?<![\w@#&/]){WORD}(?![\w@])")
_BEGINS = regex.compile(r"(?:^|[.!?:;\n\"(“…]|\p{Extended_Pictographic}|- )\s*$")
_SPELLED = regex.compile(r"\p{Lu}(?:-\p{Lu}){2,}")
_BETWEEN = regex.compile(r" |(?: ?\p{Lu}\.? )")


class Persons:
    """The people in a conversation and their names.

    If the full name `Ngozi Okafor` is among the mentions, `Mrs Okafor` and `Ngozi` are the same person. A last name
    that two people share stands for the first of them whose initial fits.
    """

    def __init__(self, found: list[Mention]) -> None:
        self._people: list[frozenset[str]] = []
        self._of_word: dict[str, int] = {}
        for mention in sorted(found, key=lambda mention: -len(mention.words)):
            if self._find_person(mention) is None:
                self._people.append(frozenset(mention.words))
                for word in mention.words:
                    self._of_word.setdefault(word, len(self._people) - 1)

    def spans(self, text: str, found: list[Mention], lowercase: frozenset[str]) -> list[Span]:
        """The mentions in a text and all other occurrences of the names, in order; the key is the person's number."""
        spans = [Span("PERSON", mention.start, mention.end, str(self._find_person(mention))) for mention in found]
        covered = cover(text, [(span.start, span.end) for span in spans])
        spans += [
            Span("PERSON", *match.span(), str(self._of_word[word]))
            for match in _WHOLE_WORD.finditer(covered)
            if (word := self._find_word(match[0])) and _stands_for_person(covered, match, word, lowercase)
        ]
        return _merge_adjacent(text, sorted(spans, key=lambda span: span.start))

    def _find_person(self, mention: Mention) -> int | None:
        fitting = [
            number
            for number, words in enumerate(self._people)
            if words.issuperset(mention.words) or len(words.intersection(mention.words)) > 1
        ]
        by_initial = [n for n in fitting if any(word[0] in mention.initials for word in self._people[n])]
        return next(iter([*by_initial, *fitting]), None)

    def _find_word(self, written: str) -> str | None:
        word = fold(written)
        if word in self._of_word:
            return word
        if _SPELLED.fullmatch(written):
            letters = word.replace("-", "")
            return next((name for name in self._of_word if name.startswith(letters)), None)
        return None


def _stands_for_person(text: str, match: regex.Match[str], word: str, lowercase: frozenset[str]) -> bool:
    """Whether a word of a person's name stands for the person here, and not for the ordinary word."""
    names = gazetteer()
    if match[0].islower():
        return is_unambiguous_name(word) or not names.is_vocabulary(word)
    if not names.is_ordinary(word):
        return True
    if word not in NEVER and word not in VERBS and word not in lowercase:
        return True
    return not _begins_sentence(text, match.start())


def _begins_sentence(text: str, position: int) -> bool:
    """Whether a sentence begins at this position, so that a capital proves nothing."""
    return not text[:position].strip() or bool(_BEGINS.search(text[max(0, position - 4) : position]))


def _merge_adjacent(text: str, spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and last.key == span.key and _BETWEEN.fullmatch(text, last.end, span.start):
            joined[-1] = Span("PERSON", last.start, span.end, span.key)
        else:
            joined.append(span)
    return joined
