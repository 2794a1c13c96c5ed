"""Starts programs that train."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from ..errors import RunFailed


def start_program(
    argv: Sequence[str], *, environment: Mapping[str, str] | None = None, fix: str = ""
) -> subprocess.Popen[str]:
    """Start a program; what it prints, on both outputs, comes as lines of text from its `stdout`.

    It leads a session of its own: Ctrl-C reaches this process alone, which then ends the program with all that it has
    started (`accelerate launch`, a shell's children). Raises `RunFailed`, with `fix`, if it cannot be run.
    """
    try:
        return subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise RunFailed(f"cannot run {argv[0]}: {error.strerror}", fix) from error
