"""What every page is made of: templates, style, script and filters. A page loads nothing; only conversations need its
script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from ...text.phrases import metric_label
from .. import numbers
from ..alternatives import describe_alternatives, tabulate_alternatives
from ..answer import EVIDENCE
from ..leaks import LEAKS, count_leaks
from ..outcomes import BADGES, REACHED, SYMBOLS, sort_guards
from ..ranking import format_chance
from ..validity import classify_cost
from . import appendix
from .tags import link_evidence

STYLES = ("style.css", "conversations.css")
SCRIPTS = ("words.js", "list.js", "opened.js", "view.js")
"""The parts of the script about conversations, in the order of use; `page.js` starts them."""


def get_template(name: str) -> Template:
    """A page's template, with the filters and macros that all pages share."""
    return _environment().get_template(name)


def use_own(style: str, script: str) -> dict[str, str]:
    """The variables of a page that adds its own style to the common one and has its own script.

    Both are given as names of files among the templates.
    """
    styles, code = _resource("style.css") + _resource(style), _resource(script)
    return {
        "style": Markup(styles),
        "script": Markup(code),
        "style_hash": _hash(styles),
        "script_hash": _hash(code),
    }


@cache
def _environment() -> Environment:
    """Everything is escaped except the style, the script and the charts, which are our own."""
    found = Environment(
        loader=PackageLoader("liftbench.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = "".join(map(_resource, STYLES)), _join_scripts()
    found.globals |= {
        "style": Markup(style),
        "script": Markup(script),
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "symbols": SYMBOLS,
        "badges": BADGES,
        "reached": REACHED,
        "leak_kinds": LEAKS,
        "appendix": appendix,
    }
    found.filters |= {
        "label": metric_label,
        "coded": _mark_code,
        "short_hashes": _shorten_hashes,
        "link_ids": _link_ids,
        "link_guard": _link_guard,
        "classify_cost": classify_cost,
        "sort_guards": sort_guards,
        "count_leaks": count_leaks,
        "tabulate_alternatives": tabulate_alternatives,
        "describe_alternatives": describe_alternatives,
        "score": numbers.format_score,
        "score_interval": numbers.format_score_interval,
        "difference": numbers.format_difference,
        "difference_interval": numbers.format_difference_interval,
        "lift": numbers.format_lift,
        "lift_interval": numbers.format_lift_interval,
        "level": numbers.describe_level,
        "chance": format_chance,
        "count": numbers.format_count,
        "share": numbers.format_share,
    }
    return found


def _mark_code(words: str) -> Markup:
    """Set text between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(words))))


def _shorten_hashes(words: str) -> Markup:
    """Show the beginning of long hashes; pointing at one shows the whole, and copying takes it."""
    return Markup(re.sub(r"\b[0-9a-f]{32,64}\b", r'<span class="hash" title="\g<0>">\g<0></span>', str(escape(words))))


def _link_guard(guard: str) -> str:
    """Where a comparison's page shows what a guard looked at; empty for a guard that it does not know."""
    section = EVIDENCE.get(guard, "")
    return link_evidence(guard) or (f"#{section}" if section else "")


def _link_ids(words: str, ids: Collection[str], anchors: Mapping[str, str]) -> Markup:
    """The words, with a link wherever they name one of some conversations; `anchors` maps ids to places of the page."""
    known = sorted((id_ for id_ in ids if id_ in anchors and id_ in words), key=len, reverse=True)
    if not known:
        return escape(words)
    parts = re.split(rf"(?<!\w)({'|'.join(map(re.escape, known))})(?!\w)", words)
    return Markup("").join(
        Markup('<a href="#{}">{}</a>').format(anchors[part], part) if place % 2 else part
        for place, part in enumerate(parts)
    )


def _resource(name: str) -> str:
    return (resources.files("liftbench.report.html") / "templates" / name).read_text(encoding="utf-8")


def _join_scripts() -> str:
    """The page's script, whose names are its own."""
    parts = [*(f"conversations/{name}" for name in SCRIPTS), "page.js", "frame.js"]
    return '"use strict";\n(() => {\n' + "\n".join(map(_resource, parts)) + "})();\n"


def _hash(text: str) -> str:
    """A hash for the page's content security policy: no other style or script is allowed, whatever a text holds."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
