"""Parses gate rules, such as `lift(rougeL) >= 40% verified`. Errors name the column; nothing is evaluated.

```
rule       = quantity (">=" | "<=") bound [strength] ["per" NAME]
quantity   = ("lift" | "drop") "(" NAME ["," "over" "=" NAME] ")" | NAME
bound      = NUMBER ["%"]  |  [NUMBER "x"] NAME [("+" | "-") NUMBER]
strength   = "verified" ["except" NAME {"," NAME}]  |  "significant"
NAME       = letters, digits and _ . : / -, beginning with a letter  |  anything between double quotes
NUMBER     = digits, with or without a decimal point; a bound may begin with + or -
```

A lift must be at least its bound (`>=`), a drop at most (`<=`), and both bounds are in percent. `gating` decides what a
rule means and which runs its names stand for.
"""

from __future__ import annotations

import math
import re
from typing import Literal, NamedTuple, NoReturn

from msgspec import Struct

from ..errors import UsageError

Comparator = Literal[">=", "<="]

Strength = Literal["measured", "verified", "significant"]


class Bound(Struct, frozen=True, kw_only=True):
    """What a quantity is compared with: `number` alone, or `factor` × the mean of another system + `number`."""

    number: float = 0.0
    """The number; a share (0.4) if it was written in percent (40%)."""
    system: str = ""
    """The other system; empty for a number alone."""
    factor: float = 1.0
    percent: bool = False
    """Whether `number` was written in percent."""


class Rule(Struct, frozen=True, kw_only=True):
    """A parsed rule."""

    text: str
    """The rule as written, with single spaces."""
    quantity: Literal["lift", "drop", "value"]
    metric: str
    over: str = ""
    """The system that a lift is over or a drop is from; empty if the rule names none."""
    comparator: Comparator
    bound: Bound
    strength: Strength = "measured"
    """`measured`: the mean must meet the bound. `verified`: the less favourable end of the interval must meet it, and
    every guard must pass. `significant`: the rule is broken only if the more favourable end does not meet it either."""
    excepted: tuple[str, ...] = ()
    """Guards that need not pass under `verified`."""
    per: str = ""
    """A field to slice by: the rule must hold on every slice."""


class _Token(NamedTuple):
    kind: Literal["name", "number", "sign", "end"]
    text: str
    at: int
    unit: str = ""
    """`%`, `x` or nothing after a number; `quoted` for a quoted name."""


_NAME = r"[A-Za-z](?:[\w.:/]|-(?=\w))*"

_TOKEN = re.compile(
    rf"""\s*(?:
        "(?P<quoted>[^"]*)"
      | (?P<name>{_NAME})
      | (?P<number>\d+(?:\.\d+)?|\.\d+)(?P<unit>\s*%|x(?![A-Za-z0-9_]))?
      | (?P<sign>>=|<=|=>|=<|==|[<>(),=+-])
    )""",
    re.VERBOSE,
)

QUANTITIES = ("lift", "drop")
KEYWORDS = ("verified", "significant", "except", "per", "over")


def parse(text: str) -> Rule:
    """The rule in a text. Raises `UsageError` with the column of an error and what was expected there.

    >>> parse("drop(rougeL) <= 2% significant").bound.number
    0.02
    >>> parse("unsupported_facts <= references + 0.05").bound.system
    'references'
    """
    return _Parser(" ".join(text.split())).rule()


def quote_name(name: str) -> str:
    """The name as a rule must have it: in quotes if it could not be read as a name without them.

    >>> quote_name("rougeL"), quote_name("same base")
    ('rougeL', '"same base"')
    """
    return name if name not in QUANTITIES + KEYWORDS and re.fullmatch(_NAME, name) else f'"{name}"'


