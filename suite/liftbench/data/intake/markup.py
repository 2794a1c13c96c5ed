"""Tells whether a text is HTML, and reads the words that a reader of it would see."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

UNSEEN = ("style", "script", "title", "head", "template", "noscript", "object", "svg")
"""Elements whose content nobody reads."""
HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|mso-hide\s*:\s*all)", re.IGNORECASE)
VOID = ("br", "hr", "img", "input", "link", "meta", "wbr", "col", "area", "base", "embed", "source", "track")
LINES = (
    *("address", "article", "aside", "blockquote", "body", "br", "center", "dd", "details", "dialog", "div", "dl"),
    *("dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr"),
    *("html", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead"),
    *("tr", "ul"),
)
"""Elements that begin and end a line."""
CELLS = ("td", "th", "option", "button")
INLINE = (
    *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "caption", "cite", "code", "colgroup", "data", "del", "dfn"),
    *("em", "font", "i", "iframe", "ins", "kbd", "label", "map", "mark", "nobr", "o", "picture", "q", "s", "samp"),
    *("select", "small", "span", "strike", "strong", "sub", "sup", "textarea", "time", "tt", "u", "var", "video"),
)
SHOWN = frozenset((*LINES, *CELLS, *INLINE, *VOID))
ELEMENTS = SHOWN | set(UNSEEN)
UNCLOSED = frozenset(
    (*VOID, *CELLS, "p", "li", "tr", "dd", "dt", "tbody", "thead", "tfoot", "html", "head", "body")
) - {"link"}
"""Elements that need not be closed. Another one without attributes that is never closed (`<TIME>`) is a placeholder."""
OFFICE = ("o:", "v:", "w:", "m:", "st1:", "x:")
"""Prefixes of the elements that Office adds to HTML."""

_START = re.compile(
    r"\s*(?:<!doctype\s+html|<(?:html|head|body|style|script|title|meta|p|div|table|ul|ol|section)\b[^<>]*>|<!--)",
    re.IGNORECASE,
)
_STYLES = re.compile(r"<style\b[^<>]*>([^<]*)</style", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_CITED = re.compile(r"cite|quote", re.IGNORECASE)
_ESCAPED = re.compile(r"\s*&lt;(!doctype|!--|/?[a-z][a-z0-9]*)\b.*&gt;\s*", re.IGNORECASE | re.DOTALL)


def is_html(text: str) -> bool:
    """Whether a text is HTML, and not a text that mentions a tag or a comparison.

    HTML begins as a document does (`<!DOCTYPE html>`, `<p>`), or has a line break (`<br>`), a comment, styles, or an
    element that is both opened and closed. It is not `a < b`, `<3`, `<LINK>`, `List<String>`, or other XML.
    """
    if "<" not in text:
        return False
    comment = text.find("<!--")
    if _START.match(text) or (comment >= 0 and text.find("-->", comment) > 0):
        return True
    # Programs put styles among words; scripts are not a sign, because people paste them.
    if any("{" in styles and ":" in styles for styles in _STYLES.findall(text)):
        return True
    opened: set[str] = set()
    for match in _TAG.finditer(text):
        name = match[2].lower()
        if name in ("br", "hr") or (match[1] and name in opened):
            return True
        if name in SHOWN and name not in ("html", "body") and not match[1]:
            opened.add(name)
    return False


def is_escaped_html(text: str) -> bool:
    """Whether a text is HTML from its beginning to its end whose tags were written as `&lt;p&gt;`."""
    matched = _ESCAPED.fullmatch(text) if "&lt;" in text and "<" not in text else None
    return matched is not None and is_html(unescape(text))


def read_html(html: str) -> tuple[str, tuple[str, ...]]:
    """The words of an HTML text, and the names of what was left out (`<style>`, comments).

    Elements that are not HTML (`<LINK>`, `<john@example.org>`) are text. Block elements begin a line; the lines of a
    `<blockquote>` that a mail program made begin with `> `, as in plain text.
    """
    # A comment that is never closed is text. The parser would take quadratic time for many of them.
    closed, end, rest = html.rpartition("-->")
    html = closed + end + rest.replace("<!--", "&lt;!--")
    reader = _Reader(html)
    if reader.is_open:
        # An element that hides its content and is never closed would take the rest of the text with it.
        reader = _Reader(html, hides=False)
    return reader.text(), tuple(dict.fromkeys(reader.dropped))


class _Reader(HTMLParser):
    def __init__(self, html: str, *, hides: bool = True) -> None:
        super().__init__(convert_charrefs=True)
        self._html = html.lower()
        self._hides = hides
        self._end_at = 0
        self.dropped: list[str] = []
        self._lines: list[tuple[int, list[str]]] = [(0, [])]
        self._quotes: list[bool] = []
        """Whether each open `<blockquote>` is a mail program's, and not the author's."""
        self._unseen: list[str] = []
        """Open elements since the first one that is not seen."""
        self.feed(html)
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether an element that is not seen is still open."""
        return bool(self._unseen)

    def text(self) -> str:
        """The lines that are seen."""
        return "\n".join("> " * quotes + "".join(parts).strip() for quotes, parts in self._lines).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unseen[:1] == ["head"] and (tag == "body" or (len(self._unseen) == 1 and tag in SHOWN - {*VOID})):
            # A head that is never closed ends where the body begins.
            self._unseen = []
        if not self._is_markup(tag, attrs):
            self.handle_data(self.get_starttag_text() or "")
        elif self._unseen:
            self._unseen += [tag] if tag not in VOID else []
        elif tag in UNSEEN or (self._hides and tag not in VOID and _is_hidden(attrs)):
            self._unseen = [tag]
            self.dropped += [] if tag == "head" else [f"<{tag}>" if tag in UNSEEN else "hidden text"]
        else:
            self._show(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._is_markup(tag, attrs):
            self.handle_data(self.get_starttag_text() or "")
        elif not self._unseen and tag not in UNSEEN:
            self._show(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag not in ELEMENTS and not tag.startswith(OFFICE):
            self.handle_data(self.rawdata[self._end_at : self.rawdata.find(">", self._end_at) + 1])
        elif self._unseen:
            if tag in self._unseen:
                del self._unseen[len(self._unseen) - 1 - self._unseen[::-1].index(tag) :]
        elif tag == "blockquote":
            self._quotes = self._quotes[:-1]
            self._break()
        elif tag in LINES:
            self._break()
        elif tag in CELLS:
            self._lines[-1][1].append(" ")

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        first, *others = data.replace("\xa0", " ").splitlines() or [""]
        self._lines[-1][1].append(first)
        for line in others:
            self._break()
            self._lines[-1][1].append(line)
        if data.endswith("\n") and data.strip("\n"):
            self._break()

    def handle_comment(self, data: str) -> None:
        self.dropped += ["comments"] if data.strip() else []

    def parse_endtag(self, i: int) -> int:
        """Remember where the end tag begins, because `handle_endtag` is only given its name in lower case."""
        self._end_at = i
        return super().parse_endtag(i)

    def set_cdata_mode(self, elem: str, **options: bool) -> None:
        """Read on after the name of an element that is never closed (`the <script> tag`)."""
        if f"</{elem}" in self._html:
            super().set_cdata_mode(elem, **options)

    def parse_bogus_comment(self, i: int, report: bool = True) -> int:
        """Keep what only looks like a comment (`</3`, `<!5`) as text."""
        end = super().parse_bogus_comment(i, report=False)
        if end > 0 and report:
            self.handle_data(self.rawdata[i:end])
        return end

    def unknown_decl(self, data: str) -> None:
        """Keep the text of `<![CDATA[…]]>`; others (`<![if !mso]>`) are marks of Office."""
        if data.startswith("CDATA["):
            self.handle_data(data.removeprefix("CDATA["))

    def _is_markup(self, tag: str, attrs: list[tuple[str, str | None]]) -> bool:
        if tag.startswith(OFFICE):
            return True
        return tag in ELEMENTS and bool(attrs or tag in UNCLOSED or f"</{tag}" in self._html)

    def _show(self, tag: str, attrs: dict[str, str | None]) -> None:
        alternative = attrs.get("alt") or ""
        if tag == "blockquote":
            self._quotes.append("cite" in attrs or bool(_CITED.search(f"{attrs.get('type')} {attrs.get('class')}")))
        if tag in LINES:
            self._break()
        elif tag in CELLS:
            self._lines[-1][1].append(" ")
        elif tag == "img" and not re.search(r"\w", alternative):
            # Mail programs write an emoji as a picture.
            self._lines[-1][1].append(alternative)

    def _break(self) -> None:
        self._lines.append((sum(self._quotes), []))


def _is_hidden(attrs: list[tuple[str, str | None]]) -> bool:
    return any(name == "style" and HIDDEN.search(value or "") for name, value in attrs)
