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


def percent(share: float) -> str:
    """A share, such as 0.95, in percent with at most two decimals: `95%`, `98.33%`."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"
