"""The records of judging by people and language models: sheets, judgments and results in `<runs>/judging/<sheet>/`.

`JUDGING_SCHEMA` is raised when an older suite could misread a newer file."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .run import MetricInfo

JUDGING_SCHEMA = 1

Rival = Literal["baseline", "humans", "control"]
"""The kind of system that stands beside the candidate."""

SystemRole = Literal["candidate", "other"]
"""One of the two systems of a sheet."""

# ---------------------------------------------------------------------------------------------------------------- key


class KeyItem(Struct, frozen=True, kw_only=True):
    """One pair of a sheet, with what the page does not tell."""

    id: str
    """Hash of the two systems, the conversation and both texts: the same pair has the same id on every sheet."""
    conversation: str
    """Id of the conversation."""
    cluster: str
    """Label of the conversations that are resampled together."""
    left: SystemRole
    """The system whose summary stands on the left."""
    left_sentences: int
    """Number of sentences on the left."""
    right_sentences: int
    """Number of sentences on the right."""
    scores: dict[str, tuple[float | None, float | None]] = {}
    """Metric name → the candidate's value and the other's; None where the metric gave none."""


class IdenticalPair(Struct, frozen=True, kw_only=True):
    """A drawn conversation with two equal summaries. It is not shown, and counts as a tie."""

    conversation: str
    """Id of the conversation."""
    cluster: str
    """Label of the conversations that are resampled together."""


class SheetKey(Struct, frozen=True, kw_only=True):
    """`key.json`: which summary of a sheet is whose. Judges must not see it."""

    schema: int = JUDGING_SCHEMA
    """`JUDGING_SCHEMA` of the suite that wrote it."""
    sheet: str
    """Id of the sheet: a hash of its pairs and of the seed."""
    candidate: str
    """Id of the candidate's run."""
    other: str
    """Id of the other run, `humans`, or a control's name."""
    against: Rival
    """The kind of the other system."""
    seed: int
    """Seed of the sample, of the sides and of the intervals."""
    items: list[KeyItem]
    """The pairs, in the order of the page."""
    identical: list[IdenticalPair] = []
    """The drawn conversations that are not on the page."""
    metrics: list[MetricInfo] = []
    """The metrics that the items have scores of."""
    metrics_missing: str = ""
    """Why no metric has scores; empty where one has."""


# ---------------------------------------------------------------------------------------------------------- judgments

Better = Literal["left", "right", "tie"]
"""An answer to question 1: which summary is better."""

Support = Literal["yes", "no", "unsure"]
"""An answer to question 2: whether the conversation supports a sentence."""


class PairJudgment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One judge's answers to one pair."""

    id: str
    """`KeyItem.id` of the pair."""
    better: Better | None
    """The answer to question 1; None while it is open."""
    left: list[Support | None]
    """The answer to question 2 for each sentence on the left; None while it is open."""
    right: list[Support | None]
    """The answer to question 2 for each sentence on the right; None while it is open."""


class Judgments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`judgments-NAME.json`: the file that one judge downloads from the page."""

    schema: int
    """`JUDGING_SCHEMA` of the suite that wrote the page."""
    sheet: str
    """Id of the sheet."""
    judge: str
    """The judge's name."""
    pairs: list[PairJudgment]
    """The answers, one for each pair of the sheet."""


class ModelAnswer(Struct, frozen=True, kw_only=True):
    """A language model's answer to one pair in one order (a line of `model-<hash>.jsonl`)."""

    item: str
    """`KeyItem.id` of the pair."""
    first: SystemRole
    """The system whose summary was shown first."""
    answer: Literal["first", "second", "tie"] | None
    """The summary that is better; None where the text names none of the three, or several."""
    text: str
    """The first 400 characters that the model wrote."""


# ------------------------------------------------------------------------------------------------------------- results


class JudgedConversation(Struct, frozen=True, kw_only=True):
    """One conversation of a result."""

    conversation: str
    """Id of the conversation."""
    item: str
    """`KeyItem.id` of the pair; empty for identical summaries, which nobody was shown."""
    values: dict[str, float]
    """Judge → 1 where the candidate's summary is better, 0.5 for a tie, 0 where the other's is."""

    @property
    def value(self) -> float:
        """The mean over judges; 0.5 for identical summaries."""
        return sum(self.values.values()) / len(self.values) if self.values else 0.5


