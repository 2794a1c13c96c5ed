"""What is wrong with a summary, in the few words of a tag, and which guard looks at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from ...judging.guards import FACTS, FAULT_LABELS
from ...judging.leakage import LeakKind
from ...judging.output_faults import Fault, is_degenerate, is_empty
from ...records.run import Finding, Prediction


class Tag(Struct, frozen=True, omit_defaults=True):
    """One thing that may be wrong with a summary."""

    one: str
    """The words on a row: `cut off`, `invented detail`."""
    many: str = ""
    """The words behind a number above 1, for what is counted: `invented details`; empty for what is not."""
    guard: str = ""
    """The guard that counts such summaries; empty where none does."""


INVENTED = Tag("invented detail", "invented details", "facts")
SWAPPED = Tag("role swapped", "roles swapped")
SENTENCE = Tag("unsupported sentence", "unsupported sentences")
NO_TEXT = Tag("no text recorded", guard="scores")
NO_SCORE = Tag("no score", guard="scores")
UNCHANGED = Tag("same text as the baseline", guard="effect")

FAULTS: dict[Fault, Tag] = {
    "empty": Tag(FAULT_LABELS["empty"], guard="endings"),
    "never-ending": Tag(FAULT_LABELS["never-ending"], guard="endings"),
    "degenerate": Tag(FAULT_LABELS["degenerate"], guard="degeneration"),
    "repeated": Tag(FAULT_LABELS["repeated"], guard="degeneration"),
    "shortened": Tag(FAULT_LABELS["shortened"], guard="truncation"),
    "other language": Tag(FAULT_LABELS["other language"], guard="language"),
}

LEAKS: dict[LeakKind, Tag] = {
    "trained on": Tag("trained on", guard="leakage"),
    "chose the checkpoint": Tag("chose the checkpoint", guard="leakage"),
    "shown in the prompt": Tag("shown in the prompt", guard="leakage"),
    "copied from training": Tag("copied from training", guard="leakage"),
    "copied reference": Tag("copied reference", guard="leakage"),
    "twice": Tag("twice"),
}

_HASH = "#conversations?"
_SORTED = {"writing": "sort=novel-bigrams&by=candidate&order=asc"}
_BY_CONVERSATION = {tag.guard for tag in (INVENTED, NO_SCORE, UNCHANGED, *FAULTS.values(), *LEAKS.values())} - {""}


def link_evidence(guard: str) -> str | None:
    """The address, on a comparison's page, of the conversations that a guard looks at; None for guards on means."""
    if guard in _SORTED:
        return _HASH + _SORTED[guard]
    return f"{_HASH}guard={guard}" if guard in _BY_CONVERSATION or guard == "slices" else None


def find_tags(
    prediction: Prediction | None,
    scores: Mapping[str, float | None],
    findings: Sequence[Finding],
    *,
    headline: str | None,
    faults: Collection[Fault] = (),
    leaks: Sequence[LeakKind] = (),
    before: str | None = None,
) -> list[tuple[Tag, int]]:
    """What is wrong with one summary, with its number, the gravest first.

    `faults` are those that only a look at all summaries finds; the others are found here. `before` is the baseline's
    text for a candidate's summary.
    """
    if prediction is None:
        return [(NO_TEXT, 1)]
    own: dict[Fault, bool] = {
        "empty": is_empty(prediction.text),
        "never-ending": prediction.finish_reason == "length",
        "degenerate": is_degenerate(prediction.text),
        "shortened": prediction.turns_dropped > 0,
    }
    kinds = [finding.kind for finding in findings]
    sentences = kinds.count("unsupported sentence")
    details = sum(kind.startswith("unsupported ") for kind in kinds) - sentences
    invented = scores.get(FACTS)
    counted = {
        INVENTED: details if invented is None else round(invented),
        SWAPPED: sum(kind.startswith("not what ") for kind in kinds),
        SENTENCE: sentences,
    }
    return [
        *((tag, 1) for fault, tag in FAULTS.items() if own.get(fault) or fault in faults),
        *((tag, number) for tag, number in counted.items() if number),
        *((tag, 1) for kind, tag in LEAKS.items() if kind in leaks),
        *([(UNCHANGED, 1)] if before is not None and before == prediction.text else []),
        *([(NO_SCORE, 1)] if headline is not None and scores.get(headline) is None else []),
    ]
