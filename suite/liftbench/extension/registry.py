"""What `bench_register` is handed, and what plugins said there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

PROJECT = "liftbench"

API_VERSION = 1
"""Raised when a hook or a base class changes so that older plugins break."""

Kind = Literal["trainer", "backend", "metric", "control", "dataset"]


class Spec(Struct, frozen=True, kw_only=True):
    """What a plugin said of one of its objects; nothing of it is imported until it is used."""

    kind: Kind
    name: str
    target: str
    """`package.module:attribute`, called to make the object."""
    options: str | None
    """`package.module:Struct`, the type of a trainer's or a data set's options."""
    requires: tuple[str, ...]
    """Import names of packages that it needs."""
    install: str | None
    """What to install where one of them is missing: `my-package[gpu]`; the packages themselves where it is None."""
    summary: str
    api: int
    plugin: str
    distribution: str


class Problem(Struct, frozen=True, kw_only=True):
    """A plugin, or a part of one, that cannot be used, and why."""

    plugin: str
    distribution: str
    reason: str


class Registry:
    """What `bench_register` is handed: call a method for each object that the plugin brings."""

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
        """A `Trainer`; `options` names its msgspec options type, importable without torch."""
        self._add("trainer", name, target, options, requires, install, summary, api)

    def backend(
        self,
        name: str,
        *,
        target: str,
        requires: Sequence[str] = (),
        install: str | None = None,
        summary: str = "",
        api: int = API_VERSION,
    ) -> None:
        """A `Backend`, called with a `BackendRequest`."""
        self._add("backend", name, target, None, requires, install, summary, api)

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
        """A `Metric`, called with a `MetricRequest`; `NAME:ARGUMENT` in a recipe hands it the argument."""
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
        """A `Control`, called with a `ControlRequest`."""
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
        """A `Dataset`, called with the data folder or None, and with its options where it names their type."""
        self._add("dataset", name, target, options, requires, install, summary, api)

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
        )
        self.specs.append(spec)
