"""What a rule is judged on (the run, the systems that it names, whether they were measured alike), and its result.

Runs that cannot be compared (a vanished metric, missing ids, another protocol) never pass: `CannotJudge` says why, and
how to fix it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from ..data.similarity.fingerprints import ids_sha256
from ..data.similarity.scored import ScoredSplit
from ..errors import LiftbenchError
from ..judging.evidence import Selection
from ..recipe.rules import Rule
from ..records.run import Direction
from ..runs.differences import protocol_differences
from ..runs.measured import MeasuredRun
from ..statistics.bootstrap import Bootstrap
from ..text.phrases import join_words, metric_label, pluralize

RuleState = Literal["passed", "failed", "not run"]

STATES: tuple[RuleState, ...] = ("failed", "not run", "passed")
"""The states, worst first."""


class CannotJudge(LiftbenchError):
    """A rule that cannot be judged; `what` is a whole sentence, shown unchanged in the rule's result."""


class Loss(Struct, frozen=True, kw_only=True):
    """A conversation that got worse."""

    id: str
    before: float
    after: float


class RuleResult(Struct, frozen=True, kw_only=True):
    """One rule and its result on a run."""

    rule: str
    run: str
    """Id of the run; with several seeds, of the seed that does worst on this rule."""
    state: RuleState
    found: str
    """What was found, with its figures."""
    fix: str = ""
    """How to fix it; empty where the rule passed."""
    metric: str = ""
    """The metric's name in the run."""
    over: str = ""
    """The system that the rule compares with: `baseline`, `proven`, a promoted name, …; empty for none."""
    value: float | None = None
    """The quantity that the rule is about: a lift or drop as a share, anything else in the metric's points."""
    low: float | None = None
    high: float | None = None
    """Bounds of its interval."""
    slack: float | None = None
    """By how much the rule holds, or (below zero) is broken: the smallest value over all its parts."""
    n: int = 0
    losses: list[Loss] = []
    """Where the rule failed: the conversations of its broken parts that lost most against `over` or the baseline."""
    guards: list[str] = []
    """Names of the verdict's guards that keep the rule from being *verified*."""
    waived: list[str] = []
    """Names of the guards that did not pass and that the rule leaves out: it passes in spite of them."""


class GateContext(Struct, frozen=True, kw_only=True):
    """A run with every system and figure that its rules may name."""

    run: MeasuredRun
    systems: Mapping[str, MeasuredRun]
    """The available systems by name: `baseline`, `proven`, `best-prompt` and promoted names."""
    missing: Mapping[str, tuple[str, str]]
    """The systems that are not available by name: why, and how to fix it."""
    humans: Mapping[str, Mapping[str, float | None]]
    """Id → metric → the humans' value; empty where they were not measured."""
    scored: ScoredSplit
    bootstrap: Bootstrap
    selection: Selection = Selection()
    """How the run was chosen; a verified interval is corrected for the candidates that it counts."""

    @property
    def baseline(self) -> MeasuredRun:
        return self.systems["baseline"]

    def system(self, name: str) -> MeasuredRun:
        """The system with this name. Raises `CannotJudge` where it is not available."""
        if name in self.systems:
            return self.systems[name]
        what, fix = self.missing.get(name, (f"There is no system {name!r}.", "Name a promoted baseline."))
        raise CannotJudge(what, fix)

    def direction(self, metric: str) -> Direction:
        """Which direction is better, as the baseline recorded it. Raises `CannotJudge` where it did not."""
        for run in (self.baseline, self.run):
            for row in run.summary.metrics:
                if row.name == metric:
                    return row.direction
        raise CannotJudge(f"Which way {metric} is better is not recorded.", "Measure both runs again (--fresh).")


BEST_PROMPT = ("best-prompt", "best_prompt", "best-prompted")

RESERVED = ("baseline", "proven", "references", *BEST_PROMPT)
"""Names that rules use for systems by their role; a promoted baseline cannot have one of these names."""


