"""Where sheets and results are kept: `<runs>/judging/<sheet>/`, which no command takes for a run.

```
key.json              whose summary is whose
result.json           the result of people's judgments
model-<hash>.jsonl    a language model's answers, appended as they come
model-<hash>.json     the result of its judgments
```"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import PrerequisiteError, unknown
from ..files import digest, read_record, write_atomic
from ..records.preferences import JUDGING_SCHEMA, Preference, SheetKey

JUDGING = "judging"


def sheet_folder(runs: Path, sheet: str) -> Path:
    """The folder of a sheet."""
    return runs / JUDGING / sheet


def key_path(runs: Path, sheet: str) -> Path:
    """The path of a sheet's key, which may not exist yet."""
    return sheet_folder(runs, sheet) / "key.json"


def result_path(runs: Path, sheet: str) -> Path:
    """The path of the people's result, which may not exist yet."""
    return sheet_folder(runs, sheet) / "result.json"


def model_path(runs: Path, sheet: str, model: str, base_url: str, prompt_sha256: str) -> Path:
    """The path of a model's result, which may not exist yet; its answers are beside it, as `.jsonl`."""
    return sheet_folder(runs, sheet) / f"model-{digest(model, base_url, prompt_sha256)[:12]}.json"


def write_key(runs: Path, key: SheetKey) -> Path:
    """Keep a key beside the runs, and return its path."""
    path = key_path(runs, key.sheet)
    write_atomic(path, key)
    return path


def read_key(runs: Path, sheet: str) -> SheetKey:
    """The key of a sheet. Raises `UsageError` where there is none, or where it is damaged."""
    known = sorted(path.parent.name for path in (runs / JUDGING).glob("*/key.json"))
    # The check also keeps a sheet id such as `../x`, which a file may hold, from leaving the folder.
    if sheet not in known:
        raise unknown("sheet", sheet, known)
    path = key_path(runs, sheet)
    key = read_record(path, SheetKey)
    _refuse_newer(path, key.schema)
    return key


def find_preferences(runs: Path, candidate: str) -> list[Preference]:
    """Every result about the candidate's run with this id: people's first, then models', each by rival and sheet.

    Raises `UsageError` where a result is damaged: a result that cannot be read must not count as a missing one.
    """
    return preferences_of(runs, [candidate])[candidate]


def preferences_of(runs: Path, candidates: Iterable[str]) -> dict[str, list[Preference]]:
    """Run id → what `find_preferences` gives for it; the results are read once for all candidates."""
    paths = [path for name in ("result.json", "model-*.json") for path in (runs / JUDGING).glob(f"*/{name}")]
    found = []
    for path in sorted(paths):
        found.append(read_record(path, Preference))
        _refuse_newer(path, found[-1].schema)
    found.sort(key=lambda one: (one.kind != "people", one.against, one.other, one.sheet, one.judges))
    return {candidate: [one for one in found if one.candidate == candidate] for candidate in candidates}


def _refuse_newer(path: Path, schema: int) -> None:
    if schema > JUDGING_SCHEMA:
        raise PrerequisiteError(
            f"{path} was made by a newer liftbench (schema {schema}, this one reads up to {JUDGING_SCHEMA})",
            "Upgrade liftbench.",
        )
