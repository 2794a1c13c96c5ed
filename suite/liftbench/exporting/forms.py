"""Writes what a training left in the form that users ship: as it is, merged into its base, or as GGUF."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..errors import UsageError
from ..extension.loader import Plugins
from ..files import write_atomic, write_lines
from ..measuring.generate import backend_request, find_backend
from ..measuring.systems import Loadable, with_adapter
from ..models.adapters import PROVENANCE, ROWS, adapter_sha256, find_base, is_edited, read_adapter, read_rows, seal
from ..models.references import ResolvedModel, resolve
from ..recipe.sections import Recipe
from ..records.export import Dtype, Form
from ..records.system import AdapterRecord, Exported
from ..records.training import Provenance
from ..runs.directory import Run
from ..runs.open_run import slug


class Source(Struct, frozen=True, kw_only=True):
    """What a run's training left, ready to be exported."""

    run: Run
    recipe: Recipe
    """The recipe that the run was measured by."""
    base: ResolvedModel
    folder: Path
    """The folder of the adapter, or of the whole model."""
    subject: Loadable
    """The system as it was scored."""
    record: AdapterRecord
    provenance: Provenance


def find_source(run: Run, plugins: Plugins, model: str | None = None) -> Source:
    """What a run can export; `model` is the base, where it lies elsewhere now.

    Raises `UsageError` where the run trained nothing, or its adapter is not the one that it trained and scored: an
    export must not carry the training's provenance to other weights.
    """
    if run.adapter is None:
        other = run.manifest.parent
        if run.manifest.command == "train":
            raise UsageError(f"run {run.id} has no adapter yet", "Run the same `bench train` command to continue it.")
        fix = f"Export the run that trained its adapter: {other}." if other else "Name a run of `bench train`."
        raise UsageError(f"run {run.id} trained nothing that could be exported", fix)
    record, provenance = read_adapter(run.adapter)
    scored = run.manifest.system.adapter if run.manifest.status == "complete" else None
    changed = provenance.adapter_sha256 != record.sha256 or (scored and scored.sha256 != record.sha256)
    if is_edited(run.adapter) or changed:
        raise UsageError(
            f"the adapter in run {run.id} is not the one that it trained: its weights or its provenance were changed",
            "Put its files back from a copy, or train it again.",
        )
    recipe = msgspec.convert(run.manifest.recipe, Recipe)
    base = resolve(model) if model else find_base(run.adapter)
    subject = with_adapter(recipe, base, run.adapter, plugins=plugins)
    return Source(
        run=run,
        recipe=recipe,
        base=base,
        folder=run.adapter,
        subject=subject,
        record=record,
        provenance=provenance,
    )


def write_form(source: Source, form: Form, dtype: Dtype, folder: Path, plugins: Plugins, license_: str) -> None:
    """Write an export into an empty folder, with provenance and rows: whoever scores it knows what it was trained on.

    Raises `UsageError` where the form cannot hold the model, or `dtype` is none that GGUF files are scored in.
    """
    if form == "adapter":
        shutil.copytree(source.folder, folder, dirs_exist_ok=True)
        return
    if form == "merged":
        _merge(source, dtype, folder, plugins)
    else:
        check_dtype(form, dtype)
        # Beside the file while it is written, so that the folder has the room for both.
        merged = folder / ".merged"
        merged.mkdir()
        _merge(source, dtype, merged, plugins)
        from ..models.gguf_file import write_gguf

        name = source.subject.system.name
        path = folder / f"{slug(name).replace('+', '-')}-{dtype}.gguf"
        write_gguf(merged, path, name=name, license_=license_)
        shutil.rmtree(merged)
    _write_provenance(source, form, dtype, folder)


def check_dtype(form: Form, dtype: Dtype) -> None:
    """Raise `UsageError` for a type of weights in which a form could not be scored as it is."""
    if form == "gguf" and dtype != "bfloat16":
        raise UsageError(
            f"GGUF in {dtype} would not be scored as it is: liftbench reads GGUF files in bfloat16",
            "Export it in bfloat16, which llama.cpp reads too.",
        )


def _merge(source: Source, dtype: Dtype, folder: Path, plugins: Plugins) -> None:
    request = backend_request(source.subject, source.recipe)
    find_backend(source.recipe.model.backend, plugins).merge(request, dtype, folder)


def _write_provenance(source: Source, form: Form, dtype: Dtype, folder: Path) -> None:
    assert form != "adapter"
    rows = read_rows(source.folder)
    if rows is not None:
        write_lines(folder / ROWS, rows)
    told = replace(
        source.provenance,
        adapter_sha256=adapter_sha256(folder),
        exported=Exported(form=form, dtype=dtype, of_sha256=source.record.sha256),
        sha256=None,
    )
    write_atomic(folder / PROVENANCE, seal(told))
