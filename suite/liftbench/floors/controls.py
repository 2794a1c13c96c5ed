"""Controls: systems without a model. Their scores are a floor for every model, or a bound for what copying can reach.

A floor reads the conversation's turns and the training split, never the references that it is scored against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from statistics import fmean
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from ..errors import PrerequisiteError
from ..files import digest
from ..metrics.rouge import Rouge, all_pairs
from ..records.conversation import Conversation
from ..text.sentences import split_sentences
from .control import Control, ControlRequest

CANDIDATES_AT_ONCE = 500
"""Candidates for the constant that are compared with all references at once: 40 MB for ten thousand references."""

TUNED_ON = 500
"""The most training conversations that the slot template is tuned on, spread evenly; this bounds its time."""


# ---------------------------------------------------------------------------------------------- learned from training


class BestConstant(Control):
    """One sentence for every conversation: the training reference with the best mean ROUGE-L over the training split.

    A conversation's value is the mean over its references, and every conversation counts the same. The first of
    equals is taken.
    """

    def __init__(self, request: ControlRequest) -> None:
        references = _references("best-constant", request.training)
        weights = np.array([1 / len(one.references) for one in request.training for _ in one.references])
        candidates = list(dict.fromkeys(references))
        sums = [
            all_pairs("rougeL", candidates[start : start + CANDIDATES_AT_ONCE], references) @ weights
            for start in range(0, len(candidates), CANDIDATES_AT_ONCE)
        ]
        self.note = candidates[int(np.concatenate(sums).argmax())]

    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """Write the same sentence for each conversation."""
        return [self.note] * len(conversations)


class RandomSummary(Control):
    """A random training reference. The draw depends on seed and conversation id alone, not on `--limit` or order."""

    def __init__(self, request: ControlRequest) -> None:
        self._references = _references("random-summary", request.training)
        self._seed = request.seed
        self.note = f"one of {len(self._references)} training references, seed {request.seed}"

    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """Draw one training reference for each conversation."""
        draws = (int(digest(self._seed, one.id), 16) for one in conversations)
        return [self._references[draw % len(self._references)] for draw in draws]


class Template(Struct, frozen=True, kw_only=True):
    """Fixed phrases around the first words of the asker and the last words of the answerer."""

    asker: str
    """The role that asks."""
    answerer: str
    opening: str
    asker_words: int
    middle: str
    answerer_words: int
    closing: str

    def __str__(self) -> str:
        """The template with its slots in braces, as the report shows it."""
        asked = f"{{first {self.asker_words} words of the {self.asker}}}"
        answered = f"{{last {self.answerer_words} words of the {self.answerer}'s last turn}}"
        return self._fill(asked, answered)

    def write(self, conversation: Conversation) -> str:
        """Fill the template for one conversation; the slot of a role that does not speak stays empty."""
        asked = [word for turn in conversation.turns if turn.role == self.asker for word in turn.text.split()]
        answers = [turn.text.split() for turn in conversation.turns if turn.role == self.answerer] or [[]]
        return self._fill(
            " ".join(asked[: self.asker_words]).rstrip(" .,;:!?"),
            " ".join(answers[-1][-self.answerer_words :]).rstrip(" .,;:!?"),
        )

    def _fill(self, asked: str, answered: str) -> str:
        sentences = (self.opening, asked), (self.middle, answered, self.closing)
        joined = (" ".join(filter(None, parts)) for parts in sentences)
        return " ".join(f"{sentence.removesuffix('.')}." for sentence in joined if sentence)


class SlotTemplate(Control):
    """Phrases of the training references around words of the conversation; it shows what a format alone scores.

    The candidate phrases are the most common beginnings of first sentences, beginnings of later sentences about the
    answerer, and ends of references, two of each length. The phrases and the number of words between them are chosen
    one part after the other by mean ROUGE-L on the training split, until changing a single part no longer helps.
    """

    ASKER_WORDS = (8, 10, 12, 14, 16, 18, 20, 22, 25, 30, 40)
    ANSWERER_WORDS = (4, 6, 8, 10, 12, 15, 20, 25, 30)

    def __init__(self, request: ControlRequest) -> None:
        references = _references("slot-template", request.training)
        asker, answerer = _speakers(request.training)
        sentences = [split_sentences(reference) for reference in references]
        later = [sentence for some in sentences for sentence in some[1:]]
        answers = [sentence for sentence in later if answerer.lower() in sentence.lower()] or later
        choices: dict[str, tuple[Any, ...]] = {
            "opening": ("", *_phrases((some[0] for some in sentences), range(1, 7), _beginning)),
            "asker_words": self.ASKER_WORDS,
            "middle": ("", *_phrases(answers, range(1, 7), _beginning)),
            "answerer_words": self.ANSWERER_WORDS,
            "closing": ("", *_phrases((some[-1] for some in sentences), range(2, 10), _end)),
        }
        start = Template(
            asker=asker, answerer=answerer, **{part: options[len(options) // 2] for part, options in choices.items()}
        )
        self._template = _tune_template(start, choices, _spread(request.training, TUNED_ON))
        self.note = str(self._template)

    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """Fill the template for each conversation."""
        return [self._template.write(conversation) for conversation in conversations]


def _references(control: str, training: Sequence[Conversation]) -> list[str]:
    references = [reference for conversation in training for reference in conversation.references]
    if not references:
        raise PrerequisiteError(
            f"the control {control!r} learns from the human summaries of the training split, and there are none; "
            "name a split that has them (data.train_split)"
        )
    return references


def _speakers(training: Sequence[Conversation]) -> tuple[str, str]:
    """The roles that ask and answer.

    They are `customer` and `agent` where both speak; else the role that opens most often, and the most frequent other.
    """
    spoken = Counter(turn.role for conversation in training for turn in conversation.turns)
    if {"customer", "agent"} <= spoken.keys():
        return "customer", "agent"
    openers = Counter(conversation.turns[0].role for conversation in training)
    asker = openers.most_common(1)[0][0]
    others = [role for role, _ in spoken.most_common() if role != asker]
    return asker, others[0] if others else asker


def _beginning(words: list[str], length: int) -> list[str]:
    return words[:length]


def _end(words: list[str], length: int) -> list[str]:
    return words[-length:]


def _phrases(sentences: Iterable[str], lengths: range, part: Callable[[list[str], int], list[str]]) -> tuple[str, ...]:
    """The two most common parts of each length in words, taken from sentences that are longer than the part."""
    split = [sentence.split() for sentence in sentences]
    found = []
    for length in lengths:
        counts = Counter(" ".join(part(words, length)) for words in split if len(words) > length)
        found += [phrase for phrase, _ in counts.most_common(2)]
    return tuple(found)


def _spread(training: Sequence[Conversation], most: int) -> list[Conversation]:
    with_references = [conversation for conversation in training if conversation.references]
    return with_references[:: -(-len(with_references) // most)]


def _tune_template(start: Template, choices: dict[str, tuple[Any, ...]], conversations: list[Conversation]) -> Template:
    """Coordinate ascent: choose the best option of one part after the other, until a whole round changes nothing."""
    rouge = Rouge("rougeL")

    @cache
    def score(template: Template) -> float:
        values = rouge.score([template.write(conversation) for conversation in conversations], conversations)
        return fmean(value for value in values if value is not None)

    best, before = start, None
    while best != before:
        before = best
        for part, options in choices.items():
            # The current option comes first, so that equals change nothing and the search ends.
            best = max([best, *(replace(best, **{part: option}) for option in options)], key=score)
    return best


# ----------------------------------------------------------------------------------------- copied from the conversation


class Lead(Control):
    """The first turns, verbatim: they often say what the whole conversation is about."""

    def __init__(self, turns: int, request: ControlRequest) -> None:  # noqa: ARG002 - there is nothing to learn
        self._turns = turns

    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """Join the texts of the first turns by spaces."""
        return [" ".join(turn.text for turn in one.turns[: self._turns]) for one in conversations]


# A plugin registers these: each, called with a `ControlRequest`, returns the control of its name.
lead_1 = partial(Lead, 1)
lead_2 = partial(Lead, 2)


class LongestTurn(Control):
    """The turn with the most words; the first of equals."""

    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """The text of one turn for each conversation."""
        return [max((turn.text for turn in one.turns), key=lambda text: len(text.split())) for one in conversations]


class WholeConversation(Control):
    """All turns; it shows what echoing the conversation scores."""

    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """Join the texts of all turns by spaces."""
        return [" ".join(turn.text for turn in one.turns) for one in conversations]


class ExtractiveOracle(Control):
    """Turns chosen greedily by mean ROUGE-L against the scored references: a bound for copying turns.

    After Nallapati et al. 2017 (https://arxiv.org/abs/1611.04230), section 2.2: the turn that raises the score most is
    added, until no turn raises it. The greedy set is close to the best one, but need not be the best.
    """

    role = "bound"

    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """Join the texts of the chosen turns by spaces, in the conversation's order; empty without references."""
        rouge = Rouge("rougeL")
        return [_most_like_references(conversation, rouge) for conversation in conversations]


def _most_like_references(conversation: Conversation, rouge: Rouge) -> str:
    texts = [turn.text for turn in conversation.turns]
    chosen: list[int] = []
    best, best_score = "", 0.0
    while conversation.references and len(chosen) < len(texts):
        wider = [sorted([*chosen, number]) for number in range(len(texts)) if number not in chosen]
        joined = [" ".join(texts[number] for number in numbers) for numbers in wider]
        scores = [value or 0.0 for value in rouge.score(joined, [conversation] * len(joined))]
        top = max(range(len(wider)), key=scores.__getitem__)
        if scores[top] <= best_score:
            break
        chosen, best, best_score = wider[top], joined[top], scores[top]
    return best
