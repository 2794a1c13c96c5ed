"""`bench judge`: people, and besides them a language model, say which of two summaries is better."""

from __future__ import annotations

from collections.abc import Sequence

import click

from .lazy import LazyGroup


class JudgeGroup(LazyGroup):
    """`bench judge --model NAME …` is `bench judge model --model NAME …`."""

    def full_arguments(self, args: Sequence[str]) -> list[str]:
        by_model = any(each.partition("=")[0] == "--model" for each in args)
        return ["model", *args] if by_model and args[0] not in self.list_commands(click.Context(self)) else list(args)


@click.group(
    "judge",
    cls=JudgeGroup,
    prefix="judge_",
    commands_help={
        "export": "Write a page on which people judge pairs of summaries.",
        "import": "Read the files of the judges: who is preferred, and how sure that is.",
        "model": "Let a language model judge the same pairs, as information.",
    },
)
def command() -> None:
    """Which summary is better? People decide; a language model only informs.

    \b
    bench judge export CANDIDATE             a page, to be sent to the judges
    bench judge import judgments-*.json      the result
    bench judge --model NAME --base-url URL CANDIDATE
    """
