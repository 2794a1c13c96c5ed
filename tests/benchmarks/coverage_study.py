"""`python tests/benchmarks/coverage_study.py`: how often an interval's bounds are wrong.

What it prints is `baselines/interval-coverage.jsonl`.

The real paired scores of `baselines/paired-scores.json` are taken for the whole population, whose lift is then known;
experiments of n conversations are drawn from it with replacement, and a bound is wrong where the true lift lies beyond
it: 2.5% of the time, were it exact. Prints a line of JSON for each data set, metric, n and method, then for a set
with clusters, one with several seeds, for the power that `Lift.detectable` promises, for candidates with total
failures, and for several candidates of which the best is shown. Takes some five minutes.

A share of 2.5% has a standard error of 0.5 points in 1,000 experiments: differences below one point say little between
lines, somewhat more between methods, which are given the same experiments. `Bootstrap.lift` is called as users do (with
10,000 resamples); its rivals are computed here with 2,000, which adds to their errors a tenth of a point.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit

from liftbench.statistics.bootstrap import Bootstrap
from liftbench.statistics.lift import Lift
from liftbench.statistics.paired_lift import LiftRequest
from liftbench.statistics.resampling import RESAMPLES, draws

Floats = NDArray[np.float64]

SCORES = Path(__file__).resolve().parents[2] / "baselines" / "paired-scores.json"
EXPERIMENTS = 1_000
RIVAL_RESAMPLES = 2_000
SIZES = (30, 60, 110)
TAIL = 0.025

CLUSTERS, LARGEST, CLUSTER_SHIFT = 40, 6, 0.1
"""So many clusters of 1 to `LARGEST` conversations, whose candidate's scores are shifted together: by a normal number
with this standard deviation, about that of a single score."""

SEEDS, SEED_SHIFT, SEED_NOISE = 5, 0.02, 0.05
"""So many trainings, whose scores are shifted together, and each score for itself, with these standard deviations. The
shift is 10% of the baseline's ROUGE-L, about twice what separated two trainings of the default recipe."""

FAILURES = (0.02, 0.05, 0.1)
"""Shares of a candidate's texts that fail and score 0."""

FAULTS = 0.02
"""The share of failures up to which the guards of a verdict pass."""

LOOKS = (1, 5, 10, 20)
"""Candidates in a family."""

BATCH = 50
"""Experiments whose lifts are made in one pass over the draws."""


class Population(NamedTuple):
    """Paired scores of all the conversations there are."""

    dataset: str
    metric: str
    baseline: Floats
    candidate: Floats

    @property
    def lift(self) -> float:
        return float(self.candidate.mean() / self.baseline.mean()) - 1

    def drawn(self, n: int) -> tuple[Floats, Floats]:
        """`EXPERIMENTS` of `n` conversations, an experiment a row."""
        rows = np.random.default_rng(n).integers(0, self.baseline.size, size=(EXPERIMENTS, n))
        return self.baseline[rows], self.candidate[rows]


def populations() -> list[Population]:
    rows = json.loads(SCORES.read_text(encoding="utf-8"))
    return [
        Population(row["dataset"], row["metric"], np.array(row["baseline"]), np.array(row["candidate"])) for row in rows
    ]


# -------------------------------------------------------------------------------------------------- what users are told


def lifts(
    population: Population,
    baselines: Floats,
    candidates: Floats,
    *,
    target: float | None = None,
    clusters: Sequence[str] | None = None,
    comparisons: int = 1,
    resamples: int = RESAMPLES,
) -> Iterator[Lift]:
    """Of each experiment. The target is the true lift unless given; `clusters` has a label for each conversation."""
    ids = [str(number) for number in range(baselines.shape[1])]
    labels = dict(zip(ids, clusters or ids, strict=True))
    bootstrap = Bootstrap(seed=0, clusters=labels, comparisons=comparisons, resamples=resamples)
    for start in range(0, len(baselines), BATCH):
        some = slice(start, start + BATCH)
        requests = [
            LiftRequest(
                baseline=baseline.tolist(),
                candidates=np.atleast_2d(candidate).tolist(),
                metric=population.metric,
                signature="",
                target=population.lift if target is None else target,
                ids=ids,
            )
            for baseline, candidate in zip(baselines[some], candidates[some], strict=True)
        ]
        for found in bootstrap.lifts(requests):
            assert isinstance(found, Lift), found
            yield found


def wrong(found: Iterable[Lift], true: float) -> dict[str, float]:
    """Shares of experiments whose lower bound is above the true lift, and whose upper bound is below it."""
    bounds = [deciding(lift, true) for lift in found]
    lows, highs = np.array(bounds).T
    return {"lower_wrong": float((lows > 0).mean()), "upper_wrong": float((highs < 0).mean())}


def deciding(lift: Lift, true: float) -> tuple[float, float]:
    """The bounds that the target is judged by, as distances from the `true` lift, which is the target."""
    if lift.low is None or lift.high is None:
        return lift.surplus_low, lift.surplus_high
    return lift.low - true, lift.high - true


