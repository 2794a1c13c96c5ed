"""ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum: stemmed F1 as the `rouge-score` package computes it, mean over references.

Mean, not max: the maximum grows with the number of references, so conversations with more of them would look easier.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Literal

from ..contracts import Metric

Name = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]
NAMES: tuple[Name, ...] = ("rouge1", "rouge2", "rougeL", "rougeLsum")

SPLITTER = "regex-1"
"""Name and version of `split_sentences`; changing the rule means raising it."""

_SENTENCE_END = re.compile(r"""([.!?]["'”’)\]]*)\s+""")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text: one ends at a line break, or at `.`, `!` or `?` (and closing marks) before white space.

    It knows no abbreviations (`Dr. No` is two sentences), which is the price of a rule that fits in a line, needs no
    downloaded data and never changes under a signature.

    >>> split_sentences('He said "no!" Then he left. v1.2 is out')
    ['He said "no!"', 'Then he left.', 'v1.2 is out']
    """
    return [line for line in _SENTENCE_END.sub(r"\1\n", text).split("\n") if line.strip()]


class Rouge(Metric):
    """One ROUGE variant (Lin 2004, https://aclanthology.org/W04-1013), with the Porter stemmer; values in [0, 1]."""

    def __init__(self, name: Name) -> None:
        # Imported here: rouge-score brings NLTK along, which takes a second.
        from rouge_score.rouge_scorer import RougeScorer

        self.name = name
        self._by_sentence = name == "rougeLsum"
        splitter = f"|sentences:{SPLITTER}" if self._by_sentence else ""
        self.signature = f"{name}|f1|stemmer:porter|refs:mean{splitter}|rouge-score:{version('rouge-score')}"
        self._scorer = RougeScorer([name], use_stemmer=True)

    def score(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[float | None]:
        """F1 of each text, mean over its references: 0.0 for a text without a token, None where no reference is."""
        return [self._mean(text, targets) for text, targets in zip(texts, references, strict=True)]

    def blind_to(self, references: Sequence[str]) -> str | None:
        """Why these references are out of sight: most letters of one of them are outside a–z, and so dropped."""
        for number, reference in enumerate(references, start=1):
            letters = [letter for letter in reference.lower() if letter.isalpha()]
            unseen = sum(not letter.isascii() for letter in letters)
            if 2 * unseen > len(letters):
                shown = reference if len(reference) <= 40 else f"{reference[:39]}…"
                return (
                    f"ROUGE's tokenizer keeps only a–z and 0–9, so {unseen} of the {len(letters)} letters of reference "
                    f"{number} ({shown!r}) are invisible to it: even identical texts would score about 0"
                )
        return None

    def _mean(self, text: str, references: Sequence[str]) -> float | None:
        if not references:
            return None
        candidate = self._prepare(text)
        scores = [self._scorer.score(self._prepare(reference), candidate)[self.name] for reference in references]
        return float(sum(score.fmeasure for score in scores) / len(scores))

    def _prepare(self, text: str) -> str:
        # The package takes a sentence a line for ROUGE-Lsum; its own splitting needs NLTK's punkt data.
        return "\n".join(split_sentences(text)) if self._by_sentence else text


# What a plugin registers: each, called without arguments, gives the metric of its name.
rouge1 = partial(Rouge, "rouge1")
rouge2 = partial(Rouge, "rouge2")
rougeL = partial(Rouge, "rougeL")  # noqa: N816 - the metric's own name
rougeLsum = partial(Rouge, "rougeLsum")  # noqa: N816 - the metric's own name
