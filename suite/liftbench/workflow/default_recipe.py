"""Which recipe is taken where none is named: one whose data can be read here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..data.sources import open_dataset
from ..errors import LiftbenchError
from ..extension.loader import Plugins
from ..recipe.sections import DEFAULT_RECIPE, OFFLINE_RECIPE, DataSection

PLACES = ("dataset", "data_dir")
"""The options that say which conversations are meant, or where they are."""


class DefaultRecipe(NamedTuple):
    """A recipe that nobody named."""

    name: str
    why: str
    """A line for people; empty where the conversations were named."""


def choose_default(overrides: Mapping[str, Any], settings: Iterable[str], plugins: Plugins) -> DefaultRecipe:
    """The classic recipe where conversations are named or TweetSumm is at hand; else the one that ships with its data.

    `overrides` are options by name, `settings` the keys of the recipe that are set. Nothing is downloaded.
    """
    named = any(overrides.get(name) or os.environ.get(f"LIFTBENCH_{name.upper()}") for name in PLACES)
    if named or any(key in {f"data.{name}" for name in PLACES} for key in settings):
        return DefaultRecipe(DEFAULT_RECIPE, "")
    if _is_at_hand(DataSection(), plugins):
        return DefaultRecipe(DEFAULT_RECIPE, f"no recipe is named: taking {DEFAULT_RECIPE}, for TweetSumm is at hand")
    return DefaultRecipe(
        OFFLINE_RECIPE,
        f"no recipe is named: taking {OFFLINE_RECIPE}, whose conversations ship with the package (TweetSumm is not at "
        "hand; --data-dir DIR names its folder)",
    )


def _is_at_hand(section: DataSection, plugins: Plugins) -> bool:
    try:
        return open_dataset(section, plugins).is_at_hand()
    except LiftbenchError:
        return False
