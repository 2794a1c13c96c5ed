"""What a run would use, looked at before anything runs: the machine, the conversations, the plan of a training."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Unpack

from ..data.sources import open_dataset, read_split
from ..measuring.plan import prepare
from ..records.conversation import Conversation
from ..records.run import Environment
from ..runs.environment import environment as record_environment
from .preview import Preview, preview_trainings
from .setup import RunOptions, setup_for_call
from .train import plan_trainings


def environment() -> Environment:
    """Describe this machine as a run records it: GPU, processor, memory, versions.

    Returns:
        The environment: `environment.gpu` is None where torch finds no GPU; everything then runs on the processor.

    Example:
        >>> liftbench.environment().gpu  # doctest: +SKIP
        'NVIDIA H200'
    """
    # The record asks torch only where it is loaded already; here it is loaded where it is installed.
    with suppress(ImportError):
        import torch  # noqa: F401
    return record_environment()


def load_conversations(recipe: str | Path | None = None, **options: Unpack[RunOptions]) -> list[Conversation]:
    """Load a split of a recipe's data set, cleaned as a run cleans it.

    Parameters:
        recipe: A shipped recipe by name, or the path of a TOML file (default: `smollm2-135m`).
        **options: See `RunOptions`: `split` (default: the one that the recipe scores), `dataset`, `data_dir`,
            `settings`, `plugins`; the others have no effect.

    Returns:
        All conversations of the split, in its order; in a notebook each shows its turns and its human summaries.

    Raises:
        UsageError: The recipe, an option or the data are wrong, or there is no such split.
        PrerequisiteError: The data set or a package is missing.

    Example:
        >>> conversations = liftbench.load_conversations("helpdesk", split="train")
        >>> len(conversations), len(conversations[0].references)
        (500, 2)
    """
    setup = setup_for_call("load_conversations", recipe, options)
    section = setup.recipe.data
    return read_split(open_dataset(section, setup.plugins), section, section.split)


def preview(recipe: str | Path | None = None, *, plugin: str | None = None, **options: Unpack[RunOptions]) -> Preview:
    """Show what a training would do without doing it, as `bench train --dry-run --no-calibration` does.

    Parameters:
        recipe: A shipped recipe by name, or the path of a TOML file (default: `smollm2-135m`).
        plugin: Name of the trainer plugin, for example `qlora` (default: the recipe's).
        **options: See `RunOptions`: `model`, `dataset`, `data_dir`, `split`, `limit`, `seed`, `metrics`, `settings`,
            `runs`, `fresh`, `plugins`, `progress`, `say`.

    Returns:
        The preview: `preview.counts` has the numbers of conversations, `preview.prompt` the first prompt with its
        tokens, `preview.options` the trainer's options with their defaults, `preview.recipe` each value's origin.

    Raises:
        UsageError: The recipe, an option or the data are wrong, or the trainer does not take its options.
        PrerequisiteError: A data set or a package is missing.

    Example:
        >>> liftbench.preview("helpdesk", plugin="qlora").counts["scored"]  # doctest: +SKIP
        104
    """
    setup = setup_for_call("preview", recipe, options, plugin)
    measurement = prepare(setup.resolved, setup.plugins)
    return preview_trainings(plan_trainings(setup, measurement, 1), measurement)
