"""How long work reports its progress, and how long it will still take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""`progress(done, total, message)`, called any number of times; a total of 0 is not known (yet). The commands
show a bar with the pace and the time left."""


def no_progress(done: int, total: int, message: str) -> None:
    """Show nothing."""


class Pace:
    """The time that a unit of work takes, from recent ones, and what follows for the rest.

    Units that took unusually long or short (the first step, a pause of the machine) count little: of `RECENT` intervals
    the slowest and the fastest eighth are left out. What was done before a resume does not count.
    """

    RECENT = 32
    SHORTEST = 0.5
    """Seconds of an interval at least: updates that follow each other more quickly are taken together."""
    NEAR = 0.15
    """A new estimate replaces the old one at once if it differs by more than this share, and by more than a unit."""
    APPROACH = 0.2
    """The share of a smaller difference that is made up for at each unit."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.done = self.total = 0
        self._began = False
        self._recent: deque[tuple[int, float]] = deque(maxlen=self.RECENT)
        """Of each interval: units and seconds."""
        self._since, self._counted = 0.0, 0
        """The end of the last interval, and what was done by then."""
        self._told: tuple[float, float] | None = None
        """The time left that was told last, and when."""

    def update(self, done: int, total: int) -> None:
        """Note how much is done. Another total, or less than before, is the beginning of other work."""
        now = self._clock()
        if not self._began or total != self.total or done < self.done:
            self._recent.clear()
            self._told = None
            self._began, self._since, self._counted = True, now, done
        elif done > self._counted and now - self._since >= self.SHORTEST:
            self._recent.append((done - self._counted, now - self._since))
            self._since, self._counted = now, done
            self.total = total
            self._estimate(now)
        self.done, self.total = done, total

    @property
    def seconds_per_unit(self) -> float | None:
        """None before the first unit is done."""
        kept = sorted(self._recent, key=lambda one: one[1] / one[0])
        outer = len(kept) // 8
        kept = kept[outer : len(kept) - outer]
        units = sum(count for count, _ in kept)
        return sum(seconds for _, seconds in kept) / units if units else None

    def left(self) -> float | None:
        """Seconds until all is done; None where that is not known."""
        each = self.seconds_per_unit
        if each is None or self._told is None:
            return None
        seconds, at = self._told
        # A unit that takes longer than those before does not make the others shorter.
        return max(seconds - (self._clock() - at), seconds - each, 0.0)

    def _estimate(self, now: float) -> None:
        """Tell the time left anew: a near estimate is approached, and does not raise what was told before."""
        each = self.seconds_per_unit
        if each is None or not self.total:
            return
        fresh = each * (self.total - self._counted)
        if self._told is not None:
            before, at = self._told
            expected = before - (now - at)
            if abs(fresh - expected) <= max(self.NEAR * expected, each):
                fresh = min(expected + (fresh - expected) * self.APPROACH, before)
        self._told = (fresh, now)
