"""Sheets of a few conversations, and judges that fill them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from liftbench.preferences.sheet import Sheet, Summaries, make_sheet
from liftbench.records.conversation import Conversation
from liftbench.records.preferences import Better, Judgments, KeyItem, PairJudgment, SheetKey, Support
from liftbench.records.run import MetricInfo

from .build import tuned_texts, untuned_texts, write_conversations

METRIC = MetricInfo(name="words", signature="words|1", direction="higher", sees="form")


def build_sheet(
    conversations: Sequence[Conversation] | None = None,
    *,
    seed: int = 0,
    candidate: Sequence[str] | None = None,
    other: Sequence[str] | None = None,
    scores: Mapping[str, tuple[float | None, float | None]] | None = None,
    metrics: Sequence[MetricInfo] = (),
    clusters: Mapping[str, str] | None = None,
) -> tuple[Sheet, SheetKey]:
    """A sheet on which an adapter stands beside an untuned model; `scores` are of the metric `METRIC.name`, by id."""
    drawn = list(write_conversations(8) if conversations is None else conversations)
    ids = [one.id for one in drawn]
    known = scores or {}
    ours, others = candidate or tuned_texts(drawn), other or untuned_texts(drawn)
    return make_sheet(
        drawn,
        Summaries(
            name="run-tuned",
            texts=dict(zip(ids, ours, strict=True)),
            scores={id_: {METRIC.name: pair[0]} for id_, pair in known.items()},
        ),
        Summaries(
            name="run-untuned",
            texts=dict(zip(ids, others, strict=True)),
            scores={id_: {METRIC.name: pair[1]} for id_, pair in known.items()},
        ),
        against="baseline",
        seed=seed,
        clusters=clusters or {},
        metrics=metrics,
    )


Choice = Literal["candidate", "other", "tie"]


def fill_in(
    key: SheetKey,
    choose: Callable[[KeyItem], Choice],
    judge: str = "Ann",
    *,
    candidate: Support | None = None,
    other: Support | None = None,
) -> Judgments:
    """What a judge's file holds who prefers as `choose` says, and says of all sentences of a system the same."""
    pairs = []
    for item in key.items:
        choice, on_left = choose(item), item.left == "candidate"
        better: Better = "tie" if choice == "tie" else "left" if (choice == "candidate") == on_left else "right"
        left, right = (candidate, other) if on_left else (other, candidate)
        pairs.append(
            PairJudgment(
                id=item.id, better=better, left=[left] * item.left_sentences, right=[right] * item.right_sentences
            )
        )
    return Judgments(schema=1, sheet=key.sheet, judge=judge, pairs=pairs)