def over(rule: Rule) -> str:
    """The name of the system that a rule compares with; empty for none.

    A lift is over the baseline, and a drop is from the proven run, unless the rule names another.
    """
    if rule.quantity == "value":
        name = rule.bound.system
    else:
        name = rule.over or ("baseline" if rule.quantity == "lift" else "proven")
    return BEST_PROMPT[0] if name in BEST_PROMPT else name


def score(run: MeasuredRun, id_: str, metric: str) -> float | None:
    """A run's score of one conversation; None where it has none."""
    return run.scores.get(id_, {}).get(metric)


def require_alike(run: MeasuredRun, other: MeasuredRun, name: str, metric: str = "") -> None:
    """Raise `CannotJudge` where a run was not measured like `other`, called `name`.

    That is so where anything but the list of metrics differs, where `metric` was computed differently, or where a run
    does not have scores of exactly the conversations of its protocol.
    """
    theirs, own = other.manifest.protocol, run.manifest.protocol
    differing = [
        one
        for one in protocol_differences(theirs, own)
        if not one.key.startswith("metrics.") or one.key == f"metrics.{metric}"
    ]
    if differing:
        words = "; ".join(f"{one.key}: {one.candidate} instead of {one.baseline}" for one in differing)
        raise CannotJudge(
            f"{run.id} was not measured as {name} was: {words}.",
            f"Measure it with the recipe, data and package versions of {name} (`bench score {run.id}`); or, if the "
            "change is meant, promote the new run.",
        )
    for who, some, texts in ((run.id, run, run.conversations), (name, other, [])):
        ids = some.scores.keys()
        if texts and {one.id for one in texts} != ids:
            raise CannotJudge(
                f"{pluralize(len({one.id for one in texts} ^ ids), 'conversation')} of {own.n} have no score in {who}, "
                f"or a score without a conversation, for example {min({one.id for one in texts} ^ ids)}.",
                "Measure it again (--fresh): its files are not whole.",
            )
        if ids_sha256(ids) != theirs.conversations or len(ids) != theirs.n:
            raise CannotJudge(
                f"{who} has scores of {len(ids)} conversations that are not the {theirs.n} of its protocol.",
                "Measure it again (--fresh), or promote it again: its scores are not whole.",
            )


def require_metrics(run: MeasuredRun, other: MeasuredRun, name: str) -> None:
    """Raise `CannotJudge` where a run lacks a metric of `other`, or has another signature or direction for it."""
    theirs, own = other.manifest.protocol.metrics, run.manifest.protocol.metrics
    if vanished := [metric for metric in theirs if metric not in own]:
        raise CannotJudge(
            f"{join_words(vanished)} of {name} vanished from the run.",
            f"Score it again with {' '.join(f'--metric {metric}' for metric in vanished)}, or promote {name} again "
            "without.",
        )
    if changed := [metric for metric in theirs if own[metric] != theirs[metric]]:
        raise CannotJudge(
            f"{join_words(changed)} are not computed as for {name}: {own[changed[0]]} instead of {theirs[changed[0]]}.",
            f"Score both with the same versions, and promote {name} again.",
        )
    ways = {row.name: row.direction for row in run.summary.metrics}
    if turned := [row.name for row in other.summary.metrics if ways.get(row.name, row.direction) != row.direction]:
        raise CannotJudge(
            f"On {join_words(turned)} the better direction is not that of {name}.",
            f"Promote {name} again, if that is meant.",
        )


def require_direction(rule: Rule, metric: str, direction: Direction) -> None:
    """Raise `CannotJudge` for a rule that would fail the better run."""
    better: dict[Direction, str] = {"higher": ">=", "lower": "<="}
    if direction in better and rule.comparator != better[direction]:
        raise CannotJudge(
            f"On {metric_label(metric)} {direction} is better, and the rule would fail the better run.",
            f"Write {better[direction]} instead of {rule.comparator}.",
        )
