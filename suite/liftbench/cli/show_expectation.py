"""What trainings would take, in words."""

from __future__ import annotations

from ..report import numbers
from ..text.phrases import join_words, pluralize, rough_duration
from ..training.trainer import TrainingEstimate
from ..workflow.preview import Expectation
from .output import echo


def show_expectation(expected: Expectation) -> None:
    """Say steps, tokens, time and memory, whether memory suffices, and which micro-batch to take."""
    estimate = expected.estimate
    if estimate is None:
        echo(f"\ntime and memory are unknown: {expected.unknown}")
        return
    steps, targets = pluralize(estimate.steps, "step"), pluralize(estimate.target_tokens, "target token")
    each = "" if expected.trainings == 1 else f" for each of {expected.trainings} trainings"
    echo(f"\n{steps}, {targets} of {numbers.format_count(estimate.tokens)} tokens{each}")
    echo(f"{_time(estimate, expected.trainings)} and {_memory(estimate)}")
    echo(_fit(estimate))
    passes = pluralize(estimate.passes, "forward and backward pass", "forward and backward passes")
    taken = numbers.format_duration(estimate.calibration_seconds)
    echo(f"predicted from {passes} in {taken}; other work on the machine makes a training slower")


def _time(estimate: TrainingEstimate, trainings: int) -> str:
    total = rough_duration(estimate.seconds * trainings)
    return total if trainings == 1 else f"{total} in all"


def _memory(estimate: TrainingEstimate) -> str:
    where = "memory" if estimate.device == "cpu" else f"memory of the {estimate.device}"
    peak, weights = (numbers.format_bytes(one) for one in (estimate.peak_memory_bytes, estimate.weights_bytes))
    return f"{peak} of {where} ({weights} are the weights)"


def _fit(estimate: TrainingEstimate) -> str:
    """Whether memory suffices, and if not, or if more would be faster, what to set."""
    set_to, proposed = estimate.micro_batch, estimate.proposed_micro_batch
    available = numbers.format_bytes(estimate.available_bytes)
    if proposed == set_to:
        return f"fits in the {available} that are available, with micro_batch {set_to}"
    if proposed is None:
        smallest = numbers.format_bytes(estimate.peaks[1])
        lower = join_words(estimate.lower, "or")
        what = f"does not fit in the {available} that are available: even micro_batch 1 takes {smallest}"
        return f"{what}; lower it by {lower}"
    change = f"train.options.micro_batch={proposed}, which takes {numbers.format_bytes(estimate.peaks[proposed])}"
    if proposed > set_to:
        return f"fits in the {available} that are available; faster is {change}"
    return f"is too much for the {available} that are available; set {change}"
