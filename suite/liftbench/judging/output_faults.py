"""What can be seen wrong in a text without a reference: each rule is one function, with what it was measured on.

Measured on people's own summaries, where no rule may find anything: all 3,483 of TweetSumm (training and validation)
and helpdesk.
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
"""Share of a text's trigrams that it had before, up to which it may be honest.

A short text of two sentences on one thing comes to 0.231 (`Customer asks for the status of the order. Agent checks the
status of the order.`); people's own have at most 0.186, by a slip of the pen. Of 532 texts of SmolLM2-135M, tuned or
not, on TweetSumm's validation and helpdesk's test split, 112 lie above. Of these the 23 up to 0.35 were
read, and say whole clauses again, of the conversation or their own. Of the 14 between 0.2 and the limit about half are
loops that began late, and half are merely clumsy."""

LETTERS = 0.5
"""Share of letters and digits in what is no white space. People's summaries have 0.912 or more."""


def output_faults(scored: ScoredSplit, predictions: Mapping[str, Prediction]) -> dict[Fault, list[str] | None]:
    """The ids of the conversations, in order, whose text has each fault; None where that cannot be known.

    `predictions` are by id. A conversation without one has an empty text, and of its making nothing is known.
    """
    texts = {one.id: predictions[one.id].text if one.id in predictions else "" for one in scored.conversations}
    made = [predictions.get(id_) for id_ in texts]
    faults = _text_faults(scored, scored.conversations, texts)
    return {**faults, "never-ending": never_ending(made), "shortened": shortened(made)}


def usual(scored: ScoredSplit) -> dict[Fault, float]:
    """The share of people's own summaries that the same rules find each fault in, in [0, 1]; 0.0 where there are none.

    The first human summary of each conversation stands in for a system's text, then the second, and so on, so that as
    many texts as a system's may be the same. The conversation's other summaries say in which languages one is wanted;
    an only one says so itself. What ended a text, and what its writer was shown, is not known of people's.
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
    """Those that a text shows by itself, whoever wrote it."""
    return {
        "empty": [id_ for id_, text in texts.items() if is_empty(text)],
        "degenerate": [id_ for id_, text in texts.items() if is_degenerate(text)],
        "repeated": repeated(scored, texts),
        "other language": in_other_language(scored, conversations, texts),
    }


def is_empty(text: str) -> bool:
    """Whether there is no word in a text: a lone full stop says nothing.

    >>> is_empty(" ."), is_empty("OK")
    (True, False)
    """
    return not words(text)


def never_ending(made: Sequence[Prediction | None]) -> list[str] | None:
    """Those that the token limit ended; None where it is not known of each what ended it."""
    if any(one is None or one.finish_reason == "unknown" for one in made):
        return None
    return [one.id for one in made if one is not None and one.finish_reason == "length"]


def is_degenerate(text: str) -> bool:
    """Whether a text goes in circles or is hardly made of letters; an empty one does neither.

    Repetition is counted in words, and in scripts without spaces in letters, which repeat more easily: what people
    write there was not measured, and `usual` says it of the data at hand.

    >>> is_degenerate("The agent is sorry. " * 2), is_degenerate("{ } ] a ; ; ;"), is_degenerate("The agent is sorry.")
    (True, True, False)
    """
    told = words(text)
    if not told:
        return False
    return Repetition().value(tuple(told), ()) > LOOPING or _letters(text) < LETTERS


def repeated(scored: ScoredSplit, texts: Mapping[str, str]) -> list[str]:
    """Those whose words, if any, are another conversation's text, too; copies of one conversation may share theirs.

    No two conversations of one split above share a human summary.
    """
    said = {id_: " ".join(words(text)) for id_, text in texts.items()}
    told_of = defaultdict(set)
    for one, known in zip(scored.conversations, scored.fingerprints, strict=True):
        if one.id in said:
            told_of[said[one.id]].add(known.sha256)
    return [id_ for id_, text in said.items() if text and len(told_of[text]) > 1]


def shortened(made: Sequence[Prediction | None]) -> list[str] | None:
    """Those whose prompt lacks turns of the conversation; None where nobody saw a prompt."""
    if all(one is None or one.prompt_tokens is None for one in made):
        return None
    return [one.id for one in made if one is not None and one.turns_dropped > 0]


def in_other_language(
    scored: ScoredSplit, conversations: Sequence[Conversation], texts: Mapping[str, str]
) -> list[str] | None:
    """Those in no language that the conversation or one of its references may be in; None where no such is known.

    Where the language of a text or of its conversation could not be detected, the text has no such fault. No human
    summary above is in another language than its conversation and the other summaries of it.
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
    """The share of letters, digits and the marks that belong to them (as in Hindi) in what is no white space."""
    kinds = [unicodedata.category(character)[0] for character in text if not character.isspace()]
    return sum(kind in "LNM" for kind in kinds) / len(kinds) if kinds else 0.0
