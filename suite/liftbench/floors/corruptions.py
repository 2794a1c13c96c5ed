"""Corruptions: human summaries with one known fault each, so that every metric can be asked what that fault costs.

Who calls them scores the faulty summary against the conversation's other references, and the whole one likewise: the
difference is what the metric sees of the fault.
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
    """What the corruptions of one split draw on."""

    def __init__(
        self,
        conversations: Iterable[Conversation],
        *,
        training: Iterable[Conversation],
        written: Mapping[str, Mapping[str, str]],
        seed: int,
    ) -> None:
        """`training` tells names from other words, as it does for `unsupported-facts`; empty, the split itself does.

        `written`: control → conversation id → its text. A control that is not there corrupts nothing.
        """
        # By id, so that the order in which they were read changes no draw.
        self.conversations = sorted(conversations, key=lambda conversation: conversation.id)
        self.written = written
        self.seed = seed
        self.lexicon = learn(tuple(training) or self.conversations)
        self.details: dict[str, list[Mention]] = defaultdict(list)
        """Sort → what the references mention of it, each wording once."""
        references = [reference for conversation in self.conversations for reference in conversation.references]
        found = [mention for reference in references for mention in mentions(reference, self.lexicon)]
        for mention in {(mention.kind, mention.text): mention for mention in found}.values():
            self.details[_sort(mention)].append(mention)


class Case(Struct, frozen=True):
    """A human summary to be corrupted."""

    conversation: Conversation
    """With all its references: nothing that they tell may come back as a fault."""
    reference: str
    """The one of them that is corrupted."""
    material: Material

    def generator(self) -> random.Random:
        """The same for the same seed, conversation and reference, whatever else is corrupted."""
        return random.Random(f"{self.material.seed}\0{self.conversation.id}\0{self.reference}")


class Corruption(Struct, frozen=True):
    """One fault, and how it is put into a summary."""

    description: str
    """What is wrong afterwards, in a few words."""
    apply: Callable[[Case], str | None]
    """The corrupted summary; None where this one cannot be so corrupted."""


# ------------------------------------------------------------------------------------------------ another text instead

_APART = (CLUSTER, "company")
"""Metadata that tell which conversations are alike."""


def _another_conversation(case: Case) -> str | None:
    """A reference of another conversation; of another cluster and company, where metadata tell and there is one."""
    own = case.conversation
    others = [
        other
        for other in case.material.conversations
        if other.id != own.id and not set(own.references).issuperset(other.references)
    ]
    told = [key for key in _APART if key in own.metadata]
    unlike = [other for other in others if all(cluster_of(other, key) != cluster_of(own, key) for key in told)]
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
    """One detail that the conversation supports gives way to one of its sort that it does not.

    Of those, to one whose shape is nearest: £99 to another amount of two digits, a full name to a full name.
    """
    evidence = ConversationEvidence(case.conversation.turns)
    told = "\n".join(case.conversation.references)
    generator = case.generator()
    present = [mention for mention in mentions(case.reference, case.material.lexicon) if evidence.supports(mention)]
    for mention in generator.sample(present, len(present)):
        unlikeness = {
            other.text: Levenshtein.distance(_shape(mention.text), _shape(other.text))
            for other in case.material.details[_sort(mention)]
            if other.text not in told and not evidence.supports(other)
        }
        if unlikeness:
            nearest = min(unlikeness.values())
            other = generator.choice([text for text, distance in unlikeness.items() if distance == nearest])
            return f"{case.reference[: mention.start]}{other}{case.reference[mention.end :]}"
    return None


def _sort(mention: Mention) -> str:
    """A mention's kind; a name is a person's, or not."""
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
    """The first half of the words, the middle one included, with the white space between them."""
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