class SupportedShares(Struct, frozen=True, kw_only=True):
    """How many sentences of the summaries the conversations support.

    A conversation's share is the mean over its sentences and judges, and the figures are means over conversations."""

    candidate: float
    """Share of the candidate's sentences that are answered with `yes`."""
    other: float
    """Share of the other's sentences that are answered with `yes`."""
    difference: float
    """Candidate − other."""
    low: float | None
    """Lower bound of the paired 95% interval of the difference; None with a single conversation or cluster."""
    high: float | None
    """Upper bound of that interval."""
    n: int
    """Number of conversations with judged sentences on both sides; the others do not count."""
    sentences: int
    """Number of answers: judged sentences, once for each judge."""
    unsure: int
    """Number of answers that are `unsure`; their sentences count as not supported."""


class MetricAgreement(Struct, frozen=True, kw_only=True):
    """How often a metric prefers the summary that the judges prefer."""

    metric: str
    """Name of the metric."""
    agreement: float
    """Share of the decided conversations on which the metric prefers the same summary; a metric's tie counts half."""
    low: float | None
    """Lower bound of its 95% interval; None with a single conversation or cluster."""
    high: float | None
    """Upper bound of that interval."""
    n: int
    """Number of conversations that the judges decided and that have both scores."""


class Calibration(Struct, frozen=True, kw_only=True):
    """How far a language model agrees with people on the same pairs."""

    judges: tuple[str, ...]
    """The people, by name."""
    n: int
    """Number of pairs that the model and people judged."""
    agreement: float
    """Share of these pairs with the same outcome: win, tie or loss."""
    low: float | None
    """Lower bound of its 95% interval; None with a single conversation or cluster."""
    high: float | None
    """Upper bound of that interval."""
    alpha: float | None
    """Krippendorff's alpha (nominal) of the model and the people; None where it is not defined."""
    alpha_missing: str = ""
    """Why alpha is not defined; empty where it is."""


class ModelJudge(Struct, frozen=True, kw_only=True):
    """A language model that judged, and what its answers say of itself."""

    model: str
    """Its name on the server."""
    host: str
    """Host and port of the server."""
    prompt_sha256: str
    """Hash of the prompt's template."""
    answers: int
    """Number of answers: two for each pair, one in each order."""
    unparsable: int
    """Number of answers that name neither a summary nor a tie; their pairs have no value."""
    disagreements: int
    """Number of pairs with different answers in the two orders; they count as ties."""
    first_share: float | None
    """Share of the first place among the answers for a summary: 0.5 without position bias; None if there are none."""
    tie_rate: float | None
    """Share of ties among the pairs with a value, disagreements included; None without such pairs."""
    calibration: Calibration | None = None
    """Its agreement with people; None where no people judged these pairs."""


class Preference(Struct, frozen=True, kw_only=True):
    """What the judgments of a sheet amount to: `result.json` of people, `model-<hash>.json` of a language model."""

    schema: int = JUDGING_SCHEMA
    """`JUDGING_SCHEMA` of the suite that wrote it."""
    sheet: str
    """Id of the sheet."""
    candidate: str
    """Id of the candidate's run."""
    other: str
    """Id of the other run, `humans`, or a control's name."""
    against: Rival
    """The kind of the other system."""
    kind: Literal["people", "model"]
    """Who judged. A language model's judgment is information and decides nothing."""
    judges: tuple[str, ...]
    """The judges' names."""
    n: int
    """Number of conversations with a value, identical summaries included."""
    wins: int
    """Number of conversations on which the mean over judges is above 0.5: the candidate is preferred."""
    ties: int
    """Number of conversations on which that mean is 0.5."""
    losses: int
    """Number of conversations on which that mean is below 0.5."""
    identical: int
    """Number of ties between identical summaries."""
    win_rate: float | None
    """Mean over the conversations of their values; None without a conversation."""
    low: float | None
    """Lower bound of its 95% bootstrap interval; None with fewer than two conversations or clusters."""
    high: float | None
    """Upper bound of that interval."""
    alpha: float | None
    """Krippendorff's alpha (nominal) of the judges on question 1; None where it is not defined."""
    alpha_missing: str = ""
    """Why alpha is not defined; empty where it is."""
    supported: SupportedShares | None = None
    """The supported sentences; None where nobody judged sentences on both sides of a pair."""
    metrics: list[MetricAgreement] = []
    """The agreement of each metric with the judges."""
    metrics_missing: str = ""
    """Why no metric has scores; empty where one has."""
    model: ModelJudge | None = None
    """The language model; None for people."""
    conversations: list[JudgedConversation] = []
    """The conversations with a value."""
