"""Baseline, training and the adapter's score in one go, with one display of their progress."""

from __future__ import annotations

from typing import NamedTuple

from ..measuring.plan import Measurement
from ..runs.directory import Run
from .measure import finish_run, measure_system, untuned_model
from .train import Training, open_training

STAGES = [
    ("1/3 baseline", "conversations"),
    ("2/3 training", "steps"),
    ("3/3 adapter", "conversations"),
]


class DemoRuns(NamedTuple):
    """The runs of a demonstration."""

    baseline: Run
    candidate: Run


def run_demo(training: Training, measurement: Measurement) -> DemoRuns:
    """Measure the untuned model, train an adapter, and measure it; finished runs are reused."""
    setup, plan, _ = training
    protocol = measurement.protocol
    setup.feedback.say(
        f"scoring {protocol.n} conversations of {protocol.dataset} {protocol.split}, "
        f"training on {len(plan.split.train)} others with {plan.spec.name}"
    )
    subject = untuned_model(setup)
    with setup.feedback.bars(STAGES) as (untuned_bar, training_bar, adapter_bar):
        baseline = measure_system(setup, "baseline", subject, measurement, untuned_bar)
        with open_training(setup, measurement, plan, training_bar) as (run, adapter):
            return DemoRuns(baseline, finish_run(run, measurement, adapter, setup, adapter_bar))
