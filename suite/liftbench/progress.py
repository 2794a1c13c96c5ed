"""How long work reports its progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""`progress(done, total, message)`, called any number of times; the commands show a bar with rate and time left."""


def no_progress(done: int, total: int, message: str) -> None:
    """Show nothing."""