class _Parser:
    """Reads the tokens in order. Each method parses one part of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._tokens())
        self.place = 0

    # ------------------------------------------------------------------------------------------------------- grammar

    def rule(self) -> Rule:
        quantity, metric, over = self._quantity()
        comparator = self._comparator(quantity)
        bound = self._bound(quantity)
        strength, excepted = self._strength()
        per = self._name("a field to slice by") if self._accept("per") else ""
        if self._next.kind != "end":
            self._fail("expected " + ("the end" if per else "verified, significant, per or the end"))
        return Rule(
            text=self.text,
            quantity=quantity,
            metric=metric,
            over=over,
            comparator=comparator,
            bound=bound,
            strength=strength,
            excepted=excepted,
            per=per,
        )

    def _quantity(self) -> tuple[Literal["lift", "drop", "value"], str, str]:
        quoted = self._next.unit == "quoted"
        name = self._name("lift(METRIC), drop(METRIC) or a metric")
        if quoted or name not in QUANTITIES:
            return "value", name, ""
        kind: Literal["lift", "drop"] = "lift" if name == "lift" else "drop"
        self._expect("(")
        metric = self._name("a metric")
        over = ""
        if self._accept(","):
            self._expect("over")
            self._expect("=")
            over = self._name("a system")
            if over == "references":
                self._fail("the human summaries are not a system; write METRIC >= references - 0.02", back=1)
        self._expect(")")
        return kind, metric, over

    def _comparator(self, quantity: str) -> Comparator:
        wanted = {"lift": (">=",), "drop": ("<=",)}.get(quantity, (">=", "<="))
        if self._next.text not in wanted or self._next.kind != "sign":
            after = "" if quantity == "value" else f" after a {quantity}"
            self._fail(f"expected {' or '.join(wanted)}{after}")
        return ">=" if self._step().text == ">=" else "<="

    def _bound(self, quantity: str) -> Bound:
        if self._next.kind == "number" and self._next.unit == "x":
            factor = float(self._step().text)
            if not math.isfinite(factor):
                self._fail("the number is too large", back=1)
            bound = self._relative(factor)
        elif self._next.kind == "name":
            bound = self._relative(1.0)
        else:
            percent, number = self._number("a number or a system")
            bound = Bound(number=number, percent=percent)
        if quantity != "value" and (bound.system or not bound.percent):
            self._fail(f"the bound of a {quantity} is in percent, such as 40%", back=1)
        return bound

    def _relative(self, factor: float) -> Bound:
        system = self._name("a system: baseline, proven, best-prompt, references or a promoted name")
        if self._next.text not in ("+", "-"):
            return Bound(system=system, factor=factor)
        percent, number = self._number("a number")
        if percent:
            self._fail("a number after a system has the metric's unit: write 0.05, or 1.05x before the name", back=1)
        return Bound(system=system, factor=factor, number=number)

    def _strength(self) -> tuple[Strength, tuple[str, ...]]:
        if self._accept("significant"):
            return "significant", ()
        if not self._accept("verified"):
            return "measured", ()
        excepted = [self._name("a guard")] if self._accept("except") else []
        while excepted and self._accept(","):
            excepted.append(self._name("a guard"))
        return "verified", tuple(excepted)

    # -------------------------------------------------------------------------------------------------------- tokens

    def _tokens(self) -> list[_Token]:
        found = []
        at = 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                self._fail_at(at + (self.text[at] == " "), "cannot be read")
            kind = match.lastgroup or ""
            start = len(self.text) - len(self.text[at:].lstrip())
            if kind == "quoted":
                found.append(_Token("name", match["quoted"], start, "quoted"))
            elif kind == "name":
                found.append(_Token("name", match["name"], start))
            elif match["number"] is not None:
                found.append(_Token("number", match["number"], start, (match["unit"] or "").strip()))
            else:
                found.append(_Token("sign", match["sign"], start))
            at = match.end()
        return [*found, _Token("end", "", len(self.text))]

    @property
    def _next(self) -> _Token:
        return self.tokens[self.place]

    def _step(self) -> _Token:
        token = self._next
        self.place += 1
        return token

    def _accept(self, word: str) -> bool:
        if self._next.text == word and self._next.unit != "quoted":
            self.place += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            self._fail(f"expected {word}")

    def _name(self, what: str) -> str:
        token = self._next
        if token.kind != "name" or not token.text or (token.text in KEYWORDS and token.unit != "quoted"):
            self._fail(f"expected {what}")
        return self._step().text

    def _number(self, what: str) -> tuple[bool, float]:
        """Whether the next number is in percent, and its value, which is then a share."""
        sign = -1.0 if self._next.text == "-" else 1.0
        if self._next.text in ("+", "-"):
            self._step()
        if self._next.kind != "number" or self._next.unit == "x":
            self._fail(f"expected {what}")
        token = self._step()
        # Reading `1.1e-2` gives 0.011; 1.1 / 100 would give 0.011000000000000001.
        value = float(f"{token.text}e-2") if token.unit == "%" else float(token.text)
        if not math.isfinite(value):
            self._fail("the number is too large", back=1)
        return token.unit == "%", sign * value

    def _fail(self, reason: str, back: int = 0) -> NoReturn:
        token = self.tokens[self.place - back]
        found = f", found {token.text!r}" if token.kind != "end" and not back else ", and the rule ends" * (not back)
        self._fail_at(token.at, f"{reason}{found}")

    def _fail_at(self, at: int, reason: str) -> NoReturn:
        raise UsageError(f"rule, column {at + 1}: {reason}", f"  {self.text}\n  {' ' * at}^")
