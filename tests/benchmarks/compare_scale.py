"""How long `bench compare` takes over many runs of many conversations, and how much memory.

    python -m tests.benchmarks.compare_scale --runs 20 --conversations 10000

The data are synthetic: conversations of eight turns, chains of words that follow each other in the helpdesk corpus, so
that they share phrases without being copies, and a few that are. Every run is written as the harness writes it, with a
folder of JSON Lines as its data set; texts are made up, scores are drawn around those of the baseline's real ones.
Controls and validity are kept beside the runs, as they are after a first comparison. `--folder` keeps all of it for
another measurement, and `--code` measures another checkout on it. Prints a line of JSON for the set-up and one for the
comparison, which runs in a process of its own and writes its page; `--out` also keeps the figures with the environment.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
from msgspec.structs import replace

from liftbench.data.cleaning import clean
from liftbench.data.helpdesk import Helpdesk
from liftbench.data.similarity.fingerprints import training_row
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.files import digest, write_atomic, write_lines
from liftbench.floors.control_scores import ControlScores, SystemScores, floor_cache_of
from liftbench.floors.validity import Validity
from liftbench.measuring import harness
from liftbench.measuring.plan import Measurement, prepare
from liftbench.measuring.score import Totals, metric_info
from liftbench.prompts.spec import prompt_spec
from liftbench.recipe.resolve import ResolvedRecipe
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.run import Prediction, SampleScores
from liftbench.records.system import AdapterRecord, ModelRecord, System
from liftbench.records.training import TrainingRow
from liftbench.runs.directory import Run, runs_in
from liftbench.runs.environment import environment, git_state
from liftbench.runs.open_run import open_run
from liftbench.runs.sums import file_sums, seal
from liftbench.statistics.bootstrap import Bootstrap
from liftbench.workflow.setup import resolve_recipe

from .measured_process import run_bench

TURNS, WORDS, REFERENCE_WORDS, TEXT_WORDS = 8, 20, 22, 26
ADRIFT = 0.25
"""How often a word is not one that follows the last one in the corpus: what keeps strangers unlike each other."""
COPIES = 0.01
"""Share of conversations that are another one of their split, or of the scored one, with a few words changed."""
GAIN = 0.1
"""By how much candidates score above the baseline, at most."""

BASE = ModelRecord(reference="base", sha256="ba5e" * 16, source="synthetic")
PROMPT = prompt_spec("Summarize.\n\n{conversation}", "", "plain")


class Chain:
    """Words that follow each other as they do in the helpdesk corpus."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.next_of: dict[str, list[str]] = defaultdict(list)
        for conversation in Helpdesk(None).read("train"):
            spoken = [*(turn.text for turn in conversation.turns), *conversation.references]
            for text in spoken:
                said = text.split()
                for one, other in pairwise(said):
                    self.next_of[one].append(other)
        self.words = sorted(self.next_of)

    def say(self, length: int) -> list[str]:
        said = [self.random.choice(self.words)]
        while len(said) < length:
            following = self.next_of.get(said[-1])
            drift = not following or self.random.random() < ADRIFT
            said.append(self.random.choice(self.words if drift or not following else following))
        return said

    def vary(self, said: Sequence[str], changes: int) -> list[str]:
        varied = list(said)
        for at in self.random.sample(range(len(said)), changes):
            varied[at] = self.random.choice(self.words)
        return varied


