"""Unsupported facts: what is learned, planted replacements that must be found, human summaries left in peace."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from liftbench.data.helpdesk import Helpdesk
from liftbench.data.jsonl import read_jsonl
from liftbench.metrics.base import MetricRequest
from liftbench.metrics.unsupported import UnsupportedFacts
from liftbench.records.conversation import Conversation, Turn


def unsupported(text: str, *turns: str, metric: UnsupportedFacts | None = None) -> list[str]:
    conversation = Conversation(id="c", turns=tuple(Turn(role="customer", text=turn) for turn in turns or ("",)))
    found = (metric or UnsupportedFacts()).findings(text, conversation)
    return [f"{finding.kind.removeprefix('unsupported ')}: {text[finding.start : finding.end]}" for finding in found]


# ------------------------------------------------------------------------------------------------------ what is learned


def training(*references: str, turn: str = "hello") -> UnsupportedFacts:
    return UnsupportedFacts(
        MetricRequest(
            training=tuple(
                Conversation(id=str(number), turns=(Turn(role="caller", text=turn),), references=(reference,))
                for number, reference in enumerate(references)
            ),
            training_split="train",
        )
    )


def test_a_word_seen_without_a_capital_begins_a_sentence_and_is_no_name() -> None:
    assert unsupported("Zumbax stopped.") == ["name: Zumbax"]
    assert unsupported("Zumbax stopped.", metric=training("the zumbax went on")) == []


def test_words_of_the_annotators_are_no_names() -> None:
    three = training(*["Ask for the URL."] * 3)
    assert unsupported("Sent the URL.", metric=training("Ask for the URL.")) == ["name: URL"]
    assert unsupported("Sent the URL.", metric=three) == []


def test_a_learned_name_needs_no_capital() -> None:
    assert unsupported("she likes vistamoor") == []
    assert unsupported("she likes vistamoor", metric=training("I use Vistamoor, my Vistamoor.")) == ["name: vistamoor"]


def test_the_speakers_of_the_data_are_no_names() -> None:
    assert unsupported("The Caller left.") == ["name: Caller"]
    assert unsupported("The Caller left.", metric=training("x")) == []


# ---------------------------------------------------------------------------------------------------------- the metric


def test_values_signature_and_findings() -> None:
    metric, other = training("one"), training("two")
    conversation = Conversation(id="c", turns=(Turn(role="customer", text="I paid $5."),))
    texts = ["", "He paid $5.", "He paid $6 on Monday."]
    assert metric.score(texts, [conversation] * 3) == [0.0, 0.0, 2.0]
    assert (metric.name, metric.direction, metric.sees) == ("unsupported-facts", "lower", "facts")
    assert metric.signature.startswith("unsupported-facts|count|rules:1|words:train:")
    assert metric.signature == training("one").signature != other.signature
    assert UnsupportedFacts().signature.startswith("unsupported-facts|count|rules:1|words:none:")


# ------------------------------------------------------------------------------------------------ planted replacements

_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
PATTERNS = {
    "amount": r"(?<!\w)(?:[£$€₦]|Rs |CAD )\d[\d,]*(?:\.\d+)?(?!\w)"
    r"|(?<!\w)\d[\d,.]*(?:[$€£]| (?:dollars|pounds|euros|rs)\b)",
    "date": rf"\b\d{{1,2}} (?:{_MONTH})\b|\b(?:{_MONTH}) \d{{1,2}}\b|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b",
    "code": r"\b[A-Z]{1,4}[-/]?\d{3,}\b",
    "number": r"(?<![\w£$€.,:/-])\d+(?:,\d{3})*(?:\.\d+)?(?=[ ,.%;](?!\d)(?! ?[ap]m))",
    "name": r"(?<![\w@-])[A-Z]\w*[a-zé](?: [A-Z]\w*[a-zé])*(?!\w)",
    "lower": r"\b[a-z]{4,}\b",
}
NAMES = {
    "helpdesk": "Margaret|Tomasz|Priyanka|Chidi Okonkwo|Leila Haddad|Henrik|Rosalind Pike|Mateo|Yusuf Demir|Saoirse"
    "|Greta|Kwame|Brightwater|Northgate Energy|Quillfeather|Zentrix|Harborline|Casa Verde|Pellworth|Oxley|Nimbus Pro",
    "tweetsumm": "Netflix|Tesco|Amazon|Walmart|Comcast|Vodafone|Samsung|Playstation|Lyft|Starbucks|Sony|Kindle|Android"
    "|Manchester|Chicago|Leeds|Birmingham|Instagram|Photoshop|Ryanair|Groupon|Fitbit",
}
"""Names that a model could have made up: of people, companies and products; well known ones on TweetSumm."""


class Corpus(NamedTuple):
    name: str
    training: list[Conversation]
    scored: list[Conversation]

    def metric(self) -> UnsupportedFacts:
        return UnsupportedFacts(MetricRequest(training=tuple(self.training), training_split="train"))


class Plant(NamedTuple):
    kind: str
    text: str
    start: int
    end: int
    conversation: Conversation


def plants(corpus: Corpus) -> Iterator[Plant]:
    """Each supported detail of each human summary, replaced by one of its kind that the conversation lacks."""
    names = NAMES[corpus.name].split("|")
    choices = {kind: pool(kind, corpus) for kind in PATTERNS} | {"name": names, "lower": [*map(str.lower, names)]}
    chance = random.Random(4)
    for conversation in corpus.scored:
        said = " ".join(turn.text for turn in conversation.turns)
        for reference in conversation.references:
            for kind, pattern in PATTERNS.items():
                for match in re.finditer(pattern, reference):
                    if is_there(match[0], said) and IS_ONE.get(kind, is_there)(match[0], said):
                        options = chance.sample(choices[kind], len(choices[kind]))
                        new = next(one for one in options if not is_there(one, f"{said} {reference}"))
                        text = f"{reference[: match.start()]}{new}{reference[match.end() :]}"
                        yield Plant(kind, text, match.start(), match.start() + len(new), conversation)


def pool(kind: str, corpus: Corpus) -> list[str]:
    references = [reference for one in (*corpus.training, *corpus.scored) for reference in one.references]
    return sorted({match[0] for reference in references for match in re.finditer(PATTERNS[kind], reference)})


WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def is_there(detail: str, text: str) -> bool:
    """Whether all of a detail's words and numbers are somewhere in a text."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=\d)[,.](?=\d)", "", detail.lower()))
    plain = re.sub(r"(?<=\d)[,.](?=\d)", "", text.lower())
    return all(
        re.search(rf"(?<![0-9]){word}(?![0-9])" if word.isdigit() else rf"{word}", plain)
        or (word.isdigit() and int(word) <= 12 and re.search(rf"\b{WORDS[int(word)]}\b", plain))
        for word in words
    )


