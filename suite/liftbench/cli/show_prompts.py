"""What `bench baseline --tune` shows: the prompts that a search may try, and those that it tried."""

from __future__ import annotations

from rich.text import Text

from ..prompt_search.plan import TuningPlan
from ..records.prompt_search import TuneTrial
from ..report.terminal.tables import Table
from ..runs.directory import Run
from ..text.phrases import metric_label
from .output import console
from .show import print_json, show_run

SHOWN = 10
"""Number of trials in the table, besides the plain prompt."""


def show_search(run: Run, *, as_json: bool) -> None:
    """Show the prompts that were tried, then the run of the best one."""
    if as_json:
        _print_run(run)
        return
    _show_trials(run)
    show_run(run, as_json=False)


def show_search_plan(plan: TuningPlan, *, as_json: bool) -> None:
    """Show the prompts that a search may try, and its cost."""
    choices, conversations = len(plan.variants), len(plan.development)
    if as_json:
        print_json(
            {
                "templates": plan.templates,
                "prefills": plan.prefills,
                "shots": {"numbers": plan.shot_counts, "examples": plan.shots},
                "cuts": plan.cuts,
                "development": {"split": plan.split, "ids": [conversation.id for conversation in plan.development]},
                "passes": {"declared": choices, "at most": plan.most_passes},
            }
        )
        return
    table = Table(title="prompts declared by [tune], the recipe's own first", show_lines=True)
    table.add_column("what")
    table.add_column("values", overflow="fold")
    rows = [("template", template) for template in plan.templates]
    rows += [("prefills", ", ".join(map(repr, plan.prefills))), ("shots", ", ".join(map(str, plan.shot_counts)))]
    rows += [("cuts", "\n".join(_cut(cut.max_words, cut.stop) for cut in plan.cuts))]
    for what, values in rows:
        table.add_row(what, Text(values))
    out = console()
    out.print(table)
    out.print(
        f"{choices} prompts declared, {plan.most_passes} passes at most over {conversations} conversations of "
        f"{plan.split}; {choices * len(plan.cuts)} trials with the cuts, which cost no pass",
        highlight=False,
        markup=False,
    )


def _print_run(run: Run) -> None:
    print_json(
        {
            "run": run.id,
            "folder": str(run.folder),
            "manifest": run.manifest,
            "summary": run.summary,
            "tuning": run.tuning,
            "trials": _best_first(run),
        }
    )


def _show_trials(run: Run) -> None:
    assert run.tuning is not None
    ranked = _best_first(run)
    shown = ranked[:SHOWN]
    shown += [trial for trial in ranked[SHOWN:] if trial.number == 1]
    templates = list(dict.fromkeys(trial.prompt.template for trial in run.trials))
    table = Table(title=f"{len(ranked)} prompts on {run.tuning.conversations} conversations of {run.tuning.split}")
    for column in ("trial", *map(metric_label, run.tuning.headlines), "gain", "words"):
        table.add_column(column, justify="right")
    table.add_column("prompt")
    for trial in shown:
        table.add_row(
            f"{trial.number}",
            *(_number(trial.means.get(name)) for name in run.tuning.headlines),
            "–" if trial.gain is None else f"{trial.gain - 1:+.0%}",
            f"{trial.mean_words:.0f}",
            Text(_prompt(trial, templates)),
        )
    out = console()
    out.print(table)
    chosen = run.trials[run.tuning.chosen - 1].prompt
    out.print(f"the template of trial {run.tuning.chosen}:", highlight=False, style="bold")
    out.print(chosen.template, highlight=False, markup=False)


def _best_first(run: Run) -> list[TuneTrial]:
    chosen = run.tuning.chosen if run.tuning else 0
    return sorted(run.trials, key=lambda trial: (trial.number != chosen, -(trial.gain or 0.0), trial.number))


def _prompt(trial: TuneTrial, templates: list[str]) -> str:
    prompt = trial.prompt
    words = ["plain: "] if trial.number == 1 else []
    words += [f"template {templates.index(prompt.template) + 1}"]
    words += [f", begun with {prompt.prefill!r}"] if prompt.prefill else []
    words += [f", {len(prompt.shots)} examples"] if prompt.shots else []
    words += [f", cut {_cut(prompt.max_words, prompt.stop)}"] if prompt.max_words or prompt.stop else []
    words += [f", {trial.empty} empty"] if trial.empty else []
    words += [f": {trial.problem}"] if trial.problem else []
    return "".join(words)


def _cut(max_words: int, stop: tuple[str, ...]) -> str:
    parts = [f"after {max_words} words"] if max_words else []
    parts += [f"before {', '.join(map(repr, stop))}"] if stop else []
    return " or ".join(parts) or "none"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
