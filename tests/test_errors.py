"""What is wrong and how to fix it, kept apart and shown together."""

from __future__ import annotations

import pickle

import msgspec
import pytest

from liftbench.errors import PrerequisiteError, UsageError, unknown
from liftbench.files import InvalidValue, invalid_value


def test_what_is_wrong_and_how_to_fix_it_are_a_line_each() -> None:
    error = UsageError("card.md cannot be read", "Save it as UTF-8.")
    assert (error.what, error.fix) == ("card.md cannot be read", "Save it as UTF-8.")
    assert str(error) == "card.md cannot be read\nSave it as UTF-8."
    assert error.line == "card.md cannot be read. Save it as UTF-8."
    assert str(UsageError("card.md is empty")) == UsageError("card.md is empty").line == "card.md is empty"


def test_a_place_goes_before_what_is_wrong_and_changes_nothing_else() -> None:
    error = PrerequisiteError("torch is missing", "Install it.").within("recipe demo")
    assert isinstance(error, PrerequisiteError)
    assert (error.what, error.fix, error.exit_code) == ("recipe demo: torch is missing", "Install it.", 3)


def test_an_error_survives_pickling() -> None:
    copy = pickle.loads(pickle.dumps(UsageError("no run", "Measure one.")))
    assert (type(copy), copy.what, copy.fix) == (UsageError, "no run", "Measure one.")


@pytest.mark.parametrize(
    ("name", "known", "fix"),
    [
        ("tset", ["train", "test"], "Did you mean 'test' or 'train'?"),
        ("tset", ["test"], "Did you mean 'test'?"),
        ("validaton", ["dev", "test", "train", "valid", "validation"], "Did you mean 'validation', 'valid' or 't"),
        (
            "target",
            ["metrics.target", "generation.target", "seed"],
            "Did you mean 'generation.target', 'metrics.target'",
        ),
        ("x", ["train", "test"], "Known: test, train."),
        ("x", ["a", "b", "c", "d", "e"], "Known: a, b, c, … (5 in all)."),
        ("x", [], "Known: none."),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(name: str, known: list[str], fix: str) -> None:
    error = unknown("split", name, known)
    assert (error.what, error.fix[: len(fix)], error.name) == (f"unknown split {name!r}", fix, name)
    assert error.fix.count("'") <= 6


def test_a_place_and_more_advice_keep_what_an_error_is_about() -> None:
    error = unknown("split", "tset", ["test"]).within("--split").also(" Or none.")
    assert str(error) == "--split: unknown split 'tset'\nDid you mean 'test'? Or none."
    assert error.name == "tset"


class _Inner(msgspec.Struct):
    limits: list[int] = []


class _Outer(msgspec.Struct):
    train: _Inner


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"train": {"limits": [1, "two"]}}, InvalidValue("train.limits[1]", "Expected `int`, got `str`")),
        ({"train": 1}, InvalidValue("train", "Expected `object`, got `int`")),
        ([], InvalidValue("", "Expected `object`, got `array`")),
    ],
)
def test_a_value_of_a_wrong_type_is_found_by_its_path(values: object, expected: InvalidValue) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(values, _Outer)
    assert invalid_value(caught.value) == expected


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Expected `int | null`, got `str`", "must be a whole number, not text"),
        ("Expected `float` > 0.0", "must be a number > 0.0"),
        ("Expected `array` of length >= 1", "must be a list of length >= 1"),
        ("Expected `str | array`, got `bool`", "must be text or a list, not true or false"),
        ("Invalid enum value 'int3'", "Invalid enum value 'int3'"),
    ],
)
def test_a_value_of_a_wrong_type_is_told_in_words(reason: str, words: str) -> None:
    assert InvalidValue("data.limit", reason).words == words
