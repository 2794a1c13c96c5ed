"""Generation against lm-evaluation-harness and a loop over single prompts, in turns; a part of `make performance`.

Same model files, prompt tokens, number of new tokens, bfloat16, greedy decoding, threads. Each side is a process of its
own and loads the model before its time begins. lm-eval takes the batch size that is fastest of several. The roofline is
what the matrix products and reads of memory take at least, at the rates that this machine reaches right before.

    python -m tests.benchmarks.scoring_rivals [--quick] [--python PYTHON] [--rounds N] [--out FILE]

`--python` names an interpreter with lm-eval and without liftbench; without it one is made, and `pip install` fetches
lm-eval. `--quick` takes a tiny random model and no lm-eval, for tests: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import torch

from liftbench.data.jsonl import read_jsonl
from liftbench.models.references import resolve
from liftbench.prompts.render import render
from liftbench.prompts.spec import prompt_spec
from liftbench.recipe.sections import DEFAULT_TEMPLATE
from liftbench.runs.environment import environment, git_state
from liftbench_plugins.loading import load_tokenizer
from tests.support.tiny import build_tiny_llama

from .rivals.generation_job import Job
from .rivals.jobs import write
from .rivals.matrix_products import matrix_rate, shape_of
from .rivals.processes import ROOT, interpreter_without_liftbench, run_side

TWEETSUMM = ROOT.parent / "shared" / "data" / "tweetsumm" / "validation.jsonl"
HELPDESK = ROOT / "suite" / "liftbench" / "corpora" / "helpdesk" / "validation.jsonl"
OUT = ROOT / "baselines" / "performance" / "scoring-cpu.json"

LM_EVAL = "lm-eval==0.4.13"
BATCH_SIZES = (8, 16, 32, 64)
NEW_TOKENS = 80
CONVERSATIONS = 64
SINGLE = 12
"""Conversations of the loop over single prompts; its time is scaled to all of them by their tokens."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tiny random model, helpdesk and no lm-eval")
    parser.add_argument("--python", type=Path, help="an interpreter with lm-eval and without liftbench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, help=f"where the figures go ({OUT.relative_to(ROOT)}; --quick: nowhere)")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        python = asked.python or rival_interpreter(work / "rival", lm_eval=not asked.quick)
        job = tiny_job(work) if asked.quick else tweetsumm_job()
        sizes = () if asked.quick else BATCH_SIZES
        figures = compare(job, work, python, sizes, rounds=asked.rounds, threads=asked.threads)
    out = asked.out or (None if asked.quick else OUT)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(figures, indent=2) + "\n")


def tweetsumm_job() -> Job:
    """The first validation conversations of TweetSumm with the default model and prompt."""
    if not TWEETSUMM.is_file():
        sys.exit("the TweetSumm files are not beside this checkout (../shared/data/tweetsumm)")
    return make_job(resolve("smollm2-135m").path, TWEETSUMM, CONVERSATIONS, NEW_TOKENS)


def tiny_job(work: Path) -> Job:
    """Some conversations of helpdesk on a random LLaMA."""
    return make_job(build_tiny_llama(work / "tiny"), HELPDESK, 6, 5)


def make_job(model: Path, data: Path, conversations: int, new_tokens: int) -> Job:
    """The prompts of a file's first conversations."""
    spec, tokenizer = prompt_spec(DEFAULT_TEMPLATE, "", "chat"), load_tokenizer(model)
    prompts = [render(spec, one, tokenizer, 1024) for one in list(read_jsonl(data))[:conversations]]
    return Job(
        model=str(model),
        prompts=[prompt.text for prompt in prompts],
        token_ids=[list(prompt.token_ids) for prompt in prompts],
        new_tokens=new_tokens,
        batch_size=0,
    )


def rival_interpreter(folder: Path, *, lm_eval: bool) -> Path:
    """An interpreter without liftbench, with lm-eval where it is wanted."""
    python = interpreter_without_liftbench(folder)
    if lm_eval:
        [site] = folder.glob("lib/python*/site-packages")
        # What else lm-eval needs is installed here; these are not.
        wanted = [LM_EVAL, "pytablewriter", "sqlitedict", "word2number", "more_itertools"]
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), *wanted]
        subprocess.run(command, check=True)
    return python


# ------------------------------------------------------------------------------------------------------------- contest


