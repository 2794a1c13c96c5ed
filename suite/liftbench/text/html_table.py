"""Sentences and a small table as HTML: how results appear in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(paragraphs: Iterable[str], columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """HTML of the paragraphs and, if there are rows, of a table below them. All texts are escaped.

    >>> html_table(["a < b"], ["n"], [["1"]])
    '<p>a &lt; b</p><table><thead><tr><th>n</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>'
    """
    words = "".join(f"<p>{escape(text)}</p>" for text in paragraphs)
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    if not body:
        return words
    return f"{words}<table><thead><tr>{_cells('th', columns)}</tr></thead><tbody>{body}</tbody></table>"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
