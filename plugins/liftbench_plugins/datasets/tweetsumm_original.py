"""TweetSumm as IBM published it: tweet ids, sentence offsets and summaries, to be joined with Kaggle's tweets."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field

from liftbench.plugin_api import BAD_JSON, Conversation, PrerequisiteError, Turn, UsageError

from .reading import each_row, split_name

TWEET_COLUMNS = ("tweet_id", "author_id", "inbound", "text")

INBOUND = {"true": True, "1": True, "false": False, "0": False}


class _Tweet(Struct, frozen=True):
    tweet_id: int | str
    sentence_offsets: list[str]


class _Sentence(Struct, frozen=True):
    tweet_id: int | str
    sentence_offset: str


class _Annotation(Struct, frozen=True):
    """The two summaries of an annotator, as lists of sentences; either can be missing."""

    extractive: list[_Sentence] | None = None
    abstractive: list[str] | None = None


class _Row(Struct, frozen=True):
    conversation_id: str
    tweets: list[_Tweet] = field(name="tweet_ids_sentence_offset")
    """In the order of the conversation, which is the order of replies, not of ids."""
    annotations: list[_Annotation]

    def tweet_ids(self) -> Iterator[str]:
        yield from (str(tweet.tweet_id) for tweet in self.tweets)
        for annotation in self.annotations:
            yield from (str(sentence.tweet_id) for sentence in annotation.extractive or ())


class StoredTweet(Struct, frozen=True):
    """A row of `twcs.csv`."""

    author: str
    """The company's account, or a number that stands for a customer's."""
    inbound: bool
    """Whether a customer wrote it."""
    text: str


def original_split(path: Path) -> str:
    """The split in a file's name (`final_valid_tweetsum.jsonl`), or the name itself if there is none."""
    words = [split_name(word) for word in re.split(r"[^a-zA-Z]+", path.stem)]
    return next((word for word in words if word in ("train", "validation", "test")), split_name(path.stem))


def holds_tweets(path: Path) -> bool:
    """Whether a CSV file has the columns of `twcs.csv`."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = file.readline(1000)
    return set(TWEET_COLUMNS) <= set(next(csv.reader([header]), []))


def read_original(path: Path, tables: Sequence[Path]) -> list[Conversation]:
    """The conversations of one of IBM's files; those without an abstractive summary are left out.

    The tables of tweets are streamed, and only the tweets needed are kept. Raises `UsageError` with file, line and
    reason, and `PrerequisiteError` if the tables lack a tweet.
    """
    rows = list(each_row(path, _Row))
    tweets = find_tweets({id_ for _, row in rows for id_ in row.tweet_ids()}, tables)
    missing = [(id_, row.conversation_id) for _, row in rows for id_ in row.tweet_ids() if id_ not in tweets]
    if missing:
        id_, conversation = missing[0]
        names = ", ".join(table.name for table in tables)
        raise PrerequisiteError(
            f"{path}: {len({id_ for id_, _ in missing})} tweets are not in {names or 'a CSV file beside it'} "
            f"(the first: {id_}, of conversation {conversation})",
            "Put the whole twcs.csv of Kaggle's 'Customer Support on Twitter' into the folder.",
        )
    seen: dict[str, str] = {}
    for where, row in rows:
        if row.conversation_id in seen:
            raise UsageError(f"{where}: id {row.conversation_id!r} occurs twice (first in {seen[row.conversation_id]})")
        seen[row.conversation_id] = where
    conversations = [_conversation(row, tweets, where) for where, row in rows]
    return [conversation for conversation in conversations if conversation.references]


def find_tweets(ids: set[str], tables: Iterable[Path]) -> dict[str, StoredTweet]:
    """Id → tweet, for the ids that the tables have. Reading stops once all are found."""
    found: dict[str, StoredTweet] = {}
    for table in tables:
        for id_, tweet in _each_tweet(table, ids):
            found.setdefault(id_, tweet)
            if len(found) == len(ids):
                return found
    return found


def _each_tweet(table: Path, wanted: set[str]) -> Iterator[tuple[str, StoredTweet]]:
    # csv.reader, not DictReader: the real table has 2.8 million rows, and a dictionary for each doubles the time.
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        try:
            header = next(rows)
            id_, author, inbound, text = (header.index(column) for column in TWEET_COLUMNS)
            for row in rows:
                if not row or row[id_] not in wanted:
                    continue
                yield row[id_], StoredTweet(row[author], INBOUND[row[inbound].strip().casefold()], row[text])
        except IndexError as error:
            raise UsageError(f"{table}, line {rows.line_num}: the row has too few columns") from error
        except KeyError as error:
            raise UsageError(f"{table}, line {rows.line_num}: inbound is {error}, not True or False") from error
        except (csv.Error, UnicodeDecodeError) as error:
            raise UsageError(f"{table}, after line {rows.line_num}: {error}") from error


def _conversation(row: _Row, tweets: dict[str, StoredTweet], where: str) -> Conversation:
    turns = []
    authors: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for part in row.tweets:
        tweet = tweets[str(part.tweet_id)]
        authors[tweet.inbound][tweet.author] += 1
        spans = _drop_repeats([_span(offset, where) for offset in part.sentence_offsets])
        text = " ".join(_cut(tweet, span, str(part.tweet_id), where) for span in spans)
        if text.strip():
            turns.append(Turn(role="customer" if tweet.inbound else "agent", text=text))
    who = {"company": authors[False], "cluster": authors[True]}
    return Conversation(
        id=row.conversation_id,
        turns=tuple(turns),
        references=tuple(" ".join(a.abstractive) for a in row.annotations if a.abstractive),
        metadata={"source": "IBM", **{key: counts.most_common(1)[0][0] for key, counts in who.items() if counts}},
        extracts=tuple(_extract(a.extractive, tweets, where) for a in row.annotations if a.extractive),
    )


def _extract(sentences: list[_Sentence], tweets: dict[str, StoredTweet], where: str) -> str:
    return " ".join(
        _cut(tweets[str(s.tweet_id)], _span(s.sentence_offset, where), str(s.tweet_id), where) for s in sentences
    )


def _span(offset: str, where: str) -> tuple[int, int]:
    try:
        start, end = msgspec.json.decode(offset, type=tuple[int, int])
    except BAD_JSON as error:
        raise UsageError(f"{where}: the sentence offset {offset!r} does not have the form [0, 64]") from error
    return start, end


def _drop_repeats(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Drop spans inside an earlier one: some lists repeat a sentence's last character (`[0, 51]`, `[50, 51]`)."""
    kept: list[tuple[int, int]] = []
    for start, end in spans:
        if not any(a <= start and end <= b for a, b in kept):
            kept.append((start, end))
    return kept


def _cut(tweet: StoredTweet, span: tuple[int, int], id_: str, where: str) -> str:
    start, end = span
    if not 0 <= start <= end <= len(tweet.text):
        raise UsageError(
            f"{where}: a sentence goes from character {start} to {end} of tweet {id_}, which has {len(tweet.text)} "
            "characters in the table of tweets",
            "Use Kaggle's own twcs.csv unchanged: the offsets count its characters.",
        )
    return tweet.text[start:end]
