"""Whether a candidate writes or pastes: its share of new bigrams, between the best control that copies and the humans.

Overlap cannot distinguish a summary from the customer's own words between fixed phrases: on TweetSumm such a template
reaches the humans' ROUGE-L. Novel n-grams can (See, Liu & Manning 2017, https://aclanthology.org/P17-1099, section 5).
Here they are the bigrams of a summary that its conversation does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from statistics import fmean

from msgspec import Struct
from msgspec.structs import replace

from ..data.similarity.scored import ScoredSplit
from ..floors.control_scores import ControlScores, rank_controls
from ..statistics.bootstrap import Bootstrap, PositionInterval


class Abstractiveness(Struct, frozen=True, kw_only=True):
    """A candidate's share of new bigrams, between a control that copies (0) and the humans (1).

    Measured on TweetSumm's validation split (108 conversations; slot template 0.272, humans 0.713 new bigrams) and on
    helpdesk's test split (104; 0.092, 0.733), as positions with their 95% intervals:

    - QLoRA adapters of SmolLM2-135M: 0.91 (0.84 to 0.98) and 0.76 (0.72 to 0.80).
    - The template, with pronouns and roles changed by regular expressions: 0.31 (0.29 to 0.34) and 0.24 (0.22 to 0.26);
      with tense and common words changed, too: 0.45 (0.42 to 0.48) and 0.34 (0.32 to 0.36), at 0.286 instead of 0.359
      ROUGE-L on TweetSumm.
    - First turns, the longest turn, whole conversations: -0.62 and -0.14.
    - The same sentence for every conversation: 1.56 and 1.38. New words need not be about the conversation: a constant
      passes here, and fails because it repeats another conversation's text. Other guards catch invented details and low
      scores.

    The default limit for the lower bound (`guards.abstraction`) is 0.5, which lies between adapters and templates.
    """

    control: str = ""
    """The control at position 0; empty where no control copies."""
    n: int
    """Conversations that have a human summary."""
    control_mean: float | None = None
    candidate_mean: float | None = None
    humans_mean: float | None = None
    """Mean shares of new bigrams; a conversation's human share is the mean of its references'."""
    value: float | None = None
    """(candidate - control) / (humans - control): below 0 it copies more than the control, above 1 less than people."""
    low: float | None = None
    high: float | None = None
    """Bounds of its 95% interval (see `Bootstrap.position`)."""
    problem: str = ""
    """Why `value` is None; empty where it has a number."""


UNTRACED = "what the controls wrote is not known"
"""The controls were promoted by an older version, or not measured."""

NO_HUMANS = "no conversation has a human summary"

NOBODY_COPIES = "no control copies more from the conversations than people do"

UNSCORED = "no control has a score on a headline"


def measure_abstractiveness(
    texts: Mapping[str, str],
    scored: ScoredSplit,
    controls: ControlScores | None,
    headlines: Sequence[str],
    bootstrap: Bootstrap,
) -> Abstractiveness:
    """Where the candidate's `texts` (id → text) stand between the best control that copies and the humans.

    A control copies if its share of new bigrams is clearly below the humans': constants and random summaries do not
    copy, whatever they score. The lower end is the best copying control on a headline. Where headlines have different
    ones, it is the one with the most new bigrams, so that a headline led by another control does not help a candidate.
    An empty or missing text has no new bigrams. `controls` may be those of a promoted baseline.
    """
    places = {id_: place for place, id_ in enumerate(controls.ids)} if controls else {}
    shares = zip(scored.conversations, scored.novelty.humans, strict=True)
    people = {
        one.id: (number, share)
        for number, (one, share) in enumerate(shares)
        if share is not None and (not controls or one.id in places)
    }
    if not people:
        return Abstractiveness(n=0, problem=NO_HUMANS)
    own = [scored.novelty.share(number, texts.get(id_, "")) for id_, (number, _) in people.items()]
    humans = [share for _, share in people.values()]
    means = Abstractiveness(n=len(people), candidate_mean=fmean(own), humans_mean=fmean(humans))
    rows = [row for row in controls.rows if row.role == "floor" and row.traces] if controls else []
    if controls is None or not rows:
        return replace(means, problem=UNTRACED)
    columns = {row.name: [row.traces[places[id_]].novel for id_ in people] for row in rows}
    lower = {row.name for row in rows if fmean(columns[row.name]) < fmean(humans)}

    @cache
    def place(control: str) -> PositionInterval:
        return bootstrap.position(own, columns[control], humans, list(people))

    best = {
        next((row.name for row in ranked if row.name in lower and not place(row.name).problem), "")
        for ranked in (rank_controls(controls, headline) for headline in headlines)
    } - {""}
    if not best:
        why = next(filter(None, (place(row.name).problem for row in rows if row.name in lower)), UNSCORED)
        return replace(means, problem=why if lower else NOBODY_COPIES)
    control = max(sorted(best), key=lambda name: fmean(columns[name]))
    return replace(
        means,
        control=control,
        control_mean=fmean(columns[control]),
        value=place(control).value,
        low=place(control).low,
        high=place(control).high,
    )
