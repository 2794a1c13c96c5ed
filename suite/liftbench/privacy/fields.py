"""What the name of a metadata field tells of its value: a name, something to be searched, or a quantity."""

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
app branch category queue group department
"""
_QUANTITIES = """
time times timestamp ts epoch date at created updated year age duration ms milliseconds seconds minutes hours days
count total amount price cost score rating length size
"""
NAMES = frozenset(_NAMES.split())
PEOPLE = frozenset(_PEOPLE.split())
THINGS = frozenset(_THINGS.split())
"""With one of these, a field's `name` or `customer` is not a person's name: `product_name`, `customer_id`."""
QUANTITIES = frozenset(_QUANTITIES.split())
"""A number in such a field is not the number of a phone, card or order, though it may look like one."""


class Field(Struct, frozen=True):
    """A metadata field, read by its name."""

    question: str
    """What its value answers, as if somebody had asked."""
    is_name: bool
    """Whether its value is somebody's name as a whole, whatever words it is made of."""
    is_quantity: bool


def field(key: str) -> Field:
    """`customer_name`, `customerName`, `CustomerName` and `customername` are one field."""
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
    """A field's value as the text to search; None for what identifies nobody: yes or no, quantities, fractions."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool) or field(key).is_quantity:
        return None
    # Spreadsheets and data frames make `447700900123.0` of a number.
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    return str(value)
