"""A comparison as Markdown for a pull request, and how text that comes from files is escaped in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..judging.compare import Comparison
from ..text.phrases import printable
from .answer import Answer, answer_comparison
from .outcomes import SYMBOLS
from .ranking import summarize_ranking


def write_markdown(comparison: Comparison, page: Path) -> str:
    """The answers in the order of the page: badge, reasons, what to do next, lifts, guards, and what else would change
    the answer; of several candidates which is the best."""
    protocol = comparison.protocol
    lines = [line for answer in answer_comparison(comparison) for line in _list_lines(answer)]
    if not lines:
        lines = ["### There is no candidate to judge", ""]
    if comparison.ranking is not None:
        lines += [f"Ranking: {escape(summarize_ranking(comparison, comparison.ranking))}.", ""]
    about = f"{protocol.n:,} conversations of {escape(protocol.dataset)} {escape(protocol.split)}"
    return "\n".join([*lines, f"<sub>liftbench, {about}; the whole report is {code(page.name)}.</sub>", ""])


def _list_lines(answer: Answer) -> Iterator[str]:
    yield f"### {SYMBOLS[answer.outcome]} {answer.headline}"
    yield ""
    about = f" ({escape(answer.about)})" if answer.about else ""
    yield f"**{escape(answer.name)}**{about}. {escape(answer.reason)}"
    yield ""
    yield f"**What to do next:** {escape_words(answer.next.words)}"
    yield ""
    over = "best prompt" if answer.against == "best-prompted" else "baseline"
    yield f"| metric | lift over the {over} | interval | target {answer.target} | candidate minus best control |"
    yield "|---|---|---|---|---|"
    controls = {one.metric: f"{one.difference} ({one.interval}) {one.control}: {one.state}" for one in answer.deciders}
    for lift in answer.lifts:
        cells = [
            f"{lift.label} ({lift.meaning})" if lift.meaning else lift.label,
            lift.lift,
            lift.interval,
            lift.state,
            controls.get(lift.metric, "–"),
        ]
        yield f"| {' | '.join(map(escape, cells))} |"
    yield ""
    open_guards = [chip for chip in answer.chips if chip.state != "passed"]
    if open_guards:
        shown = [f"{SYMBOLS[one.state]} {one.words} ({one.guard})" for one in open_guards]
        passed = len(answer.chips) - len(open_guards)
        yield f"Checks: {passed} of {len(answer.chips)} passed. {escape(', '.join(shown))}"
        yield ""
    if answer.changes:
        yield "What would strengthen it:" if answer.outcome == "verified" else "What else would change the answer:"
        yield ""
        yield from (f"- {escape_words(change.sentence)}" for change in answer.changes)
        yield ""


# ------------------------------------------------------------------------------------------------------------ escaping


def escape(text: str) -> str:
    """Text that is shown as it is, on one line, also in a cell of a table; it mentions nobody and links nowhere.

    >>> escape("a|b *c* <img> @me")
    'a\\\\|b \\\\*c\\\\* &lt;img&gt; @\\u200bme'
    """
    flat = " ".join(printable(text, "\n\t").split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", flat)


def escape_words(text: str) -> str:
    """Text with commands between backticks, which stay code; everything else is escaped."""
    parts = re.split("`([^`]+)`", text)
    return "".join(code(part) if place % 2 else escape_part(part) for place, part in enumerate(parts))


def escape_part(text: str) -> str:
    """Escaped text that keeps a blank at its ends."""
    before, after = " " * text[:1].isspace(), " " * text[-1:].isspace()
    return f"{before}{escape(text)}{after}" if text.strip() else text


def code(text: str) -> str:
    """Text as code, also in a cell of a table; entities would be shown as they are written, so backticks become `'`."""
    flat = " ".join(printable(text, "\n\t").split())
    return "`" + flat.replace("`", "'").replace("|", "\\|") + "`"
