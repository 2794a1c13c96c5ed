"""Training with `qlora` against TRL's SFTTrainer, in turns, on the same rows; a part of `make performance`.

Same rows in the same optimizer steps, same LoRA, base in NF4, computations in bfloat16, no recomputation. Each training
is a process of its own, TRL's in an interpreter in which liftbench cannot be imported. TRL trains *as shipped* (rate,
schedule, length and no recomputation are set, everything else is the default) and *tuned*: rows of a step by length,
padded to a multiple of 32, and the fastest of several micro-batches, of bfloat16 without autocast, and of padding-free
rows where these are right.

    python -m tests.benchmarks.training_rivals [--quick] [--steps N] [--out FILE]

Prints a line of JSON for each training and one for the comparison. `--quick` takes a tiny random model, for tests: its
figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from liftbench.data.jsonl import read_jsonl
from liftbench.models.references import resolve
from liftbench.prompts.spec import prompt_spec
from liftbench.recipe.sections import DEFAULT_TEMPLATE
from liftbench.records.conversation import Conversation
from liftbench.runs.environment import environment, git_state
from liftbench_plugins.loading import load_tokenizer
from tests.support.tiny import build_tiny_llama

from .rivals.jobs import Job, Report, write
from .rivals.matrix_products import separate_rows, shape_of, shared_prefix, total, training_flops
from .rivals.own_training import Texts, token_rows
from .rivals.processes import ROOT, interpreter_without_liftbench, run_side
from .rivals.trl_training import SHIPPED

TWEETSUMM = ROOT.parent / "shared" / "data" / "tweetsumm" / "train.jsonl"
HELPDESK = ROOT / "suite" / "liftbench" / "corpora" / "helpdesk" / "train.jsonl"
OUT = ROOT / "baselines" / "performance" / "training-cpu.json"

BATCH = 8
"""Conversations per optimizer step, as in the default recipe."""
VALIDATION = 8
RANK, ALPHA, RATE, SEED = 16, 32, 1e-3, 0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tiny random model and helpdesk: a test of this script")
    parser.add_argument("--steps", type=int, default=2, help="optimizer steps; the first one is a warm-up")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--python", type=Path, help="an interpreter with TRL and without liftbench")
    parser.add_argument("--out", type=Path, help=f"where the figures go ({OUT.relative_to(ROOT)}; --quick: nowhere)")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        python = asked.python or interpreter_without_liftbench(work / "trl")
        job, texts = tiny_job(work, asked.threads) if asked.quick else tweetsumm_job(work, asked.steps, asked.threads)
        figures = compare(job, texts, work, python)
    out = asked.out or (None if asked.quick else OUT)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(figures, indent=2) + "\n")


# ----------------------------------------------------------------------------------------------------------------- rows


def tweetsumm_job(work: Path, steps: int, threads: int) -> tuple[Job, Texts]:
    """TweetSumm's training conversations with three references each: the first ones, and others for the validation."""
    if not TWEETSUMM.is_file():
        sys.exit("the TweetSumm files are not beside this checkout (../shared/data/tweetsumm)")
    # Steps of equally many references, because SFTTrainer's batches are of equally many rows.
    chosen = [one for one in read_jsonl(TWEETSUMM) if len(one.references) == 3]
    return make_job(resolve("smollm2-135m").path, chosen, work, steps=steps, threads=threads)


def tiny_job(work: Path, threads: int) -> tuple[Job, Texts]:
    """Two steps of four conversations of helpdesk with two references each, on a random LLaMA."""
    chosen = [one for one in read_jsonl(HELPDESK) if len(one.references) == 2]
    model = build_tiny_llama(work / "tiny")
    return make_job(model, chosen, work, steps=2, threads=threads, batch=4, budget=256, template="{conversation}")


def make_job(
    model: Path,
    conversations: list[Conversation],
    work: Path,
    *,
    steps: int,
    threads: int,
    batch: int = BATCH,
    budget: int = 1024,
    template: str = DEFAULT_TEMPLATE,
) -> tuple[Job, Texts]:
    """A training on the first conversations, validated on the last ones; prompts have at most `budget` tokens."""
    texts = Texts(
        train=tuple(conversations[: batch * steps]),
        validation=tuple(conversations[-VALIDATION:]),
        prompt=prompt_spec(template, "", "chat"),
        max_input_tokens=budget,
    )
    rows, validation = token_rows(texts, load_tokenizer(model), batch=batch, seed=SEED)
    job = Job(
        model=str(model),
        rows=rows,
        validation=validation,
        batch=batch,
        learning_rate=RATE,
        rank=RANK,
        alpha=ALPHA,
        seed=SEED,
        threads=threads,
        work=str(work / "training"),
    )
    return job, texts


