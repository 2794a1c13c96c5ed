"""Registers the first-party plugins by an entry point, exactly as a third party would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liftbench.plugin_api import hookimpl

if TYPE_CHECKING:
    from liftbench.plugin_api import Registry


METRICS = (
    ("rouge1", "rouge:rouge1", "ROUGE F1: unigram overlap"),
    ("rouge2", "rouge:rouge2", "ROUGE F1: bigram overlap"),
    ("rougeL", "rouge:rougeL", "ROUGE F1: longest common subsequence"),
    ("rougeLsum", "rouge:rougeLsum", "ROUGE F1: longest common subsequence, sentence by sentence"),
    ("content-overlap", "content:ContentOverlap", "F1 of stems weighted by how much they tell (idf)"),
    ("cider-d", "content:CiderD", "CIDEr-D: cosine of tf-idf n-grams"),
    ("key-facts", "facts:KeyFacts", "share of a conversation's hand-written key facts that the summary tells"),
    (
        "unsupported-facts",
        "unsupported:UnsupportedFacts",
        "numbers, dates, codes and names that the conversation lacks",
    ),
    ("role-accuracy", "roles:RoleAccuracy", "how far claims about a speaker are in that speaker's own words"),
    ("coverage", "form:Coverage", "share of words copied from the conversation"),
    ("density", "form:Density", "mean squared length of the copied passages"),
    ("compression", "form:Compression", "words of the conversation for each word of the summary"),
    ("novel-bigrams", "form:NovelBigrams", "share of bigrams that are not in the conversation"),
    ("longest-copied", "longest_copied:LongestCopied", "words of the longest passage copied from one turn"),
    ("repetition", "form:Repetition", "share of trigrams that repeat an earlier one"),
    ("words", "form:Words", "length in words"),
)
METRIC_PLUGINS = (
    ("chrf", "chrf:Chrf", (), "chrF: character n-grams (sacreBLEU)"),
    ("bertscore", "bertscore:BertScore", ("torch", "bert_score"), "BERTScore F1; :MODEL for another encoder"),
    (
        "embedding",
        "embedding:Embedding",
        ("torch", "transformers"),
        "cosine of sentence embeddings; :MODEL for another",
    ),
    (
        "minicheck",
        "faithfulness:MiniCheck",
        ("torch", "transformers"),
        "sentences that the conversation supports; :MODEL",
    ),
    ("summac", "faithfulness:SummaC", ("torch", "transformers"), "entailment by an NLI model, SummaC-style; :MODEL"),
    ("evaluate", "evaluate_bridge:Evaluate", ("evaluate",), "any metric of the evaluate library; :PATH_OR_NAME"),
)
CONTROLS = (
    ("best-constant", "BestConstant", "one sentence for all: the training reference that scores best on training"),
    ("slot-template", "SlotTemplate", "fixed phrases around the first customer and the last agent words"),
    ("random-summary", "RandomSummary", "a random training reference"),
    ("lead-1", "lead_1", "the first turn"),
    ("lead-2", "lead_2", "the first two turns"),
    ("longest-turn", "LongestTurn", "the longest turn"),
    ("whole-conversation", "WholeConversation", "all turns"),
    ("extractive-oracle", "ExtractiveOracle", "the turns that score best against the references: a bound for copying"),
)

DESKS = (
    ("zendesk", "tickets with comments, chats with their history"),
    ("intercom", "conversations with their parts"),
    ("freshdesk", "tickets with conversations, or a message a row"),
    ("hubspot", "messages of threads"),
    ("gorgias", "tickets with messages, or messages alone"),
    ("help-scout", "conversations with their threads"),
    ("chatwoot", "messages of conversations"),
    ("amazon-connect", "chat transcripts, Contact Lens files of calls and chats"),
    ("salesforce", "chat transcripts (LiveChatTranscript), entries of messaging sessions"),
    ("twcs", "Customer Support on Twitter (Kaggle): tweets, linked by their replies"),
)


@hookimpl
def bench_register(registry: Registry) -> None:
    """Backends, trainers, metrics, controls, data sets, help desks' exports and launchers."""
    registry.backend(
        "transformers",
        target="liftbench_plugins.backends.transformers:TransformersBackend",
        requires=("torch", "transformers", "peft", "accelerate"),
        install="liftbench[models]",
        summary="greedy decoding in this process, CPU or CUDA",
    )
    registry.backend(
        "openai",
        target="liftbench_plugins.backends.openai:OpenAIBackend",
        requires=("openai",),
        install="liftbench[served]",
        summary="a model that a server runs (vLLM, llama.cpp, Ollama, a hosted one): --model openai:NAME@URL",
    )
    registry.backend(
        "vllm",
        target="liftbench_plugins.backends.vllm:VLLMBackend",
        requires=("vllm", "torch", "transformers"),
        install="liftbench[vllm]",
        summary="vLLM's offline engine, CUDA: LoRA adapters, and untuned models in float32, bfloat16 or float16",
        engine="vllm|v1|greedy|token-ids|prefix-caching:off",
    )
    registry.trainer(
        "qlora",
        target="liftbench_plugins.trainers.low_rank:QLoRATrainer",
        options="liftbench_plugins.trainers.options:LoRAOptions",
        requires=("torch", "transformers", "peft", "trl", "bitsandbytes", "datasets"),
        install="liftbench[train]",
        summary="LoRA on a base in NF4 with double quantization (TRL, PEFT, bitsandbytes), CPU or CUDA",
    )
    registry.trainer(
        "lora",
        target="liftbench_plugins.trainers.low_rank:LoRATrainer",
        options="liftbench_plugins.trainers.options:LoRAOptions",
        requires=("torch", "transformers", "peft", "trl", "datasets"),
        install="liftbench[train]",
        summary="LoRA on a base in bfloat16 (TRL, PEFT), CPU or CUDA",
    )
    registry.trainer(
        "full",
        target="liftbench_plugins.trainers.full:FullTrainer",
        options="liftbench_plugins.trainers.options:FullOptions",
        requires=("torch", "transformers", "peft", "trl", "datasets"),
        install="liftbench[train]",
        summary="all weights, with float32 master weights; leaves a whole model in bfloat16 (TRL), CPU or CUDA",
    )
    registry.trainer(
        "command",
        target="liftbench_plugins.trainers.command:CommandTrainer",
        options="liftbench_plugins.trainers.command:CommandOptions",
        requires=("transformers", "safetensors"),
        install="liftbench[models]",
        summary="any program that trains (Axolotl, LLaMA-Factory, a script), in its own interpreter",
    )
    for name, target, summary in METRICS:
        registry.metric(name, target=f"liftbench.metrics.{target}", summary=summary)
    for name, target, requires, summary in METRIC_PLUGINS:
        registry.metric(
            name,
            target=f"liftbench_plugins.metrics.{target}",
            requires=requires,
            install="liftbench[metrics]",
            summary=summary,
        )
    for name, target, summary in CONTROLS:
        registry.control(name, target=f"liftbench.floors.controls:{target}", summary=summary)
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
        install="liftbench[data]",
        summary="any data set that the datasets library loads; the recipe maps its columns",
    )
    for name, summary in DESKS:
        attribute = name.replace("-", "_").upper()
        registry.desk(name, target=f"liftbench.data.intake.desk_mappings:{attribute}", summary=summary)
    registry.launcher(
        "local",
        target="liftbench_plugins.launchers.local:LocalLauncher",
        options="liftbench_plugins.launchers.options:LocalOptions",
        summary="processes on this machine, each with its share of the cores and GPUs",
    )
    registry.launcher(
        "ray",
        target="liftbench_plugins.launchers.ray:RayLauncher",
        options="liftbench_plugins.launchers.options:RayOptions",
        requires=("ray",),
        install="liftbench[ray]",
        summary="tasks of a Ray cluster (RAY_ADDRESS), or of one that is started on this machine",
    )
    registry.launcher(
        "submitit",
        target="liftbench_plugins.launchers.submitit:SubmititLauncher",
        options="liftbench_plugins.launchers.options:SubmititOptions",
        requires=("submitit",),
        install="liftbench[slurm]",
        summary="jobs of Slurm",
    )
