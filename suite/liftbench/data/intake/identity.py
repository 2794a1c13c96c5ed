"""What an export's ids can be trusted for: which are rounded, and whether one id in two files is one conversation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .tally import Tally

ROUNDED = (
    "an id that a spreadsheet has rounded (such as 9.25E+17), so conversations cannot be told apart; "
    "format the column as text there and export again"
)
FLOAT = (
    "ids that are floats beyond 2^53, which are rounded, so strangers may have become one conversation; "
    "export the ids as text or as whole numbers"
)
SPREADSHEET = (
    "ids of more than 15 digits that end in zeros, as spreadsheets round them, so strangers may have become one "
    "conversation; format the column as text there and export again"
)
ALIKE = "ids that differ only in leading zeros or a final .0, kept apart"
EXACT_DIGITS = 15
"""How many digits of a number a spreadsheet keeps, and a float holds for certain."""
GLOBAL_DIGITS = 7
"""Ids with fewer digits may count the conversations of one file."""

_SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d+))?[eE]\+(\d+)")
_NO_IDS = frozenset(
    (
        *("nan", "nat", "null", "none", "nil", "undefined", "n/a", "#n/a", "<na>", "\\n"),
        *("#ref!", "#value!", "#name?", "#null!", "#num!"),
    )
)
_NOT_SHOWN = re.compile(r"#{3,}")
"""What a spreadsheet saves of a number in a column that is too narrow."""
_ZEROS = re.compile(r"\d{15}0{2,}")
_UUID = re.compile(r"(?=.*\d)[0-9a-f-]{16,}", re.IGNORECASE)

APART = "ids that occur in several files, kept apart as FILE:ID; --join-files joins them, if they are one conversation"
APART_ROWS = "ids that an earlier file has, used as FILE:ID"
JOINED = "conversations with messages in several files, joined"
REPEATED = "an id that an earlier row has"


def check_id(id_: str, value: Any, place: str, tally: Tally) -> bool:
    """Whether an id, as text and as the value that it was read from, can be used. The tally is told of any doubt."""
    if is_rounded(id_):
        tally.leave_out("row", ROUNDED, place)
        return False
    floating = isinstance(value, float) and abs(value) >= 2**53
    if floating or (is_scientific(id_) and len(re.sub(r"[Ee].*|\D", "", id_)) >= EXACT_DIGITS):
        tally.remark(FLOAT, place)
    return True


def is_missing(id_: str) -> bool:
    """Whether an id is what programs write where there is none: `nan`, `NULL`, `#REF!`, `####`."""
    return id_.casefold() in _NO_IDS or bool(_NOT_SHOWN.fullmatch(id_))


def is_rounded(id_: str) -> bool:
    """Whether a spreadsheet has cut an id's digits, as in `9.25E+17`."""
    found = _SCIENTIFIC.fullmatch(id_)
    return found is not None and 1 + len(found[2] or "") < min(EXACT_DIGITS, int(found[3]) + 1)


def is_scientific(id_: str) -> bool:
    """Whether an id is written as spreadsheets write large numbers: `9.25E+17`, in some languages `9,25E+17`."""
    return _SCIENTIFIC.fullmatch(id_) is not None


class RowIds:
    """The ids of rows that are whole conversations."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._files: dict[str, set[str]] = {}

    def take(self, id_: str, file: str, place: str) -> str | None:
        """The id for a row: the given one or, where an earlier file has it, with the file's name; None for a repeat."""
        if is_rounded(id_):
            self._tally.remark("ids that a spreadsheet has rounded, used with the number of the row", place)
            id_ = f"{id_}-row-{self._tally.rows}"
        elif not is_global(id_) and any(id_ in ids for other, ids in self._files.items() if other != file):
            self._tally.remark(APART_ROWS, id_)
            id_ = f"{Path(file).stem}:{id_}"
        if any(id_ in ids for ids in self._files.values()):
            self._tally.leave_out("row", REPEATED, place)
            return None
        self._files.setdefault(file, set()).add(id_)
        return id_


def check_ids(ids: Iterable[str], tally: Tally) -> None:
    """Tell the tally of doubts that only all ids together raise."""
    known = set(ids)
    for id_ in alike(known):
        tally.remark(ALIKE, id_)
    long = [id_ for id_ in known if id_.isdecimal() and len(id_) > EXACT_DIGITS + 1]
    if long and all(_ZEROS.fullmatch(id_) for id_ in long):
        for id_ in long:
            tally.remark(SPREADSHEET, id_)


def name_apart(id_: str, file: str, files: Iterable[str]) -> str:
    """An id for the conversation of one file, where others have the same id: `january:17`."""
    stems = [Path(other).stem for other in files]
    stem = Path(file).stem
    return f"{stem if stems.count(stem) == 1 else file}:{id_}"


def alike(ids: Iterable[str]) -> Iterator[str]:
    """The ids that equal another one except for leading zeros or a final `.0`, as where a file was in a spreadsheet."""
    known = set(ids)
    plain: dict[str, str] = {}
    for id_ in known:
        short = _plain(id_)
        if short != id_ and (short in known or short in plain):
            yield id_
        elif short != id_:
            plain[short] = id_


def _plain(id_: str) -> str:
    return re.sub(r"^0+(?=\d)", "", re.sub(r"(?<=\d)\.0+$", "", id_))


def is_global(id_: str) -> bool:
    """Whether an id is too long for the number of a conversation within one file: a UUID, or seven digits or more."""
    return bool(_UUID.fullmatch(id_)) or len(re.sub(r"\D", "", id_).lstrip("0")) >= GLOBAL_DIGITS
