"""What judges prefer, as a section of a page, which `macros/preferences.html.j2` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ...records.preferences import Preference
from ..preferences import Fact, describe_judges, describe_pair, describe_weight, list_facts


class PreferenceEntry(Struct, frozen=True, kw_only=True):
    """One result."""

    title: str
    judges: str
    sheet: str
    facts: list[Fact]
    weight: str
    """How much a model's judgment counts; empty for people."""
    by_people: bool


def list_preferences(preferences: Sequence[Preference], names: Mapping[str, str]) -> list[PreferenceEntry]:
    """The results in their order; `names` maps the ids of runs to the names of their systems."""
    return [
        PreferenceEntry(
            title=describe_pair(one, names),
            judges=describe_judges(one),
            sheet=one.sheet,
            facts=list_facts(one),
            weight=describe_weight(one),
            by_people=one.kind == "people",
        )
        for one in preferences
    ]
