"""chrF: F2 of character n-grams, as sacreBLEU computes it for a sentence, mean over references."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from statistics import fmean

from liftbench.plugin_api import Conversation, Metric, MetricRequest


class Chrf(Metric):
    """chrF2 (Popović 2015, https://aclanthology.org/W15-3049), with sacreBLEU's defaults: n-grams of 1 to 6 characters,
    white space left out, case kept. In [0, 1], as the other overlaps are; sacreBLEU prints 100 times that.

    It needs no words, and so sees any script. sacreBLEU itself takes the best of several references; the mean does not
    grow with their number.
    """

    name = "chrf"

    def __init__(self, request: MetricRequest) -> None:  # noqa: ARG002
        from sacrebleu.metrics import CHRF

        # Spelled out, so that the signature stays true should a default change.
        self._chrf = CHRF(char_order=6, word_order=0, beta=2, lowercase=False, whitespace=False, eps_smoothing=False)
        self.signature = (
            f"chrf|chrF2|nc:6|nw:0|space:no|case:mixed|eff:yes|scale:0-1|refs:mean|sacrebleu:{version('sacrebleu')}"
        )

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """One value a text: 0.0 for an empty one, None where no reference is."""
        return [self._mean(text, one.references) for text, one in zip(texts, conversations, strict=True)]

    def _mean(self, text: str, references: Sequence[str]) -> float | None:
        if not references:
            return None
        return fmean(self._chrf.sentence_score(text, [reference]).score for reference in references) / 100
