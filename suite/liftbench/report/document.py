"""What `bench compare --json` prints: a comparison with its answers, in a documented and versioned form."""

from __future__ import annotations

from typing import Any

import msgspec

from ..judging.compare import Comparison
from .answer import Answer, answer_comparison

TITLE = "What `bench compare --json` prints"


class AnsweredComparison(Comparison, frozen=True, kw_only=True):
    """A comparison with the answers that page and terminal show."""

    answers: list[Answer]
    """The answers that count, seeds of one training together."""


def answer_in_full(comparison: Comparison) -> AnsweredComparison:
    """The comparison with its answers."""
    return AnsweredComparison(**msgspec.structs.asdict(comparison), answers=answer_comparison(comparison))


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document; the file `docs/comparison.schema.json` holds the same."""
    schema = msgspec.json.schema(AnsweredComparison, schema_hook=_allow_any)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **schema}


def _allow_any(kind: type) -> dict[str, Any]:
    """The schema of values of any type, such as those of a recipe."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "any value"}
