"""ControlScores: floors, the humans and the validity table, on helpdesk and on small data of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from rouge_score.rouge_scorer import RougeScorer

from liftbench.errors import UsageError
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.files import write_lines
from liftbench.floors import control_scores, validity
from liftbench.floors.control_scores import ControlScores, SystemScores
from liftbench.floors.corruptions import CORRUPTIONS
from liftbench.floors.ranking import system_means
from liftbench.floors.validity import Cost, Validity, describe_validity
from liftbench.measuring.plan import Measurement, prepare
from liftbench.metrics.base import Metric
from liftbench.plugin_api import Conversation, MetricRequest, hookimpl
from liftbench.progress import no_progress
from liftbench.records.conversation import Turn
from liftbench.workflow.setup import resolve_recipe


class Blind(Metric):
    """Gives every text the same value."""

    name = "blind"
    signature = "blind|1"
    sees = "facts"

    def __init__(self, request: MetricRequest) -> None:
        del request

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        del conversations
        return [0.5 for _ in texts]


class Exact(Blind):
    """1 for one of the conversation's own references, as `HOME` has them, else 0."""

    name = "exact"
    signature = "exact|1"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        return [float(text in HOME.get(one.id, ())) for text, one in zip(texts, conversations, strict=True)]


HOME: dict[str, tuple[str, ...]] = {}


class TestPlugin:
    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.metric("blind", target=f"{__name__}:Blind")
        registry.metric("exact", target=f"{__name__}:Exact")


@pytest.fixture
def plugins() -> Plugins:
    loaded = load_plugins()
    loaded.add(TestPlugin(), "test")
    return loaded


def measurement_of(folder: Path, plugins: Plugins, *metrics: str) -> Measurement:
    names = [f"metrics.names={list(metrics)!r}", f"metrics.headlines={[metrics[0]]!r}"]
    return prepare(resolve_recipe(None, {"dataset": str(folder)}, [], names), plugins)


def floor_cache_of(measurement: Measurement, plugins: Plugins, folder: Path) -> control_scores.FloorCache:
    return control_scores.floor_cache_of(measurement, 0, plugins, folder / "reports" / "runs")


def controls_of(measurement: Measurement, plugins: Plugins, folder: Path) -> ControlScores:
    return control_scores.measure_controls(
        measurement, floor_cache_of(measurement, plugins, folder), 0, plugins, no_progress
    )


def validity_of(measurement: Measurement, plugins: Plugins, folder: Path) -> Validity:
    return validity.measure_validity(measurement, floor_cache_of(measurement, plugins, folder), 0, plugins, no_progress)


@pytest.fixture
def support(tmp_path: Path, conversations: list[Conversation]) -> Path:
    """A folder with both splits; the training split is the other's conversations, with other words."""
    folder = tmp_path / "support"
    write_lines(folder / "validation.jsonl", conversations)
    others = [
        replace(
            one,
            id=f"t{one.id}",
            turns=(*one.turns, Turn(role="customer", text="And again.")),
            references=tuple(f"{text} Again." for text in one.references),
        )
        for one in conversations
    ]
    write_lines(folder / "train.jsonl", others)
    return folder


def row(found: ControlScores, name: str) -> SystemScores:
    return next(row for row in found.rows if row.name == name)


def cost(found: Validity, metric: str, corruption: str) -> Cost:
    return next(one for one in found.costs if (one.metric, one.corruption) == (metric, corruption))


# ------------------------------------------------------------------------------------------------------------ controls


def test_humans_are_scored_by_leaving_one_out(support: Path, plugins: Plugins, tmp_path: Path) -> None:
    measurement = measurement_of(support, plugins, "rougeL")
    found = controls_of(measurement, plugins, tmp_path)
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    for id_, value in zip(found.ids, row(found, control_scores.HUMANS).scores["rougeL"], strict=True):
        references = measurement.conversations[id_].references
        pairs = [
            scorer.score(other, one)["rougeL"].fmeasure
            for at, one in enumerate(references)
            for other in (*references[:at], *references[at + 1 :])
        ]
        assert value == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


@pytest.fixture
def unlike(tmp_path: Path, conversations: list[Conversation]) -> Path:
    """A folder where the first of several references agrees least with the others."""
    folder = tmp_path / "unlike"
    rows = []
    for one in conversations:
        usual = one.references[0]
        several = ("Nothing was solved.", f"{usual} Both are sorry.", f"{usual} Both wait.", usual)
        rows.append(replace(one, references=several if len(one.references) > 1 else (usual,)))
    write_lines(folder / "validation.jsonl", rows)
    return folder


