"""Gates: rules that a run must keep against promoted baselines, so that what was proven stays proven.

A gate does not train and does not read a data set: a run, promoted files and rules give the same outcome on every
machine, in any order. `checks` holds the check of each rule, `recipe.rules` the grammar.

`lift(M)` is the relative gain of the run's mean over that of `baseline`, or of `over=`. `drop(M)` is the relative loss
from `proven`, or from `over=`, whichever direction is better on M. A metric by itself is the run's mean. Systems are
`baseline`, `proven` (the promoted adapter that the run must not fall behind), `best-prompt` (the baseline's model with
its best prompt), `references` (the human summaries, scored against each other) and any promoted name. `verified` means
the same as in a verdict: the interval's less favourable end counts, on 30 conversations or more, and every guard that
is not excepted by name has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ..data.similarity.scored import ScoredSplit
from ..errors import LiftbenchError, UsageError, unknown
from ..floors.background import Background
from ..judging.evidence import Selection, gather_evidence, lay_basis
from ..judging.guards import FACTS, GUARDS, Guard, check_guards, not_passed
from ..judging.guards import STATES as GUARD_STATES
from ..judging.lifts import measure_lifts
from ..judging.rescoring import check_scores
from ..metrics.base import Metric
from ..recipe.rules import Rule
from ..records.conversation import Conversation
from ..records.run import Protocol
from ..runs.differences import Difference, system_differences
from ..runs.directory import Run
from ..runs.measured import MeasuredRun
from ..runs.seed_groups import group_by_training, seed_of
from ..statistics.bootstrap import Bootstrap
from ..text.html_table import html_table
from ..text.phrases import join_words, pluralize
from .baselines import Promoted, Version
from .checks import check_rule
from .context import STATES, CannotJudge, GateContext, RuleResult, RuleState, require_alike, require_metrics
from .explain import describe_rule

SCHEMA = 1

ALIKE = "measured alike"
"""The rule that every gate has."""


GateState = Literal["passed", "passed with waivers", "failed"]

GATE_BADGES: Mapping[str, str] = {
    "passed": "Passed",
    "passed with waivers": "Passed with waivers",
    "failed": "Failed",
}
"""Each state in the plain words of its badge."""


class GateReport(Struct, frozen=True, kw_only=True):
    """What `bench gate --json` prints."""

    schema: int = SCHEMA
    passed: bool
    runs: list[str]
    """Ids of the runs that were gated: all seeds of one training."""
    system: str
    protocol: Protocol
    """The baseline's protocol."""
    baseline: str
    """Name of the promoted baseline."""
    proven: str = ""
    results: list[RuleResult]
    guards: list[Guard] = []
    """The verdict's guards, each for the seed that it judges worst; empty where no rule asks for a verdict."""
    waived: list[str] = []
    """Guards that some rule with `verified` leaves out: the gate does not vouch for what they ask."""
    looks: int = 1
    """Candidates in the runs folder that were measured like the run; they share the 5% of wrongly verified lifts."""
    notes: list[str] = []
    """What else a reader must know: newer runs that were passed over, another base model, …"""
    differences: list[Difference] = []
    """How the first run's system and machine differ from the baseline's."""
    trend: dict[str, list[Version]] = {}
    """Promoted name → its versions."""

    @property
    def state(self) -> GateState:
        """A gate whose rules leave guards out has not simply passed, even where the run passes those guards."""
        return "failed" if not self.passed else "passed with waivers" if self.waived else "passed"

    @property
    def badge(self) -> str:
        """`Passed`, `Passed with waivers` or `Failed`."""
        return GATE_BADGES[self.state]

    @property
    def reason(self) -> str:
        """`all 5 rules hold.`, with what the waivers amount to."""
        rules = pluralize(len(self.results), "rule")
        if not self.passed:
            failing = sum(result.state != "passed" for result in self.results)
            return f"{failing} of {rules} did not pass."
        return f"all {rules} hold{self._describe_waivers()}."

    @property
    def sentence(self) -> str:
        """`Passed: all 5 rules hold.`: the same on page, in the terminal, in JUnit XML and in a step's summary."""
        return f"{self.badge}: {self.reason}"

    def _describe_waivers(self) -> str:
        if not self.waived:
            return ""
        failing = [guard for guard in not_passed(self.guards) if guard.name in self.waived]
        others = [name for name in self.waived if name not in {guard.name for guard in failing}]
        if not failing:
            guards = "guard" if len(others) == 1 else "guards"
            return f"; the rules waive {guards} {join_words(others)}, which the run passes"
        also = f"; the rules also waive {join_words(others)}" if others else ""
        return f", but the run does not pass the waived {_name_guards(failing)}, so its lift is not proven{also}"

    def __repr__(self) -> str:
        return "\n".join([self.sentence, *(f"{one.state}: {one.rule}: {one.found}" for one in self.results)])

    def _repr_html_(self) -> str:
        """Shows the outcome and what was checked, then the rules, in a notebook."""
        about = f"{self.system} ({', '.join(self.runs)}) against baseline {self.baseline}"
        about += f", proven {self.proven}" if self.proven else ""
        rows = [[result.rule, result.state, result.found] for result in self.results]
        return html_table([self.sentence, about], ["rule", "state", "what was found"], rows)


