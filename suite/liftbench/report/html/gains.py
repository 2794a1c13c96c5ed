"""How the gains of a candidate are spread over the conversations."""

from __future__ import annotations

from markupsafe import Markup
from msgspec import Struct

from ..charts.gains import PADDING, draw_gains
from .conversations import ENDS, Entry, Listing, Subject


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


def summarize_gains(listing: Listing, subject: Subject, place: int, shown: int = ENDS) -> Gains:
    """How the gains of the candidate at `place` are spread; names `shown` conversations at either end."""
    known = [gain for _, gains in listing.gains if (gain := gains[place]) is not None]
    listed = [(gain, entry) for entry in listing.entries if (gain := entry.gains[place]) is not None]
    ordered = sorted(listed, key=lambda pair: pair[0])
    better, worse = sum(gain > 0 for gain in known), sum(gain < 0 for gain in known)
    words = f"Gains of {len(known)} conversations, sorted: {better} better, {worse} worse."
    return Gains(
        subject=subject,
        better=better,
        worse=worse,
        same=len(known) - better - worse,
        missing=len(listing.gains) - len(known),
        chart=draw_gains(known, words),
        margins=(PADDING.left, PADDING.right),
        most_worsened=[entry for gain, entry in ordered[:shown] if gain < 0],
        most_improved=[entry for gain, entry in ordered[: -shown - 1 : -1] if gain > 0],
        place=place,
    )
