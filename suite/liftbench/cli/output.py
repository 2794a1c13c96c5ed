"""The streams of a command: its results alone on standard output, in characters that the stream's encoding has."""

from __future__ import annotations

import atexit
import codecs
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_CLOSED = 141
"""The exit code where the reader of an output has gone: that of a program that SIGPIPE ends, in any shell."""

NARROWEST = 20
"""The smallest width that tables are made for, in columns."""

REPLACEMENTS = {
    "–": "-",
    "—": "-",
    "−": "-",
    "±": "+-",
    "→": "->",
    "↓": "v",
    "·": ".",
    "•": "*",
    "†": "+",
    "✓": "+",
    "✗": "x",
    "○": "o",
    "…": "...",
    "×": "x",
    "≥": ">=",
    "≤": "<=",
    "≈": "~",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "\N{NO-BREAK SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
}
"""Characters of the suite's own output, and what stands for them where an encoding lacks them. Others become `?`."""

_ERRORS, _ASCII = "liftbench-replace", "liftbench-ascii"
_results: ContextVar[TextIO | None] = ContextVar("results", default=None)


class ReaderGone(BaseException):
    """Whoever read an output (`| head`) has gone; like Ctrl-C, no error that a plugin may catch."""


def results() -> TextIO:
    """Where the results of the present command go."""
    return _results.get() or sys.stdout


def echo(line: object) -> None:
    """Print a line of results."""
    results().write(f"{line}\n")


def console() -> Console:
    """Rich output among the results."""
    from rich.console import Console  # Imported late, because `bench --help` does not need it.

    return _wide_enough(Console(file=results()))


def print_list(table: Table) -> None:
    """Print a list: at a terminal as a table that is folded to its width, else as plain columns, a row a line."""
    from ..report.terminal.tables import plain_columns

    out = console()
    # Not `is_terminal`: that is what FORCE_COLOR says, too.
    if out.file.isatty():
        out.print(table)
    else:
        echo("\n".join(plain_columns(table)))


def error_console() -> Console:
    """Rich output on standard error."""
    from rich.console import Console

    return _wide_enough(Console(stderr=True))


def results_apart(callback: Callable[..., Any]) -> Callable[..., Any]:
    """A command's callback during which only `results` is standard output: what a plugin prints goes to stderr."""

    @wraps(callback)
    def run(*arguments: Any, **options: Any) -> Any:
        token = _results.set(sys.stdout)
        try:
            with redirect_stdout(sys.stderr):
                return callback(*arguments, **options)
        finally:
            _results.reset(token)

    return run


@contextmanager
def own_streams() -> Iterator[None]:
    """Standard output and error that never raise for a character, and raise `ReaderGone` where nobody reads them.

    File descriptor 1 is standard error meanwhile, so that C code and child processes do not print among the results.
    Streams that are not those of the process (a test's) stay as they are.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _claim(sys.stdout, 1), _claim(sys.stderr, 2)
    if isinstance(sys.stdout, _Stream):
        with suppress(OSError):  # Standard error may be closed.
            os.dup2(2, 1)
    try:
        yield
    finally:
        if isinstance(sys.stdout, _Stream):
            os.dup2(sys.stdout.fileno(), 1)
            # Registered last, so that it runs before what plugins registered, which may print.
            atexit.register(_leave_to_errors)
        sys.stdout, sys.stderr = before


def _leave_to_errors() -> None:
    with suppress(OSError):
        os.dup2(2, 1)
    sys.stdout = sys.stderr


class _Stream(io.TextIOWrapper):
    """Text on a file descriptor. After a failure it drops all output, also at the interpreter's end."""

    def write(self, text: str, /) -> int:
        with self._watched():
            return super().write(text)

    def flush(self) -> None:
        with self._watched():
            super().flush()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            if error.errno == errno.EPIPE:
                raise ReaderGone from error
            raise


def _claim(stream: TextIO | None, descriptor: int) -> TextIO:
    """A stream on a copy of the descriptor, if the stream is on it."""
    if stream is None:  # Python found it closed.
        return Path(os.devnull).open("w", encoding="utf-8")
    try:
        if stream.fileno() != descriptor:
            return stream
        copy = os.dup(descriptor)
    except (OSError, ValueError):
        return stream
    stream.flush()
    # Click takes an ASCII stream for a misconfigured one and writes UTF-8 to it, so ASCII has another name here.
    encoding = _ASCII if codecs.lookup(stream.encoding).name == "ascii" else stream.encoding
    return _Stream(os.fdopen(copy, "wb"), encoding, _ERRORS, line_buffering=descriptor == 2 or stream.isatty())


def _wide_enough(made: Console) -> Console:
    if made.width < NARROWEST:
        made.width = NARROWEST
    return made


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(REPLACEMENTS.get(character, "?") for character in lacking), error.end


def _find_codec(name: str) -> codecs.CodecInfo | None:
    if name != _ASCII.replace("-", "_"):
        return None
    ascii_ = codecs.lookup("ascii")
    return codecs.CodecInfo(
        ascii_.encode,
        ascii_.decode,
        ascii_.streamreader,
        ascii_.streamwriter,
        ascii_.incrementalencoder,
        ascii_.incrementaldecoder,
        name=_ASCII,
    )


codecs.register_error(_ERRORS, _replace)
codecs.register(_find_codec)