class Against(Struct, frozen=True, kw_only=True):
    """The promoted baselines that runs are gated against."""

    baseline: Promoted
    proven: Promoted | None = None
    others: Mapping[str, Promoted] = {}
    """Promoted baselines that rules name, by name."""
    missing: Mapping[str, tuple[str, str]] = {}
    """Name of an unavailable one → why, and how to fix it."""

    def systems(self, conversations: Sequence[Conversation]) -> dict[str, MeasuredRun]:
        """All promoted baselines as runs over these conversations, by the names that rules may use."""
        named = {"baseline": self.baseline, self.baseline.name: self.baseline, **self.others}
        if self.proven:
            named |= {"proven": self.proven, self.proven.name: self.proven}
        found: dict[str, MeasuredRun] = {name: promoted.run(conversations) for name, promoted in named.items()}
        best = self.baseline.best_prompt(conversations)
        return found | ({"best-prompt": best} if best else {})


def gate(
    runs: Sequence[Run],
    rules: Sequence[Rule],
    against: Against,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
    metrics: Sequence[Metric] = (),
) -> GateReport:
    """Check a single run, or the seeds of one training, against rules: each rule must hold on each run.

    `selection` says how the runs were chosen: nothing is verified where a seed of the training is missing, and verified
    intervals are corrected for the candidates that it counts. `metrics` are headlines for scoring the runs' texts
    again: the recorded scores must be those of the texts. Raises `UsageError` for an incomplete run, and for an empty
    list of rules.
    """
    if not rules:
        raise UsageError(
            "there is no rule to check the run by", "Name some: --rule, [gates] rules, or a marker's rules."
        )
    contexts = _contexts([run.require_complete() for run in runs], against, selection)

    @cache
    def guards() -> dict[str, list[Guard]]:
        return _check_guards(contexts, against, metrics)

    results = [_worst(runs, [_alike(run, against) for run in runs])]
    results += [_worst(runs, [_judge(rule, one, guards) for one in contexts]) for rule in rules]
    verified = [rule for rule in rules if rule.strength == "verified"]
    return GateReport(
        passed=all(result.state == "passed" for result in results),
        runs=[run.id for run in runs],
        system=runs[0].manifest.system.name,
        protocol=against.baseline.measured.manifest.protocol,
        baseline=against.baseline.name,
        proven=against.proven.name if against.proven else "",
        results=results,
        guards=_shown_guards(guards) if verified else [],
        waived=sorted({_with_spaces(name) for rule in verified for name in rule.excepted}),
        looks=selection.looks,
        notes=[*selection.notes, *_remarks(contexts[0], against)],
        differences=system_differences(contexts[0].baseline, runs[0]),
        trend={one.name: one.versions for one in (against.baseline, against.proven) if one},
    )


def explain_rule(rule: Rule, report: GateReport) -> str:
    """The meaning of a rule in a sentence, and its result in a gate that checked only this rule."""
    result = report.results[-1]
    return f"{describe_rule(rule)} Today: {result.found} So it {_outcome(result.state)}."


def _outcome(state: RuleState) -> str:
    return {"passed": "passes", "failed": "fails", "not run": "cannot be judged, and so does not pass"}[state]


# ------------------------------------------------------------------------------------------------------------ gathering


def _contexts(runs: Sequence[Run], against: Against, selection: Selection) -> list[GateContext]:
    """The context of each run; seeds that were scored on the same conversations share the scored split."""
    splits: list[ScoredSplit] = []
    contexts = []
    for run in runs:
        scored = next((one for one in splits if one.conversations == run.conversations), None)
        if scored is None:
            scored = ScoredSplit(run.conversations)
            splits.append(scored)
        contexts.append(_context(run, against, scored, selection))
    return contexts


def _context(run: Run, against: Against, scored: ScoredSplit, selection: Selection) -> GateContext:
    baseline = against.baseline
    systems = against.systems(run.conversations)
    missing = dict(against.missing)
    if "best-prompt" not in systems:
        missing["best-prompt"] = (
            f"What a prompt alone buys was not measured when {baseline.name} was promoted.",
            f"`bench baseline --tune` searches for the best prompt; promote {baseline.name} again after it.",
        )
    missing.setdefault(
        "proven", ("No proven adapter is named.", "Name one (gates.proven, --proven NAME), or write over=baseline.")
    )
    return GateContext(
        run=run,
        systems=systems,
        missing=missing,
        humans={row.id: row.humans for row in baseline.samples} if baseline.floors else {},
        scored=scored,
        bootstrap=Bootstrap(seed=baseline.measured.manifest.seed, clusters=scored.clusters),
        selection=selection,
    )


