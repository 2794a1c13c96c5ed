"""Searches for the best prompt on development data, among declared prompts and within a budget; records every trial.

If the budget covers a generation pass for every declared prompt, all are tried in order. Otherwise one thing varies at
a time: first the templates, with everything else as in the recipe's own prompt; then the prefills, with the best
template so far; then the number of shots, with the best of both. Rounds repeat until one finds nothing better. The rest
of the budget goes to the remaining prompts, in order. Cuts need no generation: the texts of every pass are scored with
each of them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ..data.similarity.fingerprints import ids_sha256
from ..errors import RunFailed, UsageError
from ..extension.loader import Plugins
from ..files import append_lines, recover_lines, write_atomic, write_lines
from ..measuring.backend import Backend
from ..measuring.generate import batches, generate_batch, open_backend
from ..measuring.one_base import release
from ..measuring.plan import Measurement, restrict
from ..measuring.score import score
from ..measuring.systems import Loadable, with_best_prompt
from ..measuring.usage import usage_of
from ..progress import Progress
from ..prompts.render import cut_text
from ..recipe.sections import Recipe
from ..records.prompt_search import TuneSummary, TuneTrial
from ..records.run import Prediction
from ..records.system import PromptSpec
from ..runs.open_run import OpenRun
from .plan import Cut, PromptVariant, TuningPlan


def search(
    run: OpenRun, plan: TuningPlan, plain: Loadable, measurement: Measurement, plugins: Plugins, progress: Progress
) -> Loadable:
    """Search, or continue an interrupted search, and return the model with the best prompt as a system to score.

    Afterwards the run has `tuning/`. The plain prompt is one of the trials, so the best prompt is never worse on the
    development data.
    """
    assert plain.system.prompt is not None
    folder = run.folder / "tuning"
    trials = recover_lines(folder / "trials.jsonl", TuneTrial)
    if not (folder / "summary.json").exists():
        progress(0, 0, "loading the model")
        backend = open_backend(plain, run.recipe, plugins)
        searching = _Search(run, plan, plain.system.prompt, measurement)
        try:
            trials = searching.trials(backend, progress)
        finally:
            release(backend)
            run.note(*searching.notes)
        run.note(
            f"the prompt was chosen among {len(trials)} on {len(plan.development)} conversations of the split "
            f"{plan.split!r}"
        )
        # Written last: its presence means that the search is complete.
        write_atomic(folder / "summary.json", _summary(run.recipe, plan, trials))
    subject = with_best_prompt(plain, best_trial(trials, run.recipe.metrics.headlines).prompt)
    if run.manifest.system != subject.system:
        run.update(system=subject.system)
    return subject


def best_trial(trials: Sequence[TuneTrial], headlines: Sequence[str]) -> TuneTrial:
    """The trial with the largest geometric mean over the headlines; the earliest among equals."""
    return max(trials, key=lambda trial: merit(trial.means, headlines))


def merit(means: dict[str, float | None], headlines: Sequence[str]) -> float:
    """Geometric mean of the headlines' means; 0 if one of them is missing.

    It orders prompts as its ratio to the plain prompt's merit does, but is also defined if that merit is zero.
    """
    values = [max(means.get(name) or 0.0, 0.0) for name in headlines]
    return math.prod(values) ** (1 / len(values))


class _Search:
    """One search; after an interruption it continues exactly as it would have gone on."""

    def __init__(self, run: OpenRun, plan: TuningPlan, plain: PromptSpec, measurement: Measurement) -> None:
        self._plan = plan
        self._plain = plain
        self._recipe = run.recipe
        self._headlines = self._recipe.metrics.headlines
        metrics = [metric for metric in measurement.metrics if metric.name in self._headlines]
        self._development = restrict(measurement, plan.development, metrics, self._recipe.generation.batch_size)
        self._path = run.folder / "tuning" / "trials.jsonl"
        self._tried: dict[PromptVariant, list[TuneTrial]] = {}
        self.notes: list[str] = []
        """Notes for the run."""

    def trials(self, backend: Backend, progress: Progress) -> list[TuneTrial]:
        """Make the passes that are not recorded yet, and return all trials in order."""
        recorded = self._record()
        for choice in self._order():
            if choice in self._tried:
                continue
            if len(self._tried) == self._plan.most_passes:
                break
            if choice not in recorded:
                recorded[choice] = self._try(choice, backend, progress)
                append_lines(self._path, recorded[choice])
            # Recorded passes are added one by one, too, because the order depends on what was tried before.
            self._tried[choice] = recorded[choice]
        self._show(progress, len(self._plan.development) * (self._plan.most_passes - len(self._tried)), "searched")
        return self._all()

    def _order(self) -> Iterator[PromptVariant]:
        plan = self._plan
        if len(plan.variants) <= plan.most_passes:
            yield from plan.variants
            return
        yield plan.variants[0]
        best = None
        while best != self._best():
            best = self._best()
            for thing, values in (
                ("template", plan.templates),
                ("prefill", plan.prefills),
                ("shots", plan.shot_counts),
            ):
                around = self._best()
                for value in values:
                    yield replace(around, **{thing: value})
        # The rest of the budget is spent, too: a lift over a stronger rival says more.
        yield from plan.variants

    def _best(self) -> PromptVariant:
        return _choice(best_trial(self._all(), self._headlines).prompt)

    def _all(self) -> list[TuneTrial]:
        return [trial for trials in self._tried.values() for trial in trials]

    def _record(self) -> dict[PromptVariant, list[TuneTrial]]:
        """The complete passes in the file; a pass that an interruption left incomplete is dropped from the file."""
        passes: dict[PromptVariant, list[TuneTrial]] = {}
        for trial in recover_lines(self._path, TuneTrial):
            passes.setdefault(_choice(trial.prompt), []).append(trial)
        whole = {c: trials for c, trials in passes.items() if trials[0].problem or len(trials) == len(self._plan.cuts)}
        write_lines(self._path, [trial for trials in whole.values() for trial in trials])
        return whole

    def _try(self, choice: PromptVariant, backend: Backend, progress: Progress) -> list[TuneTrial]:
        message = f"prompt {len(self._tried) + 1} on {backend.device}"
        self._show(progress, 0, message)
        uncut = self._plan.spec(choice, Cut(), self._plain)
        rows: list[Prediction] = []
        try:
            for batch in batches(backend, self._development.plan, self._development.conversations.keys()):
                conversations = [self._development.conversations[id_] for id_ in batch]
                rows += generate_batch(backend, conversations, uncut, self._recipe, self.notes)
                self._show(progress, len(rows), message)
        except (UsageError, RunFailed) as error:
            if not self._tried:
                raise
            # A prompt with many shots may not fit the input budget or the memory; the search goes on without it.
            spec = self._plan.spec(choice, self._plan.cuts[0], self._plain)
            return [self._trial(len(self._all()) + 1, spec, [], error.line)]
        specs = [self._plan.spec(choice, cut, self._plain) for cut in self._plan.cuts]
        trials = [self._trial(number, spec, rows) for number, spec in enumerate(specs, start=len(self._all()) + 1)]
        plain = merit((self._all() or trials)[0].means, self._headlines)
        return [replace(t, gain=merit(t.means, self._headlines) / plain if plain else None) for t in trials]

    def _trial(self, number: int, spec: PromptSpec, uncut: Sequence[Prediction], problem: str = "") -> TuneTrial:
        rows = [replace(row, text=cut_text(spec, row.text)) for row in uncut]
        return TuneTrial(
            number=number,
            generation_pass=len(self._tried) + 1,
            prompt=spec,
            n=len(rows),
            means={} if problem else self._means(rows),
            mean_words=sum(len(row.text.split()) for row in rows) / max(len(rows), 1),
            empty=sum(not row.text for row in rows),
            seconds=sum(row.seconds or 0.0 for row in rows),
            problem=problem,
            usage=usage_of(rows),
        )

    def _means(self, rows: Sequence[Prediction]) -> dict[str, float | None]:
        scores = list(score(rows, self._development))
        columns = {
            m.name: [v for row in scores if (v := row.scores[m.name]) is not None] for m in self._development.metrics
        }
        return {name: statistics.fmean(values) if values else None for name, values in columns.items()}

    def _show(self, progress: Progress, more: int, message: str) -> None:
        each = len(self._plan.development)
        progress(len(self._tried) * each + more, self._plan.most_passes * each, message)


def _choice(prompt: PromptSpec) -> PromptVariant:
    return PromptVariant(prompt.template, prompt.prefill, len(prompt.shots))


def _summary(recipe: Recipe, plan: TuningPlan, trials: Sequence[TuneTrial]) -> TuneSummary:
    passes = {trial.generation_pass: trial.seconds for trial in trials}
    return TuneSummary(
        chosen=best_trial(trials, recipe.metrics.headlines).number,
        headlines=recipe.metrics.headlines,
        trials=len(trials),
        possible=len(plan.variants) * len(plan.cuts),
        passes=len(passes),
        most_passes=recipe.tune.trials,
        split=plan.split,
        conversations=len(plan.development),
        development=ids_sha256(conversation.id for conversation in plan.development),
        seconds=sum(passes.values()),
    )