# ------------------------------------------------------------------------------------------------------------- contest


def compare(job: Job, texts: Texts, work: Path, python: Path) -> dict[str, Any]:
    """Train with each contender in turn, print what each did, and return all figures."""
    (work / "texts.json").write_bytes(msgspec.json.encode(texts))

    def own(number: int) -> dict[str, Any]:
        fresh = Job(**{**job, "work": str(work / f"own-{number}")})
        report = run(sys.executable, "own_training", work, fresh, str(work / "texts.json"))
        return show(f"liftbench, {number}", job, report, together=True)

    def theirs(name: str, setting: dict[str, Any]) -> dict[str, Any]:
        report = run(python, "trl_training", work, job, setting=setting)
        return show(name, job, report, together=False) | {"setting": setting}

    first = own(1)
    tuning = run(python, "trl_training", work, job, task="tune")
    print(json.dumps({"what": "TRL, settings tried", **tuning}), flush=True)
    tuned = theirs("TRL, tuned", tuning["best"])
    shipped = theirs("TRL, as shipped", SHIPPED._asdict())
    second = own(2)
    rate = (first["supervised_tokens_per_second"] + second["supervised_tokens_per_second"]) / 2
    comparison = {
        "what": "liftbench against TRL, tuned",
        "speed": round(rate / tuned["supervised_tokens_per_second"], 2),
        "speed_against_shipped": round(rate / shipped["supervised_tokens_per_second"], 2),
        "peak_memory": round(max(first["peak_memory_gb"], second["peak_memory_gb"]) / tuned["peak_memory_gb"], 3),
        "validation_loss": round(second["validation_loss"] / tuned["validation_loss"], 4),
        "matrix_fraction": round((first["matrix_fraction"] + second["matrix_fraction"]) / 2, 3),
    }
    print(json.dumps(comparison), flush=True)
    return {
        "environment": msgspec.to_builtins(environment()),
        "git": msgspec.to_builtins(git_state(ROOT)),
        "rows": {
            "conversations": len(job["rows"]),
            "per_step": job["batch"],
            "references": sum(len(row["targets"]) for row in job["rows"]),
            "supervised_tokens": supervised(job),
            "validation_conversations": len(job["validation"]),
            "tokens_together": total(shared_prefix(*lengths(row)) for row in job["rows"]).tokens,
            "tokens_separately": total(separate_rows(*lengths(row)) for row in job["rows"]).tokens,
        },
        "training": {"rank": RANK, "alpha": ALPHA, "learning_rate": RATE, "threads": job["threads"], "seed": SEED},
        "trainings": [first, tuned, shipped, second],
        "tried_with_trl": tuning,
        "comparison": comparison,
    }


def show(name: str, job: Job, report: Report, *, together: bool) -> dict[str, Any]:
    """Turn what a training reported into figures and print them."""
    after_warm_up = job["rows"][job["batch"] :]
    seconds = sum(report["step_seconds"][1:])
    count = shared_prefix if together else separate_rows
    config = json.loads((Path(job["model"]) / "config.json").read_text())
    flops = training_flops(shape_of(config), job["rank"], total(count(*lengths(row)) for row in after_warm_up))
    figures = {
        "what": name,
        "supervised_tokens_per_second": round(
            sum(len(target) for row in after_warm_up for target in row["targets"]) / seconds, 2
        ),
        "step_seconds": [round(each, 2) for each in report["step_seconds"]],
        "peak_memory_gb": round(report["peak_memory"] / 1e9, 2),
        "validation_loss": round(report["validation_loss"], 4),
        "gflops": round(flops / seconds / 1e9, 1),
        "matrix_gflops": round(report["matrix_rate"] / 1e9, 1),
        "matrix_fraction": round(flops / seconds / report["matrix_rate"], 3),
        "packages": report["packages"],
    }
    print(json.dumps(figures), flush=True)
    return figures


def lengths(row: Any) -> tuple[int, list[int]]:
    return len(row["prompt_ids"]), [len(target) for target in row["targets"]]


def supervised(job: Job) -> int:
    return sum(len(target) for row in job["rows"] for target in row["targets"])


def run(
    python: str | Path,
    side: str,
    work: Path,
    job: Job,
    *more: str,
    task: str = "train",
    setting: dict[str, Any] | None = None,
) -> Any:
    """Run one side as a process, with as many threads as the job has, and return what it reported."""
    given, report = work / "job.json", work / "report.json"
    write(given, job)
    own = side == "own_training"
    arguments = [*([] if own else [task]), str(given), *more, str(report)]
    if setting is not None:
        arguments.append(json.dumps(setting))
    return run_side(python, side, arguments, report, threads=job["threads"], own=own)


if __name__ == "__main__":
    main()
