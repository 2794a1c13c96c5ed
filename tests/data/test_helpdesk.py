"""helpdesk is held to what its card says of it: counts, variety, no templates, no leaks, facts that fit."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize

from liftbench.data.cleaning import clean
from liftbench.data.helpdesk import FROZEN, Helpdesk
from liftbench.data.similarity.duplicates import NearDuplicates
from liftbench.data.similarity.fingerprints import fingerprint
from liftbench.errors import PrerequisiteError
from liftbench.metrics.facts import tells
from liftbench.records.conversation import Conversation
from liftbench.text.words import words

STEMMER = PorterStemmer()


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Conversation]]:
    corpus = Helpdesk(None)
    return {split: corpus.read(split) for split in corpus.splits()}


@pytest.fixture(scope="module")
def everything(splits: dict[str, list[Conversation]]) -> list[Conversation]:
    return [conversation for split in splits.values() for conversation in split]


def test_it_is_large_enough(splits: dict[str, list[Conversation]]) -> None:
    assert set(splits) == set(FROZEN)
    assert len(splits["train"]) >= 120
    assert len(splits["validation"]) >= 24
    assert len(splits["test"]) >= 96


def test_every_conversation_has_the_promised_form(everything: list[Conversation]) -> None:
    ids = Counter(conversation.id for conversation in everything)
    assert max(ids.values()) == 1
    for conversation in everything:
        assert 4 <= len(conversation.turns) <= 14
        assert {turn.role for turn in conversation.turns} == {"customer", "agent"}
        assert len(conversation.references) == 2
        assert all(20 <= len(reference.split()) <= 60 for reference in conversation.references), conversation.id
        assert set(conversation.metadata) == {"business", "company", "channel", "resolution", "voice"}
        assert clean(conversation).turns, "cleaning must leave words"


def test_it_varies(splits: dict[str, list[Conversation]]) -> None:
    for split in splits.values():
        seen = {key: Counter(conversation.metadata[key] for conversation in split) for key in split[0].metadata}
        assert len(seen["business"]) >= 12
        assert set(seen["channel"]) == {"chat", "email", "phone", "tweet"}
        assert seen["resolution"]["resolved"] < 2 / 3 * len(split), "at least a third must not end well"
        assert len(seen["voice"]) >= 8


def test_no_five_words_are_in_more_than_a_twentieth_of_the_references(everything: list[Conversation]) -> None:
    where: dict[tuple[str, ...], set[tuple[str, int]]] = defaultdict(set)
    for conversation in everything:
        for number, reference in enumerate(conversation.references):
            tokens = words(reference)
            for start in range(len(tokens) - 4):
                where[tuple(tokens[start : start + 5])].add((conversation.id, number))
    most = max(len(places) for places in where.values())
    assert most <= 0.05 * 2 * len(everything)


def test_no_conversations_are_near_duplicates(everything: list[Conversation]) -> None:
    near = NearDuplicates()
    for conversation in everything:
        near.add(fingerprint(conversation))
    assert list(near.pairs()) == []


def test_a_constant_is_far_below_what_the_references_say_of_each_other(splits: dict[str, list[Conversation]]) -> None:
    train = [tokens(text) for conversation in splits["train"] for text in conversation.references]
    test = [tuple(map(tokens, conversation.references)) for conversation in splits["test"]]
    best = max(train, key=lambda constant: statistics.mean(rouge_l(reference, constant) for reference in train))
    constant = statistics.mean(rouge_l(reference, best) for pair in test for reference in pair)
    each_other = statistics.mean(rouge_l(one, other) for one, other in test)
    assert each_other >= constant + 0.08


def test_the_test_measures_rouge_l_as_the_package_does(splits: dict[str, list[Conversation]]) -> None:
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    for one, other in combinations([conversation.references[0] for conversation in splits["validation"][:8]], 2):
        assert rouge_l(tokens(one), tokens(other)) == pytest.approx(scorer.score(one, other)["rougeL"].fmeasure)


def test_facts_are_on_test_conversations_and_whole(splits: dict[str, list[Conversation]]) -> None:
    assert not any(c.facts or c.false_facts for split in ("train", "validation") for c in splits[split])
    details = {"amount", "date", "product", "identifier"}
    for conversation in splits["test"]:
        kinds = Counter(fact.kind for fact in conversation.facts)
        assert all(kinds[kind] == 1 for kind in ("problem", "request", "action", "outcome", "owner")), conversation.id
        assert details & set(kinds)
        assert {fact.kind for fact in conversation.false_facts} == {"role_swapped", "outcome_flipped", "detail_wrong"}


def test_forms_see_their_own_fact_and_most_references_tell_it(splits: dict[str, list[Conversation]]) -> None:
    """A form that its own statement does not match is a slip; that the references tell most facts, and other
    conversations' references hardly any, shows that the forms are neither too narrow nor too loose."""
    told, by_chance, total = 0, 0, 0
    test = splits["test"]
    for number, conversation in enumerate(test):
        stranger = test[(number + 1) % len(test)].references
        for fact in conversation.facts:
            assert tells(fact.statement, fact.forms), (conversation.id, fact)
            told += sum(tells(reference, fact.forms) for reference in conversation.references)
            by_chance += sum(tells(reference, fact.forms) for reference in stranger)
            total += 2
    assert told / total > 0.9
    assert by_chance / total < 0.1


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Helpdesk(None)
    (tmp_path / "test.jsonl").write_bytes(corpus.path("test").read_bytes() + b"\n")
    monkeypatch.setattr(Helpdesk, "folder", tmp_path)
    with pytest.raises(PrerequisiteError, match=r"test\.jsonl of helpdesk is not the file that ships"):
        corpus.read("test")


@cache
def tokens(text: str) -> tuple[str, ...]:
    return tuple(tokenize(text, STEMMER))


def rouge_l(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """ROUGE-L F1 by the bit-parallel longest common subsequence of Hyyrö 2004: 500 pairs in the time of one."""
    places: dict[str, int] = {}
    for place, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << place
    row = whole = (1 << len(one)) - 1
    for token in other:
        common = row & places.get(token, 0)
        row = (row + common | row - common) & whole
    longest = len(one) - row.bit_count()
    return 2 * longest / (len(one) + len(other))
