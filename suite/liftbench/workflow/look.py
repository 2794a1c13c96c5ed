"""What a run would use, looked at before anything runs: the machine, the conversations, the plan of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Unpack

from ..data.sources import open_dataset, read_split
from ..extension.loader import Plugins, load_plugins
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


def load_conversations(
    recipe: str | Path | None = None,
    *,
    split: str | None = None,
    dataset: str | Path | None = None,
    data_dir: str | Path | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    plugins: Plugins | None = None,
) -> list[Conversation]:
    """Load a split of a recipe's data set, cleaned as a run cleans it.

    Parameters:
        recipe: A shipped recipe by name, or the path of a TOML file (default: `smollm2-135m`).
        split: The split, for example `train` (default: the one that the recipe scores).
        dataset: A registered name, or a folder with `<split>.jsonl` files (default: the recipe's).
        data_dir: Where a registered data set is: a folder, or `hub:org/name`.
        settings: Any keys of the recipe: `{"data.clean": False}`, or `["data.clean=false"]`.
        plugins: Plugins that are loaded already (default: the installed ones).

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
    loaded = plugins or load_plugins()
    options = RunOptions(settings=settings, plugins=loaded)
    if dataset is not None:
        options["dataset"] = dataset
    if data_dir is not None:
        options["data_dir"] = data_dir
    section = setup_for_call("load_conversations", recipe, options).recipe.data
    return list(read_split(open_dataset(section, loaded), section, split or section.split))


def preview(recipe: str | Path | None = None, *, plugin: str | None = None, **options: Unpack[RunOptions]) -> Preview:
    """Show what a training would do without doing it, as `bench train --dry-run --no-calibration` does.

    Parameters:
        recipe: A shipped recipe by name, or the path of a TOML file (default: `smollm2-135m`).
        plugin: Name of the trainer plugin, for example `qlora` (default: the recipe's).
        **options: See `RunOptions`: `model`, `backend`, `dataset`, `data_dir`, `split`, `limit`, `seed`, `metrics`,
            `settings`, `runs`, `fresh`, `plugins`, `progress`, `say`.

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
