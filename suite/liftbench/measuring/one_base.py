"""Several systems one after the other on a base that is loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .backend import Backend, BackendRequest

_KEPT: ContextVar[list[Backend] | None] = ContextVar("kept", default=None)
"""The backend that waits for its next system, if any does; None where each is closed at its end."""


@contextmanager
def one_base() -> Iterator[None]:
    """Within it, a backend stays open until the next system is measured, which takes its base over where it can."""
    kept: list[Backend] = []
    token = _KEPT.set(kept)
    try:
        yield
    finally:
        _KEPT.reset(token)
        for backend in kept:
            backend.close()


def opened(kind: type[Backend], request: BackendRequest) -> Backend:
    """A backend for a request: the one that was kept, if it can take the request, or else a new one."""
    kept = _KEPT.get()
    if kept:
        backend = kept.pop()
        taken = False
        try:
            taken = type(backend) is kind and backend.take(request)
        finally:
            if not taken:
                backend.close()
        if taken:
            return backend
    return kind(request)


def release(backend: Backend) -> None:
    """Close a backend, or keep it for the next system."""
    kept = _KEPT.get()
    if kept is None:
        backend.close()
    else:
        kept.append(backend)
