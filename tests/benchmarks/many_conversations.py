"""What a run of very many conversations takes around the model: time, and memory, which does not grow with them.

    python -m tests.benchmarks.many_conversations

A stand-in model, a plugin that answers at once, measures 10,000 and 100,000 conversations of about 160 words: `bench
baseline` generates, scores and sums up, and `bench report` writes the page, each in a process of its own. Their peak
memory is compared: what it grows by is what a conversation still takes. Prints a line of JSON for each, and writes
`baselines/performance/many-conversations-cpu.json`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from liftbench.files import write_atomic, write_lines
from liftbench.runs.environment import environment, git_state

from ..support.tiny import build_tiny_llama
from .compare_scale import Chain, write_conversation
from .instant import install
from .measured_process import run_bench

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "baselines" / "performance" / "many-conversations-cpu.json"
TRAINING = 5_000


def write_data(folder: Path, conversations: int, seed: int = 0) -> Path:
    """A data set with a scored split and a training split of a fixed size."""
    chain = Chain(seed)
    write_lines(folder / "test.jsonl", (write_conversation(chain, f"c{number:07}") for number in range(conversations)))
    write_lines(folder / "train.jsonl", (write_conversation(chain, f"t{number:07}") for number in range(TRAINING)))
    return folder


def measure(folder: Path, conversations: int) -> dict[str, Any]:
    """The figures of both commands on so many conversations."""
    data, runs = folder / f"data-{conversations}", folder / f"reports-{conversations}" / "runs"
    if not (data / "train.jsonl").is_file():
        write_data(data, conversations)
    model = folder / "model"
    if not model.is_dir():
        build_tiny_llama(model, chat=False)
    settings = ["--set", "model.backend=instant", "--set", "model.precision=float32"]
    given = ["--dataset", str(data), "--split", "test", "--model", str(model), "--runs", str(runs), *settings]
    plugin = install(folder / "plugin")
    found: dict[str, Any] = {"conversations": conversations}
    found["baseline"] = run_bench(["baseline", *given, "--fresh"], environment=plugin).figures
    [run] = sorted(runs.glob("2*"))[-1:]
    page = folder / "page.html"
    found["report"] = run_bench(["report", str(run), "--html", str(page)], environment=plugin).figures
    found["page_mb"] = round(page.stat().st_size / 1e6, 1)
    print(json.dumps(found), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure runs of very many conversations.")
    parser.add_argument("--conversations", type=int, nargs=2, default=[10_000, 100_000])
    parser.add_argument("--folder", type=Path, help="keep data and runs here, or take the data from here")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        few, many = (measure(given.folder or Path(scratch), number) for number in given.conversations)
    more = many["conversations"] - few["conversations"]
    growth = {
        command: round((many[command]["peak_mb"] - few[command]["peak_mb"]) * 2**20 / more)
        for command in ("baseline", "report")
    }
    print(json.dumps({"bytes_for_each_further_conversation": growth}), flush=True)
    write_atomic(
        given.out,
        {
            "environment": msgspec.to_builtins(environment()),
            "git": msgspec.to_builtins(git_state(ROOT)),
            "measured": [few, many],
            "bytes_for_each_further_conversation": growth,
        },
    )


if __name__ == "__main__":
    main()
