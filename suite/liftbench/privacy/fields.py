"""What the name of a metadata field says about its value: a person's name, a text to search, or a quantity."""

from __future__ import annotations

import regex
from msgspec import Struct

from ..records.conversation import Scalar

_NAMES = """
name names surname forename nickname
"""
_PEOPLE = """
customer client caller agent advisor adviser contact assignee author recipient requester reporter sender speaker
operator representative
"""
_THINGS = """
company business brand product file plan id type tier segment status kind channel team host domain event store shop
app branch category queue group department pin password passcode login handle ip ssn birth dob birthday birthdate
"""
_QUANTITIES = """
time times timestamp ts epoch date at created updated year age duration ms milliseconds seconds minutes hours days
count total amount price cost score rating length size
"""
NAMES = frozenset(_NAMES.split())
PEOPLE = frozenset(_PEOPLE.split())
THINGS = frozenset(_THINGS.split())
"""With one of these words, a field with `name` or `customer` is not a person's name: `product_name`, `customer_id`."""
QUANTITIES = frozenset(_QUANTITIES.split())
"""Words for fields whose numbers are quantities, even if they look like the number of a phone, card or order."""


class Field(Struct, frozen=True):
    """What the name of a metadata field says about its value."""

    question: str
    """A question that the value answers, such as `phone?`, made from the field's name."""
    is_name: bool
    """Whether the whole value is a person's name."""
    is_quantity: bool
    """Whether a number in the field is a quantity."""


def field(key: str) -> Field:
    """The field with this name; `customer_name`, `customerName`, `CustomerName` and `customername` are equal."""
    parts = [word.casefold() for word in regex.findall(r"\p{Lu}?\p{Ll}+|\p{Lu}+", key)]
    written = " ".join(part if part in NAMES else regex.sub(r"(?<=.)name$", " name", part) for part in parts)
    words = frozenset(written.split())
    of_person = words.isdisjoint(THINGS) and not words.isdisjoint(NAMES | PEOPLE)
    is_name = of_person and (not words.isdisjoint(NAMES) or words <= PEOPLE)
    return Field(
        question="name?" if of_person and not is_name else f"{written}?",
        is_name=is_name,
        is_quantity=not words.isdisjoint(QUANTITIES),
    )


def searchable(key: str, value: Scalar) -> str | None:
    """The field's value as a text to search; None for yes or no, a quantity or a fraction, which identify nobody."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool) or field(key).is_quantity:
        return None
    # Spreadsheets and data frames turn the number of a phone into `447700900123.0`.
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    return str(value)
