"""Unsupported facts: numbers, amounts, dates, times, codes and names in a summary that the conversation lacks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ..files import digest
from ..records.conversation import Conversation, Turn
from ..records.run import Finding
from .base import Metric, MetricRequest
from .evidence import ConversationEvidence
from .lexicon import learn
from .mentions import Mention, mentions

RULES = 1
"""Version of the rules for mentions and for their support; raise it with every change of either."""


class UnsupportedFacts(Metric):
    """The number of details in a text that its conversation does not contain: 0.0 or more; it needs no reference.

    It compares letters and digits (see `mentions` and `evidence`), so it finds an invented detail, but not a true
    detail in a wrong place, and not a false statement without a detail. Measured with the words of the training split:

    - If a supported detail of a human summary is replaced by another of its kind, it is found in 99% of 1,271 cases on
      helpdesk's test split and in 95% of 195 on TweetSumm's validation split (names without a capital: 9 of 14). Of
      helpdesk's 104 hand-written statements with a wrong detail, 74% are found; in the others, the wrong detail is
      neither name nor number, or it is a number that the conversation uses for something else.
    - Original human summaries have 0.043 findings each on helpdesk (4.3% have any) and 0.003 on TweetSumm (0.3%). The
      rules were tuned on these; on the training splits, with each half checked with the words of the other half, they
      have 0.086 (8.6%) and 0.027 (2.5%). Most findings are right: companies that the turns do not name, typing
      mistakes, anonymized handles.
    """

    name = "unsupported-facts"
    direction = "lower"
    sees = "facts"

    def __init__(self, request: MetricRequest = MetricRequest()) -> None:  # noqa: B008
        self._lexicon = learn(request.training)
        learned = digest({name: sorted(getattr(self._lexicon, name)) for name in self._lexicon.__struct_fields__})[:12]
        # Cached, because the places in a text are asked for right after its score.
        self._find_unsupported = lru_cache(maxsize=1 << 10)(self._look_up)
        self.signature = f"unsupported-facts|count|rules:{RULES}|words:{request.training_split}:{learned}"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """The number of unsupported details of each text; 0.0 for an empty one."""
        return [
            float(len(self._find_unsupported(text, one.turns))) for text, one in zip(texts, conversations, strict=True)
        ]

    def findings(self, text: str, conversation: Conversation) -> list[Finding]:
        """The unsupported details, of the kind `unsupported number` (or `amount`, `date`, `time`, `code`, `name`)."""
        return [
            Finding(start=mention.start, end=mention.end, kind=f"unsupported {mention.kind}")
            for mention in self._find_unsupported(text, conversation.turns)
        ]

    def _look_up(self, text: str, turns: tuple[Turn, ...]) -> list[Mention]:
        evidence = _evidence(turns)
        return [mention for mention in mentions(text, self._lexicon) if not evidence.supports(mention)]


@lru_cache(maxsize=1 << 9)
def _evidence(turns: tuple[Turn, ...]) -> ConversationEvidence:
    return ConversationEvidence(turns)
