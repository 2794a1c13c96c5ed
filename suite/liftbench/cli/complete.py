"""What a shell offers for an argument or an option: names that can be had without importing much."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def runs(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of runs, the newest first; no run is read."""
    try:
        names = sorted((path.parent.name for path in _runs_folder(ctx).glob("*/manifest.json")), reverse=True)
    except OSError:
        return []
    # A name that would have to be quoted is none of ours, and a shell would run what is in it.
    return _items((name for name in names if incomplete in name and shlex.quote(name) == name), "")


def conversations(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of the conversations of the run that was named."""
    from ..runs.directory import find_run

    try:
        run = find_run(ctx.params["name"], _runs_folder(ctx))
        return _items((one.id for one in run.conversations), incomplete)
    except Exception:
        return []  # A shell is completed silently or not at all.


def recipes(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Recipes that ship with the package, and TOML files."""
    from ..recipe.resolve import recipe_names

    return [*_items(recipe_names(), incomplete), *_items(_toml_files(incomplete), incomplete)]


def models(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Aliases of models, and folders and files."""
    from ..models.references import ALIASES

    return _items([*ALIASES, "hub:"], incomplete) or [CompletionItem(incomplete, type="file")]


def datasets(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Registered data sets, or folders."""
    return plugins("dataset")(ctx, parameter, incomplete) or [CompletionItem(incomplete, type="dir")]


def plugins(kind: str = "") -> Complete:
    """Names of plugins of a kind; of all kinds where none is given."""

    def complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from ..extension.loader import load_plugins

        specs = [spec for spec in load_plugins().specs if kind in ("", spec.kind)]
        return [CompletionItem(one.name, help=one.summary) for one in specs if one.name.startswith(incomplete)]

    return complete


def recipe_keys(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Keys of a recipe, for `--set`."""
    from msgspec import to_builtins

    from ..recipe.resolve import flatten
    from ..recipe.sections import Recipe

    return _items((f"{key}=" for key, _ in flatten(to_builtins(Recipe()))), incomplete)


def _runs_folder(ctx: click.Context) -> Path:
    return Path(ctx.params.get("runs") or "reports/runs")


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _toml_files(incomplete: str) -> list[str]:
    """TOML files and folders that begin with a path."""
    folder, _, name = incomplete.rpartition("/")
    place = Path(f"{folder}/" if folder or incomplete.startswith("/") else ".")
    try:
        found = sorted(one for one in place.iterdir() if one.name.startswith(name) and not one.name.startswith("."))
    except OSError:
        return []
    start = f"{folder}/" if "/" in incomplete else ""
    return [f"{start}{one.name}{'/' if one.is_dir() else ''}" for one in found if one.is_dir() or one.suffix == ".toml"]
