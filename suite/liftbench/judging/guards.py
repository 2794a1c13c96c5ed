"""The guards of a verdict: conditions without which a lift, however large, proves nothing.

Each looks at recorded evidence alone and says what it found. One that cannot run has not passed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from msgspec import Struct

from ..floors.control_scores import SystemScores
from ..statistics.lift import NoLift
from ..text.phrases import counted, listed, metric_label, percent
from .evidence import Evidence
from .leakage import LeakKind
from .output_faults import Fault
from .slices import SliceResult

GuardState = Literal["passed", "failed", "undecided", "not run"]


class Guard(Struct, frozen=True, kw_only=True):
    """One condition of a verdict, checked."""

    name: str
    """Short, as the verdict names it: `controls`, `leakage`, …"""
    question: str
    """What it asks, in words that a reader without statistics understands."""
    state: GuardState
    """Only `passed` supports a verdict: a guard that could not run has not passed."""
    words: str
    """What was found, with its figures."""
    mend: str = ""
    """What would settle it, where it has not passed."""


FACTS = "unsupported-facts"
"""The metric that the guard of facts reads."""

SEEN_HERE = "Generate the texts through this suite (`bench score SYSTEM`)."


class Check(NamedTuple):
    """What a guard found."""

    state: GuardState
    words: str
    mend: str = ""


def check_guards(evidence: Evidence) -> list[Guard]:
    """Every guard, in the order of a report."""
    return [
        Guard(name=name, question=question, state=found.state, words=found.words, mend=found.mend)
        for name, (question, check) in GUARDS.items()
        for found in [check(evidence)]
    ]


# ----------------------------------------------------------------------------------------------- what was compared


def _scores(evidence: Evidence) -> Check:
    if not evidence.judged:
        return Check(
            "not run",
            "The lift is judged over the best prompt, and none was searched for.",
            "Search for it: `bench baseline --tune`.",
        )
    problems = [lift.reason for lift in evidence.judged if isinstance(lift, NoLift)]
    problems += [
        f"a lift is judged on a metric where higher is better, and {lift.metric} is none"
        for lift in evidence.judged
        if evidence.direction(lift.metric) != "higher"
    ]
    if problems:
        words = f"There is no lift to judge: {'; '.join(dict.fromkeys(problems))}."
        return Check("failed", words, "Fix or replace what gives no number, and measure again.")
    return Check("passed", f"Every headline has a number for each of {evidence.n} conversations, in both runs.")


def _same_base(evidence: Evidence) -> Check:
    candidate, baseline = evidence.candidate.manifest.system, evidence.baseline.manifest.system
    if candidate.model is None or baseline.model is None:
        who = "candidate" if candidate.model is None else "baseline"
        return Check("not run", f"Which model wrote the {who}'s texts was not recorded by this suite.", SEEN_HERE)
    mend = f"Measure the candidate's own base: `bench baseline --model {candidate.model.reference}`, same recipe."
    if baseline.adapter is not None:
        return Check("failed", "The baseline has an adapter, too: the gain is not one over the untuned model.", mend)
    if (candidate.model.sha256, candidate.model.settings_sha256) != (
        baseline.model.sha256,
        baseline.model.settings_sha256,
    ):
        return Check("failed", "The candidate's base has other weights or settings than the baseline's model.", mend)
    # A prompt that was searched for on development data is a candidate of its own; any other difference confounds.
    if not evidence.candidate.manifest.tuned and (
        candidate.prompt is None or baseline.prompt is None or candidate.prompt.sha256 != baseline.prompt.sha256
    ):
        return Check(
            "failed",
            "The baseline has another prompt than the candidate, so the gain may come from the prompt.",
            "Measure the baseline with the candidate's recipe; `bench baseline --tune` says what a prompt buys.",
        )
    adapter = candidate.adapter
    if adapter is None:
        return Check("passed", "Both are the same weights without an adapter; what differs is listed with the systems.")
    if adapter.base_sha256 is None:
        return Check(
            "not run",
            "The adapter does not tell which weights it was trained on.",
            "Train it through `bench train`, which records that.",
        )
    if adapter.base_sha256 != candidate.model.sha256:
        return Check("failed", "The adapter was trained on other weights than it was scored on.", mend)
    return Check("passed", "The adapter was trained and scored on the baseline's own weights, with the same prompt.")


def _effect(evidence: Evidence) -> Check:
    after = evidence.candidate.text_hashes
    for name, run in (("the baseline", evidence.baseline), ("the best prompt", evidence.best_prompted)):
        before = run.text_hashes if run else {}
        same = sum(before.get(id_) == text for id_, text in after.items())
        if after and 2 * same > len(after):
            return Check(
                "failed",
                f"{same} of {len(after)} texts are those of {name}, character by character.",
                "Check that the adapter was applied, and that it is no other system under a new name.",
            )
    return Check("passed", "Most texts differ from those of the baseline and of the best prompt.")


def _seeds(evidence: Evidence) -> Check:
    if evidence.basis.unscored_seeds:
        return Check(
            "failed", f"Not judged: {evidence.basis.unscored_seeds}.", "Score every seed alike, and compare again."
        )
    trained = evidence.candidate.manifest.family
    return Check(
        "passed",
        "No other seed of this training was left out." if trained else "The candidate has no training with seeds.",
    )


# -------------------------------------------------------------------------------------------------------- what was seen


_SEEN: dict[LeakKind, str] = {
    "trained on": "scored conversations were trained on, or nearly the same ones",
    "chose the checkpoint": "scored conversations, or nearly the same ones, chose the checkpoint",
    "shown in the prompt": "scored conversations, or nearly the same ones, or their summaries, stand in the prompt",
}


def _leakage(evidence: Evidence) -> Check:
    if unknown := _unknown_training(evidence):
        return Check("not run", unknown, "Train it through `bench train`, which records what an adapter has seen.")
    ids: dict[LeakKind, list[str]] = {}
    for leak in evidence.leaks:
        ids.setdefault(leak.kind, []).append(leak.id)
    found = {kind: f"{len(ids[kind])} {words}" for kind, words in _SEEN.items() if kind in ids}
    allowed: dict[LeakKind, tuple[float, str]] = {
        "copied from training": (evidence.terms.limits.faults + evidence.human_copies, "training summaries"),
        "copied reference": (evidence.terms.limits.faults, "the human summaries that they are scored against"),
    }
    for kind, (share, what) in allowed.items():
        if len(ids.get(kind, ())) > share * evidence.n:
            found[kind] = f"{len(ids[kind])} of {evidence.n} texts are copies of {what}; the limit is {percent(share)}"
    if found:
        kind = next(iter(found))
        return Check(
            "failed",
            f"{'; '.join(found.values()).capitalize()} (for example {ids[kind][0]}).",
            "Train without them, or score conversations that are like none of the training.",
        )
    rows = evidence.candidate.training_rows
    seen = f"None of the {len(rows):,} conversations used in training is" if rows else "Nothing was trained on that is"
    copied = len(ids.get("copied from training", ()))
    return Check("passed", f"{seen} a scored one, or nearly one; {copied} texts copy a training summary.")


def _unknown_training(evidence: Evidence) -> str:
    """Why it is not known what the candidate was trained on, or an empty string."""
    candidate, baseline = evidence.candidate.manifest.system, evidence.baseline.manifest.system
    if candidate.model is None:
        return "Texts made elsewhere: what their maker was trained on is not known."
    if candidate.adapter is not None:
        unknown = "What the adapter was trained on is not recorded: it has no rows.jsonl, or not that of its weights."
        return "" if evidence.candidate.training_rows else unknown
    if baseline.model is None or candidate.model.sha256 != baseline.model.sha256:
        return "The candidate's weights are not the baseline's, and what they were trained on is not known."
    return ""


# ----------------------------------------------------------------------------------------------------- what was written


def _truncation(evidence: Evidence) -> Check:
    mend = "Raise generation.max_input_tokens, and measure both again."
    for name, run in (("baseline", evidence.baseline), ("best prompt", evidence.best_prompted)):
        shortened = run.summary.shortened if run else 0
        if shortened > evidence.terms.limits.faults * evidence.n:
            words = f"With the {name}, the model was shown only a part of {shortened} of {evidence.n} conversations."
            return Check("failed", words, mend)
    return _rare(
        evidence,
        {"shortened": "were read only in part"},
        of="conversations",
        unknown=("Whether the whole conversations were read was not recorded.", SEEN_HERE),
        mend=mend,
    )


def _endings(evidence: Evidence) -> Check:
    return _rare(
        evidence,
        {"empty": "are empty", "never-ending": "had no end at the token limit"},
        unknown=("Whether the texts ended by themselves was not recorded.", SEEN_HERE),
        mend="Read them in the report; raise generation.max_new_tokens for both runs if good summaries were cut.",
    )


def _degeneration(evidence: Evidence) -> Check:
    return _rare(
        evidence,
        {"degenerate": "repeat themselves or are not language", "repeated": "are another conversation's text again"},
        mend="Read them in the report: longer training, more conversations or a larger model may help.",
    )


def _language(evidence: Evidence) -> Check:
    return _rare(
        evidence,
        {"other language": "are in another language than the conversation and the human summaries"},
        unknown=(
            "Could not detect the conversations' language.",
            "Score conversations whose language can be detected; very short ones are not enough.",
        ),
        mend="Train on summaries in the language that is wanted.",
    )


def _rare(
    evidence: Evidence,
    faults: dict[Fault, str],
    *,
    mend: str,
    of: str = "summaries",
    unknown: tuple[str, str] = ("Not known.", "Measure it again."),
) -> Check:
    """Whether each of some faults is as rare as the limit says, beyond what is usual of the humans' own summaries."""
    found = {fault: ids for fault in faults if (ids := evidence.faults[fault]) is not None}
    if len(found) < len(faults):
        return Check("not run", *unknown)
    some = {fault: ids for fault, ids in found.items() if ids}
    if not some:
        return Check("passed", f"None of {evidence.n} {of} {listed(list(faults.values()), 'or')}.")
    allowed = {fault: evidence.terms.limits.faults + evidence.basis.usual_faults.get(fault, 0.0) for fault in some}
    words = "; ".join(
        f"{len(ids)} of {evidence.n} {of} {faults[fault]}; the limit is {percent(allowed[fault])}"
        for fault, ids in some.items()
    )
    many = [ids for fault, ids in some.items() if len(ids) > allowed[fault] * evidence.n]
    if many:
        return Check("failed", f"{words}; for example {many[0][0]}.", mend)
    return Check("passed", f"{words}.")


