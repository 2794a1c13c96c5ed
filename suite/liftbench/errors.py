"""Errors that a user can cause or fix: one to three lines, no traceback, an exit code each. Bugs are not among them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import util
from typing import Self


class LiftbenchError(Exception):
    """Base of all errors that become clean lines: what is wrong and, on a separate line, how to fix it.

    >>> print(UsageError("conversations.csv has no column for ids", "Name it with --id.").within("helpdesk"))
    helpdesk: conversations.csv has no column for ids
    Name it with --id.
    """

    exit_code = 4

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what, fix)
        self.what = what
        """What is wrong and where: a clause without a capital or a full stop, which follows `error:` or a place."""
        self.fix = fix
        """How to fix it, in whole sentences; empty where that is obvious."""
        self.name = ""
        """The name that nothing has, where the error is about one."""
        self.key = ""
        """The recipe's key that has a wrong value, where `what` begins with one."""

    def __str__(self) -> str:
        return f"{self.what}\n{self.fix}" if self.fix else self.what

    @property
    def line(self) -> str:
        """The error in one line, for a note or a table."""
        return f"{self.what}. {self.fix}" if self.fix else self.what

    def within(self, place: str) -> Self:
        """The same error, preceded by the place that it comes from."""
        error = type(self)(f"{place}: {self.what}", self.fix)
        error.name = self.name
        return error

    def also(self, more: str) -> Self:
        """The same error with more of how to fix it."""
        error = type(self)(self.what, f"{self.fix}{more}")
        error.name, error.key = self.name, self.key
        return error


class UsageError(LiftbenchError):
    """The command, recipe or data is wrong: exit code 2."""

    exit_code = 2


class PrerequisiteError(LiftbenchError):
    """Something that has to be there first is missing (a package, a file, the network): exit code 3."""

    exit_code = 3


class RunFailed(LiftbenchError):
    """A run could not be finished; what it had written is kept: exit code 4."""

    exit_code = 4


class NotWritten(RunFailed):
    """A file could not be written, as on a full disk: no result may be made without it, so that a full disk changes
    none."""


class Terminated(SystemExit):
    """SIGTERM has asked this process to end, in order. It is no error, so no handler of errors takes it."""


def as_usage_error(error: LiftbenchError) -> UsageError:
    """The same as wrong usage: a dry run that finds something missing has exit code 2, whatever is missing."""
    if isinstance(error, UsageError):
        return error
    return UsageError(error.what, error.fix)


NEAREST = 3
"""How many known names an error suggests."""

ALIKE = 0.5
"""The least likeness of a name that somebody may have meant."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """An error for an unknown name; its fix names the three nearest known names, and no more.

    >>> print(unknown("split", "tset", ["train", "test", "validation", "development"]))
    unknown split 'tset'
    Did you mean 'test', 'train' or 'development'?
    >>> print(unknown("split", "x", ["train", "test", "validation", "development"]))
    unknown split 'x'
    Known: development, test, train, … (4 in all).
    """
    names = sorted(set(known))
    near = sorted(names, key=lambda each: -_likeness(name, each))[:NEAREST]
    if near and _likeness(name, near[0]) >= ALIKE:
        *others, last = map(repr, near)
        fix = f"Did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
    else:
        more = f", … ({len(names)} in all)" if len(names) > len(near) else ""
        fix = f"Known: {', '.join(near) or 'none'}{more}."
    error = UsageError(f"unknown {kind} {name!r}", fix)
    error.name = name
    return error


def _likeness(name: str, known: str) -> float:
    """From 0 to 1. The last part of a key is compared alone, too: `target` is like `metrics.target`, and `lr` like
    `learning_rate`."""
    one, other = name.casefold(), known.casefold()
    whole = difflib.SequenceMatcher(None, one, other).ratio()
    last, known_last = one.rpartition(".")[2], other.rpartition(".")[2]
    initials = "".join(word[:1] for word in known_last.replace("-", "_").split("_"))
    ends = 1.0 if last == initials else difflib.SequenceMatcher(None, last, known_last).ratio()
    # A little less than the whole, so that of two keys with one end the one that was written in full comes first.
    return max(whole, 0.95 * ends)


def first_line(error: BaseException) -> str:
    """The first line of another library's error, or its type; the other lines are hints for programmers."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def missing_packages(packages: Iterable[str]) -> list[str]:
    """Those of some packages, given by their import names, that are not installed.

    >>> missing_packages(["json", "no_such_package", "no_such_package.part"])
    ['no_such_package', 'no_such_package.part']
    """

    def is_missing(name: str) -> bool:
        try:
            return util.find_spec(name) is None
        except ModuleNotFoundError:  # of a package that it is in
            return True

    return [name for name in packages if is_missing(name)]


def require_packages(packages: Iterable[str], purpose: str, install: str | None = None) -> None:
    """Raise `PrerequisiteError` unless all packages, given by their import names, are installed.

    `purpose` names what needs them, and `install` what to install if one is missing, such as `liftbench[data]`.

    >>> require_packages(["json"], "reading JSON")
    >>> require_packages(["no_such_package"], "the trainer 'mine'", "liftbench[train]")
    Traceback (most recent call last):
    liftbench.errors.PrerequisiteError: the trainer 'mine' needs no_such_package, which is not installed
    Run: pip install 'liftbench[train]'
    """
    if missing := missing_packages(packages):
        are = "which are" if len(missing) > 1 else "which is"
        command = f"'{install}'" if install else " ".join(missing)
        raise PrerequisiteError(
            f"{purpose} needs {', '.join(missing)}, {are} not installed", f"Run: pip install {command}"
        )
