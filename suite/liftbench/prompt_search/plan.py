"""What a prompt search may try, and on which conversations, declared before anything is generated.

The template, the prefill, the number of shots and the cut of a text may vary.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct

from ..data.sources import open_dataset, read_split
from ..data.splits import exclude_scored
from ..errors import UsageError
from ..extension.loader import Plugins
from ..files import digest
from ..measuring.plan import Measurement
from ..models.served import is_served
from ..prompts.spec import choose_shots, prompt_spec
from ..recipe.sections import Recipe, TuneSection
from ..records.conversation import Conversation
from ..records.system import PromptSpec, Shot

TEMPLATES = (
    "Below is a conversation between a customer and a customer support agent.\n\n{conversation}\n\n"
    "Summarize this conversation in two short sentences. The first begins with 'Customer' and says what the customer "
    "wanted. The second begins with 'Agent' and says what the agent did.",
    "Below is a conversation between a customer and a customer support agent.\n\n{conversation}\n\n"
    "Summarize it in the form: Customer is complaining about ... . Agent ... .",
    "{conversation}\n\nSummarize this conversation as briefly as you can. Write nothing but the summary.",
)
"""The templates to try if a recipe names none: two ask for the form `Customer … . Agent …`, one for brevity."""

T = TypeVar("T")

AUTO = "auto"

COMMON = 0.05
"""At least this share of the training summaries must begin with the opening that `auto` stands for."""

CONTINUED = 0.6
"""An opening is extended by a word if at least this share of the summaries that begin with it continue with the word.
On TweetSumm, 63% of 'Customer is' continue with 'complaining', and 54% of these with 'about'."""


class PromptVariant(Struct, frozen=True):
    """A prompt to generate texts with; `shots` is the number of shots."""

    template: str
    prefill: str
    shots: int


class Cut(Struct, frozen=True):
    """How generated texts are cut."""

    max_words: int = 0
    stop: tuple[str, ...] = ()


class TuningPlan(Struct, frozen=True, kw_only=True):
    """A search that is fully declared, but has not begun. The first entry of each field is the recipe's own."""

    templates: tuple[str, ...]
    prefills: tuple[str, ...]
    shot_counts: tuple[int, ...]
    cuts: tuple[Cut, ...]
    shots: tuple[Shot, ...]
    """As many as the largest of `shot_counts`; a prompt with fewer shots uses the first ones."""
    development: tuple[Conversation, ...]
    """The conversations that prompts are tried on."""
    split: str
    """The split that shots and development conversations are from."""
    most_passes: int
    """The number of generation passes: the budget, or the number of declared prompts if it is smaller."""
    key: str
    """Hash of everything that the choice depends on, apart from the model."""

    @property
    def variants(self) -> list[PromptVariant]:
        """All declared prompts, in order."""
        return [PromptVariant(*values) for values in itertools.product(self.templates, self.prefills, self.shot_counts)]

    def spec(self, choice: PromptVariant, cut: Cut, plain: PromptSpec) -> PromptSpec:
        """The full prompt, with the style and the system message of the plain one."""
        return prompt_spec(
            choice.template,
            plain.system,
            plain.style,
            prefill=choice.prefill,
            shots=self.shots[: choice.shots],
            stop=cut.stop,
            max_words=cut.max_words,
            template_arguments=plain.template_arguments or None,
        )


def plan_tuning(recipe: Recipe, measurement: Measurement, plugins: Plugins) -> TuningPlan:
    """Declare the prompts, and choose shots and development conversations from the training split.

    No chosen conversation is scored, and none is a duplicate of a scored one or of another. Raises `UsageError` if
    there are too few conversations, or if a higher value of a headline is not better.
    """
    headlines = [metric for metric in measurement.metrics if metric.name in recipe.metrics.headlines]
    for metric in headlines:
        if metric.direction != "higher":
            raise UsageError(
                f"--tune chooses by the headlines, but a higher {metric.name!r} is not better",
                "Choose headlines where higher is better (metrics.headlines).",
            )
    # If the data set has no such split, reading it again raises the error that names its splits.
    training = measurement.training or read_split(
        open_dataset(recipe.data, plugins), recipe.data, recipe.data.train_split
    )
    pool = [c for c in exclude_scored(training, list(measurement.conversations.values())) if c.references]
    references = [reference for conversation in pool for reference in conversation.references]
    section = recipe.tune
    shot_counts = _distinct(recipe.prompt.shots, *section.shots)
    shots = choose_shots(pool, max(shot_counts))
    shown = {shot.id for shot in shots}
    development = [conversation for conversation in pool if conversation.id not in shown]
    random.Random(recipe.seed).shuffle(development)
    development = development[: section.conversations]
    if not development:
        raise UsageError(f"the split {recipe.data.train_split!r} has no conversations left to try prompts on")
    templates = _distinct(recipe.prompt.template, *(section.templates or TEMPLATES))
    for template in templates:
        prompt_spec(template, "", "plain")
    # A served model cannot continue a beginning.
    begins = () if is_served(recipe.model.reference) else _prefills(section, references)
    prefills = _distinct(recipe.prompt.prefill.strip(), *begins)
    cuts = _cuts(recipe, references)
    declared = len(templates) * len(prefills) * len(shot_counts)
    return TuningPlan(
        templates=templates,
        prefills=prefills,
        shot_counts=shot_counts,
        cuts=cuts,
        shots=shots,
        development=tuple(development),
        split=recipe.data.train_split,
        most_passes=min(section.trials, declared),
        key=digest(
            *(templates, prefills, shot_counts, cuts, shots, development, section.trials),
            {metric.name: metric.signature for metric in headlines},
        ),
    )


def common_opening(texts: Sequence[str]) -> str | None:
    """The two to four words that summaries most often begin with; None if no two words are common enough.

    The two most common words are extended as long as most summaries that begin with them continue with the same word.
    """
    opening: tuple[str, ...] = ()
    split = [tuple(text.split()) for text in texts]
    while len(opening) < 4:
        longer = max(2, len(opening) + 1)
        begin_so = [text for text in split if text[: len(opening)] == opening and len(text) > longer]
        if not begin_so:
            break
        [(candidate, count)] = Counter(text[:longer] for text in begin_so).most_common(1)
        if count < (CONTINUED if opening else COMMON) * len(begin_so):
            break
        opening = candidate
    return " ".join(opening) or None


def _prefills(section: TuneSection, references: Sequence[str]) -> list[str]:
    opening = common_opening(references)
    return [opening or "" if prefill == AUTO else prefill.strip() for prefill in section.prefills]


def _cuts(recipe: Recipe, references: Sequence[str]) -> tuple[Cut, ...]:
    median = round(statistics.median(len(reference.split()) for reference in references))
    lengths = [median if isinstance(words, str) else words for words in recipe.tune.max_words]
    stops = [(stop,) if stop else () for stop in recipe.tune.stop]
    own = (recipe.prompt.max_words, recipe.prompt.stop)
    return tuple(Cut(*cut) for cut in _distinct(own, *itertools.product(lengths, stops)))


def _distinct(*values: T) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
