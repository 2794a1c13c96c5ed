"""What there is: the runs of a folder, the pages about them, and the promoted baselines."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from ..errors import LiftbenchError
from ..files import digest
from ..gating.baselines import Mean, Version, promoted_in, read_promoted
from ..runs.directory import Run, read_runs
from ..text.phrases import join_words

PAGE = re.compile(r"(compare|gate|report|judge)-[\w.-]+\.html")
"""Names of the pages that the commands write beside the folder of the runs."""

TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


class IndexedRun(Struct, frozen=True, kw_only=True):
    """A run that can be read."""

    id: str
    created: str
    """UTC, ISO 8601."""
    command: str
    system: str
    dataset: str
    split: str
    n: int
    """Number of conversations scored."""
    protocol: str
    """sha256 of the protocol, as `Version.protocol`: figures of different protocols do not compare."""
    status: str
    """`complete`, `trained`, `running`, or `damaged`."""
    problem: str = ""
    """What is wrong with a damaged run."""
    means: dict[str, Mean] = {}
    """Headline → its mean; empty unless the run is complete."""
    pages: list[str] = []
    """Names of the pages that mention it."""


class Unreadable(Struct, frozen=True, kw_only=True):
    """A folder or a file that cannot be read."""

    name: str
    problem: str


class IndexedPage(Struct, frozen=True, kw_only=True):
    """A page beside the runs."""

    name: str
    """Name of its file."""
    kind: str
    """`compare`, `gate`, `report` or `judge`."""
    title: str
    written: str
    """UTC, ISO 8601."""


class IndexedBaseline(Struct, frozen=True, kw_only=True):
    """A promoted baseline with the trend of its versions."""

    name: str
    system: str
    dataset: str
    split: str
    versions: list[Version]


class Index(Struct, frozen=True, kw_only=True):
    """What `bench view --json` prints."""

    folder: str
    """The folder of the runs."""
    runs: list[IndexedRun]
    """The newest first."""
    damaged: list[Unreadable]
    """Run folders and promoted baselines that cannot be read."""
    pages: list[IndexedPage]
    """The newest first."""
    baselines: list[IndexedBaseline]
    """In the order of their names."""


def gather_index(runs: Path, baselines: Path) -> Index:
    """Read the runs of a folder, the pages beside it and the promoted baselines; what cannot be read is listed, too."""
    found, unreadable = read_runs(runs)
    promoted, broken = _read_baselines(baselines)
    pages = sorted(_find_pages(runs.parent), key=lambda page: (page[0].written, page[0].name), reverse=True)
    indexed = [_index_run(run, pages) for run in found]
    return Index(
        folder=str(runs),
        runs=sorted(indexed, key=lambda run: (run.created, run.id), reverse=True),
        damaged=[*(Unreadable(name=one.folder.name, problem=one.why) for one in unreadable), *broken],
        pages=[page for page, _ in pages],
        baselines=promoted,
    )


def find_page(name: str, runs: Path) -> Path | None:
    """The file of a page beside the runs; None for any other name."""
    path = runs.parent / name
    return path if PAGE.fullmatch(name) and path.is_file() and not path.is_symlink() else None


def _read_baselines(folder: Path) -> tuple[list[IndexedBaseline], list[Unreadable]]:
    found, damaged = [], []
    for name in promoted_in(folder):
        try:
            promoted = read_promoted(name, folder)
        except LiftbenchError as error:
            damaged.append(Unreadable(name=f"{name}.json", problem=error.line))
            continue
        manifest = promoted.measured.manifest
        found.append(
            IndexedBaseline(
                name=name,
                system=manifest.system.name,
                dataset=manifest.protocol.dataset,
                split=manifest.protocol.split,
                versions=promoted.versions,
            )
        )
    return found, damaged


def _find_pages(folder: Path) -> Iterable[tuple[IndexedPage, str]]:
    """The pages with their texts."""
    for path in folder.glob("*.html"):
        if (found := PAGE.fullmatch(path.name)) is None or find_page(path.name, folder / "runs") is None:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        title = TITLE.search(text[:20_000])
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = html.unescape(title[1]).removesuffix(" · liftbench").strip() if title else path.name
        yield IndexedPage(name=path.name, kind=found[1], title=name, written=written), text


def _index_run(run: Run, pages: Iterable[tuple[IndexedPage, str]]) -> IndexedRun:
    manifest = run.manifest
    protocol = manifest.protocol
    status, problem, means = _read_status(run)
    return IndexedRun(
        id=run.id,
        created=manifest.created,
        command=manifest.command,
        system=manifest.system.name,
        dataset=protocol.dataset,
        split=protocol.split,
        n=protocol.n,
        protocol=digest(replace(protocol, dataset="")),
        status=status,
        problem=problem,
        means=means,
        pages=[page.name for page, text in pages if run.id in text],
    )


def _read_status(run: Run) -> tuple[str, str, dict[str, Mean]]:
    """A run's status, what is wrong with it, and its headlines' means."""
    try:
        if changed := run.changed:
            return "damaged", f"{join_words(changed)} {'is' if len(changed) == 1 else 'are'} missing or changed", {}
        if run.manifest.status != "complete":
            return run.manifest.status, "", {}
        rows = {row.name: row for row in run.summary.metrics}
    except (LiftbenchError, OSError) as error:
        return "damaged", error.line if isinstance(error, LiftbenchError) else str(error), {}
    shown = [rows[name] for name in run.manifest.headlines if name in rows]
    return "complete", "", {row.name: Mean(mean=row.mean, low=row.low, high=row.high) for row in shown}
