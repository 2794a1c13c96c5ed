"""How far several judges agree with each other, and metrics and models with people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..errors import require_packages
from ..records.preferences import Calibration, JudgedConversation, KeyItem, MetricAgreement, Preference
from ..records.run import MetricInfo
from ..statistics.bootstrap import Bootstrap

EXTRA = "liftbench[judge]"


class Alpha(NamedTuple):
    """Krippendorff's alpha, or why there is none."""

    value: float | None
    missing: str = ""


def nominal_alpha(rows: Sequence[Sequence[float | None]]) -> Alpha:
    """Krippendorff's alpha for categories: 1 is full agreement, 0 is agreement by chance.

    Each row holds one judge's answers, one for each unit, None where there is none. The package `krippendorff` computes
    alpha after Krippendorff, *Computing Krippendorff's Alpha-Reliability* (2011). Alpha is not defined for one judge,
    where no unit was judged by two, and where all answers are the same. Raises `PrerequisiteError` without the package.
    """
    if len(rows) < 2:
        return Alpha(None, "one judge")
    units = [[answer for answer in unit if answer is not None] for unit in zip(*rows, strict=True)]
    shared = [unit for unit in units if len(unit) > 1]
    if not shared:
        return Alpha(None, "no pair was judged by two")
    if len({answer for unit in shared for answer in unit}) == 1:
        return Alpha(None, "all answers are the same")
    require_packages(["krippendorff"], "the agreement of several judges", EXTRA)
    import krippendorff

    data = [[float("nan") if answer is None else answer for answer in row] for row in rows]
    return Alpha(float(krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")))


def outcome(value: float) -> int:
    """1 where the candidate is preferred, 0 for a tie, -1 where the other is.

    >>> [outcome(value) for value in (0.75, 0.5, 0.25)]
    [1, 0, -1]
    """
    return (value > 0.5) - (value < 0.5)


def metric_agreement(
    metrics: Iterable[MetricInfo],
    values: Mapping[str, float],
    items: Sequence[KeyItem],
    bootstrap: Bootstrap,
) -> list[MetricAgreement]:
    """How often each metric prefers what the judges prefer, on the conversations where the judges are not tied.

    `values` are by item: 1 where the candidate is preferred, 0 where the other is. Metrics without a better direction,
    and metrics without scores on any such conversation, are left out.
    """
    found = []
    for metric in metrics:
        if metric.direction == "neither":
            continue
        sign = -1 if metric.direction == "lower" else 1
        agreements: dict[str, float] = {}
        for item in items:
            preferred = outcome(values[item.id]) if item.id in values else 0
            ours, others = item.scores.get(metric.name, (None, None))
            if preferred and ours is not None and others is not None:
                by_metric = sign * ((ours > others) - (ours < others))
                agreements[item.conversation] = (1 + preferred * by_metric) / 2
        mean, low, high = bootstrap.mean(list(agreements.values()), list(agreements))
        if mean is not None:
            found.append(MetricAgreement(metric=metric.name, agreement=mean, low=low, high=high, n=len(agreements)))
    return found


def calibrate(
    by_model: Sequence[JudgedConversation], people: Sequence[Preference], bootstrap: Bootstrap
) -> Calibration | None:
    """How far a model agrees with people on the pairs that both judged; None where there are none.

    A pair that is on several sheets of people counts once, with the mean over all of its judges.
    """
    votes: dict[str, dict[str, float]] = {}
    for one in people:
        for each in one.conversations:
            if each.item:
                votes.setdefault(each.item, {}).update(each.values)
    both = [one for one in by_model if one.item in votes]
    if not both:
        return None
    ours = [outcome(one.value) for one in both]
    theirs = [outcome(sum(votes[one.item].values()) / len(votes[one.item])) for one in both]
    agreements = [float(one == other) for one, other in zip(ours, theirs, strict=True)]
    mean, low, high = bootstrap.mean(agreements, [one.conversation for one in both])
    assert mean is not None
    alpha = nominal_alpha([ours, theirs])
    return Calibration(
        judges=tuple(sorted({judge for one in both for judge in votes[one.item]})),
        n=len(both),
        agreement=mean,
        low=low,
        high=high,
        alpha=alpha.value,
        alpha_missing=alpha.missing,
    )
