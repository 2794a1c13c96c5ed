"""The command `bench`: finds the subcommand, imports it alone, and turns errors into clean lines and exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from ..errors import LiftbenchError, Terminated, UsageError
from .lazy import LazyGroup
from .output import PIPE_CLOSED, ReaderGone, own_streams

COMMANDS = {
    "init": "Write a recipe for your own conversations.",
    "check": "Check a recipe without running it.",
    "demo": "Baseline, training and verdict on conversations that ship with the package.",
    "baseline": "Measure the untuned model.",
    "train": "Train an adapter with a trainer plugin, then score it.",
    "sweep": "Find a trainer's best options on development data, and write them as a recipe.",
    "score": "Measure a model, an adapter, or texts made elsewhere.",
    "controls": "Measure systems without a model, and the humans.",
    "merge": "Join the shards of a run.",
    "plan": "Plan how many conversations, seeds and minutes a proven lift needs.",
    "validate-metrics": "Measure what each metric can and cannot see on your data.",
    "compare": "Compare runs: a table, the verdict and an HTML report.",
    "parity": "Say how far one system is from itself by another backend.",
    "judge": "Let people, or a language model, judge pairs of summaries.",
    "promote": "Keep a measured run as a baseline in the repository.",
    "gate": "Check a run against rules and promoted baselines.",
    "export": "Export what was trained: an adapter, a merged model or GGUF, with a model card.",
    "report": "Write the HTML report of any runs.",
    "view": "Write or serve an index of all runs and pages, with the trend.",
    "summarize": "Summarize a conversation, or many.",
    "data": "Import, check and split your own conversations.",
    "runs": "List, show and delete runs, and what they take on the disk.",
    "show": "Show one conversation beside its summaries, with scores and findings.",
    "recipes": "List the recipes that ship with the package.",
    "plugins": "List trainers, backends, metrics, controls and data sets, or show one.",
    "doctor": "Check Python, packages, processor, GPU, memory, disk, hub and plugins.",
    "config": "Show where things are, and which environment variables count.",
    "completion": "Print the completion script of bash, zsh or fish.",
    "selfcheck": "Check the metrics against published values, offline.",
}
"""Each command's help. It is here so that `bench --help` need not import the commands, each in `cli/<name>.py`."""

SECTIONS = {
    "Start": ("demo", "init", "check"),
    "Data": ("data",),
    "Measure": ("baseline", "score", "merge", "plan", "controls", "validate-metrics", "parity"),
    "Train": ("train", "sweep"),
    "Decide": ("compare", "judge", "promote", "gate"),
    "Look": ("runs", "show", "report", "view"),
    "Use": ("summarize", "export"),
    "Set up": ("recipes", "plugins", "doctor", "config", "completion", "selfcheck"),
}
"""The commands by the job."""


@click.group(
    cls=LazyGroup,
    commands_help=COMMANDS,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="liftbench", prog_name="bench")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Measure a summarizer, fine-tune it, and learn whether the improvement is real.

    \b
    bench demo                     all of it, on conversations that ship with the package
    bench init tickets             a recipe for conversations of your own
    bench baseline tickets.toml    measure the untuned model
    bench train tickets.toml       train an adapter and score it the same way
    bench compare                  the verdict, with an HTML report

    Exit codes: 0 success (compare: the lift is verified; gate: every rule passed), 1 the lift is not verified or a rule
    did not pass, 2 wrong usage, 3 something required is missing, 4 a run failed, 130 stopped with Ctrl-C, 141 the
    reader of the output (`| head`) ended before all of it was printed.
    """
    del debug  # read by main(), before click has parsed anything


def main() -> NoReturn:
    """Run the command line and exit."""
    with own_streams():
        try:
            code = _run()
            sys.stdout.flush()
        except ReaderGone:
            # Nothing more can be said. Neither 0 nor 1 is right: they say whether a lift is verified.
            code = PIPE_CLOSED
        except OSError as error:
            code = _stop(f"error: the results could not be printed: {error.strerror}", LiftbenchError.exit_code)
    sys.exit(code)


def _run() -> int:
    debug = "--debug" in sys.argv[1:]
    try:
        _require_readable(sys.argv)
        code = cli.main(prog_name="bench", standalone_mode=False)
    except click.exceptions.Abort:
        return _stop("stopped; the same command continues from here", 130)
    except Terminated as ended:
        return _stop("stopped; the same command continues from here", int(ended.code or 0))
    except click.ClickException as error:
        where = f" (see `{error.ctx.command_path} --help`)" if isinstance(error, click.UsageError) and error.ctx else ""
        return _stop(f"error: {error.format_message()}{where}", error.exit_code)
    except (LiftbenchError, OSError) as error:
        if debug:
            traceback.print_exc()
        return _stop(f"error: {error}", getattr(error, "exit_code", LiftbenchError.exit_code))
    except Exception:
        # A bug keeps its traceback, but not Python's exit code 1, which says that a lift is not verified.
        traceback.print_exc()
        return LiftbenchError.exit_code
    return code if isinstance(code, int) else 0


def _require_readable(arguments: Sequence[str]) -> None:
    """Raise `UsageError` for an argument that Python could not decode, because the locale's encoding is not UTF-8."""
    encoding = sys.getfilesystemencoding()
    unread = [one for one in arguments if not one.isascii() and any("\udc80" <= letter <= "\udcff" for letter in one)]
    if unread and encoding != "utf-8":
        raise UsageError(
            f"the argument {unread[0]} is not in {encoding}, the encoding of this locale",
            "Set LC_ALL=C.UTF-8 or PYTHONUTF8=1.",
        )


def _stop(message: str, code: int) -> int:
    try:
        sys.stdout.flush()  # The results before the error: both may go to one file.
    finally:
        click.echo(message, err=True)
    return code
