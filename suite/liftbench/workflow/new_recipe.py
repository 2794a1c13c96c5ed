"""Writes a recipe, with comments, for a folder of conversations: its splits, budgets, slices, limit and gates."""

from __future__ import annotations

import json
import math
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from ..data.jsonl import IMPORTED, JsonLinesFolder
from ..data.similarity.clusters import CLUSTER
from ..data.slicing import FEW_VALUES
from ..errors import UsageError
from ..recipe.sections import DEFAULT_RECIPE, GenerationSection
from ..records.conversation import Conversation
from ..records.run import Limits
from ..statistics.lift import FEWEST
from ..text.phrases import pluralize

SCORED = ("validation", "valid", "val", "dev", "development", "test")
"""Names of the split that is scored, the preferred ones first: a test split is for the end."""

TRAINING = ("train", "training")

MANY = 200
"""Scored conversations that need no more: intervals are narrow enough, and the time grows with each."""

TOKENS_A_WORD = 1.7
"""Tokens of a word in summaries, at the most; on helpdesk it is 1.5."""

KNOWN_SHARE = 0.5
"""The least share of conversations that have a value in a field that is proposed as a slice."""


class Survey(Struct, frozen=True, kw_only=True):
    """What a folder of conversations is like."""

    folder: Path
    split: str
    """The split to score."""
    train_split: str | None
    scored: int
    training: int
    summary_words: int
    """Words of the longest reference of both splits."""
    conversation_words: int
    """95th percentile of the words of the scored conversations."""
    fields: dict[str, list[str]]
    """Metadata field with few values → its values, the most frequent first."""
    others: list[str]
    """Other splits."""


def survey(folder: Path) -> Survey:
    """Look at the splits of a folder. Raises `UsageError` where there is none to score, or a line is not right."""
    dataset = JsonLinesFolder(str(folder))
    names = dataset.splits()
    if names == [IMPORTED]:
        raise UsageError(f"{folder} is not split yet", f"Run: bench data split {shlex.quote(str(folder))}")
    split = next((name for name in SCORED if name in names), None)
    if split is None:
        if not names:
            raise UsageError(f"{folder} has no .jsonl file", "Name a folder with conversations, or an export.")
        raise UsageError(
            f"{folder} has no split to score, such as {SCORED[0]} or test (it has {', '.join(names)})",
            f"Run: bench data split {shlex.quote(str(folder))}, and then bench init with the folder that it writes.",
        )
    train_split = next((name for name in TRAINING if name in names), None)
    scored = dataset.read(split)
    training = dataset.read(train_split) if train_split else []
    summaries = [len(text.split()) for one in (*scored, *training) for text in one.references]
    lengths = sorted(sum(len(turn.text.split()) + 1 for turn in one.turns) for one in scored)
    return Survey(
        folder=folder,
        split=split,
        train_split=train_split,
        scored=len(scored),
        training=len(training),
        summary_words=max(summaries, default=0),
        conversation_words=lengths[int(0.95 * (len(lengths) - 1))] if lengths else 0,
        fields=_fields(scored),
        others=[name for name in names if name not in (split, train_split)],
    )


def _fields(conversations: Sequence[Conversation]) -> dict[str, list[str]]:
    found: dict[str, Counter[str]] = {}
    for one in conversations:
        for field, value in one.metadata.items():
            if value is not None and str(value).strip():
                found.setdefault(field, Counter())[str(value).strip()] += 1
    return {
        field: [value for value, _ in values.most_common()]
        for field, values in sorted(found.items())
        if field != CLUSTER and 1 < len(values) <= FEW_VALUES and values.total() >= KNOWN_SHARE * len(conversations)
    }


def compose(found: Survey, model: str = DEFAULT_RECIPE) -> str:
    """The recipe as text: TOML in which each value has a comment that says why."""
    name = found.folder.resolve().name.removesuffix("-split")
    plain, tuned = f"{name}-plain", f"{name}-qlora"
    answer = max(GenerationSection().max_new_tokens, 8 * math.ceil(found.summary_words * TOKENS_A_WORD / 8))
    room = GenerationSection().max_input_tokens
    while room < 1.5 * found.conversation_words and room < 4096:
        room *= 2
    slices = [*Limits().slices, *found.fields]
    lines = [
        f"# What is measured on {name}, and how. What is not here has its default (docs/reference/recipe-keys.md);",
        "# --set section.key=value changes any value for one command.",
        f"description = {_text(f'our conversations in {name}')}",
        "",
        "[model]",
        f"reference = {_text(model)}   # an alias, a folder, a GGUF file or hub:org/name",
        "",
        "[data]",
        f"dataset = {_text(found.folder.as_posix())}   # the folder, seen from where bench is called",
        f"split = {_text(found.split)}   # {pluralize(found.scored, 'conversation')} are scored; no trainer sees them",
        *_training_lines(found),
        *_limit_lines(found),
        "",
        "[generation]",
        f"max_input_tokens = {room}   # 95% of the conversations have at most {found.conversation_words} words",
        f"max_new_tokens = {answer}   # the longest summary has {found.summary_words} words",
        "",
        "[metrics]",
        'headlines = ["rougeL", "content-overlap"]   # the lift is judged on each of them',
        "target = 0.4   # the lift to reach: 40% over the untuned model",
        "",
        "[guards]",
        f"slices = {_list(slices)}   # none of them may get worse",
        *(f"#   {field}: {', '.join(values)}" for field, values in found.fields.items()),
        "",
        "[train]",
        'plugin = "qlora"   # others: bench plugins --kind trainer',
        "",
        "[train.options]",
        "learning_rate = 1e-3   # for models of less than a billion weights; bench sweep finds better ones",
        "epochs = 2",
        "",
        "[gates]   # what later runs are held to, by bench gate, once two runs are promoted:",
        f"baseline = {_text(plain)}   # bench promote RUN {plain}: the untuned model",
        f"proven = {_text(tuned)}   # bench promote RUN {tuned}: the adapter that was proven",
        "rules = [",
        '  "lift(rougeL) >= 40% verified",',
        '  "lift(content-overlap) >= 40% verified",',
        '  "drop(rougeL) <= 5% significant",',
        '  "unsupported_facts <= references + 0.05",',
        '  "empty <= 2%",',
        '  "cut <= 3%",',
        "]",
    ]
    return "\n".join(lines) + "\n"


def _training_lines(found: Survey) -> Iterable[str]:
    if found.train_split is None:
        yield "# There is no split to train on: `bench data split` makes one of conversations that are not scored."
    else:
        words = pluralize(found.training, "conversation")
        yield f"train_split = {_text(found.train_split)}   # {words}, to train and to choose prompts on"
    if found.others:
        yield f"# Kept for the end: {', '.join(found.others)} (bench compare tells how often a split was looked at)."


def _limit_lines(found: Survey) -> Iterable[str]:
    if found.scored > MANY:
        yield f"limit = {MANY}   # of {found.scored}, the same for every system; more narrow the interval"
    elif found.scored < FEWEST:
        yield f"# A verdict needs {FEWEST} scored conversations; more are better. See bench data split --validation."
    else:
        yield "# limit = 20   # for a first look; remove it for a verdict"


def _text(value: str) -> str:
    # JSON's escapes are TOML's, for everything but DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
