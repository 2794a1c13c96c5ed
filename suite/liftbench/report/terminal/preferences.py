"""The terminal's tables of what judges prefer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ...records.preferences import Preference
from ..preferences import describe_judges, describe_pair, describe_weight, list_facts
from .text import new_table, plain


def preference_table(preference: Preference, names: Mapping[str, str] | None = None) -> RenderableType:
    """One result: who judged what, and every figure; `names` maps the ids of runs to the names of their systems."""
    return Group(*_parts(preference, names))


def preferences_table(preferences: Sequence[Preference], names: Mapping[str, str] | None = None) -> RenderableType:
    """Several results, one below the other."""
    parts: list[RenderableType] = []
    for preference in preferences:
        parts += [Text(), *_parts(preference, names)] if parts else [*_parts(preference, names)]
    return Group(*parts)


def _parts(preference: Preference, names: Mapping[str, str] | None) -> Iterator[RenderableType]:
    yield plain(describe_pair(preference, names), "bold")
    yield plain(f"judged by {describe_judges(preference)} on sheet {preference.sheet}", "dim")
    table = new_table()
    table.show_header = False
    table.add_column()
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for fact in list_facts(preference):
        table.add_row(plain(fact.name), plain(fact.figure), plain(fact.note, "dim"))
    yield table
    if weight := describe_weight(preference):
        yield plain(weight)