# -------------------------------------------------------------------------------------------------------------- rivals


def rivals(baselines: Floats, candidates: Floats) -> dict[str, tuple[Floats, Floats]]:
    """Method → the lower and the upper bound of each experiment."""
    n = baselines.shape[1]
    (counts,) = draws(n, seed=0, resamples=RIVAL_RESAMPLES)

    def resampled(values: Floats) -> Floats:
        means: Floats = counts @ values.T / n
        return means

    bottoms, tops = resampled(baselines), resampled(candidates)
    gains = tops / bottoms - 1
    observed = candidates.mean(axis=1) / baselines.mean(axis=1) - 1

    # BCa: Efron & Tibshirani (1993), section 14.3.
    shift = ndtri(((gains < observed).mean(axis=0) + (gains <= observed).mean(axis=0)) / 2)
    left_out = [values.sum(axis=1, keepdims=True) - values for values in (candidates, baselines)]
    jackknife = left_out[0] / left_out[1]
    away = jackknife.mean(axis=1, keepdims=True) - jackknife
    skew = (away**3).sum(axis=1) / (6 * (away**2).sum(axis=1) ** 1.5)

    def percentiles(tail: float) -> tuple[Floats, Floats]:
        low, high = np.quantile(gains, [tail, 1 - tail], axis=0)
        return low, high

    def corrected(tail: float) -> tuple[Floats, Floats]:
        moved = [shift + ndtri(end) for end in (tail, 1 - tail)]
        low, high = (ndtr(shift + end / (1 - skew * end)) for end in moved)
        columns = list(zip(gains.T, low, high, strict=True))
        lows, highs = (np.array([np.quantile(column, ends[at]) for column, *ends in columns]) for at in (0, 1))
        return lows, highs

    # Bootstrap-t: Efron & Tibshirani (1993), section 12.5, with the ratio's linearized standard error.
    squares = resampled(candidates**2), resampled(candidates * baselines), resampled(baselines**2)
    whole = [values.mean(axis=1) for values in (candidates**2, candidates * baselines, baselines**2)]

    def error(gain: Floats, squares: Iterable[Floats], bottom: Floats) -> Floats:
        tops, products, bottoms = squares
        squared = np.maximum(tops - 2 * (1 + gain) * products + (1 + gain) ** 2 * bottoms, 0) / n
        relative: Floats = np.sqrt(squared) / bottom
        return relative

    spread = error(observed, whole, baselines.mean(axis=1))
    low, high = np.quantile((gains - observed) / error(gains, squares, bottoms), [TAIL, 1 - TAIL], axis=0)
    few = float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, 1 - TAIL)))
    return {
        "percentile": percentiles(TAIL),
        "widened percentile": percentiles(few),
        "BCa": corrected(TAIL),
        "widened BCa": corrected(few),
        "bootstrap-t": (observed - high * spread, observed - low * spread),
    }


# ------------------------------------------------------------------------------------------------------------ the study


def real_scores(population: Population) -> Iterator[dict[str, object]]:
    about = {"what": "one-sided errors", "dataset": population.dataset, "metric": population.metric}
    for n in SIZES:
        experiments = population.drawn(n)
        found = list(lifts(population, *experiments))
        judged_by_surplus = np.mean([lift.decides == "surplus" for lift in found])
        yield (
            about
            | {"n": n, "method": "stats.lift"}
            | wrong(found, population.lift)
            | {"judged_by_surplus": float(judged_by_surplus)}
        )
        for method, (low, high) in rivals(*experiments).items():
            yield (
                about
                | {"n": n, "method": method}
                | {"lower_wrong": float((low > population.lift).mean())}
                | {"upper_wrong": float((high < population.lift).mean())}
                | {"median_width": round(float(np.median(high - low)), 3)}
            )


def clustered_scores(population: Population) -> Iterator[dict[str, object]]:
    """The shifts are zero on average and no larger in large clusters: the true lift is that of the real scores."""
    about = {"what": "clusters", "dataset": population.dataset, "metric": population.metric, "clusters": CLUSTERS}
    generator = np.random.default_rng(0)
    found: dict[str, list[Lift]] = {"clusters": [], "conversations": []}
    for _ in range(EXPERIMENTS):
        cluster = np.repeat(np.arange(CLUSTERS), generator.integers(1, LARGEST, size=CLUSTERS, endpoint=True))
        rows = generator.integers(0, population.baseline.size, size=cluster.size)
        shift = generator.normal(0, CLUSTER_SHIFT, size=CLUSTERS)[cluster]
        experiment = population.baseline[None, rows], population.candidate[None, rows] + shift
        for resampled, labels in (("clusters", [str(number) for number in cluster]), ("conversations", None)):
            found[resampled] += lifts(population, *experiment, clusters=labels, resamples=RIVAL_RESAMPLES)
    for resampled, some in found.items():
        yield about | {"resampled": resampled} | wrong(some, population.lift)


