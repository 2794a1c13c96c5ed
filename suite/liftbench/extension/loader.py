"""Loads installed plugins one by one, so that a broken one does not break commands that do not use it."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import metadata
from typing import Any, TypeVar

import msgspec
import pluggy

from ..errors import PrerequisiteError, UsageError, require_packages, unknown
from ..files import invalid_value
from . import hooks
from .registry import API_VERSION, PROJECT, Kind, Problem, Registry, Spec

T = TypeVar("T")


class PluginFailed(Exception):
    """What a plugin raised, with its type; also where that would have ended the process."""


@contextmanager
def plugin_code() -> Iterator[None]:
    """For code of a plugin: raises `PluginFailed` for whatever that raises, and what it prints goes to stderr.

    A plugin that calls `sys.exit(0)` must not end a command as if a verdict had been given, and what it prints must not
    stand in a command's JSON.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        raise PluginFailed(f"{type(error).__name__}: {error}") from error


class Plugins:
    """The plugins that could be loaded, and the problems of the others."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(hooks)
        self.specs: list[Spec] = []
        self.problems: list[Problem] = []
        self.seconds: dict[str, float] = {}
        """Plugin → how long it took to load."""

    def add(self, plugin: object, name: str, distribution: str = "unknown") -> None:
        """Register one plugin and what it declares; anything that it raises becomes a `Problem`."""
        try:
            # Registering reads a plugin's attributes, which may be properties.
            with plugin_code():
                self.manager.register(plugin, name=name)
            self.manager.check_pending()
        except Exception as error:
            self.problems.append(Problem(plugin=name, distribution=distribution, reason=str(error)))
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            return
        registry = Registry(name, distribution)
        try:
            with plugin_code():
                self._call(plugin, "bench_register", registry=registry)
        except PluginFailed as error:
            reason = f"bench_register raised {error}"
            self.problems.append(Problem(plugin=name, distribution=distribution, reason=reason))
            return
        self.specs.extend(registry.specs)

    def remove(self, name: str) -> None:
        """Undo `add`."""
        self.manager.unregister(name=name)
        self.specs = [spec for spec in self.specs if spec.plugin != name]

    def find(self, kind: Kind, name: str) -> Spec:
        """The one spec of that kind and name. Raises `UsageError` (unknown, ambiguous, other API version)."""
        found = [spec for spec in self.specs if spec.kind == kind and spec.name == name]
        if len(found) > 1:
            who = " and ".join(sorted({f"{spec.plugin} ({spec.distribution})" for spec in found}))
            raise UsageError(f"the {kind} {name!r} is registered by {who}", "Disable one with --no-plugin NAME.")
        if not found:
            raise self._missing(
                unknown(f"{kind} plugin", name, (spec.name for spec in self.specs if spec.kind == kind))
            )
        spec = found[0]
        if spec.api != API_VERSION:
            raise PrerequisiteError(
                f"the {kind} {name!r} of {spec.distribution} was written for hook API {spec.api}; this liftbench has "
                f"{API_VERSION}",
                f"Upgrade {'liftbench' if spec.api > API_VERSION else spec.distribution}.",
            )
        return spec

    def named(self, name: str) -> list[Spec]:
        """The specs of that name, of every kind. Raises `UsageError`, with the nearest names, if there is none."""
        found = [spec for spec in self.specs if spec.name == name]
        if not found:
            raise self._missing(unknown("plugin", name, {spec.name for spec in self.specs}))
        return found

    def _missing(self, error: UsageError) -> UsageError:
        broken = [f"Plugin {p.plugin} ({p.distribution}) did not load: {p.reason}" for p in self.problems]
        return error.also("".join(f"\n{line}" for line in broken))

    def require(self, spec: Spec) -> None:
        """Raise `PrerequisiteError` unless the packages that a spec needs are installed."""
        require_packages(spec.requires, f"the {spec.kind} {spec.name!r}", spec.install)

    def load(self, spec: Spec) -> Any:
        """Import a spec's target. Raises `PrerequisiteError` naming the missing packages."""
        self.require(spec)
        return _import(spec.target, spec)

    def options_type(self, spec: Spec) -> type[msgspec.Struct]:
        """The type of a plugin's options. Raises `UsageError` if it takes none, and `PrerequisiteError`."""
        if spec.options is None:
            raise UsageError(f"the {spec.kind} {spec.name!r} takes no options")
        kind: type[msgspec.Struct] = _import(spec.options, spec)
        return kind

    def options(self, spec: Spec, values: dict[str, Any]) -> Any:
        """A plugin's options as its own type. Raises `UsageError` with the nearest names for an unknown option."""
        kind = self.options_type(spec)
        known = {field.encode_name for field in msgspec.structs.fields(kind)}
        for name in values:
            if name not in known:
                raise unknown(f"option of the {spec.kind} {spec.name!r}:", name, known)
        try:
            # A launcher's options come from the command line, where every value is a text.
            return msgspec.convert(values, kind, strict=spec.kind != "launcher")
        except msgspec.ValidationError as error:
            found = invalid_value(error)
            section = {"trainer": "train.options", "dataset": "data.options", "launcher": "--launcher-option"}[
                spec.kind
            ]
            key = (" " if spec.kind == "launcher" else ".").join(filter(None, (section, found.path)))
            wrong = UsageError(f"{key}: {found.words}")
            wrong.key = key
            raise wrong from error

    def notify(self, hook: str, **arguments: Any) -> None:
        """Call `hook` of each plugin; an error in one becomes a `Problem` and does not stop the others."""
        self._call_each(hook, list, **arguments)

    def sections(self, comparison: object) -> list[tuple[str, str]]:
        """The report sections of all plugins; an error or a malformed section becomes a `Problem`."""

        def read(results: list[Any]) -> list[tuple[str, str]]:
            return [(str(title), str(text)) for some in results for title, text in some]

        return self._call_each("bench_report_sections", read, comparison=comparison)

    def _call_each(self, hook: str, read: Callable[[list[Any]], list[T]], **arguments: Any) -> list[T]:
        """The results of a hook, converted by `read`; an error of a plugin or of `read` becomes a `Problem`."""
        found: list[T] = []
        for name, plugin in self.manager.list_name_plugin():
            try:
                with plugin_code():
                    found.extend(read(self._call(plugin, hook, **arguments)))
            except PluginFailed as error:
                reason = f"{hook} raised {error}"
                self.problems.append(Problem(plugin=name, distribution="", reason=reason))
        return found

    def _call(self, plugin: object, hook: str, **arguments: Any) -> list[Any]:
        others = [other for other in self.manager.get_plugins() if other is not plugin]
        results: list[Any] = self.manager.subset_hook_caller(hook, others)(**arguments)
        return results


