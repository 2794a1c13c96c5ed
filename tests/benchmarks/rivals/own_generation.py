"""liftbench's side of `scoring_rivals.py`: its backend `transformers`, as `bench score` calls it."""

from __future__ import annotations

from pathlib import Path

from liftbench.plugin_api import BackendRequest, Prompt
from liftbench.prompts.spec import prompt_spec
from liftbench.runs.environment import versions
from liftbench_plugins.backends.transformers import TransformersBackend

from .generation_job import Job, Report, read_job, timed, write_report
from .jobs import peak_memory


def main() -> None:
    """Continue the prompts as the arguments say: JOB REPORT, files of JSON."""
    job = read_job()
    texts, seconds = generate(job)
    write_report(Report(seconds=seconds, texts=texts, peak_memory=peak_memory(), packages=versions()))


def generate(job: Job) -> tuple[list[str], float]:
    """The backend's texts, in batches as the harness makes them, and their seconds."""
    backend = TransformersBackend(
        BackendRequest(
            model=Path(job["model"]),
            adapter=None,
            precision="bfloat16",
            prompt=prompt_spec("{conversation}", "", "chat"),
        )
    )
    prompts = [
        Prompt(text=text, sha256="", token_ids=ids, turns_dropped=0)
        for text, ids in zip(job["prompts"], job["token_ids"], strict=True)
    ]
    backend.generate(prompts[:1], job["new_tokens"])
    size = backend.most_rows
    return timed(
        lambda: [
            made.text
            for start in range(0, len(prompts), size)
            for made in backend.generate(prompts[start : start + size], job["new_tokens"])
        ]
    )
