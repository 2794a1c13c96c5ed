"""How the gains of a candidate are spread over the conversations."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from ..charts.gains import PADDING, draw_gains
from .conversations import Entry, Subject


class Gains(Struct, frozen=True, kw_only=True):
    """How a candidate's gains are spread over the conversations."""

    subject: Subject
    better: int
    worse: int
    same: int
    missing: int
    chart: Markup
    margins: tuple[int, int]
    """What lies left and right of the plot in the chart, by which a script finds the conversation under a click."""
    most_worsened: list[Entry]
    most_improved: list[Entry]
    place: int
    """The candidate's place among the candidates."""


def summarize_gains(listed: Sequence[Entry], subject: Subject, place: int, shown: int = 5) -> Gains:
    """How the gains of the candidate at `place` are spread; names `shown` conversations at either end."""
    known = [(gain, entry) for entry in listed if (gain := entry.gains[place]) is not None]
    ordered = sorted(known, key=lambda pair: pair[0])
    better, worse = sum(gain > 0 for gain, _ in known), sum(gain < 0 for gain, _ in known)
    words = f"Gains of {len(known)} conversations, sorted: {better} better, {worse} worse."
    return Gains(
        subject=subject,
        better=better,
        worse=worse,
        same=len(known) - better - worse,
        missing=len(listed) - len(known),
        chart=draw_gains([gain for gain, _ in known], words),
        margins=(PADDING.left, PADDING.right),
        most_worsened=[entry for gain, entry in ordered[:shown] if gain < 0],
        most_improved=[entry for gain, entry in ordered[: -shown - 1 : -1] if gain > 0],
        place=place,
    )
