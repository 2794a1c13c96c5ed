"""Traces of controls in promoted files: a gate finds of copying and pasting what a comparison finds, without a text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from liftbench.data.similarity.scored import ScoredSplit
from liftbench.errors import UsageError
from liftbench.floors.control_scores import ControlScores
from liftbench.gating.baselines import Promoted, read_promoted
from liftbench.gating.promote import promote
from liftbench.judging.abstractiveness import UNTRACED, Abstractiveness, measure_abstractiveness
from liftbench.judging.near_copies import find_near_copies
from liftbench.statistics.bootstrap import Bootstrap

from ..support.build import write_run
from ..support.rewrites import reword
from ..support.scripted import World, honest, scored

BASELINES = Path(__file__).resolve().parents[2] / "baselines"


def template_of(world: World) -> dict[str, str]:
    controls = world.bench.background.controls
    assert controls
    row = next(row for row in controls.rows if row.name == "slot-template")
    return dict(zip(controls.ids, row.texts, strict=True))


def place(texts: dict[str, str], controls: ControlScores | None) -> Abstractiveness:
    return measure_abstractiveness(
        texts, ScoredSplit(scored()), controls, ["rougeL", "content-overlap"], Bootstrap(seed=0)
    )


def test_a_promoted_file_tells_what_the_texts_told(world: World) -> None:
    kept, whole = world.untuned.controls, world.bench.background.controls
    assert kept
    assert whole
    edited = {id_: reword(text) for id_, text in template_of(world).items()}
    for texts in (edited, honest()):
        assert find_near_copies(texts, kept) == find_near_copies(texts, whole)
        assert place(texts, kept) == place(texts, whole)
    assert find_near_copies(edited, kept)[0].control == "slot-template"
    assert (place(edited, kept).high or 1) < 0.5 < (place(honest(), kept).low or 0)


def test_no_text_of_a_control_is_in_it(world: World) -> None:
    written = (world.folder / "untuned.json").read_text(encoding="utf-8")
    texts = [json.dumps(text, ensure_ascii=False)[1:-1] for text in template_of(world).values()]
    assert not [text for text in texts if text in written]
    assert sum(len(row.traces) for row in world.untuned.samples) > len(texts)


def test_the_bound_leaves_no_trace(world: World) -> None:
    assert {name for row in world.untuned.samples for name in row.traces} == {
        floor.name for floor in world.untuned.floors
    }


def test_an_older_file_loads_and_says_nothing_of_it(world: World) -> None:
    older = json.loads((world.folder / "untuned.json").read_text(encoding="utf-8"))
    for row in older["samples"]:
        del row["traces"]
    older["name"] = "older"
    (world.folder / "older.json").write_text(json.dumps(older), encoding="utf-8")
    promoted: Promoted = read_promoted("older", world.folder)
    assert promoted.controls
    assert {one.ids is None for one in find_near_copies(honest(), promoted.controls)} == {True}
    assert place(honest(), promoted.controls).problem == UNTRACED


@pytest.mark.parametrize(("name", "novel"), [("tweetsumm-smollm2-135m", 0.272), ("helpdesk-smollm2-135m", 0.112)])
def test_the_shipped_baselines_know_what_their_controls_wrote(name: str, novel: float) -> None:
    controls = read_promoted(name, BASELINES).controls
    assert controls
    rows = {row.name: row for row in controls.rows if row.role == "floor"}
    assert all(len(row.traces) == len(controls.ids) for row in rows.values())
    template = [trace.novel for trace in rows["slot-template"].traces]
    assert sum(template) / len(template) == pytest.approx(novel, abs=0.001)


@pytest.mark.parametrize("sketch", ["x", "eA==", "The parcel is late."])
def test_a_sketch_that_cannot_be_read_is_a_damaged_file(tmp_path: Path, sketch: str) -> None:
    path = promote(write_run(tmp_path / "runs"), "plain", tmp_path).path
    found = json.loads(path.read_text(encoding="utf-8"))
    found["samples"][0]["traces"] = {"lead-1": {"sketch": sketch, "novel": 0.5}}
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(UsageError, match="is damaged: what it says of the controls' texts cannot be read"):
        read_promoted("plain", tmp_path)
