"""Whether a headline tells people from systems without a model, in a sentence beside the verdict."""

from __future__ import annotations

from ..floors.separation import Separation
from ..statistics.lift import FEWEST
from ..text.phrases import metric_label
from . import numbers


def describe_separation(one: Separation) -> str:
    """`ROUGE-L cannot tell people (0.355) from slot-template (0.359): -0.004 (-0.020 to +0.012).`"""
    metric = metric_label(one.metric)
    if one.state == "not measured":
        return (
            f"Whether {metric} tells people from a template could not be measured: {one.n} conversations have a second "
            f"human summary, and {FEWEST} are needed. Until then the candidate must beat every control on it."
        )
    assert one.human_mean is not None
    assert one.floor_mean is not None
    gap = numbers.format_difference(one.human_mean - one.floor_mean)
    interval = numbers.format_difference_interval(one.low, one.high)
    does = "tells" if one.state == "separates" else "cannot tell"
    score = numbers.format_score
    return (
        f"{metric} {does} people ({score(one.human_mean)}) from {one.floor} ({score(one.floor_mean)}), the control "
        f"that comes closest: {gap} ({interval})."
    )
