"""The backend vllm against an engine that stands for vLLM's, and against vLLM's own where it and a GPU are at hand."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from liftbench.errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from liftbench.extension.loader import load_plugins
from liftbench.files import digest
from liftbench.measuring.backend import Backend, BackendRequest
from liftbench.prompts.render import render
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation
from liftbench.records.run import DecodingRules, Protocol
from liftbench.runs.directory import find_run, runs_in
from liftbench_plugins.backends.transformers import TransformersBackend
from liftbench_plugins.backends.vllm import VLLMBackend
from liftbench_plugins.backends.vllm_adapters import check_adapter

from ..conftest import Outcome
from ..support.vllm_stand_in import FOLDER

CHAT = prompt_spec("Summarize this:\n{conversation}", "", "chat")
REAL = find_spec("vllm") is not None
"""Whether vLLM itself is installed."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in for vLLM, importable as `vllm`."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
            del sys.modules[name]

    for name in ("VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_LOGGING_LEVEL", "VLLM_NO_USAGE_STATS"):
        monkeypatch.setenv(name, "set by a test")  # so that what the backend sets is undone
        monkeypatch.delenv(name)
    forget()
    monkeypatch.syspath_prepend(str(FOLDER))
    import vllm

    yield vllm
    forget()


def request(model: Path, adapter: Path | None = None, precision: str = "float32", **others: Any) -> BackendRequest:
    return BackendRequest(model=model, adapter=adapter, precision=precision, prompt=CHAT, **others)