def load_plugins(switched_off: Iterable[str] = ()) -> Plugins:
    """Load all plugins of the entry-point group `liftbench`, except those switched off, here or in LIFTBENCH_NO_PLUGIN.

    Raises `UsageError`, with the nearest name, if a plugin that is switched off is not installed.
    """
    off = {*switched_off, *filter(None, os.environ.get("LIFTBENCH_NO_PLUGIN", "").split(","))}
    plugins = Plugins()
    for entry in sorted(metadata.entry_points(group=PROJECT), key=lambda entry: entry.name):
        distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown"
        if entry.name in off:
            off.discard(entry.name)
            continue
        started = time.perf_counter()
        try:
            with plugin_code():
                plugin = entry.load()
        except PluginFailed as error:
            reason = f"{entry.value} could not be imported: {error}"
            plugins.problems.append(Problem(plugin=entry.name, distribution=distribution, reason=reason))
            continue
        plugins.add(plugin, entry.name, distribution)
        plugins.seconds[entry.name] = time.perf_counter() - started
    if off:
        raise unknown("plugin", sorted(off)[0], (entry.name for entry in metadata.entry_points(group=PROJECT)))
    return plugins


def _import(target: str, spec: Spec) -> Any:
    module, _, attribute = target.partition(":")
    try:
        with plugin_code():
            return getattr(importlib.import_module(module), attribute)
    except PluginFailed as error:
        raise PrerequisiteError(
            f"the {spec.kind} {spec.name!r} of {spec.distribution} cannot be imported: {error}"
        ) from error