def test_the_consensus_is_the_reference_that_agrees_most_with_the_others(
    unlike: Path, plugins: Plugins, tmp_path: Path
) -> None:
    measurement = measurement_of(unlike, plugins, "rougeL", "words")
    consensus = row(controls_of(measurement, plugins, tmp_path), control_scores.CONSENSUS)
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    for at, one in enumerate(measurement.conversations[id_] for id_ in measurement.scored):
        if len(one.references) < 3:  # Of two, none is more central.
            assert (consensus.scores["rougeL"][at], consensus.scores["words"][at]) == (None, None)
            continue
        agreement = {
            text: sum(scorer.score(other, text)["rougeL"].fmeasure for other in others.references)
            / (len(one.references) - 1)
            for text, others in control_scores.leave_one_out(one)
        }
        central = max(agreement, key=agreement.__getitem__)
        assert central != one.references[0]
        assert consensus.scores["rougeL"][at] == pytest.approx(agreement[central])
        assert consensus.scores["words"][at] == len(central.split())


def test_the_consensus_is_no_text_and_never_below_the_humans(unlike: Path, plugins: Plugins, tmp_path: Path) -> None:
    found = controls_of(measurement_of(unlike, plugins, "rougeL"), plugins, tmp_path)
    consensus, humans = row(found, control_scores.CONSENSUS), row(found, control_scores.HUMANS)
    assert (consensus.role, consensus.texts) == ("consensus", [])
    assert "optimistic" in consensus.note
    pairs = zip(consensus.scores["rougeL"], humans.scores["rougeL"], strict=True)
    above = [best > mean for best, mean in pairs if best is not None and mean is not None]
    assert above
    assert all(above)


def test_the_central_reference_is_the_same_whatever_else_is_measured(
    unlike: Path, plugins: Plugins, tmp_path: Path
) -> None:
    alone = controls_of(measurement_of(unlike, plugins, "rouge1"), plugins, tmp_path)
    beside = controls_of(measurement_of(unlike, plugins, "rougeL", "rouge1"), plugins, tmp_path)
    columns = [row(found, control_scores.CONSENSUS).scores["rouge1"] for found in (alone, beside)]
    assert columns[0] == columns[1]
    assert columns[0] != row(alone, control_scores.HUMANS).scores["rouge1"]


def test_of_two_summaries_none_is_a_consensus(
    tmp_path: Path, conversations: list[Conversation], plugins: Plugins
) -> None:
    folder = tmp_path / "pairs"
    write_lines(
        folder / "validation.jsonl", [replace(one, references=("It is late.", "Late.")) for one in conversations]
    )
    found = controls_of(measurement_of(folder, plugins, "rougeL"), plugins, tmp_path)
    assert [one.role for one in found.rows][-1] == "humans"
    assert control_scores.CONSENSUS not in [one.name for one in found.rows]


def test_on_tweetsumm_the_consensus_is_above_the_humans(plugins: Plugins, tmp_path: Path, tweetsumm: Path) -> None:
    given = {"dataset": "tweetsumm", "data_dir": str(tweetsumm), "split": "validation"}
    resolved = resolve_recipe(None, given, [], ['metrics.names=["rougeL"]', 'metrics.headlines=["rougeL"]'])
    found = controls_of(prepare(resolved, plugins), plugins, tmp_path)
    means = {one.name: system_means(one).means["rougeL"] for one in found.rows}
    assert means[control_scores.CONSENSUS] == pytest.approx(0.399, abs=5e-4)
    assert means[control_scores.HUMANS] == pytest.approx(0.355, abs=5e-4)


def test_every_registered_control_is_measured_and_says_what_it_is(
    support: Path, plugins: Plugins, tmp_path: Path
) -> None:
    found = controls_of(measurement_of(support, plugins, "rougeL", "words"), plugins, tmp_path)
    registered = [spec.name for spec in plugins.specs if spec.kind == "control"]
    assert [one.name for one in found.rows] == [*registered, control_scores.CONSENSUS, control_scores.HUMANS]
    for one in found.rows:
        assert not one.missing
        assert {len(column) for column in one.scores.values()} == {len(found.ids)}
    assert row(found, "extractive-oracle").role == "bound"
    assert row(found, "best-constant").texts == [row(found, "best-constant").note] * len(found.ids)


def test_without_a_training_split_what_learns_is_missing_with_the_reason(
    tmp_path: Path, conversations: list[Conversation], plugins: Plugins
) -> None:
    folder = tmp_path / "support"
    write_lines(folder / "validation.jsonl", conversations)
    found = controls_of(measurement_of(folder, plugins, "rougeL"), plugins, tmp_path)
    assert "train" in row(found, "best-constant").missing
    assert row(found, "best-constant").scores == {}
    assert not row(found, "lead-1").missing


def test_a_floor_never_sees_what_it_is_scored_by(
    support: Path, plugins: Plugins, tmp_path: Path, conversations: list[Conversation]
) -> None:
    # The training split holds the scored conversations, too: what learns must not learn from those.
    lines = (support / "validation.jsonl").read_text() + (support / "train.jsonl").read_text()
    (support / "train.jsonl").write_text(lines)
    found = controls_of(measurement_of(support, plugins, "rougeL"), plugins, tmp_path)
    own = {reference for one in conversations for reference in one.references}
    for name in ("best-constant", "random-summary"):
        assert not own & set(row(found, name).texts)


