"""`python tests/benchmarks/compare_scale.py`: how long `bench compare` takes over many runs of many conversations.

Runs are written once, of synthetic conversations, with training rows; then the command compares them all. `--code DIR`
measures another checkout on the same files (`--folder`), so that two states of the code can be held side by side. Each
measurement is a JSON line: wall and processor seconds, and the most memory at once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TRAINING = 2_000
VOCABULARY = 30_000


def write_runs(folder: Path, runs: int, conversations: int) -> None:
    """A baseline and its candidates: 8 turns of 20 words a conversation, two references each."""
    sys.path.insert(0, str(ROOT))
    from msgspec.structs import replace

    from liftbench.data.similarity.fingerprints import training_row
    from liftbench.files import write_atomic, write_lines
    from liftbench.records.conversation import Conversation, Turn
    from tests.support.build import write_run

    draw = random.Random(0)

    def words(n: int) -> str:
        return " ".join(f"w{draw.randrange(VOCABULARY)}" for _ in range(n))

    def write_conversations(n: int, prefix: str) -> list[Conversation]:
        return [
            Conversation(
                id=f"{prefix}{number}",
                turns=tuple(Turn(role=("customer", "agent")[turn % 2], text=words(20)) for turn in range(8)),
                references=(words(20), words(20)),
            )
            for number in range(n)
        ]

    rows = write_conversations(conversations, "c")
    data = folder / "data"
    write_lines(data / "validation.jsonl", rows)
    recipe = {"data": {"dataset": str(data)}, "metrics": {"names": ["rougeL"], "headlines": ["rougeL"]}}
    seen = [training_row(one, "train") for one in write_conversations(TRAINING, "t")]
    for number in range(runs):
        share = 4 if number == 0 else 8
        texts = [" ".join([*one.references[0].split()[:share], words(12)]) for one in rows]
        run = write_run(
            folder,
            command="train" if number else "baseline",
            conversations=rows,
            texts=texts,
            created=f"2026-01-05T10:{number:02}:00Z",
        )
        write_atomic(run.folder / "manifest.json", replace(run.manifest, recipe=recipe))
        if number:
            write_lines(run.folder / "training" / "rows.jsonl", seen)


def measure_compare(folder: Path, code: Path) -> dict[str, float]:
    """Wall and processor seconds of one `bench compare` over all runs of a folder, and its peak memory in MB."""
    environment = {**os.environ, "PYTHONPATH": f"{code / 'suite'}:{code / 'plugins'}"}
    names = sorted(path.name for path in folder.iterdir() if (path / "manifest.json").exists())
    command = [sys.executable, "-m", "liftbench", "compare", *names, "--runs", str(folder), "--json"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return {
        "wall_s": round(wall, 1),
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_mb": round(after.ru_maxrss / 1024),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the runs unless they are there, and print what the comparison took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--code", type=Path, default=ROOT)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch) / "runs"
        if not folder.exists():
            folder.mkdir(parents=True)
            write_runs(folder, given.runs, given.conversations)
        found = measure_compare(folder, given.code)
        print(json.dumps({"runs": given.runs, "conversations": given.conversations, **found}), flush=True)


if __name__ == "__main__":
    main()
