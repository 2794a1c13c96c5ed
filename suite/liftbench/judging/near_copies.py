"""Near copies of a control: a candidate's texts that share most of a control's words for the same conversation.

A copy of a control with a comma moved has another hash. This module compares words instead, in any order, and estimates
the share of common words from sketches, so that a comparison, which has the controls' texts, and a gate, which has
none, find the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ..data.similarity.sketches import estimate_resemblances, sketch_text
from ..floors.control_scores import ControlScores

NEAR_COPY = 0.5
"""The least resemblance of a near copy: words in both texts, divided by words in either, as sketches estimate it.

Shares of texts that are near copies of any one control, measured on TweetSumm's validation and helpdesk's test split:

- human summaries: at most 3% and none; a QLoRA adapter of SmolLM2-135M on helpdesk: 1%, and its untuned model 9%;
- the slot template, rewritten by regular expressions: 98% and 100%; without its function words: 95% and 99%; both at
  once: 72% and 93%; with every two words swapped: all of them.

So a candidate whose texts are mostly near copies of one control is an edited version of that control."""


class NearCopies(Struct, frozen=True, kw_only=True):
    """How many of a candidate's texts are near copies of one control's."""

    control: str
    n: int
    """Number of texts that were compared."""
    ids: list[str] | None
    """Ids of the conversations whose text is a near copy; None where the control's texts are not known."""

    @property
    def share(self) -> float | None:
        """Share of near copies, in [0, 1]; None where it is not known."""
        return None if self.ids is None else len(self.ids) / max(self.n, 1)


def find_near_copies(texts: Mapping[str, str], controls: ControlScores) -> list[NearCopies]:
    """For each measured control that saw no reference: which `texts` (id → text) are near copies of its own.

    The control with the most near copies comes first; controls with unknown texts come last.
    """
    places = [place for place, id_ in enumerate(controls.ids) if id_ in texts]
    ids = [controls.ids[place] for place in places]
    sketches = [sketch_text(texts[id_]) for id_ in ids]
    found = []
    for row in controls.rows:
        if row.role != "floor" or row.missing:
            continue
        if not row.traces:
            found.append(NearCopies(control=row.name, n=len(ids), ids=None))
            continue
        resemblances = estimate_resemblances(sketches, [row.traces[place].sketch for place in places])
        near = [id_ for id_, resemblance in zip(ids, resemblances, strict=True) if resemblance >= NEAR_COPY]
        found.append(NearCopies(control=row.name, n=len(ids), ids=near))
    return sorted(found, key=lambda one: -1 if one.ids is None else len(one.ids), reverse=True)
