"""The first-party plugins' one registration, by entry point, exactly as a third party's would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftbench.plugin_api import hookimpl

if TYPE_CHECKING:
    from liftbench.plugins import Registry


@hookimpl
def bench_register(registry: Registry) -> None:
    """Backends, trainers, metrics and data sets."""
    registry.backend(
        "transformers",
        target="liftbench_plugins.backends.transformers:TransformersBackend",
        requires=("torch", "transformers", "peft"),
        summary="greedy decoding in this process, CPU or CUDA",
    )
    registry.trainer(
        "qlora",
        target="liftbench_plugins.trainers.qlora:QLoRATrainer",
        options="liftbench_plugins.trainers.qlora:QLoRAOptions",
        requires=("torch", "transformers", "peft", "trl", "bitsandbytes", "datasets"),
        summary="LoRA on a base in NF4 with double quantization (TRL, PEFT, bitsandbytes), CPU or CUDA",
    )
    for name, summary in (
        ("rouge1", "unigram overlap"),
        ("rouge2", "bigram overlap"),
        ("rougeL", "longest common subsequence"),
        ("rougeLsum", "longest common subsequence, sentence by sentence"),
    ):
        registry.metric(
            name, target=f"liftbench.metrics.rouge:{name}", requires=("rouge_score",), summary=f"ROUGE F1: {summary}"
        )
    registry.dataset(
        "helpdesk",
        target="liftbench.data.helpdesk:Helpdesk",
        summary="ships with the package: 264 conversations, 2 references each, key facts on test",
    )
    registry.dataset(
        "tweetsumm",
        target="liftbench_plugins.datasets.tweetsumm:TweetSumm",
        summary="customer support on Twitter, 1-5 human summaries a conversation (from the hub, or any of its forms)",
    )
    registry.dataset(
        "dialogsum",
        target="liftbench_plugins.datasets.dialogsum:DialogSum",
        summary="everyday dialogues, one human summary each (three in its test split)",
    )
    registry.dataset(
        "datasets",
        target="liftbench_plugins.datasets.mapped:MappedDataset",
        options="liftbench_plugins.datasets.mapped:MappedOptions",
        requires=("datasets",),
        summary="anything that the datasets library loads, its columns mapped by the recipe",
    )
