"""Systems that say what they are told to, measured for real: helpdesk's conversations, the harness, every metric of the
default recipe, the controls. Whatever is wrong with a run can so be planted.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

from msgspec.structs import replace

from liftbench.data.cleaning import clean
from liftbench.data.helpdesk import Helpdesk
from liftbench.data.similarity.fingerprints import training_row
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.files import read_lines, write_atomic, write_lines
from liftbench.floors.background import Background, measure_background
from liftbench.gating.gate import Against
from liftbench.gating.promote import promote
from liftbench.judging.compare import CandidateResult, compare, exit_code
from liftbench.measuring import harness
from liftbench.measuring.plan import Measurement, prepare
from liftbench.measuring.systems import Loadable
from liftbench.plugin_api import Conversation, Generation, Metric, Prompt, hookimpl
from liftbench.progress import no_progress
from liftbench.prompts.spec import prompt_spec
from liftbench.records.run import FinishReason, SampleScores
from liftbench.records.system import AdapterRecord, ModelRecord, System
from liftbench.records.training import TrainingRow
from liftbench.runs.directory import Run
from liftbench.runs.open_run import open_run
from liftbench.workflow.setup import resolve_recipe

from .build import reseal, trained_on
from .stand_in import StandIn

BASE = ModelRecord(reference="base", sha256="ba5e" * 16, source="test")
PROMPT = prompt_spec("Summarize.\n\n{conversation}", "", "plain")
ADAPTER = AdapterRecord(
    sha256="ada9" * 16, trainer="test", base_sha256=BASE.sha256, precision="float32", family="fa3117" * 10
)


class Scripted(StandIn):
    """A model that says what it is told to say of the conversation in the prompt, of several the last."""

    context_length = 0
    script: ClassVar[dict[tuple[str, ...], Generation]] = {}

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        del max_new_tokens
        return [self.script[max(self.script, key=partial(shown_in, prompt.text))] for prompt in prompts]


def shown_in(text: str, turns: tuple[str, ...]) -> tuple[float, int]:
    """How much of a conversation stands in a prompt, and where."""
    found = sum(len(turn) for turn in turns if turn in text)
    return found / sum(map(len, turns)), text.rfind(turns[0])


class Holey(Metric):
    """A metric that has no number for one conversation."""

    name = "holey"
    signature = "holey|1"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        del conversations
        return [math.nan if number == 7 else float(len(text)) for number, text in enumerate(texts)]


class TestPlugin:
    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.backend("scripted", target=f"{__name__}:Scripted")
        registry.backend("other", target=f"{__name__}:Scripted")
        registry.metric("holey", target=f"{__name__}:Holey")


@cache
def corpus(split: str) -> tuple[Conversation, ...]:
    return tuple(map(clean, Helpdesk(None).read(split)))


def scored() -> list[Conversation]:
    return [replace(one, references=one.references[:1], metadata={}) for one in corpus("test")]


Texts = Mapping[str, str]


def honest() -> dict[str, str]:
    return {one.id: one.references[1] for one in corpus("test")}


def untuned() -> dict[str, str]:
    return lead(corpus("test"))


def lead(conversations: Sequence[Conversation], length: int = 40) -> dict[str, str]:
    """The first words, after a phrase: what small models make of a prompt."""
    words = {one.id: " ".join(turn.text for turn in one.turns).split() for one in conversations}
    return {id_: f"Here is a summary of the conversation: {' '.join(some[:length])}" for id_, some in words.items()}


class Bench:
    """Measures systems that say what they are told to, and compares them with the untuned one."""

    def __init__(
        self,
        folder: Path,
        test: Sequence[Conversation] | None = None,
        train: Sequence[Conversation] | None = None,
        words: int = 40,
    ) -> None:
        self.test = scored() if test is None else test
        self.train = corpus("train") if train is None else train
        self.folder = folder / "support"
        self.runs = folder / "runs"
        self.folder.mkdir()
        write_lines(self.folder / "test.jsonl", self.test)
        write_lines(self.folder / "train.jsonl", self.train)
        self.plugins: Plugins = load_plugins()
        self.plugins.add(TestPlugin(), "frauds")
        self.baseline = self.measure(lead(self.test, words), adapter=None)
        self.background: Background = measure_background(self.baseline, self.plugins, no_progress, no_progress)

    def measure(
        self,
        texts: Texts,
        *,
        adapter: AdapterRecord | None = ADAPTER,
        rows: Sequence[TrainingRow] | None = None,
        endings: Mapping[str, FinishReason] | None = None,
        settings: Sequence[str] = (),
        system: Mapping[str, Any] | None = None,
    ) -> Run:
        """A run of the harness; `rows` are what the adapter was trained on, by default the training split."""
        given = {"dataset": str(self.folder), "split": "test"}
        resolved = resolve_recipe(None, given, [], ["model.backend=scripted", *settings])
        measurement: Measurement = prepare(resolved, self.plugins)
        Scripted.script = {
            tuple(turn.text for turn in one.turns): Generation(
                text=texts[one.id], new_tokens=30, finish_reason=(endings or {}).get(one.id, "stop")
            )
            for one in measurement.conversations.values()
        }
        if adapter and rows is None:
            rows = [training_row(one, "train") for one in self.train]
        subject = System(
            kind="model",
            name="base+test" if adapter else "base",
            model=BASE,
            adapter=trained_on(adapter, rows) if adapter else None,
            precision="float32",
            backend="scripted",
            prompt=PROMPT,
        )
        subject = replace(subject, **(system or {}))
        manifest = harness.new_manifest(
            "score" if adapter else "baseline", subject, measurement, resolved, argv=["bench"], extra_key=str(texts)
        )
        with open_run(manifest, measurement.conversations.values(), self.runs, fresh=True) as run:
            if rows:
                write_lines(run.folder / "training" / "rows.jsonl", rows)
            return harness.measure(run, measurement, Loadable(system=subject, model=Path()), self.plugins, no_progress)

    def judge(self, candidate: Run, **options: Any) -> CandidateResult:
        comparison = compare(self.baseline, [candidate], self.background, **options)
        (result,) = comparison.candidates
        assert exit_code(comparison) == (0 if result.verdict.outcome == "verified" else 1)
        return result


def doctored(
    run: Run,
    name: str,
    *,
    scores: Callable[[SampleScores], SampleScores | None] | None = None,
    protocol: Mapping[str, Any] | None = None,
    summary: Mapping[str, Any] | None = None,
    **manifest: Any,
) -> Run:
    """A copy of a run with something wrong in its files: `scores` changes each line, or drops it by giving None."""
    folder = run.folder.with_name(name)
    shutil.copytree(run.folder, folder, dirs_exist_ok=True)
    if scores is not None:
        rows = map(scores, read_lines(folder / "scores.jsonl", SampleScores))
        write_lines(folder / "scores.jsonl", [row for row in rows if row is not None])
    write_atomic(folder / "summary.json", replace(run.summary, **(summary or {})))
    changed = replace(run.manifest, id=name, protocol=replace(run.manifest.protocol, **(protocol or {})), **manifest)
    write_atomic(folder / "manifest.json", changed)
    return reseal(Run(folder))


class World:
    """A baseline and an adapter, promoted, and the adapter's run."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = bench.folder.parent / "baselines"
        fast = {"new_tokens": 3000, "seconds": 30.0}
        self.baseline = doctored(bench.baseline, "untuned", summary=fast)
        self.prompted = doctored(bench.baseline, "prompted", summary=fast, tuned=True)
        self.good = doctored(bench.measure(honest()), "good", summary=fast)
        controls = bench.background.controls
        self.untuned = promote(
            self.baseline, "untuned", self.folder, controls=controls, best_prompted=self.prompted
        ).promoted
        self.proven = promote(self.good, "adapter", self.folder).promoted
        self.against = Against(baseline=self.untuned, proven=self.proven)

    def write(self, texts: dict[str, str]) -> Run:
        run = self.bench.measure(texts)
        return doctored(run, f"{run.id}-timed", summary={"new_tokens": 3000, "seconds": 30.0})