def is_name(words: str, said: str) -> bool:
    """Whether the conversation writes each word with a capital, within a sentence, and never without."""
    return all(
        re.search(rf"[a-z,] {word}", said) and not re.search(rf"\b{word.lower()}\b", said) for word in words.split()
    )


def is_company(word: str, said: str) -> bool:
    """Whether a word in lower case begins a company's handle: `spotify` of `SpotifyCares`."""
    return bool(re.search(rf"\b{word.capitalize()}(?=[A-Z])", said))


IS_ONE = {"name": is_name, "lower": is_company}


def recall(corpus: Corpus) -> dict[str, tuple[int, int]]:
    """Kind → plants found and plants: found where a finding lies on the replacement."""
    found: dict[str, list[bool]] = defaultdict(list)
    metric = corpus.metric()
    for plant in plants(corpus):
        findings = metric.findings(plant.text, plant.conversation)
        found[plant.kind].append(any(one.start < plant.end and one.end > plant.start for one in findings))
    return {kind: (sum(hits), len(hits)) for kind, hits in found.items()}


def alarms(corpus: Corpus) -> tuple[float, float]:
    """Findings in untouched human summaries: how many each, and the share of summaries that have any."""
    metric = corpus.metric()
    counts = [
        len(metric.findings(reference, conversation))
        for conversation in corpus.scored
        for reference in conversation.references
    ]
    return sum(counts) / len(counts), sum(map(bool, counts)) / len(counts)


@pytest.fixture(scope="module")
def helpdesk() -> Corpus:
    return Corpus("helpdesk", Helpdesk(None).read("train"), Helpdesk(None).read("test"))


@pytest.fixture(scope="module")
def real(tweetsumm: Path) -> Corpus:
    return Corpus("tweetsumm", read_jsonl(tweetsumm / "train.jsonl"), read_jsonl(tweetsumm / "validation.jsonl"))


def test_planted_replacements_are_found_in_helpdesk(helpdesk: Corpus) -> None:
    found = recall(helpdesk)
    assert found.keys() >= {"amount", "code", "date", "name", "number"}
    for kind, (hits, count) in found.items():
        assert count >= 50
        assert hits >= 0.95 * count, kind


def test_planted_replacements_are_found_in_tweetsumm(real: Corpus) -> None:
    found = recall(real)
    hits, counts = (sum(column) for column in zip(*found.values(), strict=True))
    assert counts >= 150
    assert hits >= 0.9 * counts
    for kind in ("name", "number", "amount"):
        assert found[kind][0] >= 0.9 * found[kind][1], kind


def test_helpdesks_human_summaries_are_left_in_peace(helpdesk: Corpus) -> None:
    """The class's docstring states the figures, here and below."""
    assert max(alarms(helpdesk)) < 0.05


def test_tweetsumms_human_summaries_are_left_in_peace(real: Corpus) -> None:
    assert max(alarms(real)) < 0.01


def test_hand_written_facts_are_supported_and_wrong_details_mostly_are_not(helpdesk: Corpus) -> None:
    metric = helpdesk.metric()
    true = [bool(metric.findings(fact.statement, one)) for one in helpdesk.scored for fact in one.facts]
    wrong = [
        bool(metric.findings(fact.statement, one))
        for one in helpdesk.scored
        for fact in one.false_facts
        if fact.kind == "detail_wrong"
    ]
    assert sum(true) <= 0.01 * len(true)
    assert sum(wrong) >= 0.7 * len(wrong)
