"""What a candidate may have seen of its scored conversations: those that it was trained on or shown, and summaries that
it copied. Training rows are kept as hashes, so that an adapter does not have to carry their texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Literal, NamedTuple, get_args
from weakref import WeakKeyDictionary

import msgspec
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
    """`trained on`, `chose the checkpoint`, `shown in the prompt`: the conversation, or a near-duplicate, was among the
    training rows, among those that chose the checkpoint, or in the prompt. `copied from training`: the candidate's text
    copies a training summary. `copied reference`: the text copies a human summary of its own conversation. `twice`: the
    scored split holds a near-duplicate of the conversation."""
    id: str
    """Id of the scored conversation."""
    other: str
    """Id of the conversation that is alike, or whose summary was copied."""
    likeness: float
    """In (0, 1]. For conversations: the share of the shorter one's word 5-grams that the other has. For copies: the
    longest shared run of words as a share of the text."""
    words: str = ""
    """The longest shared run of words; only for copies."""


SHOWN = 0.9
"""A summary, or a short conversation, is shown in the prompt if a text of the prompt has at least this share of its
word 8-grams. Neither this nor `ALIKE` takes any summary or conversation of the training splits for a scored one (2,603
and 256 examples with their summaries)."""

COPIED = 0.5
"""A text is copied from training if one run of words of a training summary is at least this share of it. The highest
shares measured are 0.47 (TweetSumm, 108 texts; an opening of 8 words that many summaries have) and none at all
(helpdesk, 104 texts) on texts of adapters, and 0.38 (352) and none (208) on human summaries of the same conversations.
5 in 108 first sentences of TweetSumm's summaries are such an opening and little else, so a number of copies means
something only beside that of people (`human_copies`)."""

COPIED_WHOLE = 0.6
"""A text copies a reference if one run of words of its own conversation's summary is at least this share of it. The
highest share measured is 0.45 on those adapters and on prompts, and 0.47 between two human summaries of one
conversation."""

COPIED_EDITED = 0.85
"""A text also copies a reference if their likeness is at least this: twice the longest common subsequence of words,
divided by the number of words in both. The highest measured is 0.74 (TweetSumm) and 0.57 (helpdesk) on those adapters,
0.70 on prompts, and 0.82 and 0.71 between human summaries of one conversation. Human summaries with a word inserted
before every seventh one have 0.93 or more."""

_ORDER: tuple[LeakKind, ...] = get_args(LeakKind)


def leaks(
    scored: ScoredSplit,
    texts: Mapping[str, str],
    rows: Sequence[TrainingRow],
    prompt: PromptSpec | None = None,
) -> list[Leak]:
    """The leaks of a candidate with these texts (id → text), by kind, then in the order of `scored`.

    A conversation has at most one leak of each kind: the one with the highest likeness. Equal ids are not a leak, since
    many data sets count from 1. Near-duplicates need `LEAST_SHINGLES` 5-grams, and copies `REFERENCE_WORDS` words:
    shorter texts are alike by chance.
    """
    places = {conversation.id: place for place, conversation in enumerate(scored.conversations)}
    best: dict[tuple[int, int], Leak] = {}
    training = _training_of(scored, rows)
    for leak in (*training.seen, *_shown_once(scored, prompt), *_find_copies(scored, texts, training), *_twice(scored)):
        key = _ORDER.index(leak.kind), places[leak.id]
        if key not in best or leak.likeness > best[key].likeness:
            best[key] = leak
    return [best[key] for key in sorted(best)]


class _Training(NamedTuple):
    """What a check for leaks needs of the rows of a training."""

    seen: list[Leak]
    """The scored conversations among the rows."""
    summaries: Mapping[int, list[str]]
    """Hash of some words → the rows whose summaries have them."""
    human_copies: float
    """See `human_copies`."""


# Many candidates of a comparison share their training rows, and nearly all share their prompt.
_TRAININGS: WeakKeyDictionary[ScoredSplit, dict[bytes, _Training]] = WeakKeyDictionary()
_PROMPTS: WeakKeyDictionary[ScoredSplit, dict[bytes, list[Leak]]] = WeakKeyDictionary()


def _training_of(scored: ScoredSplit, rows: Sequence[TrainingRow]) -> _Training:
    known = _TRAININGS.setdefault(scored, {})
    key = sha256(msgspec.json.encode(rows)).digest()
    if key not in known:
        summaries = _holders((row.id, row.reference_ngrams) for row in rows)
        copied = [
            _from_training(reference, _ngrams(reference), summaries) is not None
            for own in scored.reference_words
            for reference in own
        ]
        known[key] = _Training(list(_seen(scored, rows)), summaries, sum(copied) / len(copied) if copied else 0.0)
    return known[key]


def _shown_once(scored: ScoredSplit, prompt: PromptSpec | None) -> list[Leak]:
    known = _PROMPTS.setdefault(scored, {})
    key = msgspec.json.encode(prompt)
    if key not in known:
        known[key] = list(_shown(scored, prompt))
    return known[key]


def _seen(scored: ScoredSplit, rows: Sequence[TrainingRow]) -> Iterator[Leak]:
    for row in rows:
        kind: LeakKind = "trained on" if row.part == "train" else "chose the checkpoint"
        for number, likeness in scored.containment.like(row.sha256, row.shingles).items():
            yield Leak(kind=kind, id=scored.conversations[number].id, other=row.id, likeness=likeness)


def _shown(scored: ScoredSplit, prompt: PromptSpec | None) -> Iterator[Leak]:
    if prompt is None:
        return
    # With and without speaker labels: an example need not be written the way the prompt writes a conversation.
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
    """The parts of a prompt beside the conversation: the name of each, and its text."""
    for shot in prompt.shots:
        yield shot.id, shot.transcript
        yield shot.id, shot.summary
    yield "the template", prompt.template
    yield "the system message", prompt.system
    yield "the prefill", prompt.prefill


def _runs(tokens: list[str]) -> set[int]:
    return ngram_hashes(tokens, REFERENCE_WORDS)


class _Run(NamedTuple):
    """The longest run of a text's words that also occurs in one holder's summaries."""

    holder: str
    words: str
    share: float
    """Share of the text that the run makes up."""


def human_copies(scored: ScoredSplit, rows: Sequence[TrainingRow]) -> float:
    """The share, in [0, 1], of the scored conversations' human summaries that the rule calls copied from training.

    The rule finds summaries that are little more than a stock opening, whoever wrote them. 0.0 without summaries.
    """
    return _training_of(scored, rows).human_copies


def _find_copies(scored: ScoredSplit, texts: Mapping[str, str], training: _Training) -> Iterator[Leak]:
    for number, (conversation, references) in enumerate(zip(scored.conversations, scored.reference_words, strict=True)):
        tokens = words(texts.get(conversation.id, ""))
        grams = _ngrams(tokens)
        if run := _from_training(tokens, grams, training.summaries):
            yield Leak(
                kind="copied from training", id=conversation.id, other=run.holder, likeness=run.share, words=run.words
            )
        own = {key: [conversation.id] for key in scored.reference_ngrams[number].intersection(grams)}
        if leak := _from_references(tokens, grams, conversation.id, references, own):
            yield leak


def _ngrams(tokens: list[str]) -> list[int]:
    return ngrams(tokens, REFERENCE_WORDS) if len(tokens) >= REFERENCE_WORDS else []


def _from_training(tokens: list[str], grams: Sequence[int], training: Mapping[int, Sequence[str]]) -> _Run | None:
    run = _longest_run(tokens, grams, training)
    return run if run and run.share >= COPIED else None


def _from_references(
    tokens: list[str],
    grams: Sequence[int],
    id_: str,
    references: Sequence[list[str]],
    holders: Mapping[int, Sequence[str]],
) -> Leak | None:
    """The leak of a text, given as words, that copies a human summary of its own conversation; None if it does not."""
    if len(tokens) < REFERENCE_WORDS:
        return None
    run = _longest_run(tokens, grams, holders)
    share = run.share if run else 0.0
    # Twice the longest common subsequence over the words of both: ROUGE-L without stemming, and in any script.
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
    """Hash of some words → the holders whose summaries have them."""
    holders: dict[int, list[str]] = defaultdict(list)
    for holder, hashes in summaries:
        for one in hashes:
            holders[one].append(holder)
    return holders


def _longest_run(tokens: list[str], grams: Sequence[int], holders: Mapping[int, Sequence[str]]) -> _Run | None:
    """The longest run of a text, given as words and their n-grams."""
    hits: dict[str, int] = {}
    most, end, holder = 0, 0, ""
    for place, ngram in enumerate(grams):
        if ngram not in holders:
            hits = {}
            continue
        hits = {some: hits.get(some, 0) + 1 for some in holders[ngram]}
        for some, count in hits.items():
            if count > most:
                most, end, holder = count, place + REFERENCE_WORDS, some
    # Consecutive n-grams start one word apart: `most` of them span `most` words and the rest of the last n-gram.
    length = most + REFERENCE_WORDS - 1
    return _Run(holder, " ".join(tokens[end - length : end]), length / len(tokens)) if most else None


def _twice(scored: ScoredSplit) -> Iterator[Leak]:
    for number, first, likeness in scored.repetitions:
        id_, other = scored.conversations[number].id, scored.conversations[first].id
        yield Leak(kind="twice", id=id_, other=other, likeness=likeness)
