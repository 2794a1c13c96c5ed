"""What a run takes beside generating and loading its model, as a share of the run.

    python -m tests.benchmarks.fixed_cost --data-dir ../shared/data/tweetsumm

`bench baseline` measures TweetSumm's validation split (108 conversations) with the default model, and then with a
stand-in model that answers at once: start, data, prompts, scores, intervals and files. The goal is at most 5%. The
stand-in's tokenizer is faster than a real one, by 0.1 seconds for these prompts. Prints a line of JSON, and writes
`baselines/performance/fixed-cost-cpu.json`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import msgspec

from liftbench.files import write_atomic
from liftbench.runs.environment import environment, git_state

from ..support.tiny import build_tiny_llama
from .instant import install
from .measured_process import Measured, run_bench

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "baselines" / "performance" / "fixed-cost-cpu.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a run takes beside its model.")
    parser.add_argument("--data-dir", type=Path, default=ROOT.parent / "shared" / "data" / "tweetsumm")
    parser.add_argument("--only-stand-in", action="store_true", help="leave the real model out")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        plugin = {**install(folder / "plugin"), "LIFTBENCH_GENERATION_CACHE": "off"}

        def measure(*more: str) -> Measured:
            data = ["--dataset", "tweetsumm", "--data-dir", str(given.data_dir), "--runs", str(folder / "runs")]
            return run_bench(["baseline", "smollm2-135m", *data, "--fresh", *more], environment=plugin)

        model = str(build_tiny_llama(folder / "model", chat=False))
        fixed = measure("--model", model, "--set", "model.backend=instant", "--set", "model.precision=float32")
        found: dict[str, object] = {"fixed": fixed.figures}
        if not given.only_stand_in:
            whole = measure()
            found |= {"whole": whole.figures, "share": round(fixed.seconds / whole.seconds, 3)}
    print(json.dumps(found), flush=True)
    if not given.only_stand_in:
        here = {"environment": environment(), "git": git_state(ROOT)}
        write_atomic(given.out, {**msgspec.to_builtins(here), **found})


if __name__ == "__main__":
    main()
