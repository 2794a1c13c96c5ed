"""Generates texts with a system, batch by batch as planned."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from msgspec import UNSET

from ..errors import RunFailed, UsageError
from ..extension.loader import Plugins
from ..files import append_lines
from ..progress import Progress
from ..prompts.insulation import insulation_note
from ..prompts.plain_marks import plain_marks_note
from ..prompts.render import finish_text, is_cut, render
from ..prompts.spec import Prompt
from ..recipe.sections import Recipe
from ..records.conversation import Conversation
from ..records.run import RULES, Prediction
from ..records.system import PromptSpec, System
from ..runs.open_run import OpenRun
from ..runs.sums import seal
from ..runs.timing import keep_seconds
from ..stored_rows import Selected
from ..text.phrases import join_words
from .backend import Backend, BackendRequest, Generation, OutOfMemory
from .generation_cache import CachedBatches, open_cache, system_parts
from .one_base import opened, release
from .plan import Measurement, postprocess
from .systems import Loadable

SPLIT = "some batches were split because they did not fit in memory; half-precision texts can differ from the plan's"
"""The note of a run whose batches are not the planned ones."""


def open_backend(subject: Loadable, recipe: Recipe, plugins: Plugins) -> Backend:
    """Load a system. Raises `UsageError` where the budgets do not fit the model's context."""
    name = _backend_of(subject, recipe)
    require_rules(recipe, plugins, name)
    backend = opened(find_backend(name, plugins), backend_request(subject, recipe))
    try:
        require_room(recipe, backend.context_length, subject.system.name)
    except UsageError:
        backend.close()
        raise
    return backend


def require_generable(subject: Loadable, recipe: Recipe, plugins: Plugins) -> None:
    """Raise `UsageError` or `PrerequisiteError` for a system that its backend cannot generate with as the recipe says.

    It is called before a run is begun, so that none is left behind.
    """
    name = _backend_of(subject, recipe)
    require_rules(recipe, plugins, name)
    find_backend(name, plugins).check(backend_request(subject, recipe))


def _backend_of(subject: Loadable, recipe: Recipe) -> str:
    return subject.system.backend or recipe.model.backend


def find_backend(name: str, plugins: Plugins) -> type[Backend]:
    """A backend by its name, which is not opened."""
    backend: type[Backend] = plugins.load(plugins.find("backend", name))
    return backend


def backend_request(subject: Loadable, recipe: Recipe) -> BackendRequest:
    """What a backend needs to load a system."""
    assert subject.system.precision is not None
    return BackendRequest(
        model=subject.model,
        adapter=subject.adapter,
        precision=subject.system.precision,
        prompt=_prompt_of(subject.system),
        rules=recipe.generation.rules,
        tokenizer=subject.tokenizer,
        positions=recipe.generation.max_input_tokens + recipe.generation.max_new_tokens,
    )


def require_room(recipe: Recipe, context_length: int, name: str) -> None:
    """Raise `UsageError` where the input and output budgets together exceed a model's context (0: not known)."""
    needed = recipe.generation.max_input_tokens + recipe.generation.max_new_tokens
    if context_length and needed > context_length:
        raise UsageError(
            f"generation.max_input_tokens + max_new_tokens is {needed}; the context of {name} is {context_length} "
            "tokens",
            "Lower one of them with --set.",
        )


def require_rules(recipe: Recipe, plugins: Plugins, backend_name: str = "") -> None:
    """Raise `UsageError` where the recipe sets a decoding rule that a backend (by default its own) does not follow."""
    backend_name = backend_name or recipe.model.backend
    backend = find_backend(backend_name, plugins)
    for name in RULES:
        if getattr(recipe.generation, name) and name not in backend.rules:
            raise UsageError(
                f"the backend {backend_name} does not follow generation.{name}",
                f"Set generation.{name}=0, or choose another backend (model.backend).",
            )


def summarize_one(conversation: Conversation, subject: Loadable, recipe: Recipe, plugins: Plugins) -> Prediction:
    """One conversation's summary, made as the harness makes it, in a batch by itself."""
    backend = open_backend(subject, recipe, plugins)
    try:
        return generate_batch(backend, [conversation], _prompt_of(subject.system), recipe, [])[0]
    finally:
        backend.close()


