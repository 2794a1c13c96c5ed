"""Conversations with their human summaries and what several systems wrote of them, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from msgspec import Struct

from ..errors import UsageError, unknown
from ..records.conversation import Conversation
from ..text.html_table import html_table
from ..text.phrases import metric_label, pluralize
from .directory import Run

HUMAN = "human"
"""Stands for the author of a reference."""


class Summary(NamedTuple):
    """One summary of a conversation."""

    by: str
    """Name of the system, or `human`."""
    text: str
    score: float | None = None
    """On the first run's first headline metric; None for a human summary, and where there is no score."""


class SideBySide(Struct, frozen=True, kw_only=True):
    """Conversations with all of their summaries; shown as tables in a notebook, else as text."""

    metric: str
    """The metric that the summaries' scores are of."""
    conversations: list[Conversation]
    summaries: list[list[Summary]]
    """One list a conversation: the human summaries, then each system's."""

    def __repr__(self) -> str:
        shown = []
        for conversation, summaries in zip(self.conversations, self.summaries, strict=True):
            lines = [f"{one.by}{_note(one, self.metric)}: {one.text}" for one in summaries]
            shown.append("\n".join([f"{conversation.id}, {pluralize(len(conversation.turns), 'turn')}", *lines]))
        return "\n\n".join(shown)

    def _repr_html_(self) -> str:
        """In a notebook: each conversation, folded, over the table of its summaries."""
        return "".join(map(self._section, self.conversations, self.summaries))

    def _section(self, conversation: Conversation, summaries: Sequence[Summary]) -> str:
        title = f"{conversation.id}, {pluralize(len(conversation.turns), 'turn')}"
        turns = "".join(f"<p><b>{escape(turn.role)}</b>: {escape(turn.text)}</p>" for turn in conversation.turns)
        rows = [[one.by, one.text, "" if one.score is None else f"{one.score:.3f}"] for one in summaries]
        table = html_table([], ["by", "summary", metric_label(self.metric)], rows)
        return f"<details><summary>{escape(title)}</summary>{turns}</details>{table}"


def side_by_side(*runs: Run, ids: Sequence[str] = (), limit: int = 3) -> SideBySide:
    """Put the human summaries of some conversations beside what each run's system wrote.

    Parameters:
        *runs: Complete runs, the baseline first as a rule; the first one's conversations are shown.
        ids: Ids of the conversations to show (default: the first of the data set).
        limit: The most conversations to show where no `ids` are given.

    Returns:
        The conversations with their summaries; a system that did not summarize one is left out there.

    Raises:
        UsageError: There is no run, a run is incomplete, or the first run has no conversation with such an id.

    Example:
        >>> liftbench.side_by_side(baseline, adapter, limit=2)  # doctest: +SKIP
    """
    if not runs:
        raise UsageError("give one run or several")
    first = runs[0].require_complete()
    for run in runs[1:]:
        run.require_complete()
    by_id = {conversation.id: conversation for conversation in first.conversations}
    if missing := next((id_ for id_ in ids if id_ not in by_id), None):
        raise unknown("conversation", missing, by_id)
    metric = first.manifest.headlines[0]
    chosen = [by_id[id_] for id_ in ids] if ids else list(first.conversations[:limit])
    return SideBySide(
        metric=metric,
        conversations=chosen,
        summaries=[_summaries(conversation, runs, metric) for conversation in chosen],
    )


def _summaries(conversation: Conversation, runs: Sequence[Run], metric: str) -> list[Summary]:
    written = [
        Summary(
            run.manifest.system.name,
            run.predictions[conversation.id].text,
            run.scores.get(conversation.id, {}).get(metric),
        )
        for run in runs
        if conversation.id in run.predictions
    ]
    return [*(Summary(HUMAN, reference) for reference in conversation.references), *written]


def _note(summary: Summary, metric: str) -> str:
    return "" if summary.score is None else f" ({metric_label(metric)} {summary.score:.3f})"
