"""Key-fact recall: how forms match, what the score is, and where helpdesk's own texts stand."""

from __future__ import annotations

from statistics import fmean

import pytest

from liftbench.data.helpdesk import Helpdesk
from liftbench.metrics.facts import KeyFacts, tells
from liftbench.records.conversation import Conversation, KeyFact, Turn


@pytest.mark.parametrize(
    ("text", "form", "told"),
    [
        ("The parcels were delayed.", "parcel delay", True),
        ("Delayed again, the parcel.", "parcel delay", True),
        ("The parcel came.", "parcel delay", False),
        ("She got a voucher.", "refund|voucher got", True),
        ("She got nothing.", "refund|voucher got", False),
        ("Refunded £1,500.", "1,500", True),
        ("Refunded £1,500.", "500", False),
        ("Refunded £15.", "5", False),
        ("at 6:30", "6", False),
        ("at 6pm", "6pm", True),
        ("ticket TD3119852", "td3119852", True),
        ("ticket SD-44172", "44172", True),
        ("the customer’s card", "customer card", True),
        ("", "card", False),
    ],
)
def test_a_form_matches_by_stems_in_any_order_and_numbers_whole(text: str, form: str, told: bool) -> None:
    assert tells(text, [form]) is told


def test_any_form_is_enough() -> None:
    assert tells("It was repaired.", ["replace", "repair"])
    assert not tells("It was repaired.", [])


def fact(form: str) -> KeyFact:
    return KeyFact(kind="problem", statement=form, forms=(form,))


@pytest.mark.parametrize(
    ("text", "forms", "expected"),
    [
        ("parcel late, refund", ("parcel", "refund"), 1.0),
        ("parcel late", ("parcel", "refund"), 0.5),
        ("", ("parcel", "refund"), 0.0),
        ("parcel", (), None),
    ],
)
def test_the_score_is_the_share_told(text: str, forms: tuple[str, ...], expected: float | None) -> None:
    conversation = Conversation(
        id="c", turns=(Turn(role="agent", text="hello"),), facts=tuple(fact(form) for form in forms)
    )
    assert KeyFacts().score([text], [conversation]) == [expected]
    assert KeyFacts().findings(text, conversation) == []


def test_it_says_what_it_is() -> None:
    metric = KeyFacts()
    assert (metric.name, metric.sees, metric.direction) == ("key-facts", "facts", "higher")
    assert metric.signature == "key-facts|recall|forms:1|stemmer:porter"


def test_helpdesks_summaries_tell_their_own_facts_and_not_another_conversations() -> None:
    conversations = Helpdesk(None).read("test")
    metric = KeyFacts()
    own = [score for score in metric.score([one.references[0] for one in conversations], conversations) if score]
    strangers = [conversations[number - 1].references[0] for number in range(len(conversations))]
    foreign = metric.score(strangers, conversations)
    assert len(own) == len(conversations)
    assert fmean(own) > 0.9
    assert fmean(score or 0.0 for score in foreign) < 0.05
