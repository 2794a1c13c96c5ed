"""Measures a run in parts that need nothing of each other, and joins them to the run that one process would have made.

A shard is every n-th of the planned batches, so its texts are those of the whole run. Its run has texts, no scores, and
the status `shard`.
"""

from __future__ import annotations

import math
import re
import shutil
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from ..errors import UsageError
from ..extension.loader import Plugins
from ..files import read_lines, read_record, write_atomic, write_lines
from ..progress import Progress
from ..recipe.resolve import ResolvedRecipe
from ..records.run import Environment, Manifest, Prediction, ShardRecord
from ..runs.directory import Run
from ..runs.open_run import OpenRun, now
from ..runs.sums import file_sums, require_sealed, require_unchanged, seal
from ..runs.timing import TIMING, keep_seconds, with_seconds
from ..text.phrases import join_words, pluralize
from .generate import generate_missing
from .harness import new_manifest, read_predictions
from .plan import Measurement
from .systems import Loadable

OWN = (
    "schema",
    "id",
    "key",
    "created",
    "finished",
    "status",
    "sums",
    "shard",
    "argv",
    "notes",
    "device",
    "git",
    "recipe",
)
"""Fields of a manifest in which the shards of one run may differ; what texts depend on is in the others."""

ENVIRONMENT = "environment.json"

RECORDS = "shards.json"
"""The file of a merged run that says where and when each shard was made."""


