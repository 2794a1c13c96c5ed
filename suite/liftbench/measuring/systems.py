"""Turns what the user names (a model, an adapter, a run) into a system that the harness can load."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from ..data.sources import open_dataset, read_split
from ..data.splits import exclude_scored
from ..errors import PrerequisiteError, UsageError
from ..extension.loader import Plugins
from ..models.adapters import CONFIGURATION, base_of, is_edited, read_adapter
from ..models.hub import HUB
from ..models.references import ResolvedModel, is_chat_model, resolve
from ..prompts.spec import choose_shots, prompt_spec
from ..recipe.sections import Recipe
from ..records.system import PromptSpec, Shot, System
from ..runs.directory import Run, run_at


class Loadable(Struct, frozen=True, kw_only=True):
    """A system, with the folders to load it from."""

    system: System
    model: Path
    adapter: Path | None = None
    notes: list[str] = []
    """Notes for readers of its run."""


def untuned(recipe: Recipe, model: ResolvedModel, shots: tuple[Shot, ...] = ()) -> Loadable:
    """A model without an adapter, in the recipe's precision; `shots` are those of `recipe_shots`."""
    system = System(
        kind="model",
        name=model.name,
        model=model.record,
        precision=recipe.model.precision,
        backend=recipe.model.backend,
        prompt=prompt_for(recipe, model, shots),
    )
    return Loadable(system=system, model=model.path, notes=model.notes)


def planned_system(recipe: Recipe, shots: tuple[Shot, ...] = ()) -> Loadable:
    """The recipe's untuned model. Raises `PrerequisiteError` where it would have to be downloaded from the hub."""
    if recipe.model.reference.startswith(HUB):
        raise PrerequisiteError("a dry run does not download models from the hub")
    return untuned(recipe, resolve(recipe.model.reference), shots)


def recipe_shots(recipe: Recipe, plugins: Plugins) -> tuple[Shot, ...]:
    """The worked examples that the recipe's prompt asks for, none of them a scored conversation.

    No data is read if the prompt asks for none. Raises `UsageError` where the training split has too few.
    """
    if not recipe.prompt.shots:
        return ()
    dataset = open_dataset(recipe.data, plugins)
    training, scored = (read_split(dataset, recipe.data, name) for name in (recipe.data.train_split, recipe.data.split))
    return choose_shots(exclude_scored(training, scored), recipe.prompt.shots)


def prompt_for(recipe: Recipe, model: ResolvedModel, shots: tuple[Shot, ...] = ()) -> PromptSpec:
    """The recipe's prompt in the style that suits the model: `auto` is `chat` where it has a chat template."""
    section = recipe.prompt
    assert len(shots) == section.shots
    chat = is_chat_model(model.path)
    if section.style == "chat" and not chat:
        raise UsageError(
            f"prompt.style is 'chat', but {model.name} has no chat template", "Set it to 'plain' or 'auto'."
        )
    through_template = chat if section.style == "auto" else section.style == "chat"
    return prompt_spec(
        section.template,
        section.system,
        "chat" if through_template else "plain",
        prefill=section.prefill,
        shots=shots,
        stop=section.stop,
        max_words=section.max_words,
    )


