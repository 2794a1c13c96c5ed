"""Errors that a user can cause or mend: one to three lines, no traceback, an exit code each. A bug is none of these."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LiftbenchError(Exception):
    """Base of all errors that become clean lines: what is wrong, where, and how to mend it."""

    exit_code = 4


class UsageError(LiftbenchError):
    """The command, recipe or data is not right: exit code 2."""

    exit_code = 2


class PrerequisiteError(LiftbenchError):
    """Something that has to be there first is missing (a package, a file, the network): exit code 3."""

    exit_code = 3


class RunFailed(LiftbenchError):
    """A run could not be finished; what it had written is kept: exit code 4."""

    exit_code = 4


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """An error for an unknown name, with the nearest known ones first.

    >>> str(unknown("split", "tset", ["train", "test"]))
    "unknown split 'tset'; did you mean 'test'? Known: test, train"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
    return UsageError(f"unknown {kind} {name!r}{hint} Known: {', '.join(names) or 'none'}")
