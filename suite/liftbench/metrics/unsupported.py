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
"""Version of what counts as a mention and as its support; changing either means raising it."""


class UnsupportedFacts(Metric):
    """How many details of a text its conversation does not contain: 0.0 and up, no reference needed.

    It compares letters and digits (see `mentions` and `evidence`), and so it sees an invented detail, but not a true
    one in a wrong place, nor a false statement without a detail. Measured, with the words of the training split:

    - A detail that the conversation supports, replaced in a human summary by another of its kind, is found in 99% of
      1,271 cases on helpdesk's test split and in 95% of 195 on TweetSumm's validation split (names without a capital:
      9 of 14). Of helpdesk's 104 hand-written statements with a wrong detail, 74% are found; the others are wrong in
      what is not a name or number, or by a number that the conversation uses for something else.
    - Untouched human summaries have 0.043 findings each on helpdesk (4.3% have any), 0.003 on TweetSumm (0.3%). The
      rules were tuned on these; on the training splits, halves of which taught the words for the other halves, it is
      0.086 (8.6%) and 0.027 (2.5%). Most are right: companies that the turns do not name, slips of the pen, anonymized
      handles.
    """

    name = "unsupported-facts"
    direction = "lower"
    sees = "facts"

    def __init__(self, request: MetricRequest = MetricRequest()) -> None:  # noqa: B008
        self._lexicon = learn(request.training)
        learned = digest({name: sorted(getattr(self._lexicon, name)) for name in self._lexicon.__struct_fields__})[:12]
        self.signature = f"unsupported-facts|count|rules:{RULES}|words:{request.training_split}:{learned}"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """The number of unsupported details of each text; 0.0 for an empty one."""
        return [
            float(len(self._find_unsupported(text, one.turns))) for text, one in zip(texts, conversations, strict=True)
        ]

    def findings(self, text: str, conversation: Conversation) -> list[Finding]:
        """Where they are, as `unsupported number`, `amount`, `date`, `time`, `code` or `name`."""
        return [
            Finding(start=mention.start, end=mention.end, kind=f"unsupported {mention.kind}")
            for mention in self._find_unsupported(text, conversation.turns)
        ]

    def _find_unsupported(self, text: str, turns: tuple[Turn, ...]) -> list[Mention]:
        evidence = _evidence(turns)
        return [mention for mention in mentions(text, self._lexicon) if not evidence.supports(mention)]


@lru_cache(maxsize=1 << 10)
def _evidence(turns: tuple[Turn, ...]) -> ConversationEvidence:
    return ConversationEvidence(turns)