def seeds(population: Population, n: int) -> Iterator[dict[str, object]]:
    about = {"what": "seeds", "dataset": population.dataset, "metric": population.metric, "n": n, "seeds": SEEDS}
    baselines, candidates = population.drawn(n)
    generator = np.random.default_rng(0)
    shifts = generator.normal(0, SEED_SHIFT, size=(EXPERIMENTS, SEEDS, 1))
    columns = candidates[:, None, :] + shifts + generator.normal(0, SEED_NOISE, size=(EXPERIMENTS, SEEDS, n))
    for resampled, some in (("seeds and conversations", columns), ("conversations", columns.mean(axis=1))):
        yield about | {"resampled": resampled} | wrong(lifts(population, baselines, some), population.lift)


def power(population: Population) -> dict[str, object]:
    """How often a target is verified of which `detectable` says that the true lift reaches it in 80% of cases."""
    n = population.baseline.size
    real = population.baseline[None], population.candidate[None]

    def short(target: float) -> float:
        (lift,) = lifts(population, *real, target=target)
        return population.lift - (lift.detectable or 0.0)

    target = float(brentq(short, -1.0, population.lift, xtol=1e-4))
    found = list(lifts(population, *population.drawn(n), target=target))
    verified = np.mean([lift.surplus_low is not None and lift.surplus_low >= 0 for lift in found])
    return {
        "what": "power",
        "dataset": population.dataset,
        "metric": population.metric,
        "n": n,
        "true_lift": round(population.lift, 4),
        "target": round(target, 4),
        "verified": float(verified),
    }


def total_failures(population: Population) -> Iterator[dict[str, object]]:
    """Each text of the candidate fails by itself and scores 0: in small samples often none does, and all looks well.

    `wrong_and_unnoticed` counts the experiments whose lower bound is wrong and whose failures are rare enough for the
    guards of a verdict.
    """
    about: dict[str, object] = {"what": "total failures", "dataset": population.dataset, "metric": population.metric}
    for n in (SIZES[0], SIZES[-1]):
        baselines, candidates = population.drawn(n)
        for rate in FAILURES:
            failed = np.random.default_rng([n, round(1_000 * rate)]).random(candidates.shape) < rate
            true = (1 - rate) * (1 + population.lift) - 1
            found = list(lifts(population, baselines, np.where(failed, 0.0, candidates), target=true))
            noticed = failed.sum(axis=1) > FAULTS * n
            low = np.array([deciding(lift, true)[0] for lift in found])
            unnoticed = float(((low > 0) & ~noticed).mean())
            yield about | {"n": n, "rate": rate} | wrong(found, true) | {"wrong_and_unnoticed": unnoticed}


def looks(population: Population, n: int) -> Iterator[dict[str, object]]:
    """In how many families some candidate is verified, although the true lift of each is the target and no more.

    A family is compared with one baseline on the same conversations. `retrained`: scores differ from candidate to
    candidate by noise for each score, as those of several seeds do. `unrelated`: a candidate's gain on a conversation
    is that on another, drawn at random, so that nothing but the baseline is shared. Candidates in practice are between
    the two.
    """
    about: dict[str, object] = {"what": "looks", "dataset": population.dataset, "metric": population.metric, "n": n}
    baselines, candidates = population.drawn(n)
    generator = np.random.default_rng(0)
    shape = (EXPERIMENTS, max(LOOKS), n)
    gains = population.candidate - population.baseline
    families = {
        "retrained": candidates[:, None] + generator.normal(0, SEED_NOISE, size=shape),
        "unrelated": baselines[:, None] + gains[generator.integers(0, gains.size, size=shape)],
    }
    for kind, family in families.items():
        apart = verified(population, baselines, family, comparisons=1)  # (families, candidates)
        for k in LOOKS:
            shared = apart if k == 1 else verified(population, baselines, family[:, :k], comparisons=k)
            yield about | {
                "candidates": kind,
                "looks": k,
                "some_verified": float(apart[:, :k].any(axis=1).mean()),
                "some_verified_shared_level": float(shared[:, :k].any(axis=1).mean()),
            }


def verified(population: Population, baselines: Floats, families: Floats, *, comparisons: int) -> NDArray[np.bool_]:
    """Whether each candidate, (families, candidates, n), is verified at the true lift; the same shape but for n."""
    k, n = families.shape[1:]
    found = lifts(population, np.repeat(baselines, k, axis=0), families.reshape(-1, n), comparisons=comparisons)
    return np.array([deciding(lift, population.lift)[0] > 0 for lift in found]).reshape(-1, k)


def study() -> Iterator[dict[str, object]]:
    for population in populations():
        yield from real_scores(population)
    yield from clustered_scores(populations()[0])
    yield from seeds(populations()[0], 110)
    for population in populations():
        yield power(population)
    for population in populations():
        yield from total_failures(population)
    yield from looks(populations()[0], 110)


if __name__ == "__main__":
    for line in study():
        print(json.dumps({"experiments": EXPERIMENTS, **line}), flush=True)
