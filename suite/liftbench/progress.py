"""How work that takes long tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""`progress(done, total, message)`: called as often as you like; faces turn it into a bar with rate and time left."""


def no_progress(done: int, total: int, message: str) -> None:
    """Show nothing."""
