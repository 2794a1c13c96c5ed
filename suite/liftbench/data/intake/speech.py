"""Takes out of a message what its author did not say, before it is cleaned.

| what | becomes |
|---|---|
| Excel's escapes for control characters (`_x000D_`) | the characters; `_x005F_x000D_` is `_x000D_` |
| line breaks written as `\\r\\n` or `\\n` | line breaks, where the text has no others and names no path |
| HTML | its words: `markup` |
| the history that a mail quotes | nothing: `quotes` |
"""

from __future__ import annotations

import re
from html import unescape

from .markup import is_escaped_html, is_html, read_html
from .quotes import Quoted, cut_quotes
from .tally import Tally

_EXCEL = re.compile(r"_x005f_(?=x[0-9a-f]{4}_)|_x00([01][0-9a-f])_", re.IGNORECASE)
_WRITTEN_BREAK = re.compile(r"\\r\\n|\\n(?=[A-ZÄÖÜÉÀÑ\d\s\-*>¿¡\"'(\[]|\\[nr]|$)")
_PATH = re.compile(r"\b[A-Za-z]:\\|\\\\")

REMARKS = {
    Quoted.HISTORY: "messages with quoted history, which was cut (--keep-quotes keeps it)",
    Quoted.ONLY_HISTORY: "messages that seem to be nothing but quoted history, kept",
    Quoted.FORWARDED: "messages with a forwarded mail, kept",
}


def spoken(text: str, tally: Tally, place: str = "", *, keep_quotes: bool = False) -> str:
    """A message without what its author did not say; `tally` counts what was cut. `place` is an example to name."""
    text = readable(text, tally, place)
    if keep_quotes or ("\n" not in text and ":" not in text and "-" not in text):
        return text
    kept, found = cut_quotes(text)
    if found is not Quoted.NOTHING:
        tally.remark(REMARKS[found], place)
    return kept


def readable(text: str, tally: Tally, place: str = "") -> str:
    """A text without the markup and the escapes of the program that saved it."""
    if "_x00" in text or "_X00" in text:
        text = _EXCEL.sub(_decode_excel, text)
    if "\\" in text and "\n" not in text and not _PATH.search(text):
        text = _WRITTEN_BREAK.sub("\n", text)
    if is_escaped_html(text):
        text = unescape(text)
    if not is_html(text):
        return text
    words, dropped = read_html(text)
    if dropped:
        tally.remark(f"unseen parts of HTML ({', '.join(sorted(dropped))}), left out", place)
    return words


def _decode_excel(match: re.Match[str]) -> str:
    if match[1] is None:
        return "_"
    character = chr(int(match[1], 16))
    return character if character in "\t\n\r" else ""
