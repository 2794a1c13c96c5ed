"""`bench config`: where things are, and which environment variables count."""

from __future__ import annotations

import os
import platform
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from ..extension.registry import PROJECT
from ..measuring.generation_cache import user_cache
from ..models.cache import cache_folder
from ..recipe.resolve import recipe_names
from ..recipe.sections import DEFAULT_RECIPE
from ..report.terminal.text import new_table, plain
from ..runs.environment import versions
from ..workflow.packages import pins_file
from ..workflow.setup import OVERRIDES
from .options import baselines_option, json_option, runs_option
from .output import console, print_list
from .show import print_json

SECRETS = ("HF_TOKEN", "OPENAI_API_KEY")
"""Variables whose values are not shown."""

VARIABLES = {
    **{f"LIFTBENCH_{option.upper()}": f"sets {key}" for option, key in OVERRIDES.items()},
    "LIFTBENCH_RUNS": "the folder of the run directories",
    "LIFTBENCH_BASELINES": "the folder of the promoted baselines",
    "LIFTBENCH_CACHE": "the folder of converted models",
    "LIFTBENCH_GENERATION_CACHE": "off: no text comes from the cache of generations; a number: its limit in megabytes",
    "LIFTBENCH_VLLM_MEMORY": "the share of the GPU's memory that the backend vllm takes (0.9)",
    "LIFTBENCH_NO_PLUGIN": "plugins that are switched off, with commas between",
    "HF_HOME": "the cache of the model hub",
    "HF_HUB_CACHE": "the cache of the model hub's downloads",
    "HF_ENDPOINT": "another hub, or a mirror",
    "HF_HUB_OFFLINE": "1: the hub is never asked",
    "HF_TOKEN": "the token for gated and private models",
    "OPENAI_API_KEY": "the key of the server of `bench judge --model`",
    "CUDA_VISIBLE_DEVICES": "the GPUs that are used",
    "OMP_NUM_THREADS": "the threads of torch",
    "GITHUB_STEP_SUMMARY": "where `bench gate` appends its summary",
    "COLUMNS": "the width of tables",
    "NO_COLOR": "no colours",
}
"""Environment variable → what it does."""


@click.command("config")
@baselines_option
@json_option
@runs_option
def command(baselines: Path, as_json: bool, runs: Path) -> None:
    """Show where runs, baselines, models and recipes are, versions, and the environment variables that count.

    There is no file of settings: options win over environment variables, which win over the recipe.
    """
    found = _find(runs, baselines)
    if as_json:
        print_json(found)
        return
    table = new_table()
    for heading in ("what", "value", "note"):
        table.add_column(heading, overflow="fold")
    for name, place in found["places"].items():
        note = "" if place["exists"] else "not there yet"
        if name == "generations" and place["exists"]:
            note = f"{found['generations_bytes'] / 1e6:.1f} MB; delete the folder to clear it"
        table.add_row(name, plain(place["path"]), note)
    for name, version in found["versions"].items():
        table.add_row(name, version, "version")
    for one in found["environment"]:
        value = plain(one["value"]) if one["value"] is not None else Text("not set", "dim")
        table.add_row(one["name"], value, one["effect"])
    print_list(table)
    if console().file.isatty():
        console().print("change them by option or environment variable; `bench COMMAND --help` names both")


def _find(runs: Path, baselines: Path) -> dict[str, Any]:
    package = Path(str(resources.files(PROJECT)))
    places = {
        "runs": runs,
        "baselines": baselines,
        "models": cache_folder() / "models",
        "generations": user_cache().folder,
        "hub": _hub_cache(),
        "recipes": package / "recipes",
        "package": package,
    }
    if pins := pins_file():
        places["pinned versions"] = pins
    return {
        "places": {name: {"path": str(path.absolute()), "exists": path.exists()} for name, path in places.items()},
        "generations_bytes": user_cache().size(),
        "recipes": {"shipped": recipe_names(), "default": DEFAULT_RECIPE},
        "versions": {"python": platform.python_version(), **versions()},
        "plugins": sorted(entry.name for entry in metadata.entry_points(group=PROJECT)),
        "environment": [{"name": name, "value": _value(name), "effect": effect} for name, effect in VARIABLES.items()],
    }


def _value(name: str) -> str | None:
    value = os.environ.get(name)
    return "set, not shown" if value and name in SECRETS else value


def _hub_cache() -> Path:
    """Where the hub's client keeps its downloads (the client itself need not be installed)."""
    if given := os.environ.get("HF_HUB_CACHE"):
        return Path(given).expanduser()
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(home).expanduser() / "hub"