def generate_missing(
    run: OpenRun,
    measurement: Measurement,
    subject: Loadable,
    plugins: Plugins,
    progress: Progress,
    done: Mapping[str, Prediction],
) -> None:
    """Generate the planned batches that hold a scored conversation without a prediction, and append them to the run."""
    recipe = run.recipe
    prompt = _prompt_of(subject.system)
    total = len(measurement.scored)
    missing = set(measurement.scored) - done.keys()
    count = len(done)
    progress(count, total, "loading the model")
    name = _backend_of(subject, recipe)
    require_rules(recipe, plugins, name)
    kind = find_backend(name, plugins)
    cached = open_cached(kind, subject, recipe, measurement)
    notes: list[str] = []

    def keep(rows: Sequence[Prediction]) -> None:
        nonlocal count
        new = keep_seconds(run.folder, (row for row in rows if row.id in missing))
        kept = [seal(row, run.manifest.key) for row in new]
        append_lines(run.folder / "predictions.jsonl", kept)
        count += len(kept)
        missing.difference_update(row.id for row in kept)

    from_cache = 0
    for found in cached.read(set(missing)) if cached else ():
        if not from_cache:
            run.record_environment()
            run.update(device=found.device)
        from_cache += len(found.generations)
        keep(_predictions(found.conversations, found.prompts, found.generations, prompt, None))
    if cached and from_cache:
        notes += _prompt_notes(measurement, prompt, cached.tokenizer)
        notes.append(f"{from_cache} texts came from the cache of generations; their time is not known")
    if not missing:
        run.note(*notes, *_limits_of(kind, subject))
        return
    backend = open_backend(subject, recipe, plugins)
    # Now that torch is loaded, the environment has the threads and the GPU.
    run.record_environment()
    run.update(device=backend.device)
    if not from_cache:
        notes += _prompt_notes(measurement, prompt, backend.tokenizer)
    left = frozenset(missing)
    try:
        progress(count, total, f"generating on {backend.device}")
        if backend.streams:
            wanted = (measurement.conversations[id_] for batch in measurement.plan for id_ in batch if id_ in left)
            for row in _stream(backend, wanted, prompt, recipe):
                keep([row])
                progress(count, total, f"generating on {backend.device}")
        for batch in batches(backend, measurement.plan, set(missing)):
            conversations = [measurement.conversations[id_] for id_ in batch]
            prompts, generations, seconds = _generate(backend, conversations, prompt, recipe, notes)
            if cached and SPLIT not in notes:
                cached.add(dict(zip(batch, generations, strict=True)), backend.device)
            keep(_predictions(conversations, prompts, generations, prompt, seconds))
            progress(count, total, f"generating on {backend.device}")
    finally:
        release(backend)
        notes += [*backend.notes(), *_limits_of(kind, subject)]
        if notes:
            run.note(*notes)


def _prompt_notes(measurement: Measurement, prompt: PromptSpec, tokenizer: Any) -> list[str]:
    scored = Selected(measurement.conversations, measurement.scored)
    told = insulation_note(scored, tokenizer), plain_marks_note(prompt, scored, tokenizer)
    return [note for note in told if note]


def _limits_of(kind: type[Backend], subject: Loadable) -> list[str]:
    if not kind.cannot_reproduce:
        return []
    return [f"the backend {subject.system.backend} cannot reproduce {join_words(kind.cannot_reproduce)}"]


def open_cached(
    kind: type[Backend], subject: Loadable, recipe: Recipe, measurement: Measurement
) -> CachedBatches | None:
    """The cache for the planned batches of a run; None where nothing may come from it."""
    cache = open_cache(kind)
    if cache is None:
        return None
    request = backend_request(subject, recipe)
    tokenizer = kind.open_tokenizer(request.tokenizer or request.model)
    budget, spec = recipe.generation.max_input_tokens, _prompt_of(subject.system)
    return CachedBatches(
        cache,
        system_parts(subject, request, recipe, kind),
        tokenizer,
        measurement,
        lambda conversation: render(spec, conversation, tokenizer, budget),
    )


