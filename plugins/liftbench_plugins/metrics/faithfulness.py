"""Faithfulness: whether the conversation supports a summary's sentences, as judged by a model trained for that.

The metrics use no references. The models are named by the user, as a folder or on the hub; none ships with the suite.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from importlib.metadata import version
from math import inf
from typing import Any, ClassVar

from liftbench.plugin_api import (
    SPLITTER,
    Conversation,
    Finding,
    Metric,
    MetricRequest,
    ResolvedModel,
    UsageError,
    read_json,
    resolve_encoder,
    split_sentences,
    transcript,
)
from liftbench_plugins.metrics.encoding import Reader

THRESHOLD = 0.5
"""A sentence with a lower probability of support is a finding."""

BLOCK, STEP = 4, 2
"""Turns in a premise of SummaC, and turns from one premise to the next: blocks overlap, so that a question and its
answer are in one block."""

ENTAILMENT = {"entailment", "entail", "supports"}
"""Labels of NLI models for entailment (VitaminC's is `SUPPORTS`), in lower case."""

Fits = Callable[[str], bool]


class Checker(Metric):
    """Mean, over a summary's sentences, of the highest probability that some part of the conversation supports them.

    In [0, 1]; 0.0 for an empty text, None for a conversation without text. Nothing is cut: a conversation that does not
    fit the model's limit is read in several windows of turns, and a sentence of more than half the limit in parts.
    """

    sees = "faithfulness"
    # A sentence near the threshold is supported on one machine and not on the next.
    tolerance = inf
    registered: ClassVar[str]
    default: ClassVar[str]
    """The model if the metric's name has no argument."""
    method: ClassVar[str]
    """What a sentence is compared with, for the signature."""

    def __init__(self, request: MetricRequest) -> None:
        self.name = f"{self.registered}:{request.argument}" if request.argument else self.registered
        source = resolve_encoder(
            request.argument or self.default, instead=f"Name a folder with the model: {self.registered}:FOLDER."
        )
        self._reader = Reader(self.architecture(source), source)
        self._prepare(source)
        self.signature = (
            f"{self.registered}|mean of sentences|max of {self.method}|sentences:{SPLITTER}|tokens:{self._reader.limit}"
            f"|weights:{source.record.sha256[:12]}|transformers:{version('transformers')}"
        )
        self._supported = self._reader.known(self.signature)

    def architecture(self, source: ResolvedModel) -> str:  # noqa: ARG002 - subclasses use it
        """The class of transformers that the model is loaded as."""
        return "AutoModelForSequenceClassification"

    @abstractmethod
    def _prepare(self, source: ResolvedModel) -> None:
        """Find out how the model answers. Raises `UsageError` for a model that answers another question."""

    @abstractmethod
    def _blocks(self, lines: Sequence[str], sentence: str) -> list[str]:
        """The parts of a conversation, given as one line per turn, that a sentence is compared with."""

    @abstractmethod
    def _input(self, block: str, sentence: str) -> tuple[str, ...]:
        """The input of the tokenizer: one text or a pair."""

    @abstractmethod
    def _support(self, batch: Any) -> Any:
        """The probability of support for each row of a batch."""

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """The mean support of each text's sentences by its conversation; see `Checker`."""
        self._learn(texts, conversations)
        return [self._mean(text, one) for text, one in zip(texts, conversations, strict=True)]

    def findings(self, text: str, conversation: Conversation) -> list[Finding]:
        """The sentences with a probability of support below `THRESHOLD`."""
        self._learn([text], [conversation])
        found = []
        end = 0
        for sentence in self._sentences(text):
            start = text.index(sentence, end)
            end = start + len(sentence)
            judged = transcript(conversation.turns), sentence
            if judged in self._supported and self._supported.number(judged) < THRESHOLD:
                found.append(Finding(start=start, end=end, kind="unsupported sentence"))
        return found

    def _mean(self, text: str, conversation: Conversation) -> float | None:
        if not any(turn.text.strip() for turn in conversation.turns):
            return None
        sentences = self._sentences(text)
        if not sentences:
            return 0.0
        document = transcript(conversation.turns)
        return sum(self._supported.number((document, sentence)) for sentence in sentences) / len(sentences)

    def _sentences(self, text: str) -> list[str]:
        half = self._reader.limit // 2
        return [
            part
            for sentence in split_sentences(text)
            for part in parts(sentence.strip(), lambda part: self._reader.count(part) <= half)
        ]

    def _learn(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> None:
        lines_of: dict[tuple[str, ...], list[str]] = {}
        for text, conversation in zip(texts, conversations, strict=True):
            document = transcript(conversation.turns)
            if lines := [transcript((turn,)) for turn in conversation.turns if turn.text.strip()]:
                lines_of.update(((document, sentence), lines) for sentence in self._sentences(text))
        asked = self._supported.missing(list(lines_of))
        blocks = [self._blocks(lines_of[key], key[1]) for key in asked]
        inputs = [self._input(block, key[1]) for key, some in zip(asked, blocks, strict=True) for block in some]
        self._reader.warn_of_cuts(self.name, inputs)
        read = iter(self._reader.read(inputs, self._support))
        best = [max(float(next(read)) for _ in some) for some in blocks]
        self._supported.add_numbers(asked, best)

    def _fits(self, sentence: str) -> Fits:
        return lambda block: self._reader.count(*self._input(block, sentence)) <= self._reader.limit


class MiniCheck(Checker):
    """MiniCheck (Tang et al. 2024, https://arxiv.org/abs/2404.10774) with its RoBERTa, DeBERTa or Flan-T5 model.

    A sentence is compared with the whole conversation, or with windows of turns that fit the model's limit.
    """

    registered = "minicheck"
    default = "hub:lytang/MiniCheck-RoBERTa-Large"
    method = "windows"

    def architecture(self, source: ResolvedModel) -> str:
        architectures = read_json(source.path / "config.json").get("architectures") or []
        generates = any("ConditionalGeneration" in name for name in architectures)
        return "AutoModelForSeq2SeqLM" if generates else "AutoModelForSequenceClassification"

    def _prepare(self, source: ResolvedModel) -> None:
        self._generates = self.architecture(source) == "AutoModelForSeq2SeqLM"
        labels = self._reader.model.config.num_labels
        if not self._generates and labels != 2:
            raise UsageError(
                f"{source.record.reference} is not a MiniCheck model: it has {labels} labels instead of supported and "
                "unsupported"
            )
        # The first token of each answer. T5 splits `0` into a token for white space and a digit, but not `1`.
        self._answers = [self._reader.tokenizer(one, add_special_tokens=False)["input_ids"][0] for one in ("0", "1")]

    def _blocks(self, lines: Sequence[str], sentence: str) -> list[str]:
        return windows(lines, self._fits(sentence))

    def _input(self, block: str, sentence: str) -> tuple[str, ...]:
        # One text with an end token in it, not a pair, because the models were trained this way.
        joined = f"{block}{self._reader.tokenizer.eos_token or self._reader.tokenizer.sep_token}{sentence}"
        return (f"predict: {joined}" if self._generates else joined,)

    def _support(self, batch: Any) -> Any:
        import torch

        model = self._reader.model
        if not self._generates:
            return model(**batch).logits.softmax(dim=-1)[:, 1]
        start = torch.full_like(batch["input_ids"][:, :1], model.config.decoder_start_token_id)
        logits = model(**batch, decoder_input_ids=start).logits[:, 0]
        return logits[:, self._answers].softmax(dim=-1)[:, 1]


class SummaC(Checker):
    """Zero-shot SummaC (Laban et al. 2022, https://arxiv.org/abs/2111.09525) with a natural language inference model.

    A sentence is the hypothesis, and each block of neighbouring turns is a premise; support is the probability of
    entailment.
    """

    registered = "summac"
    default = "hub:tals/albert-xlarge-vitaminc-mnli"
    method = f"blocks of {BLOCK} turns every {STEP}"

    def _prepare(self, source: ResolvedModel) -> None:
        labels = self._reader.model.config.id2label
        found = [index for index, label in labels.items() if str(label).lower() in ENTAILMENT]
        if len(found) != 1:
            raise UsageError(
                f"{source.record.reference} does not declare which label is entailment: id2label in its config.json "
                f"has {', '.join(map(str, labels.values()))}"
            )
        self._entailment = int(found[0])

    def _blocks(self, lines: Sequence[str], sentence: str) -> list[str]:
        starts = range(0, max(len(lines) - BLOCK + STEP, 1), STEP)
        fits = self._fits(sentence)
        return [block for start in starts for block in windows(lines[start : start + BLOCK], fits)]

    def _input(self, block: str, sentence: str) -> tuple[str, ...]:
        return block, sentence

    def _support(self, batch: Any) -> Any:
        return self._reader.model(**batch).logits.softmax(dim=-1)[:, self._entailment]


def windows(lines: Sequence[str], fits: Fits) -> list[str]:
    """The lines as one text, or halved until each part fits; a line that does not fit by itself is split by `parts`."""
    text = "\n".join(lines)
    if fits(text):
        return [text]
    if len(lines) == 1:
        return parts(text, fits)
    middle = len(lines) // 2
    return windows(lines[:middle], fits) + windows(lines[middle:], fits)


def parts(text: str, fits: Fits) -> list[str]:
    """The text, halved near its middle until each part fits; between words, unless it is a single word.

    >>> parts("one two three", lambda part: len(part) <= 7)
    ['one two', 'three']
    """
    if fits(text) or len(text) < 2:
        return [text]
    half = (len(text) + 1) // 2
    before = text.rfind(" ", 1, half + 1)
    after = text.find(" ", half)
    middle = before if before > 0 else after if after > 0 else half
    return [part for side in (text[:middle], text[middle:]) if side.strip() for part in parts(side.strip(), fits)]
