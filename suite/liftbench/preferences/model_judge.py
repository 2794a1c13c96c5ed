"""A language model as a judge: every pair in both orders, as information and never as a decision."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from ..files import append_lines, recover_lines
from ..progress import Progress
from ..records.preferences import ModelAnswer, ModelJudge, Preference, SheetKey, SystemRole
from ..text.transcript import transcript
from .agreement import calibrate
from .result import bootstrap_of, summarize_values
from .sheet import QUESTION, Pair, Sheet

Ask = Callable[[str], str]
"""A prompt in, the model's text out."""

PROMPT = f"""\
Below are a conversation between a customer and an agent, and two summaries of it.

<conversation>
{{conversation}}
</conversation>

<summary number="1">
{{first}}
</summary>

<summary number="2">
{{second}}
</summary>

{QUESTION}
A summary that says something the conversation does not support is worse than one that says less. Ignore the order of
the summaries. Longer is not better by itself.

Answer with one word and nothing else: 1 if summary 1 is better, 2 if summary 2 is better, tie if neither is.
"""

PROMPT_SHA256 = sha256(PROMPT.encode()).hexdigest()

KEPT = 400
"""Number of characters of an answer that are kept."""


def write_prompt(pair: Pair, first: Literal["left", "right"]) -> str:
    """The prompt for one pair in one order; braces in the texts stay as they are."""
    left, right = (text.strip() or "(empty)" for text in (pair.left, pair.right))
    parts = {
        "conversation": transcript(pair.turns),
        "first": left if first == "left" else right,
        "second": right if first == "left" else left,
    }
    return re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], PROMPT)


def parse_answer(text: str) -> Literal["first", "second", "tie"] | None:
    """A model's choice; None where the answer names none of the three, or several.

    Text that reasoning models write between `<think>` and `</think>` is ignored.

    >>> parse_answer("**2**"), parse_answer("Summary 1."), parse_answer("Tie"), parse_answer("1 beats 2")
    ('second', 'first', 'tie', None)
    """
    said = re.sub(r"<think>.*?(</think>|\Z)", "", text, flags=re.DOTALL)
    named = {word.lower() for word in re.findall(r"\b(?:1|2|tie)\b", said, flags=re.IGNORECASE)}
    answers: dict[str, Literal["first", "second", "tie"]] = {"1": "first", "2": "second", "tie": "tie"}
    return answers[named.pop()] if len(named) == 1 else None


def ask_all(sheet: Sheet, key: SheetKey, ask: Ask, path: Path, progress: Progress) -> list[ModelAnswer]:
    """Ask for every pair in both orders; answers that the file `path` holds are not asked for again.

    Each answer is appended as it arrives, so that the same call continues after it was stopped.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = {(answer.item, answer.first): answer for answer in recover_lines(path, ModelAnswer)}
    wanted = [(pair, item, side) for pair, item in zip(sheet.pairs, key.items, strict=True) for side in SIDES]
    answers = []
    for done, (pair, item, side) in enumerate(wanted):
        progress(done, len(wanted), "asking")
        first: SystemRole = item.left if side == "left" else _opposite(item.left)
        answer = asked.get((pair.id, first))
        if answer is None:
            text = ask(write_prompt(pair, side))
            answer = ModelAnswer(item=pair.id, first=first, answer=parse_answer(text), text=text.strip()[:KEPT])
            append_lines(path, [answer])
        answers.append(answer)
    progress(len(wanted), len(wanted), "asked")
    return answers


SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


def _opposite(system: SystemRole) -> SystemRole:
    return "other" if system == "candidate" else "candidate"


def model_preference(
    key: SheetKey, answers: Sequence[ModelAnswer], model: str, host: str, people: Sequence[Preference]
) -> Preference:
    """The result of a model's answers, with its agreement with `people` who judged the same pairs."""
    judge = f"{model} at {host}, prompt {PROMPT_SHA256[:12]}"
    by_item: dict[str, list[ModelAnswer]] = {}
    for answer in answers:
        by_item.setdefault(answer.item, []).append(answer)
    preferred = {item: [_read_preference(answer) for answer in both] for item, both in by_item.items()}
    values = {
        item: {judge: some[0] if len(set(some)) == 1 else 0.5}
        for item, both in preferred.items()
        if None not in both and (some := [value for value in both if value is not None])
    }
    found = summarize_values(key, "model", (judge,), values, alpha_missing="one judge")
    judged = [one for one in found.conversations if one.item]
    firsts, seconds = (sum(answer.answer == place for answer in answers) for place in ("first", "second"))
    about = ModelJudge(
        model=model,
        host=host,
        prompt_sha256=PROMPT_SHA256,
        answers=len(answers),
        unparsable=sum(answer.answer is None for answer in answers),
        disagreements=sum(None not in both and len(set(both)) > 1 for both in preferred.values()),
        first_share=firsts / (firsts + seconds) if firsts + seconds else None,
        tie_rate=sum(one.value == 0.5 for one in judged) / len(judged) if judged else None,
        calibration=calibrate(judged, people, bootstrap_of(key)),
    )
    return replace(found, model=about)


def _read_preference(answer: ModelAnswer) -> float | None:
    """1 for the candidate, 0.5 for a tie, 0 for the other; None where the answer is not understood."""
    if answer.answer is None:
        return None
    if answer.answer == "tie":
        return 0.5
    return float((answer.answer == "first") == (answer.first == "candidate"))
