"""The tokens that a server was asked for and what they cost, over all commands that made a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from msgspec import UNSET, UnsetType

from ..records.run import Manifest, Prediction, Usage
from ..runs.open_run import OpenRun


class Prices(NamedTuple):
    """Prices of a million tokens, in any currency; None where they are not known."""

    prompt: float | None
    new: float | None


def prices_of(manifest: Manifest) -> Prices:
    """The prices in a run's recipe."""
    model = cast("dict[str, Any]", manifest.recipe.get("model", {}))
    return Prices(model.get("price_in"), model.get("price_out"))


def has_new_prices(run: OpenRun) -> bool:
    """Whether the present command gives a served model prices that the run's cost was not computed with."""
    model = run.manifest.system.model
    wanted = prices_of(run.requested)
    return model is not None and bool(model.served) and any(wanted) and wanted != prices_of(run.manifest)


def usage_of(predictions: Sequence[Prediction], prices: Prices) -> Usage | UnsetType:
    """The sums over a run's answers; not set where no server made them.

    The cost is known where both prices are given, 0 included.
    """
    said = [row.served for row in predictions if row.served is not UNSET]
    if not said:
        return UNSET
    read = sum(row.prompt_tokens or 0 for row in predictions)
    wrote = sum(row.new_tokens or 0 for row in predictions)
    known = prices.prompt is not None and prices.new is not None
    return Usage(
        prompt_tokens=read,
        new_tokens=wrote,
        not_believed=sum(not one.believed for one in said),
        price_in=prices.prompt,
        price_out=prices.new,
        cost=(read * (prices.prompt or 0.0) + wrote * (prices.new or 0.0)) / 1e6 if known else None,
    )
