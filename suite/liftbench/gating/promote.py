"""Promoting: a measured run becomes a baseline in the repository."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from ..errors import UsageError
from ..files import digest, write_text
from ..floors.control_scores import HUMANS, ControlScores
from ..records.run import Manifest
from ..runs.directory import Run
from ..text.phrases import join_words
from .baselines import Floor, Mean, Measured, Promoted, Sample, Version, read_promoted, require_name

FIRST = "promoted for the first time"


# ----------------------------------------------------------------------------------------------------------- promoting


class Promotion(NamedTuple):
    """The outcome of a promotion."""

    path: Path
    promoted: Promoted
    change: Literal["new", "changed", "unchanged"]


def promote(
    run: Run,
    name: str,
    folder: Path,
    *,
    why: str = "",
    controls: ControlScores | None = None,
    best_prompted: Run | None = None,
    texts: bool = False,
) -> Promotion:
    """Write `folder/NAME.json`, unless it already has the same content.

    `controls` are the controls and humans of the run's protocol, `best_prompted` the same model with its best prompt;
    a baseline that lifts are measured over needs both. Raises `UsageError` where the file would change without a
    reason (`why`), for a name that rules cannot use, and for an incomplete run.
    """
    require_name(name)
    before = read_promoted(name, folder) if (folder / f"{name}.json").exists() else None
    after = Promoted(
        name=name,
        versions=before.versions if before else [],
        measured=_measured_of(run.require_complete()),
        best_prompted=_measured_of(best_prompted.require_complete()) if best_prompted else None,
        floors=[Floor(name=row.name, missing=row.missing) for row in controls.rows if row.role == "floor"]
        if controls
        else [],
        samples=_samples(run, best_prompted, controls, texts),
    )
    path = folder / f"{name}.json"
    if before == after:
        return Promotion(path, before, "unchanged")
    if before and not why.strip():
        raise UsageError(
            f"{path} holds {before.versions[-1].run}, and promoting would change {_describe_change(before, after)}",
            "Say why: --why 'what changed'.",
        )
    after = replace(after, versions=[*after.versions, _version(run, len(after.versions) + 1, why.strip() or FIRST)])
    write_text(path, _encode(after))
    return Promotion(path, after, "changed" if before else "new")


def _describe_change(before: Promoted, after: Promoted) -> str:
    """What a promotion would change, in words."""
    parts = {
        "the run": before.measured != after.measured,
        "the best prompt": before.best_prompted != after.best_prompted,
        "the controls": before.floors != after.floors,
        "the scores of conversations": before.samples != after.samples,
    }
    return join_words([name for name, differs in parts.items() if differs])


def _samples(run: Run, best: Run | None, controls: ControlScores | None, texts: bool) -> list[Sample]:
    rows = {row.name: row for row in controls.rows} if controls else {}
    place = {id_: at for at, id_ in enumerate(controls.ids)} if controls else {}
    floors = [row for row in rows.values() if row.role == "floor" and not row.missing]
    return [
        Sample(
            id=id_,
            sha256=run.text_hashes[id_],
            scores=run.scores[id_],
            text=run.predictions[id_].text if texts else None,
            prompted_sha256=best.text_hashes[id_] if best else "",
            prompted=best.scores[id_] if best else {},
            humans={metric: column[place[id_]] for metric, column in rows[HUMANS].scores.items()} if rows else {},
            floors={
                metric: {row.name: row.scores[metric][place[id_]] for row in floors}
                for metric in (run.manifest.headlines if rows else ())
            },
            traces={row.name: row.traces[place[id_]] for row in floors if row.traces},
        )
        for id_ in _whole(run)
    ]


def _whole(run: Run) -> list[str]:
    """The ids of a run, in the order of the data. Raises `UsageError` where scores or texts are missing."""
    ids = [one.id for one in run.conversations]
    if not set(ids) == run.scores.keys() == run.predictions.keys() or len(ids) != run.manifest.protocol.n:
        raise UsageError(f"{run.id} is damaged: its scores are not those of its conversations", "Measure it again.")
    return ids


def _measured_of(run: Run) -> Measured:
    try:
        environment = run.environment
    except UsageError:  # An older or trimmed run.
        environment = None
    return Measured(
        manifest=_portable(run.manifest), environment=environment, summary=run.summary, training=run.training
    )


def _portable(manifest: Manifest) -> Manifest:
    """A manifest without anything specific to one machine, and without texts of conversations (shots), only a hash."""
    bare = replace(manifest, argv=[], origins={}, plan=[], sums={})
    if bare.system.prompt is not None:
        shots = tuple(replace(shot, transcript="", summary="") for shot in bare.system.prompt.shots)
        prompt = replace(bare.system.prompt, shots=shots)
        bare = replace(bare, system=replace(bare.system, prompt=prompt))
    values = msgspec.to_builtins(bare)
    recipe = values["recipe"]
    # The prompt's template is left alone: it may begin with a slash without being a path.
    recipe |= {name: _without_folders(recipe[name]) for name in ("data", "model", "train") if name in recipe}
    values["system"]["model"] = _without_folders(values["system"]["model"])
    if "data_dir" in recipe.get("data", {}):
        recipe["data"]["data_dir"] = None
    values["notes"] = [_FOLDERS.sub("", note) for note in values["notes"]]
    values["skipped"] = {name: _FOLDERS.sub("", why) for name, why in values["skipped"].items()}
    return msgspec.convert(values, Manifest)


_FOLDERS = re.compile(r"(?<![\w:/])/(?:[^/\s]+/)+")
"""The folders of an absolute path within words."""


def _without_folders(value: Any) -> Any:
    """Cut absolute paths to their last part, at any depth of nesting."""
    if isinstance(value, dict):
        return {key: _without_folders(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_folders(one) for one in value]
    if isinstance(value, str) and len(value) > 1 and PurePath(value).is_absolute():
        return PurePath(value).name
    return value


def _version(run: Run, number: int, why: str) -> Version:
    manifest = run.manifest
    return Version(
        number=number,
        run=manifest.id,
        created=manifest.created,
        why=why,
        liftbench=manifest.version,
        commit=manifest.git.commit if manifest.git else None,
        protocol=digest(replace(manifest.protocol, dataset="")),
        means={
            row.name: Mean(mean=row.mean, low=row.low, high=row.high)
            for row in run.summary.metrics
            if row.name in manifest.headlines
        },
    )


def _encode(promoted: Promoted) -> str:
    """Indented JSON, with each conversation on one line, so that a review shows which of them changed."""
    head = msgspec.json.format(msgspec.json.encode(replace(promoted, samples=[])), indent=2).decode()
    lines = ",\n".join(f"    {msgspec.json.encode(row).decode()}" for row in promoted.samples)
    # `samples` is the last key, so no text before it can match this suffix.
    return head.removesuffix('"samples": []\n}') + f'"samples": [\n{lines}\n  ]\n}}\n'
