"""Files of judgments: read, checked against the key of their sheet, and unblinded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import PrerequisiteError, UsageError
from ..files import BAD_JSON, invalid_value
from ..records.preferences import JUDGING_SCHEMA, Judgments, KeyItem, PairJudgment, SheetKey, Support
from ..text.phrases import join_words, pluralize


class Vote(Struct, frozen=True, kw_only=True):
    """One judge's answers about one pair, by system."""

    judge: str
    item: KeyItem
    value: float
    """1 where the candidate's summary is better, 0.5 for a tie, 0 where the other's is."""
    candidate: list[Support] = []
    """An answer for each sentence of the candidate's summary; empty where no sentence was judged."""
    other: list[Support] = []


def read_judgments(path: Path) -> Judgments:
    """Read one judge's file. Raises `UsageError` where it is missing, not JSON, or has another form."""
    try:
        raw = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except BAD_JSON as error:
        raise UsageError(f"{path} is not JSON: {error}", _DOWNLOAD) from error
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if isinstance(schema, int) and schema > JUDGING_SCHEMA:
        raise PrerequisiteError(
            f"{path} was made by the page of a newer liftbench (schema {schema}, this one reads up to "
            f"{JUDGING_SCHEMA})",
            "Upgrade liftbench.",
        )
    try:
        found = msgspec.convert(raw, Judgments)
    except msgspec.ValidationError as error:
        wrong = invalid_value(error)
        raise UsageError(f"{path}: {wrong.path or 'the file'}: {wrong.reason}", _DOWNLOAD) from error
    if not found.judge.strip():
        raise UsageError(f"{path} does not say who judged: its `judge` is empty", _DOWNLOAD)
    return found


_DOWNLOAD = "Download it again from the page of the sheet."


def find_sheet(paths: Sequence[Path], files: Sequence[Judgments]) -> str:
    """The one sheet that all files are about. Raises `UsageError` for several sheets, or a judge who occurs twice."""
    for path, file in zip(paths, files, strict=True):
        if file.sheet != files[0].sheet:
            raise UsageError(
                f"{path} is about sheet {file.sheet}, {paths[0]} about sheet {files[0].sheet}",
                "Import the files of one sheet at a time.",
            )
    by_name: dict[str, Path] = {}
    for path, file in zip(paths, files, strict=True):
        name = " ".join(file.judge.casefold().split())
        if name in by_name:
            raise UsageError(
                f"{path} and {by_name[name]} are both by {file.judge!r}",
                "Import one of them. Two people with the same name must enter different names in the page.",
            )
        by_name[name] = path
    return files[0].sheet


def unblind(path: Path, file: Judgments, key: SheetKey) -> list[Vote]:
    """One judge's votes, in the order of the sheet.

    Raises `UsageError` where a pair is unknown, judged twice or not judged, and where only some sentences are judged:
    judges seldom leave something out by chance.
    """
    items = {item.id: item for item in key.items}
    counts = Counter(pair.id for pair in file.pairs)
    if unknown := sorted(counts.keys() - items.keys()):
        raise UsageError(
            f"{path}: {pluralize(len(unknown), 'pair')} not on sheet {key.sheet}, such as {unknown[0]!r}", _DOWNLOAD
        )
    if twice := [id_ for id_, count in counts.items() if count > 1]:
        raise UsageError(f"{path}: pair {twice[0]!r} is there {counts[twice[0]]} times", _DOWNLOAD)
    judged = {pair.id: pair for pair in file.pairs}
    _require_whole(path, judged, key)
    return [_vote(file.judge.strip(), judged[item.id], item) for item in key.items]


def _require_whole(path: Path, judged: dict[str, PairJudgment], key: SheetKey) -> None:
    for pair, item in ((judged[item.id], item) for item in key.items if item.id in judged):
        for side, answers, sentences in (
            ("left", pair.left, item.left_sentences),
            ("right", pair.right, item.right_sentences),
        ):
            if len(answers) != sentences:
                raise UsageError(
                    f"{path}: pair {pair.id!r} judges {pluralize(len(answers), 'sentence')} on the {side}, "
                    f"and there are {sentences}",
                    _DOWNLOAD,
                )
    places = {item.id: place for place, item in enumerate(key.items, start=1)}
    open_ = [places[item.id] for item in key.items if item.id not in judged or judged[item.id].better is None]
    # A judge answers question 2 for every sentence or for none.
    if any(answer is not None for pair in judged.values() for answer in (*pair.left, *pair.right)):
        missing = (id_ for id_, pair in judged.items() if None in (*pair.left, *pair.right))
        open_ = sorted({*open_, *(places[id_] for id_ in missing)})
    if open_:
        shown = join_words([str(place) for place in open_[:8]] + (["others"] if len(open_) > 8 else []))
        raise UsageError(
            f"{path} is incomplete: {len(open_)} of {pluralize(len(key.items), 'pair')} have open questions (pair "
            f"{shown} of the page)",
            "Open the page again, answer them, and download the file again.",
        )


def _vote(judge: str, pair: PairJudgment, item: KeyItem) -> Vote:
    assert pair.better is not None
    on_left = item.left == "candidate"
    left, right = list(_known(pair.left)), list(_known(pair.right))
    return Vote(
        judge=judge,
        item=item,
        value=0.5 if pair.better == "tie" else float((pair.better == "left") == on_left),
        candidate=left if on_left else right,
        other=right if on_left else left,
    )


def _known(answers: Sequence[Support | None]) -> Iterator[Support]:
    return (answer for answer in answers if answer is not None)
