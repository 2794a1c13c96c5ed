"""What a candidate may have seen of what it is scored on: conversations that it was trained on or shown, and summaries
that it copied. Training is known by its hashes alone, so that no text of it has to travel with an adapter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from msgspec import Struct
from rapidfuzz.distance import Indel

from ..data.similarity.fingerprints import REFERENCE_WORDS, fingerprint_words, ngram_hashes, ngrams
from ..data.similarity.scored import ScoredSplit
from ..records.system import PromptSpec
from ..records.training import TrainingRow
from ..text.words import words

LeakKind = Literal[
    "trained on", "chose the checkpoint", "shown in the prompt", "copied from training", "copied reference", "twice"
]


class Leak(Struct, frozen=True, kw_only=True):
    """A scored conversation whose score says less than it seems."""

    kind: LeakKind
    """`trained on`, `chose the checkpoint`, `shown in the prompt`: it, or a near-duplicate, was among the training
    rows, among those that chose the checkpoint, or an example in the prompt. `copied from training`: the candidate's
    text is a training summary's. `copied reference`: it is its own human summary's. `twice`: the scored split holds a
    near-duplicate of it."""
    id: str
    """Of the scored conversation."""
    other: str
    """Id of the conversation that it is like, or whose summary was copied."""
    likeness: float
    """Of conversations: the share of the shorter one's word 5-grams that the other has; of copies: the longest shared
    run of words as a share of the text. In (0, 1]."""
    words: str = ""
    """Of copies: the longest shared run of words."""


SHOWN = 0.9
"""The least share of the word 8-grams of a summary, or of a short conversation, that a text of the prompt must have. No
summary or conversation of the training splits is alleged by this or by `ALIKE` of a scored one (2,603 and 256 examples
with their summaries)."""

COPIED = 0.5
"""The least share of a text in one run of words of a training summary. Measured on texts of adapters, the most is 0.47
(TweetSumm, 108 texts; an opening of 8 words that many summaries have) and none at all (helpdesk, 104 texts); on human
summaries of the same conversations, 0.38 (352) and none (208). Of the first sentences of TweetSumm's, 5 in 108 are
such an opening and little else: a number of copies says something only beside that of people (`human_copies`)."""

COPIED_WHOLE = 0.6
"""The least share of a text in one run of words of its own conversation's summary. The most measured on those adapters
and on prompts is 0.45, and 0.47 of one human summary in another of the same conversation."""

COPIED_EDITED = 0.85
"""The least likeness of a text and its own conversation's summary: twice their longest common subsequence of words, of
all words of both. The most measured is 0.74 (TweetSumm) and 0.57 (helpdesk) on those adapters, 0.70 on prompts, and
0.82 and 0.71 between human summaries of one conversation. With a word put in before every seventh, all of them have
0.93 or more."""

_ORDER: tuple[LeakKind, ...] = get_args(LeakKind)


def leaks(
    scored: ScoredSplit,
    texts: Mapping[str, str],
    rows: Sequence[TrainingRow],
    prompt: PromptSpec | None = None,
) -> list[Leak]:
    """What is wrong with scoring these texts (id → text) of a candidate, by kind, then in the order of `scored`.

    A conversation has at most one leak of a kind, that with the most alike. Equal ids are none: many data sets count
    from 1. Near-duplicates are found from `LEAST_SHINGLES` 5-grams on, copies from `REFERENCE_WORDS` words on; what is
    shorter is alike by chance.
    """
    places = {conversation.id: place for place, conversation in enumerate(scored.conversations)}
    best: dict[tuple[int, int], Leak] = {}
    for leak in (*_seen(scored, rows), *_shown(scored, prompt), *_find_copies(scored, texts, rows), *_twice(scored)):
        key = _ORDER.index(leak.kind), places[leak.id]
        if key not in best or leak.likeness > best[key].likeness:
            best[key] = leak
    return [best[key] for key in sorted(best)]


def _seen(scored: ScoredSplit, rows: Sequence[TrainingRow]) -> Iterator[Leak]:
    for row in rows:
        kind: LeakKind = "trained on" if row.part == "train" else "chose the checkpoint"
        for number, likeness in scored.containment.like(row.sha256, row.shingles).items():
            yield Leak(kind=kind, id=scored.conversations[number].id, other=row.id, likeness=likeness)


def _shown(scored: ScoredSplit, prompt: PromptSpec | None) -> Iterator[Leak]:
    if prompt is None:
        return
    # With and without what labels its speakers: an example need not be written as the prompt writes a conversation.
    against = (scored.containment, scored.containment_as_shown)
    for other, text in _texts_of(prompt):
        tokens = words(text)
        known, runs = fingerprint_words(tokens), _runs(tokens)
        found = [hit for some in against for hit in some.like(known.sha256, sorted(known.shingles)).items()]
        for number, passages in enumerate(scored.passages):
            shares = [len(passage & runs) / len(passage) for passage in passages]
            found += [(number, share) for share in shares if share >= SHOWN]
        for number, likeness in found:
            yield Leak(kind="shown in the prompt", id=scored.conversations[number].id, other=other, likeness=likeness)


def _texts_of(prompt: PromptSpec) -> Iterator[tuple[str, str]]:
    """What a model is told beside the conversation: where it stands, and the text."""
    for shot in prompt.shots:
        yield shot.id, shot.transcript
        yield shot.id, shot.summary
    yield "the template", prompt.template
    yield "the system message", prompt.system
    yield "the prefill", prompt.prefill


def _runs(tokens: list[str]) -> set[int]:
    return ngram_hashes(tokens, REFERENCE_WORDS)


class _Run(NamedTuple):
    """The longest run of a text's words that one holder's summaries have, too."""

    holder: str
    words: str
    share: float
    """Of the text."""


def human_copies(scored: ScoredSplit, rows: Sequence[TrainingRow]) -> float:
    """The share, in [0, 1], of the scored conversations' human summaries that the rule calls copied from training.

    A stock opening and little more is called so, whoever wrote it. 0.0 where there is no summary.
    """
    training = _training_summaries(rows)
    copied = [_from_training(reference, training) is not None for own in scored.reference_words for reference in own]
    return sum(copied) / len(copied) if copied else 0.0


def _find_copies(scored: ScoredSplit, texts: Mapping[str, str], rows: Sequence[TrainingRow]) -> Iterator[Leak]:
    training = _training_summaries(rows)
    for conversation, references in zip(scored.conversations, scored.reference_words, strict=True):
        tokens = words(texts.get(conversation.id, ""))
        if run := _from_training(tokens, training):
            yield Leak(
                kind="copied from training", id=conversation.id, other=run.holder, likeness=run.share, words=run.words
            )
        if leak := _from_references(tokens, conversation.id, references):
            yield leak


def _training_summaries(rows: Sequence[TrainingRow]) -> dict[int, list[str]]:
    return _holders((row.id, row.reference_ngrams) for row in rows)


def _from_training(tokens: list[str], training: Mapping[int, Sequence[str]]) -> _Run | None:
    run = _longest_run(tokens, training)
    return run if run and run.share >= COPIED else None


def _from_references(tokens: list[str], id_: str, references: Sequence[list[str]]) -> Leak | None:
    """Whether a text, as words, copies a human summary of its own conversation."""
    if len(tokens) < REFERENCE_WORDS:
        return None
    run = _longest_run(tokens, _holders((id_, _runs(reference)) for reference in references))
    share = run.share if run else 0.0
    # Their longest common subsequence, twice, of all their words: ROUGE-L, but for stems, and it sees any script.
    edited = max((Indel.normalized_similarity(tokens, reference) for reference in references), default=0.0)
    if share < COPIED_WHOLE and edited < COPIED_EDITED:
        return None
    return Leak(
        kind="copied reference",
        id=id_,
        other=id_,
        likeness=max(share, edited),
        words=run.words if run else "",
    )


def _holders(summaries: Iterable[tuple[str, Iterable[int]]]) -> dict[int, list[str]]:
    """Hash → whose summaries have these words."""
    holders: dict[int, list[str]] = defaultdict(list)
    for holder, hashes in summaries:
        for one in hashes:
            holders[one].append(holder)
    return holders


def _longest_run(tokens: list[str], holders: Mapping[int, Sequence[str]]) -> _Run | None:
    if len(tokens) < REFERENCE_WORDS:
        return None
    hits: dict[str, int] = {}
    most, end, holder = 0, 0, ""
    for place, ngram in enumerate(ngrams(tokens, REFERENCE_WORDS)):
        hits = {some: hits.get(some, 0) + 1 for some in holders.get(ngram, ())}
        for some, count in hits.items():
            if count > most:
                most, end, holder = count, place + REFERENCE_WORDS, some
    # So many n-grams, each a word after the other, are so many words and the rest of the last one.
    length = most + REFERENCE_WORDS - 1
    return _Run(holder, " ".join(tokens[end - length : end]), length / len(tokens)) if most else None


def _twice(scored: ScoredSplit) -> Iterator[Leak]:
    for number, first, likeness in scored.repetitions:
        id_, other = scored.conversations[number].id, scored.conversations[first].id
        yield Leak(kind="twice", id=id_, other=other, likeness=likeness)