def test_what_is_kept_and_cannot_be_read_is_measured_again(support: Path, plugins: Plugins, tmp_path: Path) -> None:
    measurement = measurement_of(support, plugins, "rougeL")
    found = controls_of(measurement, plugins, tmp_path)
    floor_cache_of(measurement, plugins, tmp_path).controls.write_text("{")
    assert controls_of(measurement, plugins, tmp_path) == found


def test_they_are_measured_once_for_the_same_data_and_metrics(support: Path, plugins: Plugins, tmp_path: Path) -> None:
    measurement = measurement_of(support, plugins, "rougeL")
    found = controls_of(measurement, plugins, tmp_path)
    calls = []
    again = control_scores.measure_controls(
        measurement, floor_cache_of(measurement, plugins, tmp_path), 0, plugins, lambda *step: calls.append(step)
    )
    assert (again, calls) == (found, [])
    other = measurement_of(support, plugins, "rougeL", "words")
    assert floor_cache_of(other, plugins, tmp_path) != floor_cache_of(measurement, plugins, tmp_path)


def test_other_training_conversations_are_other_yardsticks(support: Path, plugins: Plugins, tmp_path: Path) -> None:
    before = floor_cache_of(measurement_of(support, plugins, "rougeL"), plugins, tmp_path)
    lines = (support / "train.jsonl").read_text().splitlines()
    (support / "train.jsonl").write_text("\n".join(lines[1:]) + "\n")
    assert floor_cache_of(measurement_of(support, plugins, "rougeL"), plugins, tmp_path) != before


# ------------------------------------------------------------------------------------------------------------ validity


def test_another_conversations_summary_costs_all(
    support: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measurement = measurement_of(support, plugins, "exact")
    for id_, one in measurement.conversations.items():
        monkeypatch.setitem(HOME, id_, one.references)
    found = validity_of(measurement, plugins, tmp_path)
    assert set(found.corruptions) == set(CORRUPTIONS)
    assert cost(found, "exact", validity.FLOOR).cost == 1.0
    assert cost(found, "exact", "words-shuffled").cost == 1.0
    assert cost(found, "exact", "words-shuffled").human == 1.0


def test_a_metric_that_sees_nothing_has_no_scale(support: Path, plugins: Plugins, tmp_path: Path) -> None:
    found = validity_of(measurement_of(support, plugins, "blind"), plugins, tmp_path)
    assert {one.cost for one in found.costs} == {None}
    assert "does not stand apart" in cost(found, "blind", "roles-swapped").problem
    assert describe_validity(found, "blind") == "blind: nothing could be measured."


def test_only_conversations_with_a_second_summary_count(support: Path, plugins: Plugins, tmp_path: Path) -> None:
    measurement = measurement_of(support, plugins, "rougeL", "words")
    found = validity_of(measurement, plugins, tmp_path)
    several = [one for one in measurement.conversations.values() if len(one.references) > 1]
    assert (found.n, found.against_itself) == (len(several), False)
    assert [metric.name for metric in found.metrics] == ["rougeL"]  # a length is neither right nor wrong


def test_single_summaries_are_held_against_themselves_and_it_says_so(
    tmp_path: Path, conversations: list[Conversation], plugins: Plugins
) -> None:
    folder = tmp_path / "support"
    write_lines(folder / "validation.jsonl", [replace(one, references=one.references[:1]) for one in conversations])
    found = validity_of(measurement_of(folder, plugins, "rougeL"), plugins, tmp_path)
    assert found.against_itself
    assert cost(found, "rougeL", "words-shuffled").human == 1.0


def test_without_a_human_summary_there_is_nothing_to_corrupt(support: Path, plugins: Plugins, tmp_path: Path) -> None:
    measurement = measurement_of(support, plugins, "rougeL")
    bare = {id_: replace(one, references=()) for id_, one in measurement.conversations.items()}
    place = control_scores.FloorCache(folder=tmp_path, key="0" * 64)
    with pytest.raises(UsageError, match="no conversation has a human summary"):
        validity.measure_validity(replace(measurement, conversations=bare), place, 0, plugins, no_progress)


def test_on_helpdesk_the_table_says_what_is_known_of_these_metrics(plugins: Plugins, tmp_path: Path) -> None:
    resolved = resolve_recipe("helpdesk", {}, [], [])
    found = validity_of(prepare(resolved, plugins), plugins, tmp_path)
    # Words in another order are the same words, so a bag of them cannot see it, and a subsequence can.
    assert abs(cost(found, "content-overlap", "words-shuffled").cost or 0) < 1e-9
    assert (cost(found, "rougeL", "words-shuffled").low or 0) > 0.3
    # A constant tells nothing that is rare.
    assert (cost(found, "content-overlap", "best-constant").low or 0) > 0.8
    # What they are for: one detail is another one, and one more is unsupported; roles are swapped.
    replaced = cost(found, "unsupported-facts", "detail-replaced")
    assert (replaced.corrupted or 0) - (replaced.human or 0) > 0.9
    swapped = cost(found, "role-accuracy", "roles-swapped")
    assert (swapped.human or 0) - (swapped.corrupted or 0) > 0.2
    assert "cannot see" in describe_validity(found, "content-overlap")
    assert "words shuffled" in describe_validity(found, "content-overlap")
