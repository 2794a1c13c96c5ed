"""BERTScore: how well the tokens of a text and of a reference match in the space of an encoder's hidden states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain

from liftbench.plugin_api import Conversation, Metric, MetricRequest, ResolvedModel, resolve_encoder
from liftbench_plugins.loading import device
from liftbench_plugins.metrics.encoding import Reader

PAIRS = 32
"""Given to the package at once, so that it encodes all their texts in one of its batches: it orders texts by a set, and
over several batches the last digits would depend on Python's hash seed."""


class BertScore(Metric):
    """BERTScore F1 (Zhang et al. 2020, https://arxiv.org/abs/1904.09675) by `bert-score`, mean over references.

    Neither weighted by idf nor rescaled; in [-1, 1], in practice well above 0 for unrelated texts too. The encoder is
    `minilm`, or the argument; its states are taken at the layer that the package's authors found best where they tried
    it, else at the last. Of a text that is longer than the encoder's limit only the beginning counts; how many
    there are is told on standard error.
    """

    sees = "meaning"

    def __init__(self, request: MetricRequest) -> None:
        source = resolve_encoder(request.argument or "minilm")
        self.name = f"bertscore:{request.argument}" if request.argument else "bertscore"
        # Loaded here, not by the package: it takes any path with `t5` in it for a T5, and trips over tokenizers that
        # name no limit.
        self._reader = Reader("AutoModel", source, layers=best_layer(source))
        self._reader.tokenizer.model_max_length = self._reader.limit
        self._known: dict[tuple[str, str], float] = {}
        layer = self._reader.model.config.num_hidden_layers
        self.signature = (
            f"bertscore|f1|idf:no|rescaled:no|refs:mean|layer:{layer}|tokens:{self._reader.limit}"
            f"|weights:{source.record.sha256[:12]}|bert-score:{version('bert-score')}"
            f"|transformers:{version('transformers')}"
        )

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """F1 of each text, mean over its references: 0.0 for an empty text, None where no reference is."""
        pairs = [
            [(text, reference) for reference in one.references] for text, one in zip(texts, conversations, strict=True)
        ]
        # The package raises on empty texts.
        filled = dict.fromkeys(pair for pair in chain.from_iterable(pairs) if pair[0].strip() and pair[1].strip())
        self._learn([pair for pair in filled if pair not in self._known])
        return [sum(self._known.get(pair, 0.0) for pair in some) / len(some) if some else None for some in pairs]

    def _learn(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._reader.warn_of_cuts(self.name, [(text,) for text in dict.fromkeys(chain.from_iterable(pairs))])
        for start in range(0, len(pairs), PAIRS):
            some = pairs[start : start + PAIRS]
            self._known.update(zip(some, self._f1(some), strict=True))

    def _f1(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        from bert_score.utils import bert_cos_score_idf

        tokenizer = self._reader.tokenizer
        scores = bert_cos_score_idf(
            self._reader.model,
            [reference for _, reference in pairs],
            [text for text, _ in pairs],
            tokenizer,
            # As the package has it without idf: every token weighs the same, those around a text nothing.
            defaultdict(lambda: 1.0, {tokenizer.sep_token_id: 0.0, tokenizer.cls_token_id: 0.0}),
            batch_size=2 * PAIRS,
            device=device(),
        )
        f1: list[float] = scores[:, 2].tolist()
        return f1


def best_layer(source: ResolvedModel) -> int | None:
    """The layer that the package's authors found best for a model of this name; None for one that they did not try."""
    from bert_score.utils import model2layers

    names = (source.record.reference.removeprefix("hub:").partition("@")[0], source.name)
    return next((int(model2layers[name]) for name in names if name in model2layers), None)
