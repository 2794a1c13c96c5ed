"""`bench show`: one conversation beside its summaries, with scores and findings."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from ..errors import UsageError
from ..records.conversation import Conversation
from ..records.run import Finding
from ..report import numbers
from ..report.terminal.text import new_table, plain
from ..runs.directory import Run, find_run, runs_in
from ..runs.selection import is_plain_baseline, plain_baseline_of
from ..text.phrases import metric_label
from . import complete
from .options import json_option, run_argument, runs_option
from .output import console
from .show import print_json

ENDINGS = {"length": "cut off at the limit of tokens", "stop": "", "unknown": ""}
"""What ended a text → what a reader must know of it."""


@click.command("show")
@run_argument("name", metavar="RUN")
@click.argument("conversation_id", metavar="ID", shell_complete=complete.conversations)
@click.option(
    "--beside",
    "others",
    multiple=True,
    metavar="RUN",
    help="Another run that summarized it; may be repeated (default: the newest comparable baseline).",
)
@json_option
@runs_option
def command(name: str, conversation_id: str, others: tuple[str, ...], as_json: bool, runs: Path) -> None:
    """Show a conversation of RUN beside its human summaries and RUN's own, with all scores and findings.

    ID is the conversation's, or a part that no other id has. Marked words are those that a metric points at, such as a
    number that the conversation does not have.
    """
    run = find_run(name, runs).require_complete()
    beside = [find_run(other, runs).require_complete() for other in others] or _baseline_of(run, runs)
    conversation = _find(conversation_id, run)
    systems = [run, *(other for other in beside if other.id != run.id)]
    for other in systems:
        if conversation.id not in other.predictions:
            raise UsageError(f"run {other.id} has no summary of {conversation.id}")
    if as_json:
        print_json({"conversation": conversation, "summaries": [_record(other, conversation.id) for other in systems]})
        return
    out = console()
    for part in _parts(conversation, systems):
        out.print(part, highlight=False)


def _baseline_of(run: Run, runs: Path) -> list[Run]:
    """The newest plain baseline with the run's protocol; none for a baseline itself."""
    if is_plain_baseline(run):
        return []
    found = plain_baseline_of(run, runs_in(runs))
    return [found] if found else []


def _find(wanted: str, run: Run) -> Conversation:
    by_id = {one.id: one for one in run.conversations}
    if wanted in by_id:
        return by_id[wanted]
    parts = [id_ for id_ in by_id if wanted and wanted in id_]
    if len(parts) == 1:
        return by_id[parts[0]]
    near = parts[:3] or difflib.get_close_matches(wanted, by_id, n=3, cutoff=0.0)
    what = f"{wanted!r} is in {len(parts)} ids" if parts else f"run {run.id} has no conversation {wanted!r}"
    raise UsageError(what, f"Did you mean {', '.join(map(repr, near))}?" if near else "")


def _record(run: Run, id_: str) -> dict[str, Any]:
    prediction = run.predictions[id_]
    return {
        "run": run.id,
        "system": run.manifest.system.name,
        "text": prediction.text,
        "finish_reason": prediction.finish_reason,
        "turns_dropped": prediction.turns_dropped,
        "scores": run.scores[id_],
        "findings": [
            {"start": one.start, "end": one.end, "kind": one.kind, "text": prediction.text[one.start : one.end]}
            for one in run.findings[id_]
        ],
    }


# ------------------------------------------------------------------------------------------------------------- in words


def _parts(conversation: Conversation, systems: Sequence[Run]) -> Iterator[Any]:
    yield _heading(f"conversation {conversation.id}")
    if conversation.metadata:
        yield plain(", ".join(f"{key}: {value}" for key, value in conversation.metadata.items()), "dim")
    for turn in conversation.turns:
        yield Text.assemble(plain(f"{turn.role.capitalize()}: ", "bold"), plain(turn.text))
    for number, reference in enumerate(conversation.references, start=1):
        yield _heading(f"human summary {number} of {len(conversation.references)}")
        yield plain(reference)
    for run in systems:
        yield _heading(f"{run.manifest.system.name} ({run.id})")
        yield from _summary(run, conversation.id)
    yield _heading("scores")
    yield _scores(conversation.id, systems)


def _heading(words: str) -> Rule:
    return Rule(plain(words, "bold"), align="left", characters="-", style="dim")


def _summary(run: Run, id_: str) -> Iterator[Any]:
    prediction = run.predictions[id_]
    findings = run.findings[id_]
    yield _marked(prediction.text, findings) if prediction.text.strip() else plain("(empty)", "dim")
    remarks = [
        ENDINGS[prediction.finish_reason],
        f"{prediction.turns_dropped} turns did not fit into the prompt" if prediction.turns_dropped else "",
        *(f"{one.kind}: {prediction.text[one.start : one.end]}" for one in findings),
    ]
    for remark in filter(None, remarks):
        yield Padding(plain(f"! {remark}", "yellow"), (0, 0, 0, 2))


def _marked(text: str, findings: Sequence[Finding]) -> Text:
    """A summary whose findings are marked. `plain` keeps the length, so positions stay."""
    made = plain(text)
    for one in findings:
        made.stylize("underline red", one.start, one.end)
    return made


def _scores(id_: str, systems: Sequence[Run]) -> Any:
    table = new_table()
    table.add_column("metric", overflow="fold")
    for run in systems:
        table.add_column(plain(run.manifest.system.name), justify="right", overflow="fold")
    for metric in dict.fromkeys(name for run in systems for name in run.scores[id_]):
        headline = " *" if metric in systems[0].manifest.headlines else ""
        values = [run.scores[id_].get(metric) for run in systems]
        table.add_row(
            plain(f"{metric_label(metric)}{headline}"),
            *("–" if value is None else numbers.format_score(value) for value in values),
        )
    return table
