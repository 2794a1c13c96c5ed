"""What a comparison of several candidates shares is computed once: splits are read, and conversations hashed, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from liftbench.data.helpdesk import Helpdesk
from liftbench.data.jsonl import JsonLinesFolder
from liftbench.data.similarity import fingerprints, scored
from liftbench.errors import UsageError
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.files import write_lines
from liftbench.measuring import harness
from liftbench.measuring.plan import prepare
from liftbench.plugin_api import Conversation, hookimpl
from liftbench.records.run import Prediction
from liftbench.records.system import System
from liftbench.runs.directory import Run
from liftbench.runs.open_run import open_run
from liftbench.runs.sums import seal
from liftbench.workflow.compare import compare_runs
from liftbench.workflow.setup import resolve_recipe

from ..support.scripted import ADAPTER, PROMPT
from ..support.scripted import BASE as MODEL

SIZE = 40


class Counted(JsonLinesFolder):
    """A folder that counts how often each split is read."""

    reads: ClassVar[Counter[str]] = Counter()

    def read(self, split: str) -> list[Conversation]:
        self.reads[split] += 1
        return super().read(split)


class CountedPlugin:
    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.dataset("counted", target=f"{__name__}:Counted")


@pytest.fixture
def plugins() -> Plugins:
    loaded = load_plugins()
    loaded.add(CountedPlugin(), "counted")
    return loaded


@pytest.fixture
def measured(tmp_path: Path, plugins: Plugins) -> list[Run]:
    """A baseline and three candidates."""
    corpus = Helpdesk(None)
    data = tmp_path / "data"
    write_lines(data / "test.jsonl", corpus.read("test")[:SIZE])
    write_lines(data / "train.jsonl", corpus.read("train")[:SIZE])
    given = {"dataset": "counted", "data_dir": str(data), "split": "test"}
    resolved = resolve_recipe(None, given, [], ["metrics.names=['rougeL','rouge1']", "metrics.headlines=['rougeL']"])
    measurement = prepare(resolved, plugins)
    runs = []
    for number in range(4):
        subject = System(
            kind="model",
            name=f"base+{number}",
            model=MODEL,
            adapter=ADAPTER if number else None,
            precision="float32",
            backend="none",
            prompt=PROMPT,
        )
        manifest = harness.new_manifest(
            "score" if number else "baseline", subject, measurement, resolved, argv=["bench"], extra_key=str(number)
        )
        with open_run(manifest, measurement.conversations.values(), tmp_path / "runs", fresh=True) as run:
            texts = {
                id_: " ".join(measurement.conversations[id_].references[0].split()[: 6 + 2 * number])
                for id_ in measurement.scored
            }
            said = [seal(Prediction(id=id_, text=text), run.manifest.id) for id_, text in texts.items()]
            write_lines(run.folder / "predictions.jsonl", said)
            runs.append(harness.finish(run, measurement, plugins))
    return runs


def test_a_comparison_of_three_candidates_reads_each_split_once(measured: list[Run], plugins: Plugins) -> None:
    Counted.reads.clear()
    baseline, *candidates = measured
    # Nothing is kept from before: controls, validity and the sensitivity page all need the data.
    found = compare_runs(baseline, candidates, plugins, baseline.folder.parent)
    assert Counted.reads == {"test": 1, "train": 1}
    assert len(found.comparison.candidates) == 3
    assert all(result.alternatives for result in found.comparison.candidates)


def test_an_unknown_headline_is_told_before_anything_is_measured(
    measured: list[Run], plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*_: object) -> None:
        raise AssertionError("controls were measured")

    monkeypatch.setattr("liftbench.workflow.compare.measure_background", measure)
    baseline, *candidates = measured
    with pytest.raises(UsageError, match="rougel"):
        compare_runs(baseline, candidates, plugins, baseline.folder.parent, headlines=["rougel"])


def test_a_scored_conversation_is_hashed_once_for_all_candidates(
    measured: list[Run], plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    baseline, *candidates = measured
    compare_runs(baseline, candidates, plugins, baseline.folder.parent)  # Leaves controls and validity behind.
    hashed: Counter[str] = Counter()

    def count(conversation: Conversation) -> fingerprints.Fingerprint:
        hashed[conversation.id] += 1
        return fingerprints.fingerprint(conversation)

    monkeypatch.setattr(scored, "fingerprint", count)
    compare_runs(baseline, candidates, plugins, baseline.folder.parent)
    assert hashed == dict.fromkeys(ids(baseline.conversations), 1)


def ids(conversations: Iterable[Conversation]) -> Sequence[str]:
    return [one.id for one in conversations]
