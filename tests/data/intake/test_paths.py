"""Paths that users write: they name one value, so a list on the way is not gone through in silence."""

from __future__ import annotations

from typing import Any

import pytest

from liftbench.data.intake.paths import at, text_at

ROW: dict[str, Any] = {
    "a.b": "a column with a dot",
    "a": {"b": "nested"},
    "Author Type": "user",
    "cell": '{"inner": {"Name": "Ann"}}',
    "literal": "{'name': 'Bo'}",
    "parts": [{"text": "one"}, {"text": "two"}],
    "empty": "",
    "x|y": "a column with a bar",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", "a column with a dot"),
        ("author_type", "user"),
        ("cell.inner.name", "Ann"),
        ("literal.name", "Bo"),
        ("empty", ""),
        ("x|y", "a column with a bar"),
        ("parts.text", None),
        ("empty.name", None),
        ("missing", None),
    ],
)
def test_a_users_path_names_one_value(path: str, value: Any) -> None:
    assert at(ROW, path) == value


def test_a_desks_path_goes_through_lists_and_to_its_fallbacks() -> None:
    assert text_at(ROW, "parts.text") == "one"
    assert text_at(ROW, "empty|missing|cell.inner.name") == "Ann"
