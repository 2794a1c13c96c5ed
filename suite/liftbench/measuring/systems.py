"""Turns what the user names (a model, an adapter, a run) into a system that the harness can load."""

from __future__ import annotations

from pathlib import Path

from msgspec import UNSET, Struct
from msgspec.structs import replace

from ..data.sources import open_dataset, read_split
from ..data.splits import exclude_scored
from ..errors import LiftbenchError, PrerequisiteError, UsageError, first_line
from ..extension.loader import Plugins, load_plugins
from ..files import digest
from ..models.adapter_tokenizer import join_tokenizer
from ..models.adapters import compare_base, find_base, is_edited, is_trained, read_adapter, whole_model
from ..models.hub import HUB
from ..models.references import ResolvedModel, is_chat_model, require_obtainable, resolve
from ..models.served import require_weights
from ..prompts.differences import TokenizerDifferences, tokenizer_differences
from ..prompts.spec import choose_shots, prompt_spec
from ..recipe.sections import ModelSection, Recipe
from ..records.system import AdapterRecord, PromptSpec, Shot, System
from ..records.training import Provenance
from ..runs.directory import Run, run_at
from ..text.phrases import join_words
from .backend import Backend


class NotDownloaded(PrerequisiteError):
    """A model that can be had from the hub is not on this machine."""


class Loadable(Struct, frozen=True, kw_only=True):
    """A system, with the folders to load it from."""

    system: System
    model: Path
    """The folder of the weights: of the model or, where a training left a whole model, of that one."""
    adapter: Path | None = None
    """The folder of the adapter to put on it."""
    trained: Path | None = None
    """The folder that a training left, with provenance and rows: the adapter, or the whole model."""
    tokenizer: Path | None = None
    """The folder of the tokenizer and chat template, where they are not the model's (see `own_tokenizer`)."""
    notes: list[str] = []
    """Notes for readers of its run."""


def untuned(recipe: Recipe, model: ResolvedModel, shots: tuple[Shot, ...] = ()) -> Loadable:
    """A model without an adapter, in the recipe's precision; `shots` are those of `recipe_shots`.

    Raises `UsageError` where the recipe chose a backend that cannot load such a model.
    """
    if model.backend and recipe.model.backend not in (model.backend, ModelSection().backend):
        raise UsageError(
            f"{model.name} needs the backend {model.backend}, not {recipe.model.backend}",
            "Leave --backend (model.backend) out.",
        )
    system = System(
        kind="model",
        name=model.name,
        model=model.record,
        precision=model.precision or recipe.model.precision,
        backend=model.backend or recipe.model.backend,
        prompt=prompt_for(recipe, model, shots),
    )
    return Loadable(system=system, model=model.path, notes=model.notes)


def planned_system(recipe: Recipe, shots: tuple[Shot, ...] = ()) -> Loadable:
    """The recipe's untuned model. Raises `NotDownloaded` where it would have to be downloaded from the hub, and what
    `resolve` raises where it cannot be had."""
    require_here(recipe.model.reference)
    return untuned(recipe, resolve(recipe.model.reference), shots)


def require_here(reference: str) -> None:
    """Raise `NotDownloaded` for a model that would be downloaded from the hub, and other errors if it cannot be had."""
    if reference.startswith(HUB) and require_obtainable(reference).folder is None:
        raise NotDownloaded("a dry run does not download models from the hub")


def recipe_shots(recipe: Recipe, plugins: Plugins) -> tuple[Shot, ...]:
    """The worked examples that the recipe's prompt asks for, none of them a scored conversation.

    No data is read if the prompt asks for none. Raises `UsageError` where the training split has too few.
    """
    if not recipe.prompt.shots:
        return ()
    dataset = open_dataset(recipe.data, plugins)
    training, scored = (read_split(dataset, recipe.data, name) for name in (recipe.data.train_split, recipe.data.split))
    return choose_shots(exclude_scored(training, scored), recipe.prompt.shots)