# -------------------------------------------------------------------------------------------------------- what it beats


def _controls(evidence: Evidence) -> Check:
    headlines = [lift.metric for lift in evidence.lifts]
    by_metric = {position.metric: position for position in evidence.positions}
    rows = evidence.controls.rows if evidence.controls else []
    missing = [row.name for row in rows if row.role == "floor" and (row.missing or not _whole(row, headlines))]
    if missing or any(metric not in by_metric for metric in headlines):
        which = listed(missing) if missing else "the controls"
        return Check(
            "not run",
            f"Not measured: {which}.",
            "`bench controls` says why; most learn from human summaries of a training split (data.train_split).",
        )
    unbeaten = [one for one in by_metric.values() if one.gap_low is None or one.gap_low <= 0]
    words = "; ".join(
        f"{metric_label(one.metric)} {one.candidate_mean:.3f}, {one.floor} {one.floor_mean:.3f}"
        for one in by_metric.values()
    )
    if not unbeaten:
        return Check("passed", f"The candidate scores significantly higher than every control ({words}).")
    where = listed([metric_label(one.metric) for one in unbeaten])
    worse = all(one.gap_high is not None and one.gap_high < 0 for one in unbeaten)
    verb = "The candidate scores lower than" if worse else "The candidate is not shown to beat"
    return Check(
        "failed",
        f"{verb} the best control on {where} ({words}).",
        "Train a better adapter, or take a larger model: it must score clearly above "
        f"{listed([f'{one.floor_mean:.3f} on {metric_label(one.metric)}' for one in unbeaten])}.",
    )


