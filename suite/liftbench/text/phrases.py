"""Wording of names and figures in sentences, shared by verdicts, reports and terminals."""

from __future__ import annotations

import re
from collections.abc import Sequence


def metric_label(metric: str) -> str:
    """The metric's name as people write it.

    >>> metric_label("rougeL"), metric_label("bertscore")
    ('ROUGE-L', 'bertscore')
    """
    return re.sub(r"^rouge(?=.)", "ROUGE-", metric)


GLOSSES = {
    "rouge1": "words shared with the human summaries",
    "rouge2": "pairs of words shared with the human summaries",
    "rougeL": "words shared, in order, with the human summaries",
    "rougeLsum": "words shared, in order, with the human summaries",
    "content-overlap": "telling words shared with the human summaries",
    "key-facts": "key facts told",
}
"""What a metric counts, for readers who do not know its name."""


def gloss(metric: str) -> str:
    """The metric's name with what it counts.

    >>> gloss("key-facts"), gloss("bertscore")
    ('key facts told (key-facts)', 'bertscore')
    """
    label = metric_label(metric)
    return f"{GLOSSES[metric]} ({label})" if metric in GLOSSES else label


def join_words(words: Sequence[str], last: str = "and") -> str:
    """The words as one phrase: `one, two and three`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def pluralize(count: int, singular: str, plural: str = "") -> str:
    """The number with its noun in singular or plural; without `plural`, the plural ends in `s`.

    >>> pluralize(1, "summary", "summaries"), pluralize(1200, "row")
    ('1 summary', '1,200 rows')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def name_run(id_: str) -> str:
    """A run's id without the time that it begins with: a part of the id that finds the run, and is the same again when
    the same is measured again.

    >>> name_run("20260101T120000Z-smollm2-135m-helpdesk-af7f5fbc")
    'smollm2-135m-helpdesk-af7f5fbc'
    """
    return re.sub(r"^\d{8}T\d{6}Z-", "", id_)


def value_words(value: object) -> str:
    """The value of an option, as people write it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def printable(text: str, kept: str = "\n") -> str:
    """A text in which a sign stands for each control character but those in `kept`: names and notes come from files."""
    return "".join(each if each.isprintable() or each in kept else "\N{REPLACEMENT CHARACTER}" for each in text)


def percent(share: float) -> str:
    """A share, such as 0.95, in percent with at most two decimals: `95%`, `98.33%`."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def rough_duration(seconds: float) -> str:
    """A time that is only estimated, as precise as an estimate is.

    >>> rough_duration(4), rough_duration(38), rough_duration(62), rough_duration(440), rough_duration(4900)
    ('a few seconds', 'about 40 s', 'about 1 min', 'about 7 min', 'about 1 h 20 min')
    >>> rough_duration(59 * 60 + 40), rough_duration(130_000)
    ('about 1 h', 'about 36 h')
    """
    if seconds < 8:
        return "a few seconds"
    if seconds < 55:
        return f"about {10 * max(1, round(seconds / 10))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    if minutes >= 600:
        return f"about {round(minutes / 60)} h"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"about {hours} h {rest} min" if rest else f"about {hours} h"


def exact_duration(seconds: float) -> str:
    """A time that was measured.

    >>> exact_duration(7.25), exact_duration(600), exact_duration(763), exact_duration(3725)
    ('7 s', '10 min', '12 min 43 s', '1 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def unit_pace(seconds_per_unit: float, unit: str) -> str:
    """How fast work goes on: units a second, or the time of one where that is more than a second.

    >>> [unit_pace(seconds, "steps") for seconds in (0.02, 0.4, 2.31, 42.6, 243)]
    ['50 steps/s', '2.5 steps/s', '2.3 s/step', '43 s/step', '4 min/step']
    """
    if seconds_per_unit <= 1:
        rate = 1 / max(seconds_per_unit, 1e-9)
        return f"{rate:,.0f} {unit}/s" if rate >= 10 else f"{rate:.1f} {unit}/s"
    one = {"summaries": "summary", "passes": "pass"}.get(unit, unit.removesuffix("s"))
    if seconds_per_unit < 10:
        return f"{seconds_per_unit:.1f} s/{one}"
    if seconds_per_unit < 90:
        return f"{seconds_per_unit:.0f} s/{one}"
    minutes = seconds_per_unit / 60
    return f"{minutes:.1f} min/{one}".replace(".0 min", " min") if minutes < 10 else f"{minutes:.0f} min/{one}"
