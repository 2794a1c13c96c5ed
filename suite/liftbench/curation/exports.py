"""Signs that an export was read as something that it is not: titles as summaries, training rows as conversations,
quoted mails and wrongly decoded text as what somebody said."""

from __future__ import annotations

import regex

from ..data.intake.mojibake import mojibake
from ..records.conversation import Conversation
from ..text.words import words

LEAST_CONTAINED = 6
"""The fewest words of a reference that count as contained in a turn: a customer may open with a title of five words."""

NEARLY = 0.85
"""A reference is also contained in a turn that has at least this share of its word 3-grams, if it has at least
`LEAST_NEARLY` words. No human summary of TweetSumm's or helpdesk's reaches it."""
LEAST_NEARLY = 10

MOST_TITLE_WORDS = 12
TITLES = 0.5
"""A split's references look like titles if more than this share of them do."""

_SENTENCE_END = regex.compile(r"[.!?…。！？؟।:;][\"'”’»)\]]*$")

_SPEAKER = (
    r"(?:customer|client|caller|user|human|visitor|guest|agent|assistant|support|operator|representative|rep|advis[eo]r|bot"
    r"|kunde|kundin|cliente?|usuario|agente|berater|mitarbeiter|#?person ?[0-9]#?|speaker ?[0-9ab]|spk[_ ]?[0-9])"
)
_LABEL = regex.compile(rf"(?i)(?<![\w])(?P<who>{_SPEAKER})\s?(?:\([^)]{{1,20}}\)\s?)?\]?:(?=\s|$)")
_NAME_LABEL = regex.compile(r"(?m)^\s*(?P<who>\p{Lu}[\p{L}.'-]*(?: \p{Lu}[\p{L}.'-]*){0,2}):(?=\s)")

_QUOTED = regex.compile(
    r"\bOn [^\n]{6,120}? wrote:|\b(?:Am|Den) [^\n]{6,120}? (?:schrieb|skrev)\b[^\n]{0,60}:"
    r"|\bLe [^\n]{6,120}? a écrit ?:|\bEl [^\n]{6,120}? escribió:|\bOp [^\n]{6,120}? schreef\b[^\n]{0,60}:"
    r"|-{3,} ?(?:Original Message|Original-Nachricht|Ursprüngliche Nachricht|Message d['’]origine|Mensaje original"
    r"|Forwarded message|Weitergeleitete Nachricht) ?-{3,}"
    r"|\b(?:From|Von|De): ?[^\n]{3,100}?\s(?:Sent|Date|Gesendet|Datum|Envoyé|Enviado|To|An|Para): ?[^\n]{3,160}?"
    r"\s(?:To|Subject|An|Betreff|Objet|Asunto|Cc): ?"
    r"|(?m:^ ?> ?\S[^\n]*\n ?>)|(?m:^ ?(?:&gt;) ?\S)",
)


def is_contained(reference: list[str], turns: list[list[str]]) -> bool:
    """Whether a turn has all words of a reference in a row, or nearly: then somebody pasted the summary there."""
    if len(reference) < LEAST_CONTAINED:
        return False
    row = f" {' '.join(reference)} "
    grams = {tuple(reference[i : i + 3]) for i in range(len(reference) - 2)}
    for turn in turns:
        if row in f" {' '.join(turn)} ":
            return True
        if len(reference) >= LEAST_NEARLY and len(turn) >= NEARLY * len(reference):
            theirs = {tuple(turn[i : i + 3]) for i in range(len(turn) - 2)}
            if len(grams & theirs) >= NEARLY * len(grams):
                return True
    return False


def is_title(reference: str) -> bool:
    """Whether a reference is like the title of a ticket: few words and no end of a sentence.

    >>> is_title("Printer does not print"), is_title("The printer does not print.")
    (True, False)
    """
    return 0 < len(words(reference)) <= MOST_TITLE_WORDS and not _SENTENCE_END.search(reference.strip())


def is_training_row(conversation: Conversation) -> bool:
    """Whether the first turn holds a whole transcript, and the second its summary, as rows for fine-tuning do."""
    if not 1 <= len(conversation.turns) <= 2:
        return False
    text = conversation.turns[0].text
    heads = [match["who"].casefold() for match in _LABEL.finditer(text)]
    named = [match["who"] for match in _NAME_LABEL.finditer(text)]
    return (len(set(heads)) > 1) or (len(named) > 2 and 1 < len(set(named)) < len(named))


def has_quoted_history(text: str) -> bool:
    """Whether a message quotes an earlier one: `On … wrote:`, lines with `>`, `-----Original Message-----`."""
    return bool(_QUOTED.search(text))


def has_broken_characters(text: str) -> bool:
    """Whether a text was decoded wrongly: `Ã¼` for `ü`, `â€™` for an apostrophe, or U+FFFD."""
    return "\ufffd" in text or mojibake(text) is not None
