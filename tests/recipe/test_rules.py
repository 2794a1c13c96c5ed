"""The language of rules: what each form says, and where an error is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.errors import UsageError
from liftbench.recipe.rules import Bound, parse, quote_name


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("lift(rougeL) >= 40% verified", {"quantity": "lift", "metric": "rougeL", "strength": "verified"}),
        ("lift(rougeL, over=best-prompt) >= 10%", {"over": "best-prompt", "strength": "measured"}),
        ("lift( rougeL ,over = tweetsumm-smollm2-135m )>=10 %", {"over": "tweetsumm-smollm2-135m"}),
        ("lift(rougeL) >= -5%", {"bound": Bound(number=-0.05, percent=True)}),
        ("drop(rougeL) <= 2% significant", {"quantity": "drop", "strength": "significant"}),
        ("rougeL >= 0.33", {"quantity": "value", "comparator": ">=", "bound": Bound(number=0.33)}),
        ("rougeL >= .33", {"bound": Bound(number=0.33)}),
        ("cut <= 2.5%", {"comparator": "<=", "bound": Bound(number=0.025, percent=True)}),
        ("unsupported_facts <= references + 0.05", {"bound": Bound(system="references", number=0.05)}),
        ("rougeL >= proven - 0.01", {"bound": Bound(system="proven", number=-0.01)}),
        ("rougeL >= baseline", {"bound": Bound(system="baseline")}),
        ("tokens_per_second >= 0.8x baseline", {"bound": Bound(system="baseline", factor=0.8)}),
        ("rougeL >= 0.9x proven + 0.01", {"bound": Bound(system="proven", factor=0.9, number=0.01)}),
        ("rougeL >= 0.2 per company", {"per": "company"}),
        ("rougeL >= 0.2 verified except controls per turns", {"excepted": ("controls",), "per": "turns"}),
        ('rougeL >= 0.2 verified except controls, "same base"', {"excepted": ("controls", "same base")}),
        ('"evaluate:my metric" >= 0.2', {"metric": "evaluate:my metric"}),
        ("minicheck:hub:org/model-1.0 >= 0.9", {"metric": "minicheck:hub:org/model-1.0"}),
        ('"per" >= 0.2 per "except"', {"metric": "per", "per": "except"}),
    ],
)
def test_each_form_says_what_it_says(text: str, fields: dict[str, Any]) -> None:
    rule = parse(text)
    assert {name: getattr(rule, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "expected lift(METRIC), drop(METRIC) or a metric"),
        ("lift(rougeL) => 40%", 14, "expected >= after a lift, found '=>'"),
        ("lift(rougeL) <= 40%", 14, "expected >= after a lift, found '<='"),
        ("drop(rougeL) >= 2%", 14, "expected <= after a drop, found '>='"),
        ("rougeL > 0.3", 8, "expected >= or <=, found '>'"),
        ("lift rougeL >= 40%", 6, "expected (, found 'rougeL'"),
        ("lift(rougeL >= 40%", 13, "expected ), found '>='"),
        ("lift(rougeL, under=baseline) >= 40%", 14, "expected over, found 'under'"),
        ("lift(rougeL) >= 0.4", 17, "the bound of a lift is in percent, such as 40%"),
        ("drop(rougeL) <= 0.9x baseline", 22, "the bound of a drop is in percent"),
        ("lift(rougeL, over=references) >= 1%", 19, "the human summaries are not a system"),
        ("rougeL >= baseline + 5%", 22, "has the metric's unit"),
        ("rougeL >= 0.3 surely", 15, "expected verified, significant, per or the end, found 'surely'"),
        ("rougeL >= 0.3 per company verified", 27, "expected the end, found 'verified'"),
        ("rougeL >= 0.3 verified except", 30, "expected a guard, and the rule ends"),
        ("rougeL >= 0.3 significant except controls", 27, "found 'except'"),
        ("rougeL >= 0.3 per verified", 19, "expected a field to slice by"),
        ("rougeL >= 1.2.3", 14, "found '.3'"),
        ("rougeL >= 5x", 13, "expected a system"),
        ("rougeL >= 0.8xbaseline", 14, "found 'xbaseline'"),
        ("rougeL >= __import__('os')", 11, "cannot be read"),
        ("rougeL >= 0.3; 1", 14, "cannot be read"),
        ('rougeL >= "', 11, "cannot be read"),
        (f"cut <= {'9' * 400}", 8, "the number is too large"),
        (f"rougeL >= {'9' * 400}x baseline", 11, "the number is too large"),
        ('"" >= 0.3', 1, "expected lift(METRIC)"),
    ],
)
def test_an_error_says_where_and_what_was_expected(text: str, column: int, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    first, shown, caret = str(caught.value).split("\n")
    assert first.startswith(f"rule, column {column}: ")
    assert words in first
    assert (shown.strip(), caret) == (text, " " * (column + 1) + "^")


@given(st.text(max_size=40) | st.text(alphabet='liftdropver(),=<>"%x0.9+- ', max_size=30))
def test_any_text_is_a_rule_or_a_usage_error(text: str) -> None:
    try:
        rule = parse(text)
    except UsageError:
        return
    assert parse(rule.text) == rule


@given(st.integers(0, 10_000))
def test_a_percentage_is_the_number_that_it_says(hundredths: int) -> None:
    assert parse(f"cut <= {hundredths / 100}%").bound.number == float(f"{hundredths / 100}e-2")


@given(st.text(alphabet=st.characters(exclude_characters='"', exclude_categories=("C", "Z")), min_size=1))
def test_a_name_can_be_written_in_a_rule(name: str) -> None:
    assert parse(f"{quote_name(name)} >= 0.3").metric == name
