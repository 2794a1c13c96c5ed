"""Checks a recipe without running it: keys, types, rules, plugins, data, metrics, and whether its model can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from ..data.slicing import require_fields
from ..errors import LiftbenchError, UsageError, missing_packages, unknown
from ..extension.loader import Plugins
from ..files import invalid_value
from ..gating.baselines import promoted_in
from ..gating.gate import guard_name
from ..gating.run_figures import FIGURES
from ..measuring.plan import SplitData, load_metrics, read_data, require_visible, sample_ids
from ..models.references import require_obtainable
from ..prompts.spec import prompt_spec
from ..recipe.resolve import Layer, ResolvedRecipe, check_key, flatten, nest_keys, read_recipe
from ..recipe.rules import parse
from ..recipe.sections import Recipe
from ..statistics.lift import FEWEST
from ..text.phrases import pluralize
from .setup import BASELINES, resolve_recipe

T = TypeVar("T")

State = Literal["ok", "note", "wrong"]


class Finding(Struct, frozen=True, kw_only=True):
    """What a check found."""

    part: str
    """The section of the recipe: `data`, or `recipe` for the file as a whole."""
    state: State
    """`wrong` would stop a run; `note` would stop only some commands, or a verdict."""
    what: str
    fix: str = ""
    """How to fix it, in whole sentences."""


def check_recipe(name: str, plugins: Plugins, baselines: Path = BASELINES) -> list[Finding]:
    """Everything that is right and wrong with a recipe, by name or path. Nothing is downloaded, apart from the data of
    a data set on the hub."""
    check = _Check(plugins, baselines)
    check.run(name)
    return check.findings


class _Check:
    """Collects findings; a part that is wrong does not stop the others."""

    def __init__(self, plugins: Plugins, baselines: Path) -> None:
        self.findings: list[Finding] = []
        self._plugins = plugins
        self._baselines = baselines
        self._resolved: ResolvedRecipe | None = None

    def run(self, name: str) -> None:
        layer = self._try("recipe", lambda: read_recipe(name))
        if layer is None:
            return
        wrong = list(_wrong_values(layer))
        for error in wrong:
            self._wrong("recipe", error)
        if wrong:
            self._note("recipe", "the rest was not checked")
            return
        resolved = self._resolved = self._try("recipe", lambda: resolve_recipe(name))
        if resolved is None:
            self._note("recipe", "the rest was not checked")
            return
        given = sum(1 for _ in flatten(layer.values))
        self._ok("recipe", f"{pluralize(given, 'key')}, all known, with values of the right type")
        recipe = resolved.recipe
        self._model(recipe)
        data = self._try("data", lambda: read_data(recipe.data, self._plugins))
        if data is not None:
            self._data(recipe, data)
        self._metrics(recipe, data)
        self._prompt(recipe)
        self._train(recipe)
        self._gates(recipe)

    # ---------------------------------------------------------------------------------------------------- sections

    def _model(self, recipe: Recipe) -> None:
        found = self._try("model", lambda: require_obtainable(recipe.model.reference))
        if found is not None:
            self._ok("model", f"{recipe.model.reference}: {found.words}")
        backend = self._try("model", lambda: self._plugins.find("backend", recipe.model.backend))
        if backend is not None:
            self._packages("model", f"the backend {backend.name!r}", backend.requires, backend.install)

    def _data(self, recipe: Recipe, data: SplitData) -> None:
        section = recipe.data
        scored = len(sample_ids((one.id for one in data.scored), section.limit))
        references = sum(len(one.references) for one in data.scored)
        training = "none" if data.training is None else f"{len(data.training):,}"
        self._ok(
            "data",
            f"{section.dataset}: {pluralize(len(data.scored), 'conversation')} in {section.split} "
            f"({pluralize(references, 'reference')}; scored: {scored:,}), {training} in {section.train_split}",
        )
        if data.training is None:
            self._note(
                "data",
                f"there is no split {section.train_split!r}: nothing can be trained, and no lift be verified",
                "Name it with data.train_split, or make one with `bench data split`.",
            )
        if scored < FEWEST:
            self._note(
                "data", f"{pluralize(scored, 'scored conversation')}: too few for a verdict, which needs {FEWEST}"
            )

    def _metrics(self, recipe: Recipe, data: SplitData | None) -> None:
        section = recipe.metrics
        found = 0
        for name in section.asked_for:
            spec = self._try("metrics", lambda name=name: self._plugins.find("metric", name.partition(":")[0]))  # type: ignore[misc]
            found += spec is not None
        if found < len(section.asked_for):
            return
        if data is None:
            self._ok("metrics", f"{found} metrics, all known; not tried without data")
            return
        training, split = data.training or data.scored, recipe.data.train_split
        loaded = self._try("metrics", lambda: load_metrics(section, training, split, self._plugins))
        if loaded is None:
            return
        metrics, skipped = loaded
        for name, reason in skipped.items():
            self._note("metrics", f"the checker {name} is left out: {reason}")
        wanted = sample_ids((one.id for one in data.scored), recipe.data.limit)
        rows = [one for one in data.scored if one.id in wanted]
        if self._passes("metrics", lambda: require_visible(rows, metrics)):
            self._ok("metrics", f"{len(metrics)} metrics; judged on {' and '.join(section.headlines)}")
        if recipe.guards.slices and self._passes("guards", lambda: require_fields(rows, recipe.guards.slices)):
            self._ok("guards", f"slices by {', '.join(recipe.guards.slices)}")

    def _prompt(self, recipe: Recipe) -> None:
        section = recipe.prompt
        if self._try("prompt", lambda: prompt_spec(section.template, section.system, "plain", stop=section.stop)):
            self._ok("prompt", "the template has {conversation} once")

    def _train(self, recipe: Recipe) -> None:
        spec = self._try("train", lambda: self._plugins.find("trainer", recipe.train.plugin))
        if spec is None:
            return
        if self._try("train", lambda: self._plugins.options(spec, recipe.train.options)) is not None:
            options = pluralize(len(recipe.train.options), "option")
            self._ok("train", f"the trainer {spec.name!r} takes the recipe's {options}")
        self._packages("train", f"the trainer {spec.name!r}", spec.requires, spec.install)

    def _gates(self, recipe: Recipe) -> None:
        section = recipe.gates
        measured = set(recipe.metrics.asked_for)
        known = 0
        for text in section.rules:
            known += bool(self._try("gates", lambda text=text: _check_rule(text, measured)))  # type: ignore[misc]
        if known:
            self._ok("gates", f"{known} of {pluralize(len(section.rules), 'rule')} can be read")
        promoted = promoted_in(self._baselines) if self._baselines.is_dir() else []
        for key, name in (("baseline", section.baseline), ("proven", section.proven)):
            if name and name not in promoted:
                self._note(
                    "gates",
                    f"gates.{key}: {name} is not in {self._baselines} yet",
                    f"`bench promote RUN {name}` keeps a run there; only `bench gate` needs it.",
                )

    # ---------------------------------------------------------------------------------------------------- findings

    def _try(self, part: str, look: Callable[[], T]) -> T | None:
        """What `look` finds; None, and a finding, where it raises."""
        try:
            return look()
        except LiftbenchError as error:
            self._wrong(part, error)
        except OSError as error:
            self._wrong(part, UsageError(str(error)))
        return None

    def _passes(self, part: str, require: Callable[[], None]) -> bool:
        before = len(self.findings)
        self._try(part, require)
        return len(self.findings) == before

    def _wrong(self, part: str, error: LiftbenchError) -> None:
        located = self._resolved.located(error) if self._resolved else error
        self.findings.append(Finding(part=part, state="wrong", what=located.what, fix=located.fix))

    def _ok(self, part: str, what: str) -> None:
        self.findings.append(Finding(part=part, state="ok", what=what))

    def _note(self, part: str, what: str, fix: str = "") -> None:
        self.findings.append(Finding(part=part, state="note", what=what, fix=fix))

    def _packages(self, part: str, who: str, requires: tuple[str, ...], install: str | None) -> None:
        if missing := missing_packages(requires):
            what = f"{who} needs {', '.join(missing)}, which is not installed here"
            self._note(part, what, f"Run: pip install '{install or ' '.join(missing)}'")


def _wrong_values(layer: Layer) -> Iterator[UsageError]:
    """An error for each unknown key, each value of a wrong type, and each rule that cannot be read."""
    for key, value in flatten(layer.values):
        try:
            check_key(key, layer)
            msgspec.convert(nest_keys({key: value}), Recipe)
        except msgspec.ValidationError as error:
            yield UsageError(f"{layer.place(key)}: {invalid_value(error).words}")
        except UsageError as error:
            yield error
    gates = layer.values.get("gates")
    rules = gates.get("rules") if isinstance(gates, dict) else None
    for number, text in enumerate(rules if isinstance(rules, list) else [], start=1):
        try:
            parse(str(text))
        except UsageError as error:
            yield error.within(f"{layer.place('gates.rules')}, {number}")


def _check_rule(text: str, measured: set[str]) -> bool:
    """Raise `UsageError` if a rule names a metric that the recipe does not measure, or a guard that there is not."""
    rule = parse(text)
    for guard in rule.excepted:
        guard_name(guard)
    if not {rule.metric, rule.metric.replace("_", "-")} & {*measured, *FIGURES}:
        raise unknown("metric", rule.metric, {*measured, *FIGURES}).within(f"gates.rules, {rule.text!r}")
    return True
