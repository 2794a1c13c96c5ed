"""Guards on the texts: whole conversations were read, summaries end, do not loop, and are in the right language."""

from __future__ import annotations

from collections.abc import Mapping

from ...text.phrases import join_words, percent
from ..evidence import Evidence
from ..output_faults import Fault
from .base import SEEN_HERE, Check

FAULT_LABELS: dict[Fault, str] = {
    "empty": "empty",
    "never-ending": "cut off",
    "degenerate": "repeats itself",
    "repeated": "same text as elsewhere",
    "shortened": "read only in part",
    "other language": "other language",
}
"""What is wrong with a summary, in a word or two."""

_BRIEF: dict[Fault, str] = {
    "empty": "are empty",
    "never-ending": "are cut off",
    "degenerate": "repeat themselves or are not language",
    "repeated": "repeat another summary",
    "shortened": "were read only in part",
    "other language": "are in the wrong language",
}


def check_truncation(evidence: Evidence) -> Check:
    """Whether the model was shown whole conversations."""
    step, fix = "Allow longer conversations, and measure both again.", "The limit is `generation.max_input_tokens`."
    # Only the run that the lift is judged over counts: a longer prompt measured beside it must not worsen the verdict.
    name = "best prompt" if evidence.over.manifest.tuned else "baseline"
    shortened = evidence.over.summary.shortened
    if shortened > evidence.terms.limits.faults * evidence.n:
        words = f"With the {name}, the model was shown only a part of {shortened} of {evidence.n} conversations."
        figure, limit = f"{shortened} of {evidence.n}", f"(limit {percent(evidence.terms.limits.faults)})"
        brief = f"{figure} conversations were read only in part with the {name} {limit}"
        return Check("failed", words, fix, brief, f"{figure} {limit}", step=step)
    return _rare(
        evidence,
        {"shortened": "were read only in part"},
        of="conversations",
        unclear="it is not known whether it read whole conversations",
        unknown=("Whether the whole conversations were read was not recorded.", SEEN_HERE),
        step={"shortened": step},
        fix=fix,
    )


def check_endings(evidence: Evidence) -> Check:
    """Whether the summaries have words, and end before the token limit."""
    return _rare(
        evidence,
        {"empty": "are empty", "never-ending": "had no end at the token limit"},
        unknown=("Whether the texts ended by themselves was not recorded.", SEEN_HERE),
        unclear="it is not known whether its summaries are cut off",
        step={
            "empty": "Read the conversations behind {them} left empty.",
            "never-ending": "Read {them} that {were} cut off.",
        },
        fix={
            "empty": "Train on more conversations like them, or for longer.",
            "never-ending": "If they were good, allow longer ones (`generation.max_new_tokens`) "
            "and measure both again.",
        },
    )


def check_degeneration(evidence: Evidence) -> Check:
    """Whether the summaries are language, and repeat neither themselves nor each other."""
    return _rare(
        evidence,
        {"degenerate": "repeat themselves or are not language", "repeated": "are another conversation's text again"},
        step={
            "degenerate": "Read {them} going in circles.",
            "repeated": "Read {them} that {were} written twice.",
        },
        fix="Longer training, more conversations or a larger model may help.",
    )


def check_language(evidence: Evidence) -> Check:
    """Whether the summaries are in the language of their conversation."""
    return _rare(
        evidence,
        {"other language": "are in another language than the conversation and the human summaries"},
        unknown=(
            "Could not detect the conversations' language.",
            "Score conversations whose language can be detected; very short ones are not enough.",
        ),
        unclear="it is not known whether its summaries are in the right language",
        fix="Train on summaries in the language that is wanted.",
    )


def _rare(
    evidence: Evidence,
    faults: dict[Fault, str],
    *,
    fix: str | Mapping[Fault, str],
    step: Mapping[Fault, str] = {},
    of: str = "summaries",
    unknown: tuple[str, str] = ("Not known.", "Measure it again."),
    unclear: str = "it is not known whether its summaries are sound",
) -> Check:
    """Whether each fault occurs at most as often as the limit allows, added to its share in human summaries."""
    found = {fault: ids for fault in faults if (ids := evidence.faults[fault]) is not None}
    if len(found) < len(faults):
        return Check("not run", *unknown, unclear)
    some = {fault: ids for fault, ids in found.items() if ids}
    if not some:
        return Check("passed", f"None of {evidence.n} {of} {join_words(list(faults.values()), 'or')}.")
    allowed = {fault: evidence.terms.limits.faults + evidence.basis.usual_faults.get(fault, 0.0) for fault in some}
    words = "; ".join(
        f"{len(ids)} of {evidence.n} {of} {faults[fault]}; the limit is {percent(allowed[fault])}"
        for fault, ids in some.items()
    )
    many = {fault: ids for fault, ids in some.items() if len(ids) > allowed[fault] * evidence.n}
    concerned = list(dict.fromkeys(id_ for ids in (many or some).values() for id_ in ids))
    if not many:
        return Check("passed", f"{words}.", figure=f"all but {len(concerned)} of {evidence.n}", ids=concerned)
    fault, ids = next(iter(many.items()))
    limit = f"(limit {percent(allowed[fault])})"
    return Check(
        "failed",
        f"{words}; for example {ids[0]}.",
        fix if isinstance(fix, str) else fix[fault],
        f"{len(ids)} of {evidence.n} {of} {_BRIEF[fault]} {limit}",
        f"{len(ids)} of {evidence.n} {limit}",
        concerned,
        step.get(fault, "").format(
            them=f"the {len(ids)} summaries" if len(ids) > 1 else "the summary", were="were" if len(ids) > 1 else "was"
        ),
        FAULT_LABELS[fault],
    )
