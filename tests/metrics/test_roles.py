"""Role accuracy: by hand, and what it was kept for: true from swapped human summaries with an AUC of at least 0.8."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

import pytest

from liftbench.data.helpdesk import Helpdesk
from liftbench.data.jsonl import read_jsonl
from liftbench.metrics.base import MetricRequest
from liftbench.metrics.roles import RoleAccuracy, swap_roles
from liftbench.records.conversation import Conversation, Turn

METRIC = RoleAccuracy(MetricRequest())

PARCEL = (("customer", "My parcel never came!"), ("agent", "Please send a photo, we refund within 3 days."))
TRUE = "The customer's parcel never came. The agent asks for a photo to refund."


def conversation(*turns: tuple[str, str]) -> Conversation:
    return Conversation(id="c", turns=tuple(Turn(role=role, text=text) for role, text in turns))


def score(text: str, *turns: tuple[str, str]) -> float | None:
    (value,) = METRIC.score([text], [conversation(*turns)])
    return value


# ------------------------------------------------------------------------------------------------------- roles swapped


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("Customer asks. Agent helps.", "Agent asks. Customer helps."),
        ("An agent called a customer", "A customer called an agent"),
        ("THE CUSTOMERS' and agents' words", "THE AGENTS' and customers' words"),
        ("The client rang; a representative answered", "The agent rang; a customer answered"),
        ("Customer service agents told the caller", "Customers told the agent"),
        ("The customer support team replied", "The customer replied"),
        # Neither names anybody.
        ("Customer is unhappy with the customer service", "Agent is unhappy with the customer service"),
        ("The agent wants the user name", "The customer wants the user name"),
        ("Customer service was poor; ask support", None),
        ("Mr Crichton asked to keep his address", None),
        ("The agency accustomed users' manuals", "The agency accustomed agents' manuals"),
        ("", None),
    ],
)
def test_roles_are_swapped_and_all_else_is_kept(text: str, swapped: str | None) -> None:
    assert swap_roles(text) == swapped


def test_plain_roles_come_back_after_a_second_swap() -> None:
    text = "A customer wrote; an agent asked the Customer for the CUSTOMER's code. Agents…"
    once = swap_roles(text)
    assert once is not None
    assert once != text
    assert swap_roles(once) == text


# --------------------------------------------------------------------------------------------------------- by hand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # `parcel never came` is the customer's: (1 + 3) / (2 + 3). `a photo refund` the agent's.
        ("The customer's parcel never came.", 4 / 5),
        ("The agent's parcel never came.", 1 / 5),
        (TRUE, (4 / 5 + 4 / 5) / 2),
        # One sentence, two clauses, as much as two sentences; what stands before the subject is said of it.
        ("The customer's parcel never came and the agent asks for a photo to refund", (4 / 5 + 4 / 5) / 2),
        ("Since the parcel never came, the customer wrote", 4 / 5),
        # An object is no subject: all is said of the agent.
        ("The agent asks the customer to send a photo", 4 / 5),
        # Nothing known, and as much of either.
        ("The customer sings", 1 / 2),
        ("The customer mailed one parcel, one photo", 2 / 4),
        # Synonyms; case does not matter.
        ("CALLER: parcel never came", 4 / 5),
        ("Support team will refund", 2 / 3),
    ],
)
def test_claims_by_hand(text: str, expected: float) -> None:
    assert score(text, *PARCEL) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "The parcel never came.", "He wrote, she answered.", "Customer service was poor"])
def test_no_number_where_no_speaker_is_named(text: str) -> None:
    assert score(text, *PARCEL) is None


def test_no_number_where_only_one_speaks() -> None:
    assert score(TRUE, ("customer", "My parcel never came!"), ("Customer", "Hello? A photo, a refund?")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Doctor prescribes pills", 2 / 3),
        ("Patient prescribes pills", 1 / 3),
        ("#Doctor# prescribes pills", 2 / 3),
        ("Customer prescribes pills", None),
    ],
)
def test_other_roles_go_by_their_own_word(text: str, expected: float | None) -> None:
    value = score(text, ("Patient", "My knee hurts"), ("doctor", "Take these pills"))
    assert value == (None if expected is None else pytest.approx(expected))


def test_roles_that_mean_the_same_are_one() -> None:
    renamed = [({"customer": "user", "agent": "Assistant"}[role], text) for role, text in PARCEL]
    assert score(TRUE, *renamed) == score(TRUE, *PARCEL)


def test_a_third_speaker_and_one_without_a_name() -> None:
    value = score("Nurse brings tea. Doctor brings tea.", ("doctor", "pills"), ("nurse", "tea"), ("", "hurts a lot"))
    assert value == pytest.approx((2 / 4 + 1 / 4) / 2)


def test_references_are_not_looked_at() -> None:
    one = conversation(*PARCEL)
    assert METRIC.score([TRUE], [one]) == METRIC.score(
        [TRUE], [Conversation(id="c", turns=one.turns, references=("x",))]
    )


def test_findings_are_the_claims_given_to_the_wrong_speaker() -> None:
    text = "The customer asks for a photo to refund, and the agent's parcel never came. The agent sings."
    found = METRIC.findings(text, conversation(*PARCEL))
    assert [(text[one.start : one.end].strip(" ,"), one.kind) for one in found] == [
        ("The customer asks for a photo to refund", "not what the customer said"),
        ("and the agent's parcel never came.", "not what the agent said"),
    ]
    assert METRIC.findings(TRUE, conversation(*PARCEL)) == []


def test_findings_tell_equal_sentences_apart() -> None:
    text = "Agent: parcel never came. Agent: parcel never came."
    assert [one.start for one in METRIC.findings(text, conversation(*PARCEL))] == [0, 26]


# ----------------------------------------------------------------------------------------------- what it was kept for


def auc(higher: list[float], lower: list[float]) -> float:
    """Chance that one of `higher` lies above one of `lower`, ties counting half (Mann-Whitney)."""
    return fmean((a > b) + (a == b) / 2 for a in higher for b in lower)


def true_and_swapped(conversations: Iterable[Conversation]) -> tuple[list[float], list[float]]:
    """The values of human summaries that name a speaker as a subject, and of the same with their roles swapped."""
    true, swapped = [], []
    for one in conversations:
        for reference in one.references:
            other = swap_roles(reference)
            values = METRIC.score([reference, other or ""], [one, one])
            if values[0] is not None and values[1] is not None:
                true.append(values[0])
                swapped.append(values[1])
    return true, swapped


def test_true_from_swapped_on_tweetsumm(tweetsumm: Path) -> None:
    true, swapped = true_and_swapped(read_jsonl(tweetsumm / "validation.jsonl"))
    assert len(true) > 0.95 * 352  # Almost all of its summaries name a speaker.
    assert auc(true, swapped) >= 0.8


@pytest.mark.parametrize("split", ["train", "test"])
def test_true_from_swapped_on_helpdesk(split: str) -> None:
    true, swapped = true_and_swapped(Helpdesk(None).read(split))
    assert len(true) > 50  # Of some 200: most of its summaries go by names.
    assert auc(true, swapped) >= 0.8


def test_a_summary_of_another_conversation_lies_near_one_half(tweetsumm: Path) -> None:
    conversations = read_jsonl(tweetsumm / "validation.jsonl")
    others = [*conversations[1:], conversations[0]]
    pairs = [
        (reference, one) for one, other in zip(conversations, others, strict=True) for reference in other.references
    ]
    values = METRIC.score([text for text, _ in pairs], [one for _, one in pairs])
    assert fmean(value for value in values if value is not None) == pytest.approx(0.5, abs=0.05)