def prompt_for(
    recipe: Recipe, model: ResolvedModel, shots: tuple[Shot, ...] = (), tokenizer: Path | None = None
) -> PromptSpec:
    """The recipe's prompt in the style that suits the model: `auto` is `chat` where it has a chat template.

    `tokenizer` is the folder of another tokenizer than the model's.
    """
    section = recipe.prompt
    assert len(shots) == section.shots
    chat = is_chat_model(tokenizer or model.path)
    if section.style == "chat" and not chat:
        raise UsageError(
            f"prompt.style is 'chat', but {model.name} has no chat template", "Set it to 'plain' or 'auto'."
        )
    if section.template_arguments and (section.style == "plain" or not chat):
        raise UsageError(
            "prompt.template_arguments are arguments of a chat template, and this prompt goes through none",
            "Leave them out, or take a model with a chat template and prompt.style=chat.",
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
        template_arguments=section.template_arguments,
    )


def with_adapter(
    recipe: Recipe,
    model: ResolvedModel,
    adapter: Path,
    *,
    shots: tuple[Shot, ...] = (),
    precision: str | None = None,
    allow_mismatch: bool = False,
    plugins: Plugins | None = None,
) -> Loadable:
    """A model with an adapter, on the base and in the precision that the adapter was trained on.

    A whole model that was trained from `model` takes the place of its weights; everything else is the same.

    `precision` asks for another precision. An adapter on a base that is not its own loses quality silently, so a
    mismatch raises `UsageError`; with `allow_mismatch` the run notes it instead. The run also notes what the adapter's
    provenance does not record, because it was trained elsewhere, and a tokenizer or chat template of the adapter's own.
    """
    require_weights(model.record.reference, "an adapter")
    record, provenance = read_adapter(adapter)
    mismatches, compared = _compare_with_base(adapter, record, provenance, model)
    notes = [*model.notes, *compared]
    own = record.exported.dtype if record.exported else record.precision
    scored_in = precision or own or recipe.model.precision
    if own is None:
        notes.append(f"the adapter does not record its base's precision in training; it is scored in {scored_in}")
    elif scored_in != own:
        was = "exported" if record.exported else "trained on a base"
        mismatches.append(f"it was {was} in {own} and would be scored in {scored_in}")
    if mismatches and not allow_mismatch:
        raise UsageError(
            f"the adapter {adapter} does not fit: {'; '.join(mismatches)}",
            "Score it on its own base, or score it anyway with --allow-mismatch (the run will note it).",
        )
    prompt = prompt_for(recipe, model, shots)
    whole = whole_model(adapter)
    tokenizer = own_tokenizer(recipe, model, whole or adapter, prompt, plugins)
    if tokenizer is not None:
        prompt = tokenizer.prompt
        record = tokenizer.recorded(record)
        notes.append(tokenizer.note)
    if provenance.prompt is not None and provenance.prompt.sha256 != prompt.sha256:
        notes.append("the adapter was trained with another prompt")
    system = System(
        kind="model",
        name=f"{model.name}+{record.trainer or adapter.resolve().name}{_export_words(record)}",
        model=model.record,
        adapter=record,
        precision=scored_in,
        backend=recipe.model.backend,
        prompt=prompt,
    )
    notes += [f"the adapter does not fit and was scored anyway: {mismatch}" for mismatch in mismatches]
    return Loadable(
        system=system,
        model=whole or model.path,
        adapter=None if whole else adapter,
        trained=adapter,
        tokenizer=tokenizer.folder if tokenizer else None,
        notes=notes,
    )


def _export_words(record: AdapterRecord) -> str:
    """`, merged bfloat16`; empty for what is no export."""
    form = {"merged": "merged", "gguf": "GGUF"}
    return f", {form[record.exported.form]} {record.exported.dtype}" if record.exported else ""


def _compare_with_base(
    adapter: Path, record: AdapterRecord, provenance: Provenance, model: ResolvedModel
) -> tuple[list[str], list[str]]:
    """Why a model is not the base that an adapter was trained on, and what a run notes where that cannot be told."""
    notes = []
    if is_edited(adapter):
        notes.append("the adapter's provenance.json was edited: where the adapter comes from counts as unknown")
    if record.base_sha256 is None:
        compared = compare_base(adapter, model)
        notes += ["the adapter does not record which weights it was trained on", *filter(None, [compared.unknown])]
        return [*filter(None, [compared.mismatch])], notes
    ours = model.record
    if record.base_sha256 != ours.sha256:
        return [f"it was trained on weights {record.base_sha256[:12]}…, and {model.name} is {ours.sha256[:12]}…"], notes
    if provenance.base and provenance.base.settings_sha256 not in (None, ours.settings_sha256):
        notes.append("the base's configuration, tokenizer or chat template were changed after the adapter's training")
    return [], notes