def adapter_of(model: Path, folder: Path, config: Any = None) -> Path:
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    torch.manual_seed(1)
    made = config or LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(base, made).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(tiny_chat_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return adapter_of(tiny_chat_model, tmp_path_factory.mktemp("adapter"))


def written(backend: Backend, conversations: list[Conversation], tokens: int = 16) -> list[tuple[str, int, str]]:
    prompts = [render(CHAT, one, backend.tokenizer, 256) for one in conversations]
    return [(one.text, one.new_tokens, one.finish_reason) for one in backend.generate(prompts, tokens)]


# ----------------------------------------------------------------------------------------------------------- decoding


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("rules", [DecodingRules(), DecodingRules(repetition_stop=2)], ids=["plain", "repetition"])
@pytest.mark.parametrize("tuned", [False, True], ids=["untuned", "adapter"])
def test_texts_are_those_of_transformers(
    tiny_chat_model: Path,
    adapter: Path,
    conversations: list[Conversation],
    rules: DecodingRules,
    tuned: bool,
) -> None:
    how = request(tiny_chat_model, adapter if tuned else None, rules=rules)
    expected = written(TransformersBackend(how), conversations[:3])
    assert written(VLLMBackend(how), conversations[:3]) == expected
    if rules.repetition_stop:
        assert "stop" in {reason for _, _, reason in expected}
    else:
        untuned = written(TransformersBackend(request(tiny_chat_model)), conversations[:3])
        assert (expected != untuned) == tuned


@pytest.mark.usefixtures("engine")
def test_an_end_that_is_no_token_ends_a_text(
    tiny_chat_model: Path, conversations: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text before it stays, whatever the engine returns behind it."""
    how = request(tiny_chat_model)
    plain = written(TransformersBackend(how), conversations[1:2])[0][0]
    end = re.findall(r"[a-z]{2}", plain)[-1]
    assert plain.find(end) > 0
    found = []
    for kind in (TransformersBackend, VLLMBackend):
        module = sys.modules[kind.__module__]
        original = module.ending

        def shorter(*arguments: Any, original: Any = original) -> Any:
            from msgspec.structs import replace

            return replace(original(*arguments), texts=(end,))

        with monkeypatch.context() as patch:
            patch.setattr(module, "ending", shorter)
            found.append(written(kind(how), conversations[1:2]))
    assert found[0] == found[1]
    assert found[0][0][0] == plain[: plain.find(end)]


def test_the_engine_gets_the_prompts_as_tokens_and_decides_nothing_itself(
    engine: Any, tiny_chat_model: Path, conversations: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFTBENCH_VLLM_MEMORY", "0.5")
    backend = VLLMBackend(request(tiny_chat_model, positions=300))
    prompts = [render(CHAT, one, backend.tokenizer, 256) for one in conversations[:2]]
    backend.generate(prompts, 8)
    options, (ids, sampling) = engine.opened[-1], engine.asked[-1]
    assert ids == [prompt.token_ids for prompt in prompts]
    assert (sampling.temperature, sampling.max_tokens, sampling.ignore_eos) == (0.0, 8, True)
    assert backend.tokenizer.eos_token_id in sampling.stop_token_ids
    assert (options["max_model_len"], options["gpu_memory_utilization"]) == (300, 0.5)
    assert (options["generation_config"], options["seed"], options["enable_prefix_caching"]) == ("vllm", 0, False)
    assert not options["enable_lora"]
    assert (backend.device, backend.independent) == ("cpu", False)
    assert backend.notes() == ["generated by vLLM 0.33.0 in float32, batch-invariant kernels off"]
    backend.close()


@pytest.mark.parametrize(("positions", "longest"), [(0, 2048), (5000, 2048), (400, 400)])
def test_the_engine_holds_what_is_needed_and_no_more_than_the_model(
    engine: Any, tiny_chat_model: Path, positions: int, longest: int
) -> None:
    VLLMBackend(request(tiny_chat_model, positions=positions))
    assert engine.opened[-1]["max_model_len"] == longest


@pytest.mark.usefixtures("engine")
def test_texts_that_do_not_depend_on_their_batch_come_in_large_ones(
    tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_BATCH_INVARIANT", "1")
    backend = VLLMBackend(request(tiny_chat_model))
    assert (backend.independent, backend.most_rows) == (True, 1024)
    assert "kernels on" in backend.notes()[0]


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (LoraConfig(r=4, use_dora=True, target_modules=["q_proj"]), "DoRA"),
        (LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=["lm_head"]), "modules_to_save"),
        (LoraConfig(r=4, target_modules=["q_proj", "embed_tokens"]), "embeddings"),
        (LoraConfig(r=4, target_modules=["q_proj", "lm_head"]), "the embeddings or the LM head"),
        (LoraConfig(r=4, target_modules=["q_proj"], trainable_token_indices=[1]), "single tokens"),
        (LoraConfig(r=4, target_modules=["q_proj", "v_proj"], rank_pattern={"v_proj": 8}), "several ranks"),
        (LoraConfig(r=4, target_modules=["q_proj", "v_proj"], alpha_pattern={"v_proj": 8}), "several scales"),
        (LoraConfig(r=520, target_modules=["q_proj"]), "its rank is 520, and vLLM's limit is 512"),
        (LoraConfig(r=4, target_modules=["q_proj"], lora_bias=True), "vLLM does not read lora_bias"),
        (PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"), "PROMPT_TUNING, and vLLM serves LoRA alone"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_an_adapter_that_vllm_would_not_serve_is_refused(
    tiny_chat_model: Path, tmp_path: Path, config: Any, words: str
) -> None:
    """Before vLLM is imported, which is not installed here, and with the way out."""
    adapter = adapter_of(tiny_chat_model, tmp_path, config)
    with pytest.raises(UsageError, match=words) as caught:
        VLLMBackend(request(tiny_chat_model, adapter))
    assert "--backend transformers" in str(caught.value.fix)


def edit(adapter: Path, **values: Any) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"init_lora_weights": "pissa"}, "changes the base's weights"),
        ({"bias": "all"}, "biases of its own"),
        ({"alora_invocation_tokens": [1, 2]}, "activated LoRA"),
        ({"of_a_later_peft": True}, "vLLM does not read of_a_later_peft"),
        ({"peft_type": None}, "of an unknown kind"),
    ],
)
def test_an_option_that_vllm_would_pass_over_is_refused(
    tiny_chat_model: Path, tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    adapter = adapter_of(tiny_chat_model, tmp_path)
    edit(adapter, **values)
    with pytest.raises(UsageError, match=words):
        check_adapter(adapter, tiny_chat_model)


def test_a_module_that_the_model_lacks_is_refused(tiny_chat_model: Path, tmp_path: Path) -> None:
    adapter = adapter_of(tiny_chat_model, tmp_path)
    path = adapter / "adapter_model.safetensors"
    save_file({name.replace("q_proj", "query"): one for name, one in load_file(path).items()}, path)
    with pytest.raises(UsageError, match=r"2 of its modules are not in the model .*self_attn\.query"):
        check_adapter(adapter, tiny_chat_model)


@pytest.mark.parametrize(("rank", "limit"), [(4, 8), (8, 8), (9, 16), (320, 320), (321, 512)])
def test_the_limit_is_the_smallest_that_vllm_takes(
    tiny_chat_model: Path, tmp_path: Path, rank: int, limit: int
) -> None:
    config = LoraConfig(r=rank, target_modules=["q_proj"], task_type="CAUSAL_LM")
    assert check_adapter(adapter_of(tiny_chat_model, tmp_path, config), tiny_chat_model) == limit


def test_an_adapter_without_effect_is_refused_unless_it_changes_nothing(
    engine: Any, tiny_chat_model: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine.switches, "deaf", True)
    with pytest.raises(UsageError, match=r"has no effect in vLLM 0\.33\.0"):
        VLLMBackend(request(tiny_chat_model, adapter))
    fresh = LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM")  # its second matrices are zero
    VLLMBackend(request(tiny_chat_model, adapter_of(tiny_chat_model, tmp_path, fresh)))


@pytest.mark.parametrize(
    ("precision", "words"), [("nf4", "no double quantization"), ("float8", "unknown precision 'float8'")]
)
def test_a_precision_that_vllm_does_not_compute_is_refused(tiny_chat_model: Path, precision: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        VLLMBackend(request(tiny_chat_model, precision=precision))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", ["no_repeat_ngram", "min_words"])
def test_a_decoding_rule_that_vllm_does_not_follow_is_refused_by_name(
    tiny_command_line: Callable[..., Outcome], name: str
) -> None:
    done = tiny_command_line("baseline", "--backend", "vllm", "--set", f"generation.{name}=3")
    assert done.code == 2
    assert f"the backend vllm does not follow generation.{name}" in done.err
    assert f"Set generation.{name}=0" in done.err


@pytest.mark.usefixtures("engine")
def test_without_a_gpu_and_without_the_build_for_cpus_it_is_said(
    tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vllm.platforms import current_platform

    monkeypatch.setattr(type(current_platform), "device_type", "")
    with pytest.raises(PrerequisiteError, match="does not compute on a CPU") as caught:
        VLLMBackend(request(tiny_chat_model))
    assert "CPU build" in str(caught.value.fix)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ValueError("Model architectures ['X'] are not supported"), UsageError, "vLLM cannot load .*are not supported"),
        (ValueError("No available memory for the cache blocks"), RunFailed, "does not fit in the GPU's memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), RunFailed, "does not fit in the GPU's memory"),
    ],
)
def test_what_the_engine_raises_is_one_line_with_a_way_out(
    engine: Any,
    tiny_chat_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: type[LiftbenchError],
    words: str,
) -> None:
    monkeypatch.setitem(engine.switches, "fails", error)
    with pytest.raises(kind, match=words) as caught:
        VLLMBackend(request(tiny_chat_model))
    assert "--backend transformers" in str(caught.value.fix)


def test_a_text_that_the_engine_gave_up_fails_the_run(
    engine: Any, tiny_chat_model: Path, conversations: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine.switches, "ends", "abort")
    with pytest.raises(RunFailed, match="vLLM ended a text with 'abort'"):
        written(VLLMBackend(request(tiny_chat_model)), conversations[:1])


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("given", ["", "none", "0", "1.5", "nan"])
def test_a_share_of_memory_is_a_share(tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("LIFTBENCH_VLLM_MEMORY", given)
    with pytest.raises(UsageError, match="LIFTBENCH_VLLM_MEMORY must be"):
        VLLMBackend(request(tiny_chat_model))


@pytest.mark.skipif(REAL, reason="vLLM is installed")
def test_without_vllm_the_command_names_what_to_install(tiny_command_line: Callable[..., Outcome]) -> None:
    done = tiny_command_line("baseline", "--backend", "vllm")
    assert done.code == 3
    assert "the backend 'vllm' needs vllm, which is not installed" in done.err
    assert "pip install 'liftbench[vllm]'" in done.err


@pytest.mark.usefixtures("engine")
def test_a_training_that_could_not_be_scored_does_not_start(tiny_command_line: Callable[..., Outcome]) -> None:
    done = tiny_command_line("train", "--plugin", "qlora", "--backend", "vllm")
    assert done.code == 2
    assert "the backend vllm does not compute nf4" in done.err
    assert not list(Path("reports/runs").glob("*/manifest.json"))


def test_a_served_model_has_its_own_backend(tiny_command_line: Callable[..., Outcome]) -> None:
    done = tiny_command_line("baseline", "--model", "openai:llama@http://127.0.0.1:9/v1", "--backend", "vllm")
    assert done.code == 2
    assert "needs the backend openai, not vllm" in done.err


# -------------------------------------------------------------------------------------------------------- end to end


@pytest.mark.usefixtures("engine")
def test_a_baseline_and_an_adapter_are_measured_and_compare_with_each_other_alone(
    tiny_command_line: Callable[..., Outcome], adapter: Path, tiny_chat_model: Path
) -> None:
    options = ("--set", "model.precision=float32", "--set", "generation.max_new_tokens=8")
    for backend in ("transformers", "vllm"):
        done = tiny_command_line("baseline", "--backend", backend, *options)
        assert done.code == 0, done.err
    named = ("--model", str(tiny_chat_model))
    done = tiny_command_line("score", str(adapter), "--backend", "vllm", *options, *named)
    assert done.code == 0, done.err
    by = {run.manifest.system.backend: run for run in runs_in(Path("reports/runs")) if not run.manifest.system.adapter}
    plain, fast = by["transformers"], by["vllm"]
    tuned = next(run for run in runs_in(Path("reports/runs")) if run.manifest.system.adapter)
    assert plain.manifest.protocol.engine == ""
    assert (
        fast.manifest.protocol.engine == tuned.manifest.protocol.engine == "vllm|v1|greedy|token-ids|prefix-caching:off"
    )
    assert digest(plain.manifest.protocol) != digest(fast.manifest.protocol)
    assert {id_: one.text for id_, one in fast.predictions.items()} == {
        id_: one.text for id_, one in plain.predictions.items()
    }
    notes = " ".join(fast.manifest.notes)
    assert "the backend vllm cannot reproduce the texts of the backend transformers" in notes
    assert "generated by vLLM 0.33.0 in float32" in notes
    assert tiny_command_line("compare", fast.id, tuned.id, "--json").code == 1
    refused = tiny_command_line("compare", plain.id, tuned.id)
    assert refused.code == 2
    assert "engine: the suite's own loop against vllm|v1" in refused.err
    assert tiny_command_line("baseline", "--backend", "vllm", *options).code == 0
    assert find_run(fast.id, Path("reports/runs")).manifest.finished == fast.manifest.finished


def test_parity_says_how_far_an_engine_that_rounds_otherwise_is_apart(
    engine: Any, tiny_command_line: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--set", "model.precision=float32", "--set", "generation.max_new_tokens=8")
    monkeypatch.setitem(engine.switches, "drifts", True)
    for backend in ("transformers", "vllm"):
        assert tiny_command_line("baseline", "--backend", backend, *options).code == 0
    plain, fast = sorted(runs_in(Path("reports/runs")), key=lambda run: run.manifest.system.backend or "")
    expected = sum(plain.predictions[id_].text == one.text for id_, one in fast.predictions.items())
    assert 0 < expected < 4
    done = tiny_command_line("parity", plain.id, fast.id, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["parity"]
    assert (found["n"], found["equal"], found["backends"]) == (4, expected, ["transformers", "vllm"])
    assert "backend" in [one["key"] for one in found["differences"]]


@pytest.mark.usefixtures("engine")
def test_the_environment_chooses_the_backend(
    tiny_command_line: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFTBENCH_BACKEND", "vllm")
    done = tiny_command_line("baseline", "--dry-run", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["recipe"]["model.backend"] == {
        "value": "vllm",
        "origin": "environment LIFTBENCH_BACKEND",
    }


def test_a_protocol_without_an_engine_is_what_it_was() -> None:
    """Keys of runs are hashes of it."""
    import msgspec

    how = Protocol(
        dataset="d",
        split="s",
        fingerprint="f",
        conversations="c",
        n=1,
        max_input_tokens=1,
        max_new_tokens=1,
        postprocess="p",
        metrics={},
    )
    assert "engine" not in msgspec.to_builtins(how)
    engines = {spec.name: spec.engine for spec in load_plugins().specs if spec.kind == "backend"}
    assert engines == {"transformers": "", "openai": "", "vllm": "vllm|v1|greedy|token-ids|prefix-caching:off"}


# ---------------------------------------------------------------------------------------------------------------- real


@pytest.mark.gpu
@pytest.mark.skipif(not REAL, reason="needs vLLM: pip install 'liftbench[vllm]'")
@pytest.mark.parametrize("tuned", [False, True], ids=["untuned", "adapter"])
def test_vllm_itself_writes_nearly_what_transformers_writes(
    tiny_chat_model: Path, adapter: Path, conversations: list[Conversation], tuned: bool
) -> None:
    how = request(tiny_chat_model, adapter if tuned else None, positions=300)
    theirs = written(TransformersBackend(how), conversations)
    backend = VLLMBackend(how)
    own = written(backend, conversations)
    backend.close()
    same = sum(a == b for a, b in zip(theirs, own, strict=True))
    assert same >= len(own) - 1, (theirs, own)
