"""The union of longest common subsequences: that of rouge-score, ties included, on words few enough to tie often."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import _summary_level_lcs

from liftbench.metrics.union_lcs import union_hits

sentences = st.lists(st.lists(st.sampled_from("abcd"), max_size=9).map(tuple), max_size=4)


@settings(max_examples=400)
@given(reference=sentences, text=sentences)
def test_the_hits_are_those_of_the_package(reference: list[tuple[str, ...]], text: list[tuple[str, ...]]) -> None:
    theirs = _summary_level_lcs(reference, text)
    words = sum(map(len, reference))
    assert (union_hits(reference, text) / words if words and any(text) else 0) == theirs.recall


def test_which_of_two_longest_ones_is_taken_decides_the_union() -> None:
    # Both sentences tie between two words. The walk back reaches `a` in both; the other words would make two hits.
    assert union_hits([("a", "b", "c")], [("b", "a"), ("c", "a")]) == 1
