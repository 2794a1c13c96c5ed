"""The parity of two runs in words, as tables and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from ..judging.parity import Bin, HeadlineParity, Parity, Places
from ..text.phrases import join_words, metric_label, percent, pluralize
from .markdown import escape
from .numbers import describe_chance, format_score, format_score_interval


def describe_parity(parity: Parity) -> str:
    """The outcome in a sentence."""
    first, second = parity.backends
    if parity.outcome == "equal":
        return (
            f"{second} writes {_all(parity.n)} exactly as {first} does, so every figure is the same (of other "
            f"conversations, at most {percent(round(parity.unseen or 0, 3))} would differ)."
        )
    equal = f"{second} writes {parity.equal:,} of {parity.n:,} texts ({parity.equal / parity.n:.0%}) exactly as {first}"
    if parity.outcome == "too few":
        return f"{equal}; {pluralize(parity.n, 'conversation')} are too few to say whether the headlines differ."
    if parity.outcome == "alike":
        shown = [_difference(one) for one in parity.headlines if one.difference is not None]
        if not shown:
            return f"{equal}; no headline can be compared."
        return f"{equal}, and no headline differs measurably: {join_words(shown)}."
    shown = [_difference(one) for one in parity.headlines if one.excludes_zero]
    return (
        f"{equal}, and the figures differ: {join_words(shown)}; a system measured by one must not be compared with a "
        "system measured by the other."
    )


def tabulate_texts(parity: Parity) -> list[tuple[str, str]]:
    """What the texts have in common: label and value."""
    rows = [
        ("equal texts", f"{parity.equal:,} of {parity.n:,} ({parity.equal / parity.n:.1%}{_interval(parity)})"),
        ("ROUGE-L between the two texts", _mean_words(parity)),
        ("mean words", f"{parity.words[0]:.1f} and {parity.words[1]:.1f}"),
        ("cut at the token limit", f"{parity.cut[0]:,} and {parity.cut[1]:,}"),
    ]
    if parity.partings is None:
        return rows
    found = parity.partings
    rows.append(("first different character", _places_words(found.characters)))
    if found.words is not None:
        rows.append(("first different word", _places_words(found.words)))
        rows += [(f"… {_bin_words(one)}", pluralize(one.pairs, "pair")) for one in found.bins if one.pairs]
    rows.append(("one text is the other's beginning", pluralize(found.beginnings, "pair")))
    if found.spaces:
        rows.append(("only white space differs", pluralize(found.spaces, "pair")))
    return rows


def tabulate_headlines(parity: Parity) -> list[list[str]]:
    """A row for each headline: its name, both means, their difference, its interval, and how often by chance."""
    return [
        [
            metric_label(one.metric),
            *(map(format_score, one.means) if one.means else ("unknown", "unknown")),
            _fine(one.difference),
            one.problem or _fine_interval(one.low, one.high),
            describe_chance(one.p),
        ]
        for one in parity.headlines
    ]


def headings(parity: Parity) -> list[str]:
    """The headings of `tabulate_headlines`."""
    first, second = parity.backends
    interval = f"{percent(round(parity.level, 4))} interval"
    return ["headline", first, second, "difference", interval, "by chance alone"]


def tabulate_differences(parity: Parity) -> list[tuple[str, str, str]]:
    """How the systems and machines differ."""
    return [(one.key, one.baseline, one.candidate) for one in parity.differences]


def write_parity(parity: Parity) -> str:
    """The report as Markdown."""
    return "\n".join(_markdown(parity))


def _markdown(parity: Parity) -> Iterator[str]:
    yield f"### Parity: {escape(parity.backends[1])} against {escape(parity.backends[0])}"
    yield ""
    yield escape(describe_parity(parity))
    yield ""
    for line in parity.unknown:
        yield f"- Not known: {escape(line)}."
    yield from [""] if parity.unknown else []
    yield from _table(headings(parity), tabulate_headlines(parity))
    yield from _table(["texts", ""], [list(row) for row in tabulate_texts(parity)])
    yield from _table(["differs", *parity.backends], [list(row) for row in tabulate_differences(parity)])
    yield f"<sub>liftbench, runs {escape(parity.runs[0])} and {escape(parity.runs[1])}.</sub>"
    yield ""


def _table(names: list[str], rows: list[list[str]]) -> Iterator[str]:
    if rows:
        yield f"| {' | '.join(map(escape, names))} |"
        yield f"|{'---|' * len(names)}"
        yield from (f"| {' | '.join(map(escape, row))} |" for row in rows)
        yield ""


def _all(n: int) -> str:
    return "the only text" if n == 1 else f"all {n:,} texts"


def _difference(one: HeadlineParity) -> str:
    """`ROUGE-L -0.0007 (-0.0021 to +0.0004)`."""
    return f"{metric_label(one.metric)} {_fine(one.difference)} ({_fine_interval(one.low, one.high)})"


def _fine(value: float | None) -> str:
    """A difference with four decimals: with three, those of two backends would mostly be 0."""
    return "unknown" if value is None else f"{value:+.4f}" if round(value, 4) else "0.0000"


def _fine_interval(low: float | None, high: float | None) -> str:
    return "unknown" if low is None or high is None else f"{_fine(low)} to {_fine(high)}"


def _interval(parity: Parity) -> str:
    low, high = parity.share.low, parity.share.high
    return "" if low is None or high is None or low == high else f"; 95% interval {low:.1%} to {high:.1%}"


def _mean_words(parity: Parity) -> str:
    low, high = parity.rouge_l.low, parity.rouge_l.high
    shown = format_score(parity.rouge_l.mean)
    if low is not None and low != high:
        shown += f" ({format_score_interval(low, high)})"
    return shown if parity.rouge_l_apart is None else f"{shown}; {format_score(parity.rouge_l_apart)} where they differ"


def _places_words(places: Places) -> str:
    return (
        f"{places.median:,} in the median; half between {places.quarter:,} and {places.three_quarters:,}, all between "
        f"{places.least:,} and {places.most:,}"
    )


def _bin_words(one: Bin) -> str:
    if one.last is None:
        return f"word {one.first} or later"
    return f"word {one.first}" if one.first == one.last else f"words {one.first} to {one.last}"
