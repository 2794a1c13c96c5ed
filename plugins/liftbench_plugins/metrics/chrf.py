"""chrF: F2 of character n-grams, as sacreBLEU computes it for a sentence, mean over references."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from statistics import fmean

from liftbench.plugin_api import Conversation, Metric, MetricRequest


class Chrf(Metric):
    """chrF2 (Popović 2015, https://aclanthology.org/W15-3049) with sacreBLEU's defaults; in [0, 1].

    The n-grams have 1 to 6 characters, without white space, with case. sacreBLEU prints 100 times the value. The metric
    needs no words, so it can read any script. sacreBLEU takes the best of several references; here it is the mean,
    which does not grow with their number.
    """

    name = "chrf"

    def __init__(self, request: MetricRequest) -> None:  # noqa: ARG002
        from sacrebleu.metrics import CHRF

        # Explicit, so that the signature stays true if a default changes.
        self._chrf = CHRF(char_order=6, word_order=0, beta=2, lowercase=False, whitespace=False, eps_smoothing=False)
        self.signature = (
            f"chrf|chrF2|nc:6|nw:0|space:no|case:mixed|eff:yes|scale:0-1|refs:mean|sacrebleu:{version('sacrebleu')}"
        )

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """One value per text: 0.0 for an empty one, None without a reference."""
        return [self._mean(text, one.references) for text, one in zip(texts, conversations, strict=True)]

    def _mean(self, text: str, references: Sequence[str]) -> float | None:
        if not references:
            return None
        return fmean(self._chrf.sentence_score(text, [reference]).score for reference in references) / 100
