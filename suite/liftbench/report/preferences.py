"""What judges prefer, in words and figures: the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from ..records.preferences import ModelJudge, Preference
from ..text.phrases import join_words, metric_label, pluralize

UNKNOWN = "unknown"


class Fact(Struct, frozen=True, kw_only=True):
    """One line of a result."""

    name: str
    figure: str
    note: str = ""
    """The interval, or what the figure counts."""


def describe_judges(preference: Preference) -> str:
    """Who judged: `2 people (Ann and Bob)`, or the model."""
    if preference.model:
        return f"{preference.model.model} at {preference.model.host}, prompt {preference.model.prompt_sha256[:12]}"
    count = pluralize(len(preference.judges), "person", "people")
    return f"{count} ({join_words(list(preference.judges))})"


def describe_pair(preference: Preference, names: Mapping[str, str] | None = None) -> str:
    """Whose summaries were compared; `names` maps the ids of runs to the names of their systems."""
    named = names or {}
    other = {"humans": "a human summary", "control": f"the control {preference.other}"}.get(
        preference.against, named.get(preference.other, preference.other)
    )
    return f"{named.get(preference.candidate, preference.candidate)} against {other}"


def describe_weight(preference: Preference) -> str:
    """How much a model's judgment counts; empty for people."""
    if preference.model is None:
        return ""
    found = preference.model.calibration
    if found is None:
        return (
            "Information only: no people have judged these pairs, so nobody knows whether this model judges as they "
            "do. It decides nothing."
        )
    alpha = f"alpha {found.alpha:.2f}" if found.alpha is not None else f"alpha not defined: {found.alpha_missing}"
    return (
        f"Information only: on {pluralize(found.n, 'pair')} that {join_words(list(found.judges))} also judged, this "
        f"model comes to the same outcome in {_percent(found.agreement)} ({alpha}). It decides nothing."
    )


def list_facts(preference: Preference) -> list[Fact]:
    """Everything that a result says, the win rate first; metrics are compared only with people."""
    identical = f", {preference.identical} of them identical" if preference.identical else ""
    facts = [
        Fact(
            name="candidate is better",
            figure=_percent(preference.win_rate),
            note=f"{_interval(preference.low, preference.high)}; a tie counts half",
        ),
        Fact(
            name="wins, ties, losses",
            figure=f"{preference.wins} / {preference.ties} / {preference.losses}",
            note=f"of {pluralize(preference.n, 'conversation')}" + (f"; ties{identical}" if identical else ""),
        ),
    ]
    if preference.kind == "people":
        alpha = f"{preference.alpha:.2f}" if preference.alpha is not None else "not defined"
        note = preference.alpha_missing or "Krippendorff's alpha: 1 is full agreement, 0 that of chance"
        facts.append(Fact(name="agreement of the judges", figure=alpha, note=note))
        facts += _describe_supported(preference)
        facts += _metrics(preference)
    if preference.model:
        facts += _model(preference.model)
    return facts


def _describe_supported(preference: Preference) -> Iterator[Fact]:
    found = preference.supported
    if found is None:
        yield Fact(name="supported sentences", figure=UNKNOWN, note="nobody judged sentences")
        return
    unsure = f"; {found.unsure} of {pluralize(found.sentences, 'answer')} unsure" if found.unsure else ""
    yield Fact(name="supported sentences, candidate", figure=_percent(found.candidate))
    yield Fact(name="supported sentences, other", figure=_percent(found.other))
    yield Fact(
        name="difference",
        figure=_points(found.difference),
        note=f"{_interval(found.low, found.high, signed=True)}; {pluralize(found.n, 'conversation')}{unsure}",
    )


def _metrics(preference: Preference) -> Iterator[Fact]:
    for one in preference.metrics:
        yield Fact(
            name=f"{metric_label(one.metric)} agrees",
            figure=_percent(one.agreement),
            note=f"{_interval(one.low, one.high)}; {one.n} decided",
        )
    if preference.metrics_missing:
        yield Fact(name="metrics", figure=UNKNOWN, note=preference.metrics_missing)


def _model(model: ModelJudge) -> Iterator[Fact]:
    yield Fact(name="ties", figure=_percent(model.tie_rate), note="of the judged pairs")
    yield Fact(
        name="order decides",
        figure=str(model.disagreements),
        note="pairs with another answer when the summaries change places; they count as ties",
    )
    yield Fact(
        name="first place preferred",
        figure=_percent(model.first_share),
        note="of the answers for a summary; 50% without position bias",
    )
    yield Fact(
        name="answers not understood",
        figure=str(model.unparsable),
        note=f"of {model.answers}; their pairs have no value",
    )


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.0f}%"


def _points(value: float) -> str:
    """A difference of two shares, in percentage points.

    >>> _points(0.123), _points(-0.01), _points(-0.001)
    ('+12 points', '-1 point', '0 points')
    """
    points = round(100 * value)
    return f"{points:+d} {'point' if abs(points) == 1 else 'points'}" if points else "0 points"


def _interval(low: float | None, high: float | None, *, signed: bool = False) -> str:
    if low is None or high is None:
        return "no interval"
    ends = (_points(low).split()[0], _points(high)) if signed else (_percent(low), _percent(high))
    return f"95% interval {ends[0]} to {ends[1]}"
