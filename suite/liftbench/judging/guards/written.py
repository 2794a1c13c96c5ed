"""Guards on the texts: whole conversations were read, summaries end, do not loop, and are in the right language."""

from __future__ import annotations

from ...text.phrases import join_words, percent
from ..evidence import Evidence
from ..output_faults import Fault
from .base import SEEN_HERE, Check

_BRIEF: dict[Fault, str] = {
    "empty": "are empty",
    "never-ending": "are cut off",
    "degenerate": "go in circles or are no language",
    "repeated": "repeat another summary",
    "shortened": "were read only in part",
    "other language": "are in the wrong language",
}


def check_truncation(evidence: Evidence) -> Check:
    """Whether the model was shown whole conversations."""
    fix = "Raise generation.max_input_tokens, and measure both again."
    # Only the run that the lift is judged over counts: a longer prompt measured beside it must not worsen the verdict.
    name = "best prompt" if evidence.over.manifest.tuned else "baseline"
    shortened = evidence.over.summary.shortened
    if shortened > evidence.terms.limits.faults * evidence.n:
        words = f"With the {name}, the model was shown only a part of {shortened} of {evidence.n} conversations."
        brief = f"{shortened} of {evidence.n} conversations were read only in part with the {name}"
        return Check("failed", words, fix, brief, f"{shortened} of {evidence.n}")
    return _rare(
        evidence,
        {"shortened": "were read only in part"},
        of="conversations",
        unclear="it is not known whether it read whole conversations",
        unknown=("Whether the whole conversations were read was not recorded.", SEEN_HERE),
        fix=fix,
    )


def check_endings(evidence: Evidence) -> Check:
    """Whether the summaries have words, and end before the token limit."""
    return _rare(
        evidence,
        {"empty": "are empty", "never-ending": "had no end at the token limit"},
        unknown=("Whether the texts ended by themselves was not recorded.", SEEN_HERE),
        unclear="it is not known whether its summaries are cut off",
        fix="Read them; if good summaries were cut, raise generation.max_new_tokens for both runs.",
    )


def check_degeneration(evidence: Evidence) -> Check:
    """Whether the summaries are language, and repeat neither themselves nor each other."""
    return _rare(
        evidence,
        {"degenerate": "repeat themselves or are not language", "repeated": "are another conversation's text again"},
        fix="Read them: longer training, more conversations or a larger model may help.",
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
    fix: str,
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
    figure = f"{len(concerned)} of {evidence.n}"
    if many:
        fault, ids = next(iter(many.items()))
        words = f"{words}; for example {ids[0]}."
        return Check("failed", words, fix, f"{len(ids)} of {evidence.n} {of} {_BRIEF[fault]}", figure, concerned)
    return Check("passed", f"{words}.", figure=figure, ids=concerned)
