"""Examples for the help of each command, in one place, so that one test holds them to the commands' real options."""

from __future__ import annotations

EXAMPLES = {
    "init": (
        "bench init tickets --out tickets.toml",
        "bench init chats.csv",
    ),
    "check": (
        "bench check tickets.toml",
        "bench check helpdesk --json",
    ),
    "demo": (
        "bench demo",
        "bench demo --dry-run",
    ),
    "data_import": (
        "bench data import tickets.csv --to tickets --dry-run",
        "bench data import zendesk.json --from zendesk --to tickets",
    ),
    "data_check": (
        "bench data check tickets --no-tokens",
        "bench data check tickets --redact --to tickets-redacted",
    ),
    "data_split": (
        "bench data split tickets",
        "bench data split tickets --train 0.7 --validation 0.1 --test 0.2 --seed 1",
    ),
    "baseline": (
        "bench baseline helpdesk",
        "bench baseline tickets.toml --limit 20",
        "bench baseline helpdesk --tune",
    ),
    "score": (
        "bench score hub:org/model helpdesk",
        "bench score first/adapter helpdesk --also second/adapter",
        "bench score helpdesk --predictions texts.jsonl --name rival",
    ),
    "merge": (
        "bench merge",
        "bench merge SHARD_1 SHARD_2 --json",
    ),
    "plan": (
        "bench plan",
        "bench plan --assume 0.2 0.31 --seeds 3",
    ),
    "controls": (
        "bench controls helpdesk",
        "bench controls --dataset tickets --metric chrf",
    ),
    "validate-metrics": (
        "bench validate-metrics helpdesk",
        "bench validate-metrics helpdesk --metric chrf",
    ),
    "train": (
        "bench train helpdesk --dry-run",
        "bench train helpdesk --plugin qlora",
        "bench train tickets.toml --seeds 3 --set train.options.epochs=2",
    ),
    "sweep": (
        "bench sweep helpdesk --trials 6",
        "bench sweep helpdesk --param train.options.rank=8,16,32 --out best.toml",
    ),
    "compare": (
        "bench compare",
        "bench compare BASELINE CANDIDATE --slice company",
        "bench compare --target 0.2 --html report.html",
    ),
    "parity": (
        "bench parity RUN OTHER",
        "bench parity RUN OTHER --least 0.9 --markdown",
    ),
    "judge_export": (
        "bench judge export CANDIDATE --n 50",
        "bench judge export CANDIDATE --against humans",
    ),
    "judge_import": ("bench judge import judgments-ann.json judgments-bo.json",),
    "judge_model": ("bench judge model --model NAME --base-url http://localhost:8000/v1 CANDIDATE",),
    "promote": (
        "bench promote RUN tickets-plain",
        'bench promote RUN tickets-qlora --why "a larger corpus"',
    ),
    "gate": (
        "bench gate tickets.toml",
        "bench gate tickets.toml --junit gate.xml --html gate.html",
        'bench gate --explain "lift(rougeL) >= 40% verified"',
    ),
    "runs_list": (
        "bench runs",
        "bench runs --kind train --since 2026-11-01",
        "bench runs --runs elsewhere/runs --json",
    ),
    "runs_show": ("bench runs show RUN",),
    "runs_delete": (
        "bench runs delete RUN",
        "bench runs delete --incomplete --until 2026-10-31",
        "bench runs delete --damaged --yes",
    ),
    "show": (
        "bench show RUN ID",
        "bench show RUN ID --beside OTHER --json",
    ),
    "view": ("bench view", "bench view --serve"),
    "report": ("bench report RUN OTHER --html report.html",),
    "summarize": (
        "bench summarize chat.txt",
        "bench summarize --adapter RUN < chat.txt",
        "bench summarize chats.jsonl --adapter RUN --to summaries.jsonl",
    ),
    "export": (
        "bench export --to adapter",
        "bench export RUN --as merged --to model --score",
        "bench export RUN --as gguf --to gguf",
    ),
    "recipes": (
        "bench recipes",
        "bench recipes --json",
    ),
    "plugins_list": (
        "bench plugins list --kind metric",
        "bench plugins list --json",
    ),
    "plugins_show": ("bench plugins show rougeL",),
    "doctor": (
        "bench doctor",
        "bench doctor llama-3.1-8b --json",
    ),
    "config": (
        "bench config",
        "bench config --json",
    ),
    "completion": (
        'eval "$(bench completion bash)"',
        "bench completion fish > ~/.config/fish/completions/bench.fish",
    ),
    "selfcheck": ("bench selfcheck",),
}
"""Module in `cli/`, or command → command lines that it takes."""


def examples_of(name: str) -> str | None:
    """The examples of a command as click prints them; None where there are none."""
    lines = EXAMPLES.get(name) or EXAMPLES.get(name.replace("_", "-"))
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)]) if lines else None
