from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liftbench.errors import UsageError
from liftbench.recipe.resolve import Layer, assignment, nest_keys, read_recipe, recipe_names, resolve
from liftbench.recipe.sections import Recipe
from liftbench.workflow.setup import resolve_recipe


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_resolves_and_says_what_it_is_for(name: str) -> None:
    recipe = resolve(name, [read_recipe(name)]).recipe
    assert recipe.description
    assert recipe.metrics.target == 0.4


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_has_options_that_its_trainer_knows(name: str) -> None:
    from liftbench.extension.loader import load_plugins

    recipe = resolve(name, [read_recipe(name)]).recipe
    plugins = load_plugins()
    plugins.options(plugins.find("trainer", recipe.train.plugin), recipe.train.options)


def test_the_stronger_origin_wins_and_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("seed = 1\n[data]\nsplit = 'a'\nlimit = 10\n[generation]\nmax_new_tokens = 50\n")
    monkeypatch.setenv("LIFTBENCH_SPLIT", "b")
    monkeypatch.setenv("LIFTBENCH_LIMIT", "20")
    resolved = resolve_recipe(str(path), {"limit": 30}, [], ["seed=0"])
    got = {
        key: (value, resolved.origins[key])
        for key, value in {
            "seed": resolved.recipe.seed,
            "data.split": resolved.recipe.data.split,
            "data.limit": resolved.recipe.data.limit,
            "generation.max_new_tokens": resolved.recipe.generation.max_new_tokens,
            "generation.batch_size": resolved.recipe.generation.batch_size,
        }.items()
    }
    assert got == {
        "seed": (0, "command line (--set)"),
        "data.split": ("b", "environment LIFTBENCH_SPLIT"),
        "data.limit": (30, "command line"),
        "generation.max_new_tokens": (50, f"recipe {path}"),
        "generation.batch_size": (Recipe().generation.batch_size, "default"),
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model": {"refrence": "x"}}, ["recipe r", "model.refrence", "'model.reference'"]),
        ({"modle": {"reference": "x"}}, ["modle.reference", "model.reference"]),
        ({"model": "x"}, ["model is a section"]),
        ({"data": {"limit": "many"}}, ["data.limit", "a whole number, not text", "recipe r"]),
        ({"data": {"limit": 0}}, ["data.limit", ">= 1"]),
        ({"model": {"precision": "int3"}}, ["model.precision", "int3"]),
        ({"metrics": {"names": []}}, ["metrics.names"]),
        ({"metrics": {"headlines": ["bleu"]}}, ["metrics.headlines", "bleu", "rougeL"]),
        ({"metrics": {"target": 0}}, ["metrics.target"]),
        ({"data": {"split": "train"}}, ["data.train_split", "never scored"]),
        ({"generation": {"min_words": 80}}, ["generation.max_new_tokens (80)", "no room"]),
    ],
)
def test_a_bad_value_is_named_with_its_place(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        resolve("r", [Layer("recipe r", values)])
    for word in words:
        assert word in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b=1", ("a.b", 1)),
        ("a.b=5e-4", ("a.b", 5e-4)),
        ("a.b=true", ("a.b", True)),
        ("a.b=['x', 'y']", ("a.b", ["x", "y"])),
        ("a.b=some words", ("a.b", "some words")),
        ("a.b='1'", ("a.b", "1")),
        ("a.b=", ("a.b", "")),
        ("a = b=c", ("a", "b=c")),
    ],
)
def test_assignments(text: str, expected: tuple[str, Any]) -> None:
    assert assignment(text) == expected


@pytest.mark.parametrize("text", ["a.b", "=1", ""])
def test_an_assignment_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"section\.key=value"):
        assignment(text)


def test_a_key_below_a_value_is_refused() -> None:
    with pytest.raises(UsageError, match="is set to a value"):
        nest_keys({"a": 1, "a.b": 2})


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("smollm2-135", None, "'smollm2-135m'"),
        ("absent.toml", None, "absent.toml"),
        ("broken.toml", b"[model\n", "not TOML"),
        ("latin.toml", b"description = '\xe9'", "not UTF-8"),
    ],
)
def test_a_recipe_that_cannot_be_read(
    name: str, content: bytes | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_recipe(name)


def test_trainer_options_are_free_keys_of_their_own_section() -> None:
    resolved = resolve(
        "r", [Layer("recipe r", {"train": {"options": {"rank": 4}}}), Layer("x", nest_keys({"train.options.alpha": 8}))]
    )
    assert resolved.recipe.train.options == {"rank": 4, "alpha": 8}
    assert resolved.origins["train.options.alpha"] == "x"


def trained_with(*layers: dict[str, Any]) -> dict[str, Any]:
    named = [Layer(f"layer {number}", {"train": values}) for number, values in enumerate(layers)]
    return resolve("r", named).recipe.train.options


RATE = {"options": {"learning_rate": 1.0, "mine": {"depth": 3}, "qlora": {"rank": 4}}}


def test_a_recipes_options_are_those_of_its_own_trainer() -> None:
    assert trained_with(RATE) == {"learning_rate": 1.0, "rank": 4}
    assert trained_with({"plugin": "mine", **RATE}) == {"learning_rate": 1.0, "depth": 3}
    assert trained_with({"plugin": "mine", **RATE}, {"plugin": "qlora"}) == {"rank": 4}
    assert trained_with(RATE, {"plugin": "mine"}) == {"depth": 3}
    assert trained_with(RATE, {"plugin": "other"}) == {}


def test_options_that_are_set_for_a_run_go_to_the_trainer_of_the_run() -> None:
    assert trained_with(RATE, {"plugin": "mine"}, {"options": {"depth": 5}}) == {"depth": 5}
    assert trained_with(RATE, {"options": {"mine": {"depth": 5}}}, {"plugin": "mine"}) == {"depth": 5}


def test_replacing_a_table_forgets_the_origins_of_its_keys() -> None:
    layers = [Layer("recipe r", {"train": {"options": {"rank": 4}}}), Layer("x", nest_keys({"train.options": {}}))]
    resolved = resolve("r", layers)
    assert resolved.recipe.train.options == {}
    assert [key for key in resolved.origins if key.startswith("train.options")] == ["train.options"]
    with pytest.raises(UsageError, match="is set to a value"):
        resolve("r", [Layer("x", {"train": {"options": 5}}), Layer("y", nest_keys({"train.options.rank": 8}))])
