"""Corruptions: human summaries with one known fault each, to measure what that fault costs on every metric.

The caller scores the corrupted summary and the original one against the conversation's other references: the difference
is what the metric sees of the fault.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from msgspec import Struct
from rapidfuzz.distance import Levenshtein

from ..data.similarity.clusters import CLUSTER, cluster_of
from ..metrics.evidence import ConversationEvidence
from ..metrics.lexicon import learn
from ..metrics.mentions import Mention, mentions
from ..metrics.roles import swap_roles
from ..records.conversation import Conversation
from ..text.names import fold, gazetteer
from ..text.negation import negate


class Material:
    """What the corruptions of one split choose from: other summaries, details and texts of controls."""

    def __init__(
        self,
        conversations: Iterable[Conversation],
        *,
        training: Iterable[Conversation],
        written: Mapping[str, Mapping[str, str]],
        seed: int,
    ) -> None:
        """Collect the details that the references mention.

        `training` tells names from other words, as it does for `unsupported-facts`; where it is empty, `conversations`
        do. `written`: control → conversation id → its text. The corruption of a missing control gives None.
        """
        # Sorted by id, so that the draws do not depend on the order in which they were read.
        self.conversations = sorted(conversations, key=lambda conversation: conversation.id)
        self.written = written
        self.seed = seed
        self.lexicon = learn(tuple(training) or self.conversations)
        self.details: dict[str, list[Mention]] = defaultdict(list)
        """Sort of detail → the mentions of it in the references, each wording once."""
        references = [reference for conversation in self.conversations for reference in conversation.references]
        found = [mention for reference in references for mention in mentions(reference, self.lexicon)]
        for mention in {(mention.kind, mention.text): mention for mention in found}.values():
            self.details[_sort(mention)].append(mention)


class Case(Struct, frozen=True):
    """A human summary to corrupt."""

    conversation: Conversation
    """With all its references: nothing that they mention may be put in as a fault."""
    reference: str
    """The reference to corrupt."""
    material: Material

    def generator(self) -> random.Random:
        """A generator that depends only on seed, conversation and reference, not on what else is corrupted."""
        return random.Random(f"{self.material.seed}\0{self.conversation.id}\0{self.reference}")


class Corruption(Struct, frozen=True):
    """One fault, and the function that puts it into a summary."""

    description: str
    """What is wrong with the corrupted summary, in a few words."""
    apply: Callable[[Case], str | None]
    """Returns the corrupted summary; None where the summary cannot be corrupted in this way."""


# ------------------------------------------------------------------------------------------------ another text instead

_APART = (CLUSTER, "company")
"""Metadata fields that show which conversations are alike."""


def _another_conversation(case: Case) -> str | None:
    """A reference of another conversation, from another cluster and company where metadata name them and one exists."""
    own = case.conversation
    others = [
        other
        for other in case.material.conversations
        if other.id != own.id and not set(own.references).issuperset(other.references)
    ]
    fields = [key for key in _APART if key in own.metadata]
    unlike = [other for other in others if all(cluster_of(other, key) != cluster_of(own, key) for key in fields)]
    if not others:
        return None
    generator = case.generator()
    chosen = generator.choice(unlike or others)
    return generator.choice([reference for reference in chosen.references if reference not in own.references])


def _written_by(control: str, case: Case) -> str | None:
    return case.material.written.get(control, {}).get(case.conversation.id)


def _first_turn(case: Case) -> str:
    return case.conversation.turns[0].text


# ------------------------------------------------------------------------------------------------ one thing is changed


def _swap_roles(case: Case) -> str | None:
    return swap_roles(case.reference)


def _another_detail(case: Case) -> str | None:
    """Replace one detail that the conversation supports by an unsupported one of the same sort.

    The new detail is one whose shape is nearest: £99 becomes another amount of two digits, a full name a full name.
    """
    evidence = ConversationEvidence(case.conversation.turns)
    references = "\n".join(case.conversation.references)
    generator = case.generator()
    present = [mention for mention in mentions(case.reference, case.material.lexicon) if evidence.supports(mention)]
    for mention in generator.sample(present, len(present)):
        unlikeness = {
            other.text: Levenshtein.distance(_shape(mention.text), _shape(other.text))
            for other in case.material.details[_sort(mention)]
            if other.text not in references and not evidence.supports(other)
        }
        if unlikeness:
            nearest = min(unlikeness.values())
            other = generator.choice([text for text, distance in unlikeness.items() if distance == nearest])
            return f"{case.reference[: mention.start]}{other}{case.reference[mention.end :]}"
    return None


def _sort(mention: Mention) -> str:
    """A mention's kind, where names of people (`person`) and other names (`name`) are two kinds."""
    if mention.kind != "name":
        return mention.kind
    first = fold(mention.text.split()[0])
    names = gazetteer()
    is_person = (names.is_first(first) or names.is_last(first)) and not names.is_ordinary(first)
    return "person" if is_person else "name"


def _shape(text: str) -> str:
    """`Dr. O 1,500` as `Aa. A 0,000`."""
    return re.sub(
        r"[^\W\d_]+",
        lambda word: "A" if word[0].isupper() else "a" if word[0].islower() else "Aa",
        re.sub(r"\d", "0", text),
    )


def _negate_outcome(case: Case) -> str | None:
    return negate(case.reference)


def _half(case: Case) -> str | None:
    """The first half of the words, including the middle one, with the space between them."""
    words = list(re.finditer(r"\S+", case.reference))
    return case.reference[: words[(len(words) - 1) // 2].end()] if len(words) > 1 else None


def _shuffle_words(case: Case) -> str | None:
    words = case.reference.split()
    if len(set(words)) < 2:
        return None
    generator = case.generator()
    shuffled = words
    while shuffled == words:
        shuffled = generator.sample(words, len(words))
    return " ".join(shuffled)


CORRUPTIONS: Mapping[str, Corruption] = {
    "another-conversation": Corruption("the summary of another conversation", _another_conversation),
    "best-constant": Corruption("one sentence for every conversation", partial(_written_by, "best-constant")),
    "slot-template": Corruption("fixed phrases around words of the turns", partial(_written_by, "slot-template")),
    "roles-swapped": Corruption("customer and agent exchanged", _swap_roles),
    "detail-replaced": Corruption("one name, number, amount, date or code is another one", _another_detail),
    "outcome-negated": Corruption("the last sentence says the opposite", _negate_outcome),
    "half-cut-off": Corruption("only the first half of the words", _half),
    "words-shuffled": Corruption("the same words in random order", _shuffle_words),
    "first-turn-copied": Corruption("the first turn instead of a summary", _first_turn),
}
"""Name → corruption, in the order of the validity table."""
