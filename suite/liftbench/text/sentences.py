"""Splits a text into sentences by a short rule, whose version is in the signatures of metrics."""

from __future__ import annotations

import re

SPLITTER = "regex-1"
"""Name and version of the rule in `split_sentences`; a change of the rule must raise the version."""

_SENTENCE_END = re.compile(r"""([.!?]["'”’)\]]*)\s+""")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text: one ends at a line break, or at `.`, `!` or `?` (and closing marks) before white space.

    The rule does not know abbreviations: `Dr. No` becomes two sentences. In return it needs no downloaded data, and its
    result never changes under the same signature.

    >>> split_sentences('He said "no!" Then he left. v1.2 is out')
    ['He said "no!"', 'Then he left.', 'v1.2 is out']
    """
    return [line for line in _SENTENCE_END.sub(r"\1\n", text).split("\n") if line.strip()]