def _whole(row: SystemScores, metrics: Sequence[str]) -> bool:
    """Whether a control has a value for every conversation, on each of some metrics."""
    return all(None not in row.scores.get(metric, [None]) for metric in metrics)


def _facts(evidence: Evidence) -> Check:
    humans = next((row for row in evidence.controls.rows if row.role == "humans"), None) if evidence.controls else None
    column = humans.scores.get(FACTS) if humans else None
    if column is None or evidence.controls is None:
        return Check(
            "not run",
            f"{FACTS} was not measured of the candidate and of the humans.",
            f"Give metrics.names {FACTS!r}, and a split with human summaries.",
        )
    own = {id_: scores.get(FACTS) for id_, scores in evidence.candidate.scores.items()}
    pairs = {
        id_: (found, human)
        for id_, human in zip(evidence.controls.ids, column, strict=True)
        if (found := own.get(id_)) is not None and human is not None
    }
    differences = [found - human for found, human in pairs.values()]
    difference, _, high = evidence.basis.bootstrap.mean(differences, list(pairs))
    if len(pairs) < evidence.n:
        return Check(
            "not run",
            f"{len(pairs)} of {evidence.n} conversations have a number for {FACTS} of the candidate and of the humans.",
            "Score conversations that all have a human summary.",
        )
    if difference is None or high is None:
        return Check("not run", "One conversation, or one cluster of them, has no interval.", "Score more of them.")
    human_mean = fmean(human for _, human in pairs.values())
    allowed = evidence.terms.limits.unsupported
    words = (
        f"{human_mean + difference:.3f} invented details a summary (numbers, names, dates, codes that the conversation "
        f"lacks), the humans {human_mean:.3f}; at most {max(high, 0):.3f} more (upper bound), and the limit is "
        f"{allowed:g}."
    )
    if high <= allowed:
        return Check("passed", words)
    return Check("failed", words, "Look at the marked details in the report; more conversations narrow the figure.")


