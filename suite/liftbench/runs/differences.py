"""How two runs differ, in words: in their protocols, which forbids a comparison, and in their systems."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from ..errors import UsageError
from ..records.run import Protocol
from ..records.system import AdapterRecord, System
from .measured import MeasuredRun

OWN_ENGINE = "the suite's own loop"
"""What `Protocol.engine` means where it is empty."""


class Difference(Struct, frozen=True, kw_only=True):
    """One key in which two systems or protocols differ, in words."""

    key: str
    baseline: str
    candidate: str


def protocol_differences(baseline: Protocol, candidate: Protocol) -> list[Difference]:
    """The fields in which two protocols differ, metric by metric; the data set's name is only a label."""
    return _differences(_protocol_words(baseline), _protocol_words(candidate))


def system_differences(baseline: MeasuredRun, candidate: MeasuredRun) -> list[Difference]:
    """How two runs' systems differ, in words: model, adapter, precision, backend, prompt; also the machine and the
    packages, where both runs recorded them."""
    words = [_system_words(run.manifest.system) | _device_words(run) for run in (baseline, candidate)]
    machines = [_machine_words(run) for run in (baseline, candidate)]
    if all(machines):
        words = [{**system, **machine} for system, machine in zip(words, machines, strict=True)]
    return _differences(words[0], words[1])


def _differences(baseline: Mapping[str, str], candidate: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(key=key, baseline=baseline.get(key, "none"), candidate=candidate.get(key, "none"))
        for key in {**baseline, **candidate}
        if baseline.get(key) != candidate.get(key)
    ]


def _protocol_words(protocol: Protocol) -> dict[str, str]:
    fields = msgspec.structs.asdict(protocol)
    metrics = fields.pop("metrics")
    del fields["dataset"]
    fields["engine"] = fields["engine"] or OWN_ENGINE
    return {key: str(value) for key, value in fields.items()} | {
        f"metrics.{name}": signature for name, signature in metrics.items()
    }


def _system_words(system: System) -> dict[str, str]:
    words = {
        "kind": system.kind,
        "model": f"{system.model.reference} (sha256 {system.model.sha256[:12]})" if system.model else "",
        "model settings": f"sha256 {system.model.settings_sha256[:12]}"
        if system.model and system.model.settings_sha256
        else "",
        "adapter": _adapter_words(system.adapter) if system.adapter else "",
        "precision": system.precision or "",
        "backend": system.backend or "",
        "prompt": f"{system.prompt.style} (sha256 {system.prompt.sha256[:12]})" if system.prompt else "",
        "file": f"sha256 {system.file_sha256[:12]}" if system.file_sha256 else "",
    }
    return {key: value for key, value in words.items() if value}


def _device_words(run: MeasuredRun) -> dict[str, str]:
    return {"decoding device": run.manifest.device} if run.manifest.device else {}


def _adapter_words(adapter: AdapterRecord) -> str:
    base = f"on base {adapter.base_sha256[:12]}" if adapter.base_sha256 else "on an unknown base"
    own = f", with a tokenizer of its own (sha256 {adapter.tokenizer_sha256[:12]})" if adapter.tokenizer_sha256 else ""
    kind = ", a whole model" if adapter.whole_model else ""
    if adapter.exported:
        kind = f", exported ({adapter.exported.form}, {adapter.exported.dtype})"
    return (
        f"{adapter.trainer or 'unknown trainer'}{kind} (sha256 {adapter.sha256[:12]}), "
        f"trained {base} in {adapter.precision or 'unknown precision'}{own}"
    )


def _machine_words(run: MeasuredRun) -> dict[str, str]:
    try:
        environment = run.environment
    except UsageError:  # An older or trimmed run does not record its environment, so it is not compared.
        return {}
    return {
        "python": environment.python,
        "processor": environment.processor,
        "threads": str(environment.threads or "unknown"),
        "GPU": environment.gpu or "none",
        "driver": environment.driver or "none",
        **{f"package {name}": version for name, version in environment.packages.items()},
    }
