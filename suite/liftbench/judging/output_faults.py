"""Faults of a text that can be found without a reference; each rule is one function.

The rules were measured on all 3,483 human summaries of TweetSumm (training and validation) and helpdesk, and must find
nothing there.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from ..data.similarity.scored import ScoredSplit
from ..metrics.form import Repetition
from ..records.conversation import Conversation
from ..records.run import Prediction
from ..text.languages import languages_of
from ..text.words import words

Fault = Literal["empty", "never-ending", "degenerate", "repeated", "shortened", "other language"]

LOOPING = 0.25
"""The highest share of trigrams repeated from earlier in a text that does not count as going in circles.

A short text of two sentences about one thing reaches 0.231 (`Customer asks for the status of the order. Agent checks
the status of the order.`); human summaries have at most 0.186, from a slip of the pen. 112 of 532 texts of
SmolLM2-135M, tuned or not, on TweetSumm's validation and helpdesk's test split lie above the limit. The 23 up to 0.35
were read: they repeat whole clauses, of the conversation or their own. Among the 14 between 0.2 and the limit, about
half are loops that began late, and half are merely clumsy."""

LETTERS = 0.5
"""The lowest share of letters and digits among non-space characters. Human summaries have 0.912 or more."""


def output_faults(scored: ScoredSplit, predictions: Mapping[str, Prediction]) -> dict[Fault, list[str] | None]:
    """The ids of the conversations, in order, whose text has each fault; None where that cannot be known.

    `predictions` are by id. A conversation without one has an empty text, and how that was made is unknown.
    """
    texts = {one.id: predictions[one.id].text if one.id in predictions else "" for one in scored.conversations}
    made = [predictions.get(id_) for id_ in texts]
    faults = _text_faults(scored, scored.conversations, texts)
    return {**faults, "never-ending": never_ending(made), "shortened": shortened(made)}


def usual(scored: ScoredSplit) -> dict[Fault, float]:
    """Fault → the share of human summaries, in [0, 1], in which the same rules find it; 0.0 without summaries.

    The first human summaries of all conversations are checked together like a system's texts, then the second ones, and
    so on, so that repetitions are counted among equally many texts. The conversation's other summaries show which
    languages are wanted; an only summary shows that itself. What ended a human summary, and what its writer was shown,
    is not known.
    """
    conversations = scored.conversations
    found = []
    for place in range(max([1, *(len(one.references) for one in conversations)])):
        rows = [one for one in conversations if len(one.references) > place]
        others = [
            replace(one, references=one.references[:place] + one.references[place + 1 :] or one.references)
            for one in rows
        ]
        found.append(_text_faults(scored, others, {one.id: one.references[place] for one in rows}))
    total = sum(len(one.references) for one in conversations)
    return {fault: sum(len(some[fault] or ()) for some in found) / max(total, 1) for fault in found[0]}


def _text_faults(
    scored: ScoredSplit, conversations: Sequence[Conversation], texts: Mapping[str, str]
) -> dict[Fault, list[str] | None]:
    """The faults that can be found in a text alone, whoever wrote it."""
    return {
        "empty": [id_ for id_, text in texts.items() if is_empty(text)],
        "degenerate": [id_ for id_, text in texts.items() if is_degenerate(text)],
        "repeated": repeated(scored, texts),
        "other language": in_other_language(scored, conversations, texts),
    }


def is_empty(text: str) -> bool:
    """Whether a text has no words: a lone full stop says nothing.

    >>> is_empty(" ."), is_empty("OK")
    (True, False)
    """
    return not words(text)


def never_ending(made: Sequence[Prediction | None]) -> list[str] | None:
    """The ids of texts that the token limit ended; None unless it is known for each text what ended it."""
    if any(one is None or one.finish_reason == "unknown" for one in made):
        return None
    return [one.id for one in made if one is not None and one.finish_reason == "length"]


def is_degenerate(text: str) -> bool:
    """Whether a text goes in circles or is hardly made of letters; an empty one does neither.

    Repetition is counted in words, or in letters for scripts without spaces. Letters repeat more easily, and no human
    summaries were measured in such scripts; `usual` measures those of the data at hand.

    >>> is_degenerate("The agent is sorry. " * 2), is_degenerate("{ } ] a ; ; ;"), is_degenerate("The agent is sorry.")
    (True, True, False)
    """
    tokens = words(text)
    if not tokens:
        return False
    return Repetition().value(tuple(tokens), ()) > LOOPING or _letters(text) < LETTERS


def repeated(scored: ScoredSplit, texts: Mapping[str, str]) -> list[str]:
    """The ids of texts with the same words as another conversation's text; copies of one conversation may share a text.

    Texts without words do not count. In the data named above, no two conversations of a split share a human summary.
    """
    wordings = {id_: " ".join(words(text)) for id_, text in texts.items()}
    holders = defaultdict(set)
    for one, known in zip(scored.conversations, scored.fingerprints, strict=True):
        if one.id in wordings:
            holders[wordings[one.id]].add(known.sha256)
    return [id_ for id_, text in wordings.items() if text and len(holders[text]) > 1]


def shortened(made: Sequence[Prediction | None]) -> list[str] | None:
    """The ids of texts whose prompt lacked turns of the conversation; None where no prompt was recorded."""
    if all(one is None or one.prompt_tokens is None for one in made):
        return None
    return [one.id for one in made if one is not None and one.turns_dropped > 0]


def in_other_language(
    scored: ScoredSplit, conversations: Sequence[Conversation], texts: Mapping[str, str]
) -> list[str] | None:
    """The ids of texts in another language than the conversation and its references; None where none can be detected.

    A text does not have this fault where its language, or that of its conversation, cannot be detected. In the data
    named above, no human summary is in another language than its conversation and the other summaries.
    """
    spoken = scored.languages
    if not any(spoken[one.id] for one in conversations):
        return None
    return [one.id for one in conversations if _foreign(texts[one.id], spoken[one.id], one.references)]


def _foreign(text: str, spoken: Sequence[str], references: Sequence[str]) -> bool:
    written = set(languages_of(text))
    if not written or not spoken or not written.isdisjoint(spoken):
        return False
    return all(written.isdisjoint(languages_of(reference)) for reference in references)


def _letters(text: str) -> float:
    """The share of letters, digits and the marks that belong to them (as in Hindi) among non-space characters."""
    if text.isascii():
        visible = "".join(text.split())
        return sum(map(str.isalnum, visible)) / len(visible) if visible else 0.0
    kinds = [unicodedata.category(character)[0] for character in text if not character.isspace()]
    return sum(kind in "LNM" for kind in kinds) / len(kinds) if kinds else 0.0