def _slices(evidence: Evidence) -> Check:
    worse = [one for one in evidence.slices if one.state == "worse"]
    if worse:
        return Check(
            "failed",
            f"The candidate is worse than the baseline on {listed([_part(one) for one in worse])}.",
            "Train with more conversations of that kind.",
        )
    small = list(dict.fromkeys(_part(one) for one in evidence.slices if one.state == "undecided"))
    if small:
        shown = listed(small[:3]) if len(small) <= 3 else f"{', '.join(small[:3])} and {len(small) - 3} more"
        return Check(
            "undecided",
            f"Too few conversations to judge {shown}.",
            "Score more conversations of that kind, or declare coarser slices (guards.slices).",
        )
    fields = list(dict.fromkeys(one.field for one in evidence.slices))
    whole = [field for field in evidence.terms.limits.slices if field not in fields]
    unseen = f" Not sliced by {listed(whole)}: too few conversations, or too much alike." if whole else ""
    if not fields:
        return Check("passed", f"There are no slices to check.{unseen}")
    parts = counted(len({(one.field, one.label) for one in evidence.slices}), "slice")
    return Check("passed", f"No slice is worse than the baseline ({parts} checked: {listed(fields)}).{unseen}")


def _part(one: SliceResult) -> str:
    """`turns: 8 to 9 on ROUGE-L`; the metric only where it tells something."""
    where = f"{one.field}: {one.label} ({one.n})"
    return f"{where} on {metric_label(one.metric)}" if one.state == "worse" else where


GUARDS: dict[str, tuple[str, Callable[[Evidence], Check]]] = {
    "scores": ("Is there a number to judge, from every conversation?", _scores),
    "same base": ("Is it compared with its own untuned model, under the same prompt?", _same_base),
    "effect": ("Does it write anything else than the baseline?", _effect),
    "seeds": ("Were all seeds of its training judged?", _seeds),
    "leakage": ("Was nothing that is scored seen in training or in the prompt, and no summary copied?", _leakage),
    "truncation": ("Were the whole conversations read?", _truncation),
    "endings": ("Does every summary have words, and an end?", _endings),
    "degeneration": ("Is every summary a text of its own, that does not go in circles?", _degeneration),
    "language": ("Is every summary in the conversation's language?", _language),
    "controls": ("Does it beat what needs no model at all?", _controls),
    "facts": ("Does it invent hardly more details than people do?", _facts),
    "slices": ("Is it worse on no slice of the conversations?", _slices),
}
"""Name → what it asks, and how it is checked."""


STATES: tuple[GuardState, ...] = ("failed", "not run", "undecided", "passed")
"""The gravest first."""


def not_passed(guards: Sequence[Guard]) -> list[Guard]:
    """Those that support no verdict, the gravest first."""
    return sorted((guard for guard in guards if guard.state != "passed"), key=lambda guard: STATES.index(guard.state))
