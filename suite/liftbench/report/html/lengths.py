"""Gains by the length of the conversation, as a chart on which a reader picks a range of lengths."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from ...records.conversation import Conversation
from ..charts.lengths import PADDING, draw_lengths


class Lengths(Struct, frozen=True, kw_only=True):
    """The gains of one candidate by length."""

    chart: Markup
    margins: tuple[int, int]
    """What lies left and right of the plot in the chart, by which a script finds the lengths under a pointer."""
    longest: int
    """Words of the longest conversation, at the right end of the plot."""


def plot_lengths(gains: Sequence[tuple[Conversation, float | None]]) -> Lengths:
    """The gains of one candidate by the number of words, counted as the page's script does: between spaces."""
    points = [
        (sum(len(turn.text.split()) for turn in conversation.turns), gain)
        for conversation, gain in gains
        if gain is not None
    ]
    longest = max((words for words, _ in points), default=0)
    words = f"Gains of {len(points)} conversations by their number of words, at most {longest}."
    return Lengths(chart=draw_lengths(points, words), margins=(PADDING.left, PADDING.right), longest=longest)