def compare(job: Job, work: Path, python: Path, sizes: tuple[int, ...], *, rounds: int, threads: int) -> dict[str, Any]:
    """Let each side continue the prompts in turn, print what each took, and return all figures."""

    def run(side: str, given: Job) -> Any:
        write(work / "job.json", given)
        own = side == "own_generation"
        arguments = [str(work / "job.json"), str(work / "report.json")]
        return run_side(
            sys.executable if own else python, side, arguments, work / "report.json", threads=threads, own=own
        )

    tried = {size: run("other_generation", Job(**{**job, "batch_size": size}))["seconds"] for size in sizes}
    print(json.dumps({"what": "lm-eval, seconds by batch size", **tried}), flush=True)
    single = Job(**{**job, "prompts": job["prompts"][:SINGLE], "token_ids": job["token_ids"][:SINGLE]})
    scale = sum(map(len, job["token_ids"])) / sum(map(len, single["token_ids"]))
    seconds: dict[str, list[float]] = {"liftbench": [], **({"lm-eval": []} if sizes else {}), "one by one": []}
    bounds = []
    same = {}
    for number in range(rounds):
        bounds.append(roofline(job))
        own = run("own_generation", job)
        seconds["liftbench"].append(own["seconds"])
        if sizes:
            best = min(tried, key=lambda size: tried[size])
            other = run("other_generation", Job(**{**job, "batch_size": best}))
            seconds["lm-eval"].append(other["seconds"])
            same["lm-eval"] = sum(map(str.__eq__, stripped(own), stripped(other)))
        alone = run("other_generation", single)
        seconds["one by one"].append(alone["seconds"] * scale)
        same["one by one"] = sum(map(str.__eq__, stripped(own), stripped(alone)))
        print(
            json.dumps({"round": number + 1, **{name: round(each[-1], 2) for name, each in seconds.items()}}),
            flush=True,
        )
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    bound = min(bounds)
    comparison = {
        "what": "medians of the rounds",
        "seconds": {name: round(each, 2) for name, each in medians.items()},
        "times_faster_than": {
            name: round(statistics.median(map(float.__truediv__, seconds[name], seconds["liftbench"])), 2)
            for name in seconds
            if name != "liftbench"
        },
        "roofline_seconds": round(bound, 2),
        "roofline_fraction": round(bound / medians["liftbench"], 3),
    }
    print(json.dumps(comparison), flush=True)
    return {
        "environment": msgspec.to_builtins(environment()),
        "git": msgspec.to_builtins(git_state(ROOT)),
        "prompts": len(job["prompts"]),
        "prompt_tokens": sum(map(len, job["token_ids"])),
        "new_tokens_at_most": job["new_tokens"],
        "threads": threads,
        "lm_eval_seconds_by_batch_size": tried,
        "seconds": seconds,
        "equal_texts": same,
        "rooflines": bounds,
        "comparison": comparison,
        "packages": {**own["packages"], **(other["packages"] if sizes else {})},
    }


def stripped(report: Any) -> list[str]:
    return [text.strip() for text in report["texts"]]


# ------------------------------------------------------------------------------------------------------------ roofline


def roofline(job: Job) -> float:
    """Seconds that prompts and new tokens take at least.

    The products of each prompt's tokens run at the measured rate. A step of decoding takes what its products take at
    this rate, or what reading the weights and every key and value once takes at the measured bandwidth, whichever is
    longer; all prompts are decoded together, each to its last token.
    """
    shape = shape_of(json.loads((Path(job["model"]) / "config.json").read_text()))
    lengths = [len(ids) for ids in job["token_ids"]]
    rate, bandwidth = matrix_rate(shape, 512, seconds=1.0), read_rate()
    weights = shape.layers * sum(inputs * outputs for inputs, outputs in shape.linear)
    head = shape.hidden * shape.vocabulary
    pairs = sum(length * (length + 1) // 2 for length in lengths)
    attention = 4 * shape.layers * shape.heads * shape.width
    first = (2 * weights * sum(lengths) + attention * pairs + 2 * head * len(lengths)) / rate
    later = 0.0
    for step in range(1, job["new_tokens"]):
        seen = sum(lengths) + step * len(lengths)
        products = 2 * (weights + head) * len(lengths) + attention * seen
        read = 2 * (weights + head) + 4 * shape.layers * shape.key_heads * shape.width * seen
        later += max(products / rate, read / bandwidth)
    return first + later


def read_rate(size: int = 2**28) -> float:
    """Bytes per second that a sum over a large tensor reads; the best of several."""
    values = torch.ones(size // 4)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        values.sum()
        best = min(best, time.perf_counter() - started)
    return size / best


if __name__ == "__main__":
    main()
