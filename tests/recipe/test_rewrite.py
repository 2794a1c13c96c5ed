"""A recipe's text with the options that a sweep found: everything else means, and reads, what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from liftbench.recipe.resolve import recipe_names, recipe_text
from liftbench.recipe.rewrite import rewrite
from liftbench.workflow.setup import resolve_recipe

FOUND: dict[str, Any] = {"learning_rate": 0.00123, "rank": 32}

MINE = """\
seed = 5   # five

[train]
# How we train.
plugin = "qlora"

[train.options]
epochs = 2   # two
rank = 4  # small

[train.options.lora]
micro_batch = 2

[train.options.mine]
depth = 3

[gates]
rules = []  # none
"""


def rewritten(tmp_path: Path, name: str, overrides: dict[str, Any], settings: dict[str, Any]) -> str:
    """The text of a rewritten recipe, which means what the overridden recipe does with the options that were found."""
    resolved = resolve_recipe(name, overrides, [], settings)
    text = rewrite(recipe_text(name), resolved, FOUND, 12, ["Found so."], "found")
    path = tmp_path / "new.toml"
    path.write_text(text)
    train = resolved.recipe.train
    train = replace(train, trials=train.trials + 12, options={**train.options, **FOUND})
    assert resolve_recipe(str(path)).recipe == replace(resolved.recipe, train=train)
    return text


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_keeps_all_that_it_says(name: str, tmp_path: Path) -> None:
    text = rewritten(tmp_path, name, {}, {})
    assert text.startswith("# Found so.\n")
    for line in (Path(__file__).parents[2] / "suite/liftbench/recipes" / f"{name}.toml").read_text().splitlines():
        assert line in text or line.startswith(tuple(FOUND))


@pytest.mark.parametrize("plugin", [None, "lora", "mine"])
def test_overrides_are_kept_and_the_options_are_those_of_the_trainer(plugin: str | None, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    settings = {"data.options": {"a": 1}, "train.options.dropout": 0.1, "train.limit": 9, "train.trials": 3}
    text = rewritten(tmp_path, str(path), {"model": "llama", "seed": 7, "plugin": plugin}, settings)
    for words in (
        "seed = 7   # five",
        "# How we train.",
        "rank = 32",
        "depth = 3",
        "rules = []  # none",
        "trials = 15",
    ):
        assert words in text
    assert ("epochs = 2   # two" in text) == (plugin is None)
    assert ("[train.options.lora]" in text) == (plugin != "lora")


@pytest.mark.parametrize(
    "text",
    [
        "[train]\noptions = {rank = 4, epochs = 2}  # mine\n[gates]\nrules = []\n",
        "train.options.rank = 4\ntrain.options.epochs = 2\n[gates]\nrules = []\n",
        "[train.options]\nrank = 4\nepochs = 2\n[gates]\nrules = []\n",
    ],
)
def test_options_may_be_written_in_any_of_tomls_ways(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert "epochs = 2" in rewritten(tmp_path, str(path), {}, {})


def test_an_empty_recipe_gets_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("")
    text = rewritten(tmp_path, str(path), {"plugin": "lora"}, {})
    assert "learning_rate = 0.00123 # found" in text
