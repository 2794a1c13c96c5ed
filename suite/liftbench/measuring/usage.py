"""The tokens that a server was asked for and what they cost, over all commands that made a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from msgspec import UNSET, UnsetType

from ..files import recover_lines
from ..records.prompt_search import TuneTrial
from ..records.run import Manifest, Prediction, Usage
from ..runs.open_run import OpenRun


class Prices(NamedTuple):
    """Prices of a million tokens, in any currency; None where they are not known."""

    prompt: float | None
    new: float | None


NO_PRICES = Prices(None, None)


def prices_of(manifest: Manifest) -> Prices:
    """The prices in a run's recipe."""
    model = cast("dict[str, Any]", manifest.recipe.get("model", {}))
    return Prices(model.get("price_in"), model.get("price_out"))


def has_new_prices(run: OpenRun) -> bool:
    """Whether the present command gives a served model prices that the run's cost was not computed with."""
    model = run.manifest.system.model
    wanted = prices_of(run.requested)
    return model is not None and bool(model.served) and any(wanted) and wanted != prices_of(run.manifest)


def usage_of(
    predictions: Sequence[Prediction], prices: Prices = NO_PRICES, searched: Sequence[Usage] = ()
) -> Usage | UnsetType:
    """The sums over a run's answers, and those of its prompt search; not set where no server made them.

    The cost is known where both prices are given, 0 included.
    """
    said = [row.served for row in predictions if row.served is not UNSET]
    if not said:
        return UNSET
    read = sum(row.prompt_tokens or 0 for row in predictions) + sum(one.prompt_tokens for one in searched)
    wrote = sum(row.new_tokens or 0 for row in predictions) + sum(one.new_tokens for one in searched)
    by = sum((Counter(one.answered_by) for one in searched), Counter(one.by for one in said))
    known = prices.prompt is not None and prices.new is not None
    return Usage(
        prompt_tokens=read,
        new_tokens=wrote,
        not_believed=sum(not one.believed for one in said) + sum(one.not_believed for one in searched),
        answered_by=dict(sorted(by.items())),
        price_in=prices.prompt,
        price_out=prices.new,
        cost=(read * (prices.prompt or 0.0) + wrote * (prices.new or 0.0)) / 1e6 if known else None,
    )


def search_usage(run: Path) -> list[Usage]:
    """The tokens of each pass of a run's prompt search; empty without one, or where no server was asked."""
    passes = {trial.generation_pass: trial.usage for trial in recover_lines(run / "tuning" / "trials.jsonl", TuneTrial)}
    return [usage for usage in passes.values() if usage is not UNSET]
