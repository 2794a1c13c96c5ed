"""The quantiles, against SciPy's."""

from __future__ import annotations

import math

import pytest
import scipy.special

from liftbench.statistics.quantiles import normal_quantile, student_quantile


@pytest.mark.parametrize("probability", [0.6, 0.975, 1 - 0.025 / 20])
@pytest.mark.parametrize("degrees", [1, 1.7, 2, 5, 29, 30.5, 107, 1_000, 100_000])
def test_students_quantile_is_scipys_to_the_last_digits(degrees: float, probability: float) -> None:
    assert student_quantile(degrees, probability) == pytest.approx(
        scipy.special.stdtrit(degrees, probability), rel=1e-14
    )


def test_of_one_degree_of_freedom_it_is_cauchys() -> None:
    assert student_quantile(1, 0.975) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-14)


@pytest.mark.parametrize("probability", [0.0, 1e-72, 0.025, 0.5, 0.8, 1.0])
def test_the_normal_quantile_is_scipys(probability: float) -> None:
    assert normal_quantile(probability) == pytest.approx(scipy.special.ndtri(probability), rel=1e-14)