def batches(backend: Backend, plan: Sequence[Sequence[str]], missing: Set[str]) -> Iterator[list[str]]:
    """The ids to generate together, so that all missing ones are made, with the texts of the planned batches.

    Where texts depend on their batch, each planned batch that has a missing id is generated whole. Where they do not,
    only what is missing is, in batches of the size that the backend wants.
    """
    if not backend.independent:
        yield from (list(batch) for batch in plan if not missing.isdisjoint(batch))
        return
    left = [id_ for batch in plan for id_ in batch if id_ in missing]
    for start in range(0, len(left), backend.most_rows):
        yield left[start : start + backend.most_rows]


def generate_batch(
    backend: Backend, conversations: Sequence[Conversation], spec: PromptSpec, recipe: Recipe, notes: list[str]
) -> list[Prediction]:
    """The summaries of one batch, ready to be scored; what a reader of the run must know is added to `notes`."""
    prompts, generations, seconds = _generate(backend, conversations, spec, recipe, notes)
    return _predictions(conversations, prompts, generations, spec, seconds)


def _generate(
    backend: Backend, conversations: Sequence[Conversation], spec: PromptSpec, recipe: Recipe, notes: list[str]
) -> tuple[list[Prompt], list[Generation], float]:
    """The prompts and generations of one batch, and its seconds for each conversation."""
    budget = recipe.generation.max_input_tokens
    prompts = [render(spec, conversation, backend.tokenizer, budget) for conversation in conversations]
    started = time.perf_counter()
    generations = _generate_or_split(backend, prompts, recipe.generation.max_new_tokens, notes)
    return prompts, generations, (time.perf_counter() - started) / len(prompts)


def _stream(
    backend: Backend, conversations: Iterable[Conversation], spec: PromptSpec, recipe: Recipe
) -> Iterator[Prediction]:
    """The summaries in the order in which they come."""
    begun: dict[int, tuple[Conversation, Prompt]] = {}

    def prompts() -> Iterator[Prompt]:
        for number, conversation in enumerate(conversations):
            prompt = render(spec, conversation, backend.tokenizer, recipe.generation.max_input_tokens)
            begun[number] = conversation, prompt
            yield prompt

    before = time.perf_counter()
    for number, generation in backend.stream(prompts(), recipe.generation.max_new_tokens):
        conversation, prompt = begun.pop(number)
        now = time.perf_counter()
        yield from _predictions([conversation], [prompt], [generation], spec, now - before)
        before = now


def _predictions(
    conversations: Sequence[Conversation],
    prompts: Sequence[Prompt],
    generations: Sequence[Generation],
    spec: PromptSpec,
    seconds: float | None,
) -> list[Prediction]:
    texts = [postprocess(finish_text(spec, generation.text)) for generation in generations]
    return [
        Prediction(
            id=conversation.id,
            text=text,
            prompt_sha256=prompt.sha256,
            prompt_tokens=len(prompt.token_ids) if generation.prompt_tokens is UNSET else generation.prompt_tokens,
            new_tokens=generation.new_tokens,
            finish_reason="stop" if is_cut(spec, generation.text) else generation.finish_reason,
            turns_dropped=prompt.turns_dropped,
            seconds=seconds,
            served=generation.served,
        )
        for conversation, prompt, generation, text in zip(conversations, prompts, generations, texts, strict=True)
    ]


def _prompt_of(system: System) -> PromptSpec:
    assert system.prompt is not None
    return system.prompt


def _generate_or_split(
    backend: Backend, prompts: Sequence[Prompt], max_new_tokens: int, notes: list[str]
) -> list[Generation]:
    try:
        return backend.generate(prompts, max_new_tokens)
    except OutOfMemory as error:
        if len(prompts) == 1:
            raise RunFailed(
                f"one conversation of {len(prompts[0].token_ids)} tokens does not fit in memory ({error})",
                "Lower generation.max_input_tokens or use --set model.precision=nf4.",
            ) from error
    half = len(prompts) // 2
    if SPLIT not in notes:
        notes.append(SPLIT)
    return [
        *_generate_or_split(backend, prompts[:half], max_new_tokens, notes),
        *_generate_or_split(backend, prompts[half:], max_new_tokens, notes),
    ]
