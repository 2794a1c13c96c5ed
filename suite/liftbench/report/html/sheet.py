"""The page on which people judge pairs of summaries. It knows neither the systems nor the conversations' ids."""

from __future__ import annotations

from ...preferences.sheet import QUESTION, Sheet
from ...records.preferences import JUDGING_SCHEMA
from .page import get_template, use_own


def render_sheet(sheet: Sheet) -> str:
    """The page of a sheet: one file that loads nothing, sends nothing and hands out `judgments-NAME.json`."""
    page: str = get_template("sheet.html.j2").render(
        title=f"Sheet {sheet.id}",
        sheet=sheet,
        schema=JUDGING_SCHEMA,
        question=QUESTION,
        **use_own("sheet.css", "sheet.js"),
    )
    return page