def write_conversation(chain: Chain, id_: str) -> Conversation:
    turns = [chain.say(WORDS) for _ in range(TURNS)]
    told = [word for said in turns for word in said]
    references = [[*chain.random.sample(told, REFERENCE_WORDS // 2), *chain.say(REFERENCE_WORDS // 2)] for _ in "ab"]
    return Conversation(
        id=id_,
        turns=tuple(
            Turn(role="agent" if at % 2 else "customer", text=f"{' '.join(said)}.") for at, said in enumerate(turns)
        ),
        references=tuple(f"{' '.join(said)}." for said in references),
        metadata={"company": f"company {chain.random.randrange(20)}"},
    )


def write_split(chain: Chain, name: str, size: int, likely: Sequence[Conversation] = ()) -> list[Conversation]:
    """`likely`: what some of them are copies of, beside each other."""
    written: list[Conversation] = []
    for number in range(size):
        one = write_conversation(chain, f"{name}{number:06}")
        source = [*written[-50:], *likely[:200]]
        if source and chain.random.random() < COPIES:
            turns = chain.random.choice(source).turns
            varied = (Turn(role=turn.role, text=" ".join(chain.vary(turn.text.split(), 1))) for turn in turns)
            one = replace(one, turns=tuple(varied))
        written.append(one)
    return written


def write_texts(chain: Chain, conversations: Sequence[Conversation]) -> list[str]:
    """Half of it words of the first human summary, so that there is something to score."""
    texts = []
    for one in conversations:
        own = one.references[0].split()
        shared = chain.random.sample(own, min(len(own), TEXT_WORDS // 2))
        texts.append(f"{' '.join([*shared, *chain.say(TEXT_WORDS - len(shared))])}.")
    return texts


class Scale:
    """The folder of one measurement: data, runs, and what stands beside them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.data, self.runs = folder / "data", folder / "reports" / "runs"
        self.chain = Chain(seed)
        self.plugins: Plugins = load_plugins()

    def write(self, runs: int, conversations: int, training: int) -> None:
        scored = write_split(self.chain, "c", conversations)
        train = write_split(self.chain, "t", training, scored)
        write_lines(self.data / "test.jsonl", scored)
        write_lines(self.data / "train.jsonl", train)
        resolved = resolve_recipe(None, {"dataset": str(self.data), "split": "test"}, [], [])
        measurement = prepare(resolved, self.plugins)
        rows = [training_row(clean(one), "train") for one in train]
        baseline = self._measure_baseline(resolved, measurement)
        self._keep_controls(measurement, baseline)
        for number in range(1, runs):
            self._write_candidate(resolved, measurement, baseline, number, rows)

    def _measure_baseline(self, resolved: ResolvedRecipe, measurement: Measurement) -> Run:
        manifest = harness.new_manifest("baseline", _system(0), measurement, resolved, argv=["bench"])
        with open_run(manifest, measurement.conversations.values(), self.runs, fresh=True) as run:
            said = [seal(one, run.manifest.id) for one in self._predict(measurement)]
            write_lines(run.folder / "predictions.jsonl", said)
            run.record_environment()
            return harness.finish(run, measurement, self.plugins)

    def _write_candidate(
        self,
        resolved: ResolvedRecipe,
        measurement: Measurement,
        baseline: Run,
        number: int,
        rows: Sequence[TrainingRow],
    ) -> None:
        manifest = harness.new_manifest(
            "score", _system(number), measurement, resolved, argv=["bench"], extra_key=str(number)
        )
        predictions = self._predict(measurement)
        gain = GAIN * self.chain.random.random()
        scores = [self._vary(baseline, one.id, gain) for one in predictions]
        with open_run(manifest, measurement.conversations.values(), self.runs, fresh=True) as run:
            write_lines(run.folder / "training" / "rows.jsonl", rows)
            write_lines(run.folder / "predictions.jsonl", predictions)
            write_lines(run.folder / "scores.jsonl", scores)
            totals = Totals(measurement.metrics)
            for prediction, row in zip(predictions, scores, strict=True):
                totals.add(prediction, row)
            summary = totals.summarize(Bootstrap(seed=0, resamples=100))
            write_atomic(run.folder / "summary.json", summary)
            run.record_environment()
            run.update(status="complete", finished=manifest.created, sums=file_sums(run.folder))

    def _predict(self, measurement: Measurement) -> list[Prediction]:
        conversations = [measurement.conversations[id_] for id_ in measurement.scored]
        return [
            Prediction(
                id=one.id,
                text=text,
                prompt_sha256=digest(one.id),
                prompt_tokens=240,
                new_tokens=40,
                finish_reason="stop",
                seconds=0.1,
            )
            for one, text in zip(conversations, write_texts(self.chain, conversations), strict=True)
        ]

    def _vary(self, baseline: Run, id_: str, gain: float) -> SampleScores:
        drawn = self.chain.random.gauss(gain, 0.05)
        own = baseline.scores[id_]
        scores = {name: None if value is None else max(0.0, value + drawn) for name, value in own.items()}
        return SampleScores(id=id_, scores=scores)

    def _keep_controls(self, measurement: Measurement, baseline: Run) -> None:
        """As the first comparison leaves them, but for their figures."""
        place = floor_cache_of(measurement, baseline.manifest.seed, self.plugins, self.runs)
        names = [spec.name for spec in self.plugins.specs if spec.kind == "control"]
        rows = [self._control(measurement, baseline, name, "floor", -0.05) for name in names]
        rows.append(self._control(measurement, baseline, "humans, leave one out", "humans", 0.3))
        protocol, metrics = measurement.protocol, list(map(metric_info, measurement.metrics))
        write_atomic(
            place.controls,
            ControlScores(
                key=place.key,
                dataset=protocol.dataset,
                split=protocol.split,
                metrics=metrics,
                ids=measurement.scored,
                rows=rows,
            ),
        )
        write_atomic(
            place.validity,
            Validity(
                key=place.key,
                dataset=protocol.dataset,
                split=protocol.split,
                n=protocol.n,
                against_itself=False,
                metrics=metrics,
                corruptions={},
                costs=[],
            ),
        )

    def _control(self, measurement: Measurement, baseline: Run, name: str, role: str, gain: float) -> SystemScores:
        scores: dict[str, list[float | None]] = {metric.name: [] for metric in measurement.metrics}
        for id_ in measurement.scored:
            for metric, value in self._vary(baseline, id_, gain).scores.items():
                scores[metric].append(value)
        return msgspec.convert({"name": name, "role": role, "scores": scores}, SystemScores)


def _system(number: int) -> System:
    adapter = AdapterRecord(sha256=digest(number), trainer="synthetic", base_sha256=BASE.sha256, precision="float32")
    return System(
        kind="model",
        name=f"base+{number}" if number else "base",
        model=BASE,
        adapter=adapter if number else None,
        precision="float32",
        backend="synthetic",
        prompt=PROMPT,
    )


@contextmanager
def folder_of(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time `bench compare` over synthetic runs.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--training", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep data and runs here, or take them from here")
    parser.add_argument("--code", type=Path, help="the checkout whose `bench compare` is measured (default: this one)")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    parser.add_argument("--only-write", action="store_true", help="write data and runs, and compare nothing")
    given = parser.parse_args()
    size = {"runs": given.runs, "conversations": given.conversations, "training": given.training}
    with folder_of(given.folder) as folder:
        scale = Scale(folder.resolve(), given.seed)
        if not runs_in(scale.runs):
            wall, cpu = time.perf_counter(), time.process_time()
            scale.write(**size)
            spent = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
            print(json.dumps({"what": "set-up", **size, **_rounded(spent)}), flush=True)
        if given.only_write:
            return
        found = {"what": "compare", **size, **time_comparison(scale.runs, given.code)}
        print(json.dumps(found), flush=True)
        if given.out:
            here = {"environment": environment(), "git": git_state(Path(__file__).parents[2])}
            write_atomic(given.out, {**msgspec.to_builtins(here), "measured": found})


def time_comparison(runs: Path, code: Path | None) -> dict[str, float]:
    """`bench compare` of all runs, with its page; the oldest run is the baseline."""
    environment = {} if code is None else {"PYTHONPATH": f"{code / 'suite'}:{code / 'plugins'}"}
    page = runs.parent / "compare.html"
    given = ["compare", *(run.id for run in runs_in(runs)), "--runs", str(runs), "--html", str(page)]
    measured = run_bench(given, codes=(0, 1), environment=environment)
    return {**measured.figures, "page_mb": round(page.stat().st_size / 1e6, 1)}


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in figures.items()}


if __name__ == "__main__":
    main()
