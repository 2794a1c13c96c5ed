"""Recipes: TOML to typed objects, with the origin of every value (command line > environment > recipe > default)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ..errors import UsageError, unknown
from ..records.run import Against, Limits
from .rules import parse

DEFAULT_RECIPE = "smollm2-135m"

OPEN_TABLES = ("train.options.", "data.options.")
"""Sections whose keys belong to a plugin, which checks them."""

Count = Annotated[int, Meta(ge=1)]
CountOrNone = Annotated[int, Meta(ge=0)]
Precision = Literal["float32", "bfloat16", "float16", "nf4"]

DEFAULT_TEMPLATE = (
    "Below is a conversation between a customer and a customer support agent.\n\n{conversation}\n\n"
    "Summarize this conversation in one or two sentences: what the customer wanted, and what the agent did."
)


METRICS = (
    "rouge1",
    "rouge2",
    "rougeL",
    "rougeLsum",
    "content-overlap",
    "cider-d",
    "chrf",
    "unsupported-facts",
    "role-accuracy",
    "coverage",
    "density",
    "compression",
    "novel-bigrams",
    "repetition",
)
"""What needs no model, and so costs seconds."""


class ModelSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is measured, untuned: the baseline and the base of adapters."""

    reference: str = DEFAULT_RECIPE
    """An alias, a folder, a GGUF file or `hub:org/name`."""
    precision: Precision = "bfloat16"
    """Of the untuned model while generating; an adapter is scored in the precision that it was trained on."""
    backend: str = "transformers"


class DataSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which conversations."""

    dataset: str = "tweetsumm"
    """A registered name, or a folder with a `<split>.jsonl` for each split."""
    data_dir: str | None = None
    """Where a registered data set lies: a folder, or `hub:org/name` where the data set can be read from the hub."""
    options: dict[str, Any] = {}
    """The data set plugin's own options."""
    clean: bool = True
    """Clean the conversations (see `data/cleaning.py`); the version is in the fingerprint."""
    split: str = "validation"
    """The split that is scored; a trainer never sees it."""
    train_split: str = "train"
    limit: Count | None = None
    """Score only so many conversations (the same ones for every system)."""


class PromptSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a conversation is put to the model."""

    template: str = DEFAULT_TEMPLATE
    system: str = ""
    style: Literal["auto", "chat", "plain"] = "auto"
    """`auto`: `chat` where the model has a chat template, else `plain`."""
    prefill: str = ""
    """The beginning of the summary, which the model continues."""
    shots: CountOrNone = 0
    """Worked examples before the conversation, chosen from the training split (see `prompts.choose_shots`)."""
    stop: tuple[str, ...] = ()
    """A summary ends before the first of these strings."""
    max_words: CountOrNone = 0
    """A summary is cut after so many words; 0: it is not."""


class GenerationSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Greedy decoding and its budgets."""

    max_input_tokens: Count = 1024
    max_new_tokens: Count = 80
    batch_size: Count = 16


class MetricsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is computed, and what the lift is judged on."""

    names: Annotated[tuple[str, ...], Meta(min_length=1)] = METRICS
    extra: tuple[str, ...] = ()
    """More of them, beside `names`: `bertscore`, `key-facts`, `evaluate:PATH`, … (`--metric` adds here)."""
    checkers: tuple[str, ...] = ()
    """Metrics that are left out, with the reason in the run, where their model cannot be had: `minicheck:hub:…`."""
    headlines: Annotated[tuple[str, ...], Meta(min_length=1)] = ("rougeL", "content-overlap")
    """What the lift is judged on: it must reach the target on each of them."""
    target: Annotated[float, Meta(gt=0)] = 0.4
    """As a fraction: 0.4 is 40%."""
    against: Against = "baseline"
    """Over which of the two the lift is judged; the other is always shown beside it."""


class TrainSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an adapter is trained."""

    plugin: str = "qlora"
    limit: Count | None = None
    """Use only so many conversations of the training split (validation part included)."""
    validation_fraction: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Carved from the training split, to choose the checkpoint on."""
    options: dict[str, Any] = {}
    """The trainer plugin's own options."""


class TuneSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompts that `bench baseline --tune` may try; what `[prompt]` says is always one of them."""

    templates: tuple[str, ...] = ()
    """Beside the recipe's own; empty: those of `tuning_plan.TEMPLATES`."""
    prefills: tuple[str, ...] = ("", "auto")
    """`auto`: how the summaries of the training split most often begin, if they do."""
    shots: tuple[CountOrNone, ...] = (0, 2)
    max_words: tuple[CountOrNone | Literal["auto"], ...] = (0, "auto")
    """0: no cut; `auto`: the median length of the summaries of the training split."""
    stop: tuple[str, ...] = ("", "\n")
    """One string a trial; empty: none."""
    conversations: Count = 32
    """Development conversations, from the training split; none of the scored ones."""
    trials: Count = 12
    """The most prompts that texts are generated with; cutting texts that are there costs nothing."""


class GatesSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `bench gate` holds a run of this recipe to."""

    baseline: str = ""
    """The promoted baseline of the untuned model, which lifts are over."""
    proven: str = ""
    """The promoted adapter that a run must not fall behind, which drops are from."""
    rules: tuple[str, ...] = ()
    """In the language of `rules`: `lift(rougeL) >= 40% verified`, …"""


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A resolved recipe."""

    description: str = ""
    seed: Annotated[int, Meta(ge=0)] = 0
    """Of sampling, training and intervals; batches do not depend on it."""
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    prompt: PromptSection = PromptSection()
    tune: TuneSection = TuneSection()
    generation: GenerationSection = GenerationSection()
    metrics: MetricsSection = MetricsSection()
    guards: Limits = Limits()
    gates: GatesSection = GatesSection()
    train: TrainSection = TrainSection()


class Layer(Struct, frozen=True):
    """Values from one origin, nested as in a recipe file."""

    origin: str
    values: Mapping[str, Any]


class ResolvedRecipe(Struct, frozen=True, kw_only=True):
    """A recipe with all overrides applied."""

    name: str
    recipe: Recipe
    origins: dict[str, str]
    """`section.key` → where its value came from."""


def recipe_names() -> list[str]:
    """The recipes that ship with the package."""
    folder = resources.files("liftbench") / "recipes"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def read_recipe(name: str) -> Layer:
    """A shipped recipe by name, or a TOML file by path. Raises `UsageError`."""
    path = Path(name)
    if name in recipe_names():
        text = (resources.files("liftbench") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    elif path.suffix == ".toml" or path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot read the recipe {name}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"the recipe {name} is not UTF-8 text") from error
    else:
        raise unknown("recipe", name, recipe_names())
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the recipe {name} is not TOML: {error}") from error
    return Layer(f"recipe {name}", values)


def assignment(text: str) -> tuple[str, Any]:
    """`section.key=value` with a TOML value; what is not TOML is a string. Raises `UsageError`."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set {text!r}: write section.key=value, for example --set generation.max_new_tokens=60")
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return key.strip(), parsed


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` → `{"a": {"b": 1}}`."""
    values: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        place = values
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UsageError(f"{key}: {part} is a value, not a section")
        place[last] = value
    return values


def resolve(name: str, layers: Sequence[Layer]) -> ResolvedRecipe:
    """Merge layers, weakest first. Raises `UsageError` for an unknown key (with the nearest) or a wrong type."""
    merged: dict[str, Any] = {}
    origins = {key: "default" for key, _ in flatten(msgspec.to_builtins(Recipe()))}
    for layer in layers:
        for key, value in flatten(layer.values):
            _check_key(key, layer.origin)
            _place(merged, key, value)
            for below in [name for name in origins if name.startswith(f"{key}.")]:
                del origins[below]
            origins[key] = layer.origin
    try:
        recipe = msgspec.convert(merged, Recipe)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        key = place.rstrip("`").partition("[")[0]
        origin = origins.get(key)
        raise UsageError(f"{key or name}: {reason}" + (f" (from {origin})" if origin else "")) from error
    required = (*recipe.metrics.names, *recipe.metrics.extra)
    for headline in recipe.metrics.headlines:
        if headline not in required:
            raise UsageError(f"metrics.headlines: {headline!r} is not in metrics.names ({', '.join(required)})")
    for number, rule in enumerate(recipe.gates.rules, start=1):
        try:
            parse(rule)
        except UsageError as error:
            raise UsageError(f"{origins['gates.rules']}, gates.rules, {number}: {error}") from error
    if recipe.data.split == recipe.data.train_split:
        raise UsageError(
            f"data.split and data.train_split are both {recipe.data.split!r}: what is trained on is never scored"
        )
    for table in OPEN_TABLES:
        if any(key.startswith(table) for key in origins):
            origins.pop(table.rstrip("."), None)
    return ResolvedRecipe(name=name, recipe=recipe, origins=origins)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; an empty table is a value."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{path}.")
        else:
            yield path, value


def _check_key(key: str, origin: str) -> None:
    known = dict(flatten(msgspec.to_builtins(Recipe())))
    if key in known or key.startswith(OPEN_TABLES):
        return
    sections = {name.partition(".")[0] for name in known if "." in name}
    if key in sections:
        raise UsageError(f"{key} is a section; give section.key (from {origin})")
    error = unknown("key", key, known)
    raise UsageError(f"{origin}: {error}")


def _place(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise UsageError(f"{key}: {part} was set to a value, and is a table")
    values[last] = value
