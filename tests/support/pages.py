"""Every page that the suite writes, made from a few small runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from liftbench.extension.loader import load_plugins
from liftbench.files import write_lines
from liftbench.floors.background import Background
from liftbench.floors.control_scores import HUMANS, ControlScores, SystemScores
from liftbench.floors.validity import Cost, Validity
from liftbench.gating.gate import Against, gate
from liftbench.gating.promote import promote
from liftbench.judging.compare import compare
from liftbench.metrics.rouge import NAMES
from liftbench.recipe.rules import parse
from liftbench.records.conversation import Conversation
from liftbench.records.run import Finding, MetricInfo, SampleScores
from liftbench.report.pages import write_comparison_page, write_gate_page, write_runs_page, write_sheet_page
from liftbench.runs.directory import Run

from .build import reseal, tuned_texts, untuned_texts, write_conversations, write_run
from .sheets import build_sheet

Kind = Literal["comparison", "candidates", "gate", "runs", "sheet"]

KINDS: tuple[Kind, ...] = ("comparison", "candidates", "gate", "runs", "sheet")

RULES = (
    "lift(rougeL) >= 40% verified",
    "rougeL >= 0.2",
    "rougeL >= 0.99",
    "drop(rougeL) <= 2%",
    "drop(rougeL) <= 2% significant per company",
)


class Pages:
    """The runs, and a file of each kind of page about them.

    `texts` are the candidate's summaries, `name` is the name of its system; `attack` stands in notes and reasons.
    """

    def __init__(
        self,
        folder: Path,
        conversations: Sequence[Conversation] | None = None,
        texts: Sequence[str] | None = None,
        *,
        name: str | None = None,
        attack: str = "",
    ) -> None:
        self.conversations = list(conversations or write_conversations(40))
        self.texts = list(texts or tuned_texts(self.conversations))
        self.folder = folder
        self.runs = folder / "runs"
        self.attack = attack
        n = len(self.conversations)
        known = {metric: self._spread(0.0, n) for metric in NAMES} if texts else {}
        self.baseline = self._write("baseline", 10, texts=untuned_texts(self.conversations), scores=known)
        self.prompted = self._write(
            "baseline", 11, name="smollm2-135m (best prompt)", texts=["Customer asks."] * n, best_prompt=True
        )
        ahead = {metric: self._spread(0.3, n) for metric in NAMES} if texts else {}
        self.candidate = self._find(self._write("train", 12, name=name, texts=self.texts, scores=ahead))
        self.rival = self._write("score", 13, name=name, texts=[*self.texts[1:], self.texts[0]], scores=known)

    def write(self) -> dict[Kind, Path]:
        """Write all pages."""
        by_id = {run.id: run for run in (self.baseline, self.prompted, self.candidate, self.rival)}
        plugins = load_plugins()
        one = compare(
            self.baseline,
            [self.candidate],
            self._background(),
            best_prompted=self.prompted,
        )
        several = compare(
            self.baseline,
            [self.candidate, self.rival],
            self._background(),
        )
        folder = self.folder
        elsewhere = self._write("baseline", 14, protocol={"max_new_tokens": 40})
        return {
            "comparison": write_comparison_page(one, by_id, plugins, self.runs, folder / "comparison.html"),
            "candidates": write_comparison_page(several, by_id, plugins, self.runs, folder / "candidates.html"),
            "gate": self._write_gate(),
            "runs": write_runs_page([*by_id.values(), elsewhere], self.runs, folder / "runs.html"),
            "sheet": write_sheet_page(
                build_sheet(self.conversations, candidate=self.texts, other=untuned_texts(self.conversations))[0],
                self.runs,
                folder,
            ),
        }

    def _write_gate(self) -> Path:
        baselines = self.folder / "baselines"
        against = Against(
            baseline=promote(
                self.baseline,
                "untuned",
                baselines,
                controls=make_background(
                    [one.id for one in self.conversations], f"Customer complains. {self.attack}"
                ).controls,
                best_prompted=self.prompted,
                texts=True,
            ).promoted,
            proven=promote(self.candidate, "adapter", baselines, why=self.attack, texts=True).promoted,
        )
        report = gate([self.rival], [parse(rule) for rule in RULES], against)
        return write_gate_page(report, [self.rival], against, self.runs, self.folder / "gate.html")

    def _write(self, command: Literal["baseline", "train", "score"], hour: int, **more: object) -> Run:
        return write_run(
            self.runs,
            command=command,
            created=f"2026-01-05T{hour}:00:00Z",
            conversations=self.conversations,
            notes=[self.attack] if self.attack else [],
            **more,  # type: ignore[arg-type]
        )

    @staticmethod
    def _spread(more: float, n: int) -> list[float]:
        return [0.2 + more + 0.3 * (place * 7 % n) / n for place in range(n)]

    def _find(self, run: Run) -> Run:
        """The run with unsupported words in every fourth summary, and one summary that was cut off."""
        rows = [
            SampleScores(
                id=id_,
                scores=scores,
                findings={"unsupported-facts": [Finding(start=0, end=8, kind="unsupported name")]}
                if place % 4 == 0 and len(run.predictions[id_].text) > 8
                else {},
            )
            for place, (id_, scores) in enumerate(run.scores.items())
        ]
        write_lines(run.folder / "scores.jsonl", rows)
        cut = [
            replace(one, finish_reason="length" if place == 1 else one.finish_reason)
            for place, one in enumerate(run.predictions.values())
        ]
        write_lines(run.folder / "predictions.jsonl", cut)
        return reseal(run)

    def _background(self) -> Background:
        return make_background([one.id for one in self.conversations], f"Customer complains. {self.attack}")


def make_background(ids: Sequence[str], note: str) -> Background:
    """A control with a note, people, and what corruptions cost."""
    info = MetricInfo(name="rougeL", signature="s", direction="higher", sees="overlap")
    rows = [
        SystemScores(
            name="best-constant",
            role="floor",
            note=note,
            scores={"rougeL": [0.1] * len(ids)},
        ),
        SystemScores(name="slot-template", role="floor", missing="there is no training split"),
        SystemScores(name=HUMANS, role="humans", scores={"rougeL": [0.9, *[0.8] * (len(ids) - 1)]}),
    ]
    costs = [
        Cost(
            corruption=name,
            metric="rougeL",
            n=9,
            human=0.9,
            corrupted=0.8,
            cost=cost,
            low=cost - 0.02,
            high=cost + 0.02,
        )
        for name, cost in (("another-conversation", 1.0), ("roles-swapped", 0.04), ("half-cut-off", 0.7))
    ]
    return Background(
        controls=ControlScores(key="k", dataset="d", split="s", metrics=[info], ids=list(ids), rows=rows),
        validity=Validity(
            key="k",
            dataset="d",
            split="s",
            n=9,
            against_itself=False,
            metrics=[info],
            corruptions={cost.corruption: "what it does" for cost in costs},
            costs=costs,
        ),
    )
