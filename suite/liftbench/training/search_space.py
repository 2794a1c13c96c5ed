"""Which options of a trainer a sweep varies, and over which values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from msgspec import Struct
from msgspec.structs import replace

from ..errors import UsageError
from ..extension.loader import Plugins
from ..extension.registry import Spec
from ..recipe.resolve import assignment
from ..records.conversation import Scalar

OPTIONS = "train.options."

DIGITS = 3
"""Significant digits of a drawn number, so that a recipe can be read."""


class Range(Struct, frozen=True, tag=True):
    """All numbers from `low` to `high`; whole ones if both ends are."""

    low: float | int
    high: float | int
    log: bool = False
    """Whether equal ratios are equally likely, instead of equal differences."""

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}{':log' if self.log else ''}"

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def checked(self) -> tuple[float | int, ...]:
        """The values that must be allowed for the others to be."""
        return self.low, self.high

    def holds(self, value: Any) -> bool:
        fits = isinstance(value, int) or not self.is_whole
        return _is_number(value) and fits and self.low <= value <= self.high

    def readable(self, value: Any) -> Any:
        """A drawn value, rounded within the range."""
        return value if self.is_whole else min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def widened(self, value: Any) -> Range:
        """A range that holds the value, too, if it is a number."""
        if not _is_number(value):
            return self
        return replace(self, low=min(self.low, value), high=max(self.high, value))


class Choices(Struct, frozen=True, tag=True):
    """A few values."""

    values: tuple[Scalar, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.values))

    @property
    def checked(self) -> tuple[Scalar, ...]:
        return self.values

    def holds(self, value: Any) -> bool:
        return value in self.values

    def readable(self, value: Any) -> Any:
        return value

    def widened(self, value: Any) -> Choices:
        """Choices among which is the value, too, unless it is a list or a table."""
        if value in self.values or not isinstance(value, Scalar):
            return self
        values = (*self.values, value)
        numbers = [each for each in values if _is_number(each)]
        return Choices(tuple(sorted(numbers)) if len(numbers) == len(values) else values)


Space = dict[str, Range | Choices]
"""Option → its values."""


def parse_param(text: str) -> tuple[str, Range | Choices]:
    """The option and the values in `train.options.KEY=1e-4..3e-3:log` or `train.options.KEY=8,16,32`.

    Raises `UsageError` for anything else.

    >>> name, values = parse_param("train.options.learning_rate=1e-4..3e-3:log")
    >>> name, values.low, values.high, values.log
    ('learning_rate', 0.0001, 0.003, True)
    """
    key, equals, values = (part.strip() for part in text.partition("="))
    name = key.removeprefix(OPTIONS)
    if not equals or not values or name == key or not name:
        raise UsageError(
            f"--param {text!r} does not name an option of the trainer with its values",
            f"Write {OPTIONS}KEY=LOW..HIGH, {OPTIONS}KEY=LOW..HIGH:log or {OPTIONS}KEY=VALUE,VALUE,…",
        )
    try:
        return name, parse_values(values)
    except UsageError as error:
        raise error.within(f"--param {text}") from error


def parse_values(text: str) -> Range | Choices:
    """A range (`4..64`, `1e-4..3e-3:log`) or a list of values (`8,16,32`). Raises `UsageError`."""
    found = re.fullmatch(r"(?P<low>.+?)\.\.(?P<high>.+?)(?P<log>:log)?", text)
    if found is None:
        values = [_value(part) for part in text.split(",")]
        if "" in values:
            raise UsageError("a value is empty")
        if odd := [value for value in values if not isinstance(value, Scalar)]:
            raise UsageError(f"{odd[0]!r} is not one value", "Values are numbers, texts, true and false.")
        return Choices(tuple(dict.fromkeys(values)))
    low, high = _value(found["low"]), _value(found["high"])
    if not all(_is_number(end) and math.isfinite(end) for end in (low, high)):
        raise UsageError(f"{text} is not a range of finite numbers")
    if not low < high or (found["log"] and low <= 0):
        raise UsageError(f"{text}: the range must rise{', from above 0' if found['log'] else ''}")
    return Range(low, high, bool(found["log"]))


def chosen_space(params: Sequence[str], spec: Spec, options: Mapping[str, Any], plugins: Plugins) -> Space:
    """The space that a user has chosen. Raises `UsageError` for an option or a value that the trainer does not have.

    `options` are the recipe's; every value is checked beside them.
    """
    space: Space = {}
    for text in params:
        name, values = parse_param(text)
        if name in space:
            raise UsageError(f"--param {text}: the values of {name} are given twice", "Give them in one --param.")
        for value in values.checked:
            try:
                plugins.options(spec, {**options, name: value})
            except UsageError as error:
                raise error.within(f"--param {text}") from error
        space[name] = values
    return space


def default_space(suggested: Mapping[str, str], spec: Spec, options: Mapping[str, Any], plugins: Plugins) -> Space:
    """The space that a trainer suggests, with the recipe's own values in it.

    Values that the recipe's other options do not allow are left out. Raises `UsageError` if nothing is left.
    """
    own = plugins.options(spec, dict(options))
    space: Space = {}
    for name, text in suggested.items():
        if not hasattr(own, name):
            continue
        values = parse_values(text).widened(getattr(own, name))
        if isinstance(values, Choices):
            values = Choices(tuple(v for v in values.values if _is_allowed(name, v, spec, options, plugins)))
        if len(set(values.checked)) > 1:
            space[name] = values
    if not space:
        raise UsageError(
            f"the trainer {spec.name!r} does not say which of its options a sweep should vary",
            f"Name one: --param {OPTIONS}KEY=VALUE,VALUE,…",
        )
    return space


def _is_allowed(name: str, value: Scalar, spec: Spec, options: Mapping[str, Any], plugins: Plugins) -> bool:
    try:
        plugins.options(spec, {**options, name: value})
    except UsageError:
        return False
    return True


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(text: str) -> Any:
    return assignment(f"value={text}")[1]