def _remarks(context: GateContext, against: Against) -> list[str]:
    if against.proven and against.proven.measured.manifest.id == context.run.id:
        return ["The run is the promoted one itself: a rule that it breaks asks for more than it showed."]
    own, theirs = context.run.manifest.system.model, context.baseline.manifest.system.model
    if own and theirs and (own.sha256, own.settings_sha256) != (theirs.sha256, theirs.settings_sha256):
        return [f"The run is of another base model ({own.reference}) than the baseline ({theirs.reference})."]
    return []


def _alike(run: Run, against: Against) -> RuleResult:
    """Whether a run was measured like the promoted runs, with all of their metrics, even those that no rule names."""
    try:
        for promoted in filter(None, (against.baseline, against.proven)):
            other = promoted.run()
            require_alike(run, other, promoted.name)
            require_metrics(run, other, promoted.name)
    except CannotJudge as error:
        return RuleResult(rule=ALIKE, run=run.id, state="not run", found=error.what, fix=error.fix)
    protocol = run.manifest.protocol
    return RuleResult(
        rule=ALIKE,
        run=run.id,
        state="passed",
        found=f"The same {protocol.n} conversations of {protocol.dataset} {protocol.split}, budgets and metrics.",
        n=protocol.n,
    )


def _judge(rule: Rule, context: GateContext, guards: Callable[[], Mapping[str, list[Guard]]]) -> RuleResult:
    """Judge a rule, and the guards where the rule asks for them."""
    found = check_rule(rule, context)
    if rule.strength != "verified" or found.state == "not run":
        return found
    try:
        excepted = [guard_name(name) for name in rule.excepted]
        unpassed = not_passed(guards()[context.run.id])
        failing = [guard for guard in unpassed if guard.name not in excepted]
        found = replace(found, waived=[guard.name for guard in unpassed if guard.name in excepted])
    except CannotJudge as error:
        return replace(found, state="not run", found=f"{found.found} {error.what}", fix=error.fix)
    except UsageError as error:
        return replace(found, state="not run", found=f"Not checked: {error.what}.", fix=error.fix)
    if not failing:
        return found
    words = f"{found.found} Not verified: the {_name_guards(failing)} did not pass."
    return replace(found, state="failed", found=words, guards=[guard.name for guard in failing])


def guard_name(asked: str) -> str:
    """The guard that a rule names: `same base` for `same-base` or `same_base`. Raises `UsageError` if unknown."""
    if _with_spaces(asked) not in GUARDS:
        raise unknown("guard", asked, GUARDS)
    return _with_spaces(asked)


def _name_guards(guards: Sequence[Guard]) -> str:
    """`guards endings (cut off) and facts (invented details)`: rules know them by name."""
    names = [f"{one.name} ({one.label})" if one.label else one.name for one in guards]
    return f"{'guard' if len(names) == 1 else 'guards'} {join_words(names)}"


def _with_spaces(guard: str) -> str:
    return guard.replace("-", " ").replace("_", " ")


def _check_guards(
    contexts: Sequence[GateContext], against: Against, metrics: Sequence[Metric]
) -> dict[str, list[Guard]]:
    """Run id → the verdict's guards over the promoted baseline. Raises `CannotJudge` where they cannot run."""
    first = contexts[0]
    baseline, best = first.baseline, first.systems.get("best-prompt")
    headlines = baseline.manifest.headlines
    for context in contexts:
        for metric in (*headlines, *([FACTS] if FACTS in baseline.manifest.protocol.metrics else [])):
            require_alike(context.run, baseline, "the baseline", metric)
    trainings = group_by_training([context.run for context in contexts])
    try:
        basis = lay_basis(
            baseline,
            best,
            Background(controls=against.baseline.controls),
            baseline.manifest.terms,
            replace(first.bootstrap, comparisons=max(len(trainings), first.selection.looks)),
            first.scored,
            first.selection,
        )
    except LiftbenchError as error:
        raise CannotJudge(
            f"The guards cannot run: {error.what}.", error.fix or "Measure the run as its baseline was."
        ) from error
    lifts = measure_lifts(basis, trainings, headlines)
    measured = (baseline, *([best] if best else []), *(context.run for context in contexts))
    mismatches = check_scores(measured, [one for one in metrics if one.name in headlines], first.scored.conversations)
    return {
        run.id: check_guards(
            gather_evidence(
                basis,
                run,
                lifts.of([run], "baseline", headlines),
                lifts.of([run], "best-prompted", headlines),
                mismatches,
            )
        )
        for training in trainings
        for run in training
    }


def _shown_guards(guards: Callable[[], Mapping[str, list[Guard]]]) -> list[Guard]:
    try:
        by_run = guards()
    except CannotJudge:
        return []
    return [min(some, key=lambda guard: GUARD_STATES.index(guard.state)) for some in zip(*by_run.values(), strict=True)]


def _worst(runs: Sequence[Run], results: Sequence[RuleResult]) -> RuleResult:
    """The worst result of several seeds, which decides."""
    place = min(range(len(runs)), key=lambda at: (STATES.index(results[at].state), results[at].slack or 0.0))
    result = results[place]
    return replace(result, found=f"Seed {seed_of(runs[place])}: {result.found}") if len(runs) > 1 else result
