"""The terminal's wide tables, cut to 80 columns: systems by metrics, and corruptions by metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ...floors.ranking import SystemMeans
from ...floors.validity import Cost, Validity, describe_validity
from ...records.run import MetricInfo
from .. import numbers
from ..systems import Mean, SystemsTable, group_systems
from ..validity import classify_cost, group_validity
from .text import new_table, plain

COLUMNS = 4
"""Numbers beside each other: few enough that the systems' names fit before them."""


def systems_table(metrics: Sequence[MetricInfo], systems: Sequence[SystemMeans]) -> RenderableType:
    """Every system on every metric, in a table for each group of metrics."""
    found = group_systems(metrics, systems)
    tables = [table for one in found for table in _wide(one.title, "system", one.metrics, _means(one))]
    legend = "↓ lower is better, · neither direction; † saw the references or is one; bold: the best of the others"
    return Group(*tables, Text(legend, "dim"))


def validity_table(validity: Validity) -> RenderableType:
    """What each corruption costs on each metric, and a sentence on what each metric sees."""
    tables = [
        table
        for found in group_validity(validity)
        for table in _wide(
            found.title,
            "corruption",
            found.metrics,
            [(name.replace("-", " "), [_cost(cost) for cost in costs]) for name, _, costs in found.rows],
        )
    ]
    against = "the others of its conversation"
    if validity.against_itself:
        against = "itself, because no conversation has a second one"
    about = plain(
        "cost as a share of the distance from the human summaries down to another conversation's summary; each summary "
        f"was compared with {against}; {validity.n} conversations; red: not seen",
        "dim",
    )
    return Group(*tables, about, *(plain(describe_validity(validity, metric.name)) for metric in validity.metrics))


def _means(found: SystemsTable) -> list[tuple[str, list[Text]]]:
    def cell(mean: Mean) -> Text:
        return Text("–" if mean.value is None else numbers.format_score(mean.value), "bold" if mean.best else "")

    shown = {"bound": " †", "consensus": " †", "baseline": " (baseline)", "candidate": " (candidate)"}
    return [(f"{one.name}{shown.get(one.role, '')}", [cell(mean) for mean in means]) for one, means in found.rows]


def _cost(cost: Cost | None) -> Text:
    styles = {"blind": "red", "seen": "bold", "": ""}
    return Text("–") if cost is None else Text(numbers.format_share(cost.cost), styles[classify_cost(cost)])


def _wide(
    title: str, first: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Text]]]
) -> Iterator[RenderableType]:
    """One table, or several if one does not fit a terminal of 80 columns."""
    for start in range(0, len(columns), COLUMNS):
        table = new_table()
        table.title = title if not start else None
        table.add_column(first, overflow="fold")
        for column in columns[start : start + COLUMNS]:
            heading = column if len(column) < 10 else column.replace("-", "-\n")
            table.add_column(plain(heading), justify="right", overflow="fold")
        for name, cells in rows:
            table.add_row(plain(name), *cells[start : start + COLUMNS])
        yield table
        yield Text()