class OwnTokenizer(Struct, frozen=True, kw_only=True):
    """The tokenizer and chat template that an adapter brings, where they do not do what the base's do."""

    folder: Path
    sha256: str
    prompt: PromptSpec
    """The recipe's prompt, in the style that suits them."""
    differences: TokenizerDifferences

    def recorded(self, record: AdapterRecord) -> AdapterRecord:
        """The adapter's record with their hashes."""
        template = digest(self.differences.template) if self.differences.prompt else UNSET
        return replace(record, tokenizer_sha256=self.sha256, chat_template_sha256=template)

    @property
    def note(self) -> str:
        """A note for readers of the adapter's run."""
        return (
            "the adapter is scored with the tokenizer saved beside it, which differs from the base's in "
            f"{join_words(self.differences.words)}"
        )


def own_tokenizer(
    recipe: Recipe, model: ResolvedModel, adapter: Path, prompt: PromptSpec, plugins: Plugins | None = None
) -> OwnTokenizer | None:
    """The tokenizer and chat template beside an adapter; None if there are none, or they do what the base's do.

    Raises `UsageError` if they cannot be opened.
    """
    joined = join_tokenizer(model.path, adapter)
    if joined is None:
        return None
    plugins = plugins or load_plugins()
    backend: type[Backend] = plugins.load(plugins.find("backend", recipe.model.backend))
    base = backend.open_tokenizer(model.path)
    try:
        own = backend.open_tokenizer(joined.folder)
    except Exception as error:  # every library has its own for a damaged file
        reason = (
            error.what.rpartition(" cannot be loaded: ")[2] if isinstance(error, LiftbenchError) else first_line(error)
        )
        raise UsageError(
            f"the tokenizer beside the adapter {adapter} cannot be opened: {reason}",
            "Save it again, or remove its files: the adapter is then scored with the base's tokenizer.",
        ) from error
    own_prompt = prompt_for(recipe, model, prompt.shots, joined.folder)
    differences = tokenizer_differences(base, own, prompt, own_prompt)
    if not differences.words:
        return None
    return OwnTokenizer(folder=joined.folder, sha256=joined.sha256, prompt=own_prompt, differences=differences)


def resolve_system(
    name: str,
    recipe: Recipe,
    runs: Path,
    *,
    shots: tuple[Shot, ...] = (),
    base: str | None = None,
    precision: str | None = None,
    allow_mismatch: bool = False,
    plugins: Plugins | None = None,
) -> tuple[Loadable, str | None]:
    """The system that a user names: a folder that a training left, a run (its adapter, or its model), or a model.

    The prompt is the recipe's; for a run with a search of prompts (`bench baseline --tune`), it is the one that was
    found. `base` is the model reference that the user gave with an adapter; without it the adapter's own base is taken,
    and never another model. Also returns the id of the run that the system came from. Raises `UsageError` or
    `PrerequisiteError`.
    """
    run = run_at(name, runs)
    if run is not None:
        adapter, reference = _of_run(run)
    else:
        adapter, reference = (Path(name) if is_trained(Path(name)) else None), name
    if adapter is None:
        loadable = untuned(recipe, resolve(reference), shots)
        if run is not None and run.manifest.tuned:
            loadable = _with_prompt_of(run, loadable)
        if precision and loadable.system.model is not None and loadable.system.model.served:
            raise UsageError(f"the precision of {loadable.system.name} is the server's", "Leave --precision out.")
        if precision:
            loadable = replace(loadable, system=replace(loadable.system, precision=precision))
        return loadable, run.id if run else None
    loadable = with_adapter(
        recipe,
        resolve(base) if base else find_base(adapter),
        adapter,
        shots=shots,
        precision=precision,
        allow_mismatch=allow_mismatch,
        plugins=plugins,
    )
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
