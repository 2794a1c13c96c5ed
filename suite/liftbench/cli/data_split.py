"""`bench data split`: train, validation and test without leaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..curation.partition import Partition, plan_partition, write_partition
from ..data.cards import CardEntry, card_entry, read_card, write_card
from ..data.folders import jsonl_files, new_folder, require_free, sibling
from ..data.similarity.clusters import CLUSTER
from ..report.terminal.tables import Table
from ..text.phrases import pluralize
from .next_steps import after_split
from .options import json_option
from .output import console
from .progress import progress_bar
from .show import print_json, say

WORTH_SAYING = 0.01
"""The notes explain shares that miss the wanted ones by more than this."""


@click.command("split")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Path(path_type=Path), help="The new folder.  [default: FOLDER-split]")
@click.option("--train", type=float, default=0.8, show_default=True, help="Share of the conversations.")
@click.option("--validation", type=float, default=0.1, show_default=True, help="Share of the conversations.")
@click.option("--test", type=float, default=0.1, show_default=True, help="Share of the conversations.")
@click.option("--cluster", default=CLUSTER, show_default=True, help="Metadata field that names the customer.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the split.")
@click.option("--force", is_flag=True, help="Replace an existing data set in the new folder.")
@click.option("--dry-run", is_flag=True, help="Show the sizes and write nothing.")
@json_option
def command(
    folder: Path,
    target: Path | None,
    train: float,
    validation: float,
    test: float,
    cluster: str,
    seed: int,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Split the conversations of FOLDER into train, validation and test.

    Conversations of one customer (equal values of the cluster field), duplicates and near-duplicates stay together, so
    that no split reveals another. Conversations without references are left out.
    """
    files = jsonl_files(folder)
    target = target or sibling(folder, "-split")
    require_free(target, folder, replace=force)
    fractions = {"train": train, "validation": validation, "test": test}
    with progress_bar("conversations") as progress:
        plan = plan_partition(files, fractions, progress, cluster=cluster, seed=seed)
    if not dry_run:
        with progress_bar("conversations") as progress, new_folder(target) as new:
            write_partition(plan, files, new, progress)
            entry = _card_entry(plan.partition, folder, files, seed)
            write_card(new, target.resolve().name, [*read_card(folder), entry])
    if as_json:
        print_json({"folder": None if dry_run else str(target), "partition": plan.partition})
        return
    _show(plan.partition)
    if dry_run:
        say("nothing was written (--dry-run)")
    else:
        say(f"written: {target}")
        after_split(target)


def _card_entry(partition: Partition, source: Path, files: Sequence[Path], seed: int) -> CardEntry:
    sizes = ", ".join(f"{part.name} {part.conversations} ({part.share:.1%})" for part in partition.parts)
    lines = (f"{sizes}; seed {seed}", *_notes(partition))
    return card_entry("Split", files, lines, within=f"{source.resolve().name}/")


def _show(partition: Partition) -> None:
    table = Table(title=f"{partition.conversations} conversations")
    table.add_column("split")
    for column in ("requested", "actual", "conversations", "references", "clusters", "groups"):
        table.add_column(column, justify="right")
    for part in partition.parts:
        counts = (part.conversations, part.references, part.clusters, part.groups)
        table.add_row(part.name, f"{part.wanted:.1%}", f"{part.share:.1%}", *map(str, counts))
    out = console()
    out.print(table)
    for line in _notes(partition):
        out.print(line, highlight=False, markup=False)


def boilerplate_note(conversations: int) -> str:
    """How many conversations have boilerplate, and what it is."""
    return (
        f"boilerplate: {pluralize(conversations, 'conversation')} with passages that many others have (a greeting, a "
        "closing, a notice), which are not counted as likeness"
    )


def _notes(partition: Partition) -> list[str]:
    """What was left out, what was kept together, and why the sizes are not what was asked for."""
    notes = [f"left out: {count} {reason}" for reason, count in partition.left_out.items()]
    if partition.repeated:
        notes.append(f"repeated, for example: {', '.join(partition.repeated)}")
    notes.append(
        f"kept whole: {pluralize(partition.clusters, 'cluster')} ({partition.field!r} in the metadata), "
        f"{pluralize(partition.near, 'pair')} of near-duplicates, "
        f"{pluralize(partition.exact, 'duplicate')} with other references"
    )
    if partition.boilerplate:
        notes.append(boilerplate_note(partition.boilerplate))
    if not partition.clusters:
        notes.append(
            f"no conversation has {partition.field!r} in its metadata: one customer's conversations may be on both "
            "sides of the split, unless --cluster names the field that tells customers apart"
        )
    if partition.miss > WORTH_SAYING:
        largest = partition.largest
        who = ", ".join(largest.clusters or largest.ids)
        notes.append(
            f"the shares differ from the requested ones by up to {100 * partition.miss:.1f} percentage points, because "
            f"groups stay whole: the largest, which is in {largest.part}, holds {largest.conversations} conversations "
            f"({who})"
        )
    return notes
