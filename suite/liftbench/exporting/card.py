"""The model card of an export: `README.md` with metadata that the model hub reads (`model-index`), and the protocol."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from msgspec import Struct

from ..files import digest, write_text
from ..judging.compare import CandidateResult, Comparison
from ..judging.guards import not_passed
from ..judging.verdict import Verdict
from ..models.hub import HUB, cached_snapshot, parse
from ..models.references import ResolvedModel
from ..records.export import ExportRecord, Form
from ..runs.directory import Run
from ..statistics.lift import describe_gain
from ..text.phrases import metric_label
from .forms import Source
from .front_matter import describe_model, describe_results, to_yaml
from .hiding import hide, hide_command

CARD = "README.md"

PUBLISHED = {"smollm2-135m": ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")}
"""Alias, which wins over a folder of the same name → the model's name on the hub, and its licence."""

FORMS: Mapping[Form, str] = {
    "adapter": "an adapter, to be loaded with PEFT on its base",
    "merged": "one model, in which the adapter is merged into its base",
    "gguf": "one GGUF file, in which the adapter is merged into its base",
}


class Card(Struct, frozen=True, kw_only=True):
    """Everything that a model card tells."""

    record: ExportRecord
    source: Source
    measured: Run | None
    """The complete run whose figures are shown: that of the export where it was scored, else the training's; None where
    neither was scored."""
    comparison: Comparison | None
    """The comparison of `measured` with a baseline, if there is one."""
    baseline: str
    """Name of the baseline's system; empty without a comparison."""
    offer: str
    """The command that scores exactly this export."""
    judged_with: list[Run] = []
    """The other seeds of the training that the verdict is on, too; some may be scored in another form."""

    @property
    def result(self) -> CandidateResult | None:
        """The judged result of `measured`."""
        if self.comparison is None or self.measured is None:
            return None
        return next(one for one in self.comparison.candidates if one.run == self.measured.id)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, on all seeds of the training where several were judged."""
        for seeds in self.comparison.seeds if self.comparison else ():
            if self.measured and self.measured.id in seeds.runs:
                return seeds.verdict
        return self.result.verdict if self.result else None

    @property
    def is_scored(self) -> bool:
        """Whether the figures are those of exactly this export."""
        return self.measured is not None and self.record.scored == self.measured.id


def write_card(folder: Path, card: Card) -> None:
    """Write the card into an export's folder, atomically."""
    write_text(folder / CARD, render_card(card))


def render_card(card: Card) -> str:
    """The card as Markdown with YAML front matter, as huggingface_hub's `ModelCard` reads it.

    The front matter has results only of exactly this export: a table of models on the hub shows no other words.
    """
    source, verdict, result = card.source, card.verdict, card.result
    manifest = (card.measured or source.run).manifest
    summary = card.measured.summary if card.measured else None
    license_, base = find_license(source.base), _base_name(source.base)
    metadata = describe_model(
        card.record.form,
        license_=license_,
        base=base,
        whole_model=bool(source.record.whole_model),
        trainer=source.record.trainer,
        dataset=manifest.protocol.dataset,
    )
    if summary and card.is_scored:
        metadata |= describe_results(manifest.system.name, manifest.protocol, summary.metrics)
    failing = not_passed(verdict.guards) if verdict else []
    repeated = {f"{guard.question} {guard.words}" for guard in failing}
    prompt = manifest.system.prompt
    return _template().render(
        card=card,
        front_matter=to_yaml(metadata),
        form=_describe_form(card),
        base=base or source.base.name,
        license=license_,
        manifest=manifest,
        protocol=manifest.protocol,
        protocol_sha256=digest(manifest.protocol),
        summary=summary,
        metrics=[row for row in summary.metrics if row.mean is not None] if summary else [],
        prompt=prompt,
        arguments=prompt.template_arguments if prompt and prompt.template_arguments else {},
        training=source.run.training,
        provenance=source.provenance,
        parts=_count_parts(source.run),
        verdict=verdict,
        lifts={lift.metric: lift for lift in result.lifts} if result else {},
        failing=failing,
        not_proven=[words for words in verdict.not_proven if words not in repeated] if verdict else [],
        drift=card.record.drift,
        command=_command(source.run),
        offer=hide_command(shlex.split(card.offer)),
    )


def _describe_form(card: Card) -> str:
    if card.source.record.whole_model:
        return f"one {'GGUF file' if card.record.form == 'gguf' else 'model'}, all of whose weights were trained"
    return FORMS[card.record.form]


def find_license(base: ResolvedModel) -> str:
    """The licence of a base, by the hub's short name; empty where it is not known."""
    reference = base.record.reference
    if reference in PUBLISHED:
        return PUBLISHED[reference][1]
    folder = cached_snapshot(reference) if reference.startswith(HUB) else base.path
    readme = folder / CARD if folder else None
    if readme is None or not readme.is_file():
        return ""
    text = readme.read_text(encoding="utf-8", errors="replace")
    front = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:[ \t]*[\"']?([\w.+-]+)", front[1], re.MULTILINE) if front else None
    return found[1] if found else ""


def _base_name(base: ResolvedModel) -> str:
    """The base's name on the hub; empty for one that is not from there."""
    reference = base.record.reference
    if reference in PUBLISHED:
        return PUBLISHED[reference][0]
    return parse(reference)[0] if reference.startswith(HUB) else ""


def _count_parts(run: Run) -> dict[str, int]:
    """Conversations trained on, and those that chose the checkpoint."""
    rows = run.training_rows or []
    return {part: sum(row.part == part for row in rows) for part in ("train", "validation")}


def _command(run: Run) -> str:
    """The command, or the call, that trained; where its files lie, and secrets, are left out."""
    first, *rest = run.manifest.argv or ["bench"]
    called = first.startswith("liftbench.")
    return hide(" ".join([first, *rest])) if called else hide_command(["bench", *rest])


# ------------------------------------------------------------------------------------------------------------ template


@cache
def _template() -> Template:
    found = Environment(
        loader=PackageLoader("liftbench.exporting"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown; what stands in it is a user's own, and `plain` takes its markup away
    )
    found.filters |= {
        "label": metric_label,
        "plain": _plain,
        "fenced": _fenced,
        "hidden": hide,
        "score": "{:.3f}".format,
        "gain": describe_gain,
    }
    return found.get_template("card.md.j2")


def _plain(text: object) -> str:
    """Text on one line, in which no character is markup of Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(str(text).split()))


def _fenced(text: str) -> str:
    """A block of code; its fence is longer than any in it."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", text)), 3)
    return f"{fence}text\n{text}\n{fence}"
