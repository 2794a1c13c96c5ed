"""BERTScore: how well the tokens of a text match those of a reference, by an encoder's hidden states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain

from liftbench.plugin_api import Conversation, Metric, MetricRequest, ResolvedModel, resolve_encoder
from liftbench_plugins.loading import device
from liftbench_plugins.metrics.encoding import Reader

PAIRS = 32
"""The number of pairs that the package gets at once, so that it encodes all their texts in one batch. The package
orders texts by a set, so over several batches the last digits would depend on Python's hash seed."""


class BertScore(Metric):
    """BERTScore F1 (Zhang et al. 2020, https://arxiv.org/abs/1904.09675) by `bert-score`, mean over references.

    Not weighted by idf and not rescaled; in [-1, 1], in practice well above 0 even for unrelated texts. The encoder is
    the argument, by default `minilm`. Its states come from the layer that the package's authors found best for this
    model; if they did not test it, from the last layer. A text longer than the encoder's limit is cut, and the number
    of such texts is written to standard error.
    """

    sees = "meaning"
    tolerance = 1e-3

    def __init__(self, request: MetricRequest) -> None:
        source = resolve_encoder(request.argument or "minilm")
        self.name = f"bertscore:{request.argument}" if request.argument else "bertscore"
        # Loaded here, because the package would load any path with `t5` in it as a T5, and fails with a tokenizer that
        # does not declare a limit.
        self._reader = Reader("AutoModel", source, layers=best_layer(source))
        self._reader.tokenizer.model_max_length = self._reader.limit
        layer = self._reader.model.config.num_hidden_layers
        self.signature = (
            f"bertscore|f1|idf:no|rescaled:no|refs:mean|layer:{layer}|tokens:{self._reader.limit}"
            f"|weights:{source.record.sha256[:12]}|bert-score:{version('bert-score')}"
            f"|transformers:{version('transformers')}"
        )
        self._known = self._reader.known(self.signature)

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """Mean F1 of each text over its references: 0.0 for an empty text, None without a reference."""
        pairs = [
            [(text, reference) for reference in one.references] for text, one in zip(texts, conversations, strict=True)
        ]
        # The package raises on empty texts.
        self._learn([pair for pair in chain.from_iterable(pairs) if pair[0].strip() and pair[1].strip()])
        return [sum(map(self._value, some)) / len(some) if some else None for some in pairs]

    def _value(self, pair: tuple[str, str]) -> float:
        return self._known.number(pair) if pair in self._known else 0.0

    def _learn(self, pairs: Sequence[tuple[str, str]]) -> None:
        unknown = self._known.missing(pairs)
        self._reader.warn_of_cuts(self.name, [(text,) for text in dict.fromkeys(chain.from_iterable(unknown))])
        # Texts of similar length fill a batch with the least padding; a text stays beside its own references.
        unknown.sort(key=lambda pair: len(pair[0]))
        for start in range(0, len(unknown), PAIRS):
            some = unknown[start : start + PAIRS]
            self._known.add_numbers(some, self._f1(some))

    def _f1(self, pairs: Sequence[tuple[str, ...]]) -> list[float]:
        from bert_score.utils import bert_cos_score_idf

        tokenizer = self._reader.tokenizer
        scores = bert_cos_score_idf(
            self._reader.model,
            [reference for _, reference in pairs],
            [text for text, _ in pairs],
            tokenizer,
            # As in the package without idf: every token has the same weight, the special tokens around a text 0.
            defaultdict(lambda: 1.0, {tokenizer.sep_token_id: 0.0, tokenizer.cls_token_id: 0.0}),
            batch_size=2 * PAIRS,
            device=device(),
        )
        f1: list[float] = scores[:, 2].tolist()
        return f1


def best_layer(source: ResolvedModel) -> int | None:
    """The layer that the package's authors found best for the model; None if they did not test it."""
    from bert_score.utils import model2layers

    names = (source.record.reference.removeprefix("hub:").partition("@")[0], source.name)
    return next((int(model2layers[name]) for name in names if name in model2layers), None)
