"""The rivals of `scoring_rivals.py`: lm-evaluation-harness and a loop over single prompts."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from .generation_job import Job, Report, read_job, timed, write_report
from .jobs import peak_memory


def main() -> None:
    """Continue the prompts as the arguments say: JOB REPORT, files of JSON."""
    job = read_job()
    harness = bool(job["batch_size"])
    texts, seconds = lm_eval(job) if harness else one_by_one(job)
    packages = {name: version(name) for name in ("torch", "transformers", *(["lm_eval"] if harness else []))}
    write_report(Report(seconds=seconds, texts=texts, peak_memory=peak_memory(), packages=packages))


def lm_eval(job: Job) -> tuple[list[str], float]:
    """The backend `hf` of lm-evaluation-harness, which takes its batches by length."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(
        pretrained=job["model"], device="cpu", dtype="bfloat16", batch_size=job["batch_size"], add_bos_token=False
    )
    if [list(model.tok_encode(prompt)) for prompt in job["prompts"]] != job["token_ids"]:
        raise RuntimeError("lm-eval makes other tokens of the prompts")
    settings = {"until": [], "max_gen_toks": job["new_tokens"], "do_sample": False, "temperature": 0.0}
    asked = [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, dict(settings)), idx=number)
        for number, prompt in enumerate(job["prompts"])
    ]
    model.generate_until(asked[:1], disable_tqdm=True)
    return timed(lambda: list(model.generate_until(asked, disable_tqdm=True)))


def one_by_one(job: Job) -> tuple[list[str], float]:
    """transformers' `generate`, prompt by prompt."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    model: Any = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.bfloat16).eval()

    def text(ids: list[int]) -> str:
        made = model.generate(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones((1, len(ids)), dtype=torch.long),
            max_new_tokens=job["new_tokens"],
            do_sample=False,
        )
        return str(tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True))

    text(job["token_ids"][0])
    return timed(lambda: [text(ids) for ids in job["token_ids"]])
