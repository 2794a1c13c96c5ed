"""The predicted power of a measurement, against the real interval on real scores, and its plain properties."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.statistics.lift import Lift
from liftbench.statistics.paired_lift import LiftRequest, resample_lifts
from liftbench.statistics.power import Assumption, assume_figures, assume_pairs, fewest_for, half_width, power
from liftbench.statistics.settings import Resampling

SCORES = json.loads((Path(__file__).resolve().parents[2] / "baselines" / "paired-scores.json").read_text())
REAL = {f"{one['dataset']} {one['metric']}": (one["baseline"], one["candidate"]) for one in SCORES}


def proven_share(pair: tuple[list[float], list[float]], n: int, target: float, experiments: int = 200) -> float:
    """How often the real interval proves the target on `n` conversations that are drawn from real ones."""
    generator = np.random.default_rng(1)
    before, after = map(np.asarray, pair)
    requests = []
    for _ in range(experiments):
        drawn = generator.integers(len(before), size=n)
        requests.append(
            LiftRequest(
                baseline=before[drawn].tolist(),
                candidates=[after[drawn].tolist()],
                metric="m",
                signature="m",
                target=target,
            )
        )
    lifts = resample_lifts(requests, Resampling(seed=0, resamples=1000))
    return sum(isinstance(lift, Lift) and lift.surplus_low > 0 for lift in lifts) / experiments


@pytest.mark.parametrize("name", sorted(REAL))
@pytest.mark.parametrize("n", [40, 100])
def test_the_power_is_that_of_the_real_interval_on_real_scores(name: str, n: int) -> None:
    pair = REAL[name]
    true = assume_pairs({name: pair}, 0.0).lifts[0]
    # A target that is proven about half of the time, where an error of the spread shows most.
    [half] = half_width(assume_pairs({name: pair}, true), n)
    target = true - half
    predicted = power(assume_pairs({name: pair}, target), n)
    assert 0.2 < predicted < 0.85
    # 200 experiments have a standard error of 3.5 points.
    assert predicted == pytest.approx(proven_share(pair, n, target), abs=0.12)


def test_all_headlines_must_be_proven_together() -> None:
    first, second = list(REAL)[:2]
    both = {name: tuple(side[:100] for side in REAL[name]) for name in (first, second)}
    joint = power(assume_pairs(both, 0.5), 60)
    alone = [power(assume_pairs({name: pair}, 0.5), 60) for name, pair in both.items()]
    assert joint <= min(alone) + 0.01
    assert joint >= alone[0] * alone[1] - 0.05


def figures(lift: float, target: float = 0.4) -> Assumption:
    return assume_figures(0.2, 0.2 * (1 + lift), deviations=(0.07, 0.1), correlation=0.2, target=target, name="rougeL")


def test_the_power_at_the_target_is_the_error_of_the_interval() -> None:
    assert power(figures(0.4), 200) == pytest.approx(0.025, abs=0.005)


def test_seeds_that_differ_lower_the_power() -> None:
    one, three = (power(figures(0.55), 120, seeds=seeds, of_seeds=0.05) for seeds in (1, 3))
    assert three < one < power(figures(0.55), 120)
    assert power(figures(0.55), 120, seeds=3) == power(figures(0.55), 120)


def test_the_fewest_conversations_have_the_wanted_power_and_one_less_has_not() -> None:
    found = fewest_for(0.8, lambda n: power(figures(0.55), n))
    assert found is not None
    assert power(figures(0.55), found) >= 0.8 > power(figures(0.55), found - 1)
    assert fewest_for(0.8, lambda n: power(figures(0.39), n)) is None
    assert fewest_for(0.8, lambda n: power(figures(5.0), n)) == 30


@given(st.floats(0.45, 3.0), st.integers(30, 2000))
def test_more_conversations_never_prove_less(lift: float, n: int) -> None:
    assert power(figures(lift), 2 * n) >= power(figures(lift), n) - 0.005
    assert half_width(figures(lift), 4 * n)[0] == pytest.approx(half_width(figures(lift), n)[0] / 2, rel=0.05)