def with_adapter(
    recipe: Recipe,
    model: ResolvedModel,
    adapter: Path,
    *,
    shots: tuple[Shot, ...] = (),
    precision: str | None = None,
    allow_mismatch: bool = False,
) -> Loadable:
    """A model with an adapter, on the base and in the precision that the adapter was trained on.

    `precision` asks for another precision. An adapter on a base that is not its own loses quality silently, so a
    mismatch raises `UsageError`; with `allow_mismatch` the run notes it instead. The run also notes what the adapter's
    provenance does not record, because it was trained elsewhere.
    """
    record, provenance = read_adapter(adapter)
    mismatches: list[str] = []
    notes = model.notes
    if is_edited(adapter):
        notes.append("the adapter's provenance.json was edited: where the adapter comes from counts as unknown")
    if record.base_sha256 is None:
        notes.append("the adapter does not record which weights it was trained on")
    elif record.base_sha256 != model.record.sha256:
        mismatches.append(
            f"it was trained on weights {record.base_sha256[:12]}…, and {model.name} is {model.record.sha256[:12]}…"
        )
    scored_in = precision or record.precision or recipe.model.precision
    if record.precision is None:
        notes.append(f"the adapter does not record its base's precision in training; it is scored in {scored_in}")
    elif scored_in != record.precision:
        mismatches.append(f"it was trained on a base in {record.precision} and would be scored in {scored_in}")
    if mismatches and not allow_mismatch:
        raise UsageError(
            f"the adapter {adapter} does not fit: {'; '.join(mismatches)}",
            "Score it on its own base, or score it anyway with --allow-mismatch (the run will note it).",
        )
    prompt = prompt_for(recipe, model, shots)
    if provenance.prompt is not None and provenance.prompt.sha256 != prompt.sha256:
        notes.append("the adapter was trained with another prompt")
    system = System(
        kind="model",
        name=f"{model.name}+{record.trainer or adapter.resolve().name}",
        model=model.record,
        adapter=record,
        precision=scored_in,
        backend=recipe.model.backend,
        prompt=prompt,
    )
    notes += [f"the adapter does not fit and was scored anyway: {mismatch}" for mismatch in mismatches]
    return Loadable(system=system, model=model.path, adapter=adapter, notes=notes)


def resolve_system(
    name: str,
    recipe: Recipe,
    runs: Path,
    *,
    shots: tuple[Shot, ...] = (),
    base: str | None = None,
    precision: str | None = None,
    allow_mismatch: bool = False,
) -> tuple[Loadable, str | None]:
    """The system that a user names: an adapter's folder, a run (its adapter, or its model), or a model reference.

    The prompt is the recipe's; for a run with a search of prompts (`bench baseline --tune`), it is the one that was
    found. `base` is the model reference that the user gave with an adapter; without it the adapter's own base is taken.
    Also returns the id of the run that the system came from. Raises `UsageError` or `PrerequisiteError`.
    """
    run = run_at(name, runs)
    if run is not None:
        adapter, reference = _of_run(run)
    else:
        adapter, reference = (Path(name) if (Path(name) / CONFIGURATION).is_file() else None), name
    if adapter is None:
        loadable = untuned(recipe, resolve(reference), shots)
        if run is not None and run.manifest.tuned:
            loadable = _with_prompt_of(run, loadable)
        if precision:
            loadable = replace(loadable, system=replace(loadable.system, precision=precision))
        return loadable, run.id if run else None
    model = resolve(base or base_of(adapter) or recipe.model.reference)
    loadable = with_adapter(recipe, model, adapter, shots=shots, precision=precision, allow_mismatch=allow_mismatch)
    trained_in = loadable.system.adapter.run if loadable.system.adapter else None
    return loadable, run.id if run else trained_in


def with_best_prompt(plain: Loadable, prompt: PromptSpec) -> Loadable:
    """The model with the prompt that a search found."""
    name = f"{plain.system.name} (best prompt)"
    return replace(plain, system=replace(plain.system, name=name, prompt=prompt))


def _with_prompt_of(run: Run, plain: Loadable) -> Loadable:
    if run.tuning is None or run.manifest.system.prompt is None:
        raise UsageError(
            f"run {run.id} has not chosen a prompt yet", "Run the same `bench baseline --tune` command to continue it."
        )
    note = f"the prompt is the one that {run.id} found on development data"
    found = with_best_prompt(plain, run.manifest.system.prompt)
    return replace(found, notes=[*found.notes, note])


def _of_run(run: Run) -> tuple[Path | None, str]:
    """The adapter that a run trained, or else the reference of the untuned model that it measured."""
    system = run.manifest.system
    if run.adapter is None and run.manifest.command == "train":
        raise UsageError(f"run {run.id} has no adapter yet", "Run the same `bench train` command to continue it.")
    if run.adapter is None and (system.adapter is not None or system.model is None):
        raise UsageError(
            f"run {run.id} has no adapter of its own", "Name the adapter's folder or the run that trained it."
        )
    return run.adapter, system.model.reference if system.model else ""
