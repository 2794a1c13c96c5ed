"""The registry that the hook `bench_register` gets, and what plugins declare in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

PROJECT = "liftbench"

API_VERSION = 1
"""Version of the hooks and base classes; raise it with every change that breaks older plugins."""

Kind = Literal["trainer", "backend", "metric", "control", "dataset", "desk", "launcher"]


class Spec(Struct, frozen=True, kw_only=True):
    """One object that a plugin declares; it is not imported until it is used."""

    kind: Kind
    name: str
    target: str
    """`package.module:attribute`, which is called to make the object; a desk's is the `Desk` itself."""
    options: str | None
    """`package.module:Struct`, the type of the options of a trainer, a data set or a launcher."""
    requires: tuple[str, ...]
    """Import names of the packages that it needs."""
    install: str | None
    """What to install if one of them is missing: `my-package[gpu]`. None stands for the packages themselves."""
    summary: str
    api: int
    plugin: str
    distribution: str
    engine: str = ""
    """Signature of a backend's engine (see `Registry.backend`)."""


class Problem(Struct, frozen=True, kw_only=True):
    """A plugin, or a part of one, that cannot be used, with the reason."""

    plugin: str
    distribution: str
    reason: str


class Registry:
    """The argument of `bench_register`: call a method for each object that the plugin provides."""

    def __init__(self, plugin: str, distribution: str) -> None:
        self.specs: list[Spec] = []
        self._plugin = plugin
        self._distribution = distribution

    def trainer(
        self,
        name: str,
        *,
        target: str,
        options: str,
        requires: Sequence[str] = (),
        install: str | None = None,
        summary: str = "",
        api: int = API_VERSION,
    ) -> None:
        """Register a `Trainer`; `options` names its msgspec options type, which must be importable without torch."""
        self._add("trainer", name, target, options, requires, install, summary, api)

    def backend(
        self,
        name: str,
        *,
        target: str,
        requires: Sequence[str] = (),
        install: str | None = None,
        summary: str = "",
        engine: str = "",
        api: int = API_VERSION,
    ) -> None:
        """Register a `Backend`; its target is called with a `BackendRequest`.

        `engine` is the signature of an engine that decodes by its own rules, such as `vllm|v1`. It is part of the
        protocol: runs of two engines never compare. Raise its version when the plugin uses the engine otherwise.
        """
        self._add("backend", name, target, None, requires, install, summary, api, engine)

    def metric(
        self,
        name: str,
        *,
        target: str,
        requires: Sequence[str] = (),
        install: str | None = None,
        summary: str = "",
        api: int = API_VERSION,
    ) -> None:
        """Register a `Metric`; its target is called with a `MetricRequest`, which holds ARGUMENT of `NAME:ARGUMENT`."""
        self._add("metric", name, target, None, requires, install, summary, api)

    def control(
        self,
        name: str,
        *,
        target: str,
        requires: Sequence[str] = (),
        install: str | None = None,
        summary: str = "",
        api: int = API_VERSION,
    ) -> None:
        """Register a `Control`; its target is called with a `ControlRequest`."""
        self._add("control", name, target, None, requires, install, summary, api)

    def dataset(
        self,
        name: str,
        *,
        target: str,
        options: str | None = None,
        requires: Sequence[str] = (),
        install: str | None = None,
        summary: str = "",
        api: int = API_VERSION,
    ) -> None:
        """Register a `Dataset`; its target is called with the data folder or None, and with any options."""
        self._add("dataset", name, target, options, requires, install, summary, api)

    def desk(self, name: str, *, target: str, summary: str = "", api: int = API_VERSION) -> None:
        """Register a `Desk`, whose exports `bench data import` recognizes, or reads with `--from NAME`."""
        self._add("desk", name, target, None, (), None, summary, api)

    def launcher(
        self,
        name: str,
        *,
        target: str,
        options: str | None = None,
        requires: Sequence[str] = (),
        install: str | None = None,
        summary: str = "",
        api: int = API_VERSION,
    ) -> None:
        """Register a `Launcher`; its target is called with its options, or with None if it takes none."""
        self._add("launcher", name, target, options, requires, install, summary, api)

    def _add(
        self,
        kind: Kind,
        name: str,
        target: str,
        options: str | None,
        requires: Sequence[str],
        install: str | None,
        summary: str,
        api: int,
        engine: str = "",
    ) -> None:
        spec = Spec(
            kind=kind,
            name=name,
            target=target,
            options=options,
            requires=tuple(requires),
            install=install,
            summary=summary,
            api=api,
            plugin=self._plugin,
            distribution=self._distribution,
            engine=engine,
        )
        self.specs.append(spec)
