"""Leaves out of published words where things lie on a machine, and what looks like a secret.

Paths keep their last part, which says what a file or folder was. This is a precaution for model cards: the user who
publishes one reads it first.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

HIDDEN = "…"
"""Stands for a secret."""

_PART = r"[^\s/'\"`,;|()<>\[\]{}=:]+"
_PATH = re.compile(rf"(?<![\w.:/…-])(?:file://)?(?:~[\w.-]*)?/(?:{_PART}/+)*({_PART})/?")
"""An absolute path, or one in a home folder; no URL, no fraction, and no path relative to the working directory."""

_WHOLE_PATH = re.compile(r"(?:file://)?(?:~[\w.-]*)?/(?:[^/]+/+)*([^/]+)/?")
"""The same for a text that is nothing else, and may have spaces."""

_NAME = r"(?:[\w.-]*[_.-])?(?:token|secret|password|passwd|api[_-]?key|access[_-]?key)"
_NAMED = re.compile(rf"(?i)(?<![\w.])((?:-{{0,2}}{_NAME}\s*[=:]\s*|--{_NAME}\s+)['\"]?)[^\s'\",;]+")
_KNOWN = re.compile(r"\b(?:hf_|sk-|ghp_|gho_|github_pat_|glpat-|xox[abp]-|AKIA)[\w-]{8,}")
"""Access tokens by their beginnings: Hugging Face, OpenAI, GitHub, GitLab, Slack, AWS."""

_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")
"""User and password in a URL."""


def hide(text: str) -> str:
    """A text without folders and secrets."""
    text = _LOGIN.sub("", _KNOWN.sub(HIDDEN, text))
    return _PATH.sub(r"\1", _NAMED.sub(rf"\1{HIDDEN}", text))


def hide_command(words: Sequence[str]) -> str:
    """A command line, given by its words, without folders and secrets."""
    hidden = []
    for word in words:
        name, sign, value = word.rpartition("=")
        whole = _WHOLE_PATH.fullmatch(value)
        hidden.append(f"{name}{sign}{whole[1]}" if whole else word)
    # Once more over the whole line, because a secret may be the word after its name.
    return hide(shlex.join(hidden))
