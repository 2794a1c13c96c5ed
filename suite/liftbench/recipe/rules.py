"""The language of gate rules: `lift(rougeL) >= 40% verified`, parsed with the place of each error, never evaluated.

```
rule       = quantity (">=" | "<=") bound [strength] ["per" NAME]
quantity   = ("lift" | "drop") "(" NAME ["," "over" "=" NAME] ")" | NAME
bound      = NUMBER ["%"]  |  [NUMBER "x"] NAME [("+" | "-") NUMBER]
strength   = "verified" ["except" NAME {"," NAME}]  |  "significant"
NAME       = letters, digits and _ . : / -, begun with a letter  |  anything between double quotes
NUMBER     = digits, with a decimal point where there is one; a bound may begin with + or -
```

A lift is asked to be at least something (`>=`), a drop at most (`<=`), both in percent. What a rule means, and what its
names stand for, is with the engine (`gating.gate`).
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
    """What a quantity is compared with: `number`, or `factor` times another system's mean and `number` more."""

    number: float = 0.0
    """A share where it was written in percent."""
    system: str = ""
    """Empty for a number alone."""
    factor: float = 1.0
    percent: bool = False
    """Whether `number` was written in percent."""


class Rule(Struct, frozen=True, kw_only=True):
    """One rule, parsed."""

    text: str
    """As it was written, white space apart."""
    quantity: Literal["lift", "drop", "value"]
    metric: str
    over: str = ""
    """Of a lift or drop: the system that it is from, where one is named."""
    comparator: Comparator
    bound: Bound
    strength: Strength = "measured"
    """`verified`: it must hold at the interval's less favourable end, and every guard of the verdict must pass;
    `significant`: it is broken only where it does not even hold at the more favourable end; `measured`: by the mean."""
    excepted: tuple[str, ...] = ()
    """Guards that need not pass for `verified`."""
    per: str = ""
    """A field to slice by: the rule must hold on every slice."""


class _Token(NamedTuple):
    kind: Literal["name", "number", "sign", "end"]
    text: str
    at: int
    unit: str = ""
    """Of a number: `%`, `x` or nothing."""


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
    """The rule that a text says. Raises `UsageError` with the place and what was expected there.

    >>> parse("drop(rougeL) <= 2% significant").bound.number
    0.02
    >>> parse("unsupported_facts <= references + 0.05").bound.system
    'references'
    """
    return _Parser(" ".join(text.split())).rule()


def quote_name(name: str) -> str:
    """A name as a rule writes it: between quotes where it would not be read as one.

    >>> quote_name("rougeL"), quote_name("same base")
    ('rougeL', '"same base"')
    """
    return name if name not in QUANTITIES + KEYWORDS and re.fullmatch(_NAME, name) else f'"{name}"'


class _Parser:
    """Reads one token after the other; each method one part of the grammar."""

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
        per = self._name("a field to slice by") if self._taken("per") else ""
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
        if self._taken(","):
            self._expect("over")
            self._expect("=")
            over = self._name("a system")
            if over == "references":
                self._fail("human summaries are no system; write METRIC >= references - 0.02", back=1)
        self._expect(")")
        return kind, metric, over

    def _comparator(self, quantity: str) -> Comparator:
        wanted = {"lift": (">=",), "drop": ("<=",)}.get(quantity, (">=", "<="))
        if self._next.text not in wanted or self._next.kind != "sign":
            why = {"lift": ": a lift is to be at least", "drop": ": a drop is to be at most"}.get(quantity, "")
            self._fail(f"expected {' or '.join(wanted)}{why}")
        return ">=" if self._step().text == ">=" else "<="

    def _bound(self, quantity: str) -> Bound:
        if self._next.kind == "number" and self._next.unit == "x":
            factor = float(self._step().text)
            if not math.isfinite(factor):
                self._fail("no such number", back=1)
            bound = self._relative(factor)
        elif self._next.kind == "name":
            bound = self._relative(1.0)
        else:
            percent, number = self._number("a number or a system")
            bound = Bound(number=number, percent=percent)
        if quantity != "value" and (bound.system or not bound.percent):
            self._fail(f"a {quantity} is asked in percent, as 40%", back=1)
        return bound

    def _relative(self, factor: float) -> Bound:
        system = self._name("a system: baseline, proven, best-prompt, references or a promoted name")
        if self._next.text not in ("+", "-"):
            return Bound(system=system, factor=factor)
        percent, number = self._number("a number")
        if percent:
            self._fail("what is added is in the metric's own points: write 0.05, or 1.05x before the name", back=1)
        return Bound(system=system, factor=factor, number=number)

    def _strength(self) -> tuple[Strength, tuple[str, ...]]:
        if self._taken("significant"):
            return "significant", ()
        if not self._taken("verified"):
            return "measured", ()
        excepted = [self._name("a guard")] if self._taken("except") else []
        while excepted and self._taken(","):
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

    def _taken(self, word: str) -> bool:
        if self._next.text == word and self._next.unit != "quoted":
            self.place += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._taken(word):
            self._fail(f"expected {word}")

    def _name(self, what: str) -> str:
        token = self._next
        if token.kind != "name" or not token.text or (token.text in KEYWORDS and token.unit != "quoted"):
            self._fail(f"expected {what}")
        return self._step().text

    def _number(self, what: str) -> tuple[bool, float]:
        """Whether it is in percent, and its value, a share if so."""
        sign = -1.0 if self._next.text == "-" else 1.0
        if self._next.text in ("+", "-"):
            self._step()
        if self._next.kind != "number" or self._next.unit == "x":
            self._fail(f"expected {what}")
        token = self._step()
        # Not divided by 100 where the text tells it exactly: 40% is 0.4, and 7% is 0.07.
        value = float(f"{token.text}e-2") if token.unit == "%" else float(token.text)
        if not math.isfinite(value):
            self._fail("no such number", back=1)
        return token.unit == "%", sign * value

    def _fail(self, reason: str, back: int = 0) -> NoReturn:
        token = self.tokens[self.place - back]
        found = f", found {token.text!r}" if token.kind != "end" and not back else ", and the rule ends" * (not back)
        self._fail_at(token.at, f"{reason}{found}")

    def _fail_at(self, at: int, reason: str) -> NoReturn:
        raise UsageError(f"rule, column {at + 1}: {reason}", f"  {self.text}\n  {' ' * at}^")