def parse_shard(text: str) -> tuple[int, int]:
    """`2/4` as the number of the shard, from 1, and of all shards. Raises `UsageError` for anything else."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count:
        raise UsageError(f"--shard {text}: write it as i/n, such as 2/4 for the second of four")
    return number, count


def shard_of(measurement: Measurement, number: int, count: int) -> Measurement:
    """The part of a measurement that a shard generates: every `count`-th of the batches that are scored.

    Raises `UsageError` where there are fewer batches than shards.
    """
    batches = _scored_batches(measurement)
    if count > len(batches):
        raise UsageError(
            f"there are {count} shards and only {pluralize(len(batches), 'batch', 'batches')}",
            f"Use at most {len(batches)} shards.",
        )
    own = {id_ for batch in batches[number - 1 :: count] for id_ in batch}
    return replace(measurement, scored=[id_ for id_ in measurement.scored if id_ in own])


def batches_scored(measurement: Measurement) -> int:
    """How many batches are generated, and so the most shards that there can be."""
    return len(_scored_batches(measurement))


def _scored_batches(measurement: Measurement) -> list[list[str]]:
    wanted = set(measurement.scored)
    return [batch for batch in measurement.plan if wanted.issuperset(batch)]


def measure_shard(
    run: OpenRun, measurement: Measurement, subject: Loadable, plugins: Plugins, progress: Progress
) -> Run:
    """Generate what is missing of a shard; `measurement` is that of `shard_of`."""
    done = read_predictions(run, measurement)
    if len(done) < len(measurement.scored):
        generate_missing(run, measurement, subject, plugins, progress, done)
    if run.manifest.status != "shard":
        sums = run.manifest.sums | file_sums(run.folder, ["conversations.jsonl", "predictions.jsonl"])
        run.update(status="shard", finished=now(), sums=sums)
    return Run(run.folder)


def whole_manifest(
    shards: Sequence[Run], measurement: Measurement, resolved: ResolvedRecipe, argv: Sequence[str] = ()
) -> Manifest:
    """The manifest of the run that the shards are parts of. Raises `UsageError` unless they are all of one run."""
    require_all(shards)
    first = shards[0].manifest
    made = new_manifest(
        first.command if first.command != "train" else "score",
        first.system,
        measurement,
        resolved,
        argv=argv or first.argv,
        parent=first.parent,
        family=first.family,
        notes=list(dict.fromkeys(note for run in shards for note in run.manifest.notes)),
    )
    return replace(made, device=first.device)


def require_all(shards: Sequence[Run]) -> None:
    """Raise `UsageError` unless these are all shards of one run, each once, and whole."""
    if not shards:
        raise UsageError("there is no shard to merge", "`bench score SYSTEM --shard i/n` makes one.")
    for run in shards:
        if not run.manifest.shard:
            raise UsageError(f"run {run.id} is no shard", "Name runs of `bench score --shard i/n`.")
        if run.manifest.status != "shard":
            raise UsageError(
                f"shard {run.manifest.shard} ({run.id}) is not finished",
                "The same command on its machine continues it.",
            )
    first = shards[0].manifest
    for run in shards[1:]:
        differing = [
            name
            for name in Manifest.__struct_fields__
            if name not in OWN and getattr(run.manifest, name) != getattr(first, name)
        ]
        if differing:
            raise UsageError(
                f"{run.id} is a shard of another run than {shards[0].id}: {join_words(differing)} differ",
                "Merge shards of one command only.",
            )
        if (run.manifest.device or "")[:4] != (first.device or "")[:4]:
            raise UsageError(
                f"{run.id} was made on {run.manifest.device}, and {shards[0].id} on {first.device}",
                "Make all shards on one kind of device: texts can differ in some words between them.",
            )
        changed = sorted(
            name for name, version in _packages(run).items() if version != _packages(shards[0]).get(name, version)
        )
        if changed:
            raise UsageError(
                f"{run.id} was made with another version of {join_words(changed)} than {shards[0].id}",
                "Make all shards with the same versions.",
            )
    numbers = [parse_shard(run.manifest.shard) for run in shards]
    counts = {count for _, count in numbers}
    if len(counts) > 1:
        raise UsageError(
            f"these are shards of {join_words([f'{count}' for count in sorted(counts)])}", "Use one division."
        )
    [count] = counts
    twice = sorted(number for number, times in Counter(number for number, _ in numbers).items() if times > 1)
    missing = sorted(set(range(1, count + 1)) - {number for number, _ in numbers})
    if twice:
        raise UsageError(f"shard {twice[0]}/{count} is given twice", "Name one run for each shard.")
    if missing:
        shown = join_words([f"{number}/{count}" for number in missing[:5]])
        raise UsageError(f"{pluralize(len(missing), 'shard')} of {count} are missing: {shown}", "Make them first.")


def _packages(run: Run) -> dict[str, str]:
    return read_record(run.folder / ENVIRONMENT, Environment).packages


def join_shards(run: OpenRun, shards: Sequence[Run], measurement: Measurement) -> None:
    """Put the shards' texts into a run that has none, in the order of the split, as one process leaves them."""
    rows: dict[str, Prediction] = {}
    records = []
    for shard in shards:
        require_unchanged(shard.folder, shard.manifest, ["conversations.jsonl", "predictions.jsonl"])
        own = read_lines(shard.folder / "predictions.jsonl", Prediction)
        require_sealed(own, shard.id, shard.manifest.key)
        timed = list(with_seconds(shard.folder, own))
        rows |= {row.id: row for row in timed}
        records.append(_record(shard, timed))
    missing = [id_ for id_ in measurement.scored if id_ not in rows]
    if missing:
        raise UsageError(
            f"the shards lack {pluralize(len(missing), 'conversation')} ({missing[0]})", "Make them again."
        )
    (run.folder / TIMING).unlink(missing_ok=True)
    ordered = keep_seconds(run.folder, [rows[id_] for id_ in measurement.scored])
    write_lines(run.folder / "predictions.jsonl", [seal(row, run.manifest.key) for row in ordered])
    write_atomic(run.folder / RECORDS, records)
    shutil.copyfile(shards[0].folder / ENVIRONMENT, run.folder / ENVIRONMENT)
    environments = {(shard.folder / ENVIRONMENT).read_bytes() for shard in shards}
    run.note(f"merged from {pluralize(len(shards), 'shard')}")
    if len(environments) > 1:
        run.note("the shards were made in several environments; shards.json has them all")


def _record(shard: Run, rows: Sequence[Prediction]) -> ShardRecord:
    seconds = [row.seconds for row in rows if row.seconds is not None]
    return ShardRecord(
        shard=shard.manifest.shard,
        run=shard.id,
        created=shard.manifest.created,
        finished=shard.manifest.finished,
        texts=len(rows),
        new_tokens=sum(row.new_tokens or 0 for row in rows),
        # As in a summary: a text from the cache has no time.
        seconds=math.fsum(seconds) if len(seconds) == len(rows) else None,
        device=shard.manifest.device,
        environment=read_record(shard.folder / ENVIRONMENT, Environment),
    )
