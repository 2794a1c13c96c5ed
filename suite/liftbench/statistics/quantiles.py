"""Quantiles of the normal and of Student's t distribution without SciPy, which would be half of the light installation.

Neither the standard library nor NumPy has Student's quantiles. Their sums use decimal arithmetic, whose rounding errors
stay below a float's last digit: the quantile is the float nearest to the true one.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import lru_cache
from statistics import NormalDist

PI = Decimal("3.14159265358979323846264338327950288419716939937510")
DIGITS = 34
ENOUGH = Decimal("1e-24")
"""Relative precision: of a sum's last term, and of the last step towards the quantile."""

LARGE = 300
"""From this argument on, the series of `_gamma_ratio` is exact to 21 digits."""
SERIES = (
    Decimal(-1) / 8,
    Decimal(1) / 128,
    Decimal(5) / 1024,
    Decimal(-21) / 32768,
    Decimal(-399) / 262144,
    Decimal(869) / 4194304,
    Decimal(39325) / 33554432,
)
"""Coefficients of 1/x, 1/x², … in Γ(x + 1/2) / (Γ(x) √x)."""


def normal_quantile(probability: float) -> float:
    """The value below which a share `probability`, in [0, 1], of a standard normal distribution lies."""
    if probability in (0, 1):  # the tail beyond the bounds of two units rounds to 0
        return math.inf if probability else -math.inf
    return NormalDist().inv_cdf(probability)


@lru_cache(maxsize=256)
def student_quantile(degrees: float, probability: float) -> float:
    """The value below which a share `probability`, in (0.5, 1), of t with `degrees` (at least 1) of freedom lies."""
    with localcontext(prec=DIGITS):
        nu, share = Decimal(degrees), 2 * Decimal(probability) - 1
        peak = _gamma_ratio(nu / 2) / (PI * nu).sqrt()
        # The normal quantile lies below, and the distribution function is concave there, so a step never overshoots.
        t = Decimal(NormalDist().inv_cdf(probability))
        while True:
            density = peak * (1 + t * t / nu) ** (-(nu + 1) / 2)
            step = (share - _within(nu, t, peak)) / (2 * density)
            t += step
            if abs(step) <= ENOUGH * t:
                return float(t)


def student_tails(degrees: float, t: float) -> float:
    """The two-sided p-value of `t`, in [0, 1], with `degrees` (at least 1) of freedom."""
    if not t:
        return 1.0
    if math.isinf(t):
        return 0.0
    with localcontext(prec=DIGITS):
        nu = Decimal(degrees)
        return float(1 - _within(nu, abs(Decimal(t)), _gamma_ratio(nu / 2) / (PI * nu).sqrt()))


def _within(nu: Decimal, t: Decimal, peak: Decimal) -> Decimal:
    """The share of values between -t and t, by the power series of the incomplete beta function that converges fast.

    `peak` is the density at 0.
    """
    inner = t * t / (nu + t * t)
    if 2 * inner <= 1:
        return _series(inner, Decimal("0.5"), nu / 2, peak * nu.sqrt())
    return 1 - _series(1 - inner, nu / 2, Decimal("0.5"), peak * nu.sqrt())


def _series(y: Decimal, a: Decimal, b: Decimal, inverse_beta: Decimal) -> Decimal:
    """The regularized incomplete beta function I_y(a, b), all terms of which are positive (DLMF 8.17.8)."""
    term = total = y**a * (1 - y) ** b * inverse_beta / a
    n = Decimal(0)
    while term > ENOUGH * total:
        term *= y * (a + b + n) / (a + 1 + n)
        total += term
        n += 1
    return total


def _gamma_ratio(x: Decimal) -> Decimal:
    """Γ(x + 1/2) / Γ(x): brought to a large x by Γ(x + 1) = x Γ(x), and then the asymptotic series (DLMF 5.11.13)."""
    factor = Decimal(1)
    while x < LARGE:
        factor *= x / (x + Decimal("0.5"))
        x += 1
    series = sum(((coefficient / x**power) for power, coefficient in enumerate(SERIES, start=1)), Decimal(1))
    return factor * x.sqrt() * series
