"""The conversations of a page as inert data: complete, sorted, small, and harmless whatever they say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from liftbench.files import write_lines
from liftbench.judging.compare import CandidateResult, compare
from liftbench.measuring.plan import sample_ids
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.run import Finding, Prediction, SampleScores
from liftbench.report.html.comparison import render_comparison
from liftbench.report.html.conversations import LONG, find_ends, list_conversations, make_subject, write_inert
from liftbench.report.html.tags import INVENTED, find_tags, link_evidence
from liftbench.runs.directory import Run

from ...support.build import reseal, write_conversations, write_run
from ...support.inert import read_lists

HEADLINE = [("rougeL", "higher"), ("rouge1", "higher")]


def read(data: Markup) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data)
    return found


def listed(*runs: Run, **more: Any) -> dict[str, Any]:
    subjects = [make_subject("baseline" if not number else "candidate", run) for number, run in enumerate(runs)]
    return read(list_conversations(subjects, HEADLINE, **more).data)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder), write_run(folder, command="train", created="2026-01-05T11:00:00Z")]


# ------------------------------------------------------------------------------------------------------------- inert


class Scripts(HTMLParser):
    """The scripts of a page, and every other tag."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self.others: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "script":
            self.scripts.append("")
        else:
            self.others.append(tag)

    def handle_data(self, data: str) -> None:
        if self.scripts and not self.others:
            self.scripts[-1] += data


HOSTILE = st.sampled_from(
    [
        "</script>",
        "</ScRiPt ",
        "<!--",
        "<!--<script>",
        "-->",
        "]]>",
        "&lt;",
        "\u2028",
        "\u2029",
        "\x00",
        "\r",
        "\\u003c",
        "\\",
    ]
)


@given(st.lists(st.one_of(HOSTILE, st.text(st.characters(codec="utf-8"), max_size=20)), max_size=8).map("".join))
def test_no_text_leaves_its_script_and_none_is_changed(text: str) -> None:
    data = write_inert({"text": text})
    page = Scripts(f"<script type='application/json'>{data}</script><p>after</p>")
    assert page.scripts == [str(data)]
    assert page.others == ["p"]
    assert json.loads(data) == {"text": text}
    assert not set(data) & set("<>&\u2028\u2029\r\n\0")


# ---------------------------------------------------------------------------------------------------------- complete


def test_every_conversation_is_there_with_all_that_was_written(runs: list[Run]) -> None:
    data = listed(*runs)
    assert len(data["rows"]) == len(runs[0].conversations)
    for row in data["rows"]:
        conversation = runs[0].conversations[row["place"]]
        assert row["id"] == conversation.id
        assert [(data["roles"][role], text) for role, text in row["turns"]] == [
            (turn.role, turn.text) for turn in conversation.turns
        ]
        assert [reference["text"] for reference in row["references"]] == list(conversation.references)
        assert [text["text"] for text in row["texts"]] == [run.predictions[conversation.id].text for run in runs]
        for text, run in zip(row["texts"], runs, strict=True):
            assert text["scores"] == pytest.approx([run.scores[row["id"]][name] for name, _ in HEADLINE], rel=1e-5)
        given_fields = {field: value for field, value in zip(data["fields"], row["metadata"], strict=True) if value}
        assert given_fields == {key: str(value) for key, value in conversation.metadata.items()}


def test_a_single_run_begins_with_its_worst_score_and_ends_with_those_without_one(tmp_path: Path) -> None:
    rows = write_conversations(4)
    run = write_run(tmp_path, conversations=rows, scores={"rougeL": [0.3, None, 0.1, 0.2]})
    subjects = [make_subject("run 1", run)]
    for direction, wanted in (("higher", [2, 3, 0, 1]), ("lower", [0, 3, 2, 1])):
        data = read(list_conversations(subjects, [("rougeL", direction)]).data)  # type: ignore[list-item]
        assert [row["place"] for row in data["rows"]] == wanted
        assert [row["gains"] for row in data["rows"]] == [[]] * 4


def test_the_smallest_gain_keeps_its_sign(tmp_path: Path) -> None:
    rows = write_conversations(3)
    columns = [[0.3, 0.3, 0.3], [0.3 + 1e-12, 0.3 - 1e-12, 0.3]]
    pair = [
        write_run(tmp_path, command=command, conversations=rows, scores={"rougeL": column})  # type: ignore[arg-type]
        for command, column in zip(("baseline", "score"), columns, strict=True)
    ]
    gains = {row["place"]: row["gains"][0] for row in listed(*pair)["rows"]}
    assert gains[0] > 0 > gains[1]
    assert gains[2] == 0


# ------------------------------------------------------------------------------------------------------------- small


def test_a_system_takes_at_most_a_kilobyte_a_conversation_beside_the_texts(tmp_path: Path) -> None:
    rows = write_conversations(60)
    text = "It cost 12 and 13. It took 14 days, 15 hours. 🙂 Anna and Boris told 16 people. " * 2
    more = {f"metric-{number}": [1 / (3 + place) for place in range(60)] for number in range(15)}
    pair = [
        write_run(tmp_path, command=command, conversations=rows, texts=[text] * 60, scores=more)
        for command in ("baseline", "score")
    ]
    found = [Finding(start=at, end=at + 3, kind="unsupported number") for at in range(0, 120, 4)]
    for number, run in enumerate(pair):
        scored = [SampleScores(id=id_, scores=some, findings={"f": found}) for id_, some in run.scores.items()]
        write_lines(run.folder / "scores.jsonl", scored)
        pair[number] = reseal(run)
    metrics = [(row.name, row.direction) for row in pair[0].summary.metrics]
    assert len(metrics) > 15
    compared = compare(pair[0], pair[1:], slices=["turns", "company"])
    listing = list_conversations(
        [make_subject("baseline", pair[0]), make_subject("candidate", pair[1])],
        metrics,
        results=compared.candidates,
        slicing=compared.slicing,
    )
    data = read(listing.data)
    assert all(len(text["marks"]) == len(found) for row in data["rows"] for text in row["texts"])
    written = [text for row in data["rows"] for _, text in row["turns"]]
    written += [one["text"] for row in data["rows"] for one in (*row["references"], *row["texts"])]
    beside = len(listing.data.encode()) - sum(len(write_inert(text).encode()) for text in written)
    assert beside / (60 * 2) <= 1000


# ---------------------------------------------------------------------------------------------- places in the texts


@given(
    st.lists(
        st.sampled_from(["It broke.", "🙂 Really?!", "שלום.", "No end", "\n", " ", "A. B", "e\u0301."]), max_size=8
    ).map(" ".join)
)
def test_sentences_end_where_a_script_would_cut_them(text: str) -> None:
    units = text.encode("utf-16-le")
    cuts = [0, *find_ends(text)]
    assert cuts == sorted(cuts)
    pieces = [units[2 * start : 2 * end].decode("utf-16-le") for start, end in pairwise(cuts)]
    assert all(piece.strip() for piece in pieces)
    assert not units[2 * cuts[-1] :].decode("utf-16-le").strip() or len(cuts) == 1


def test_marks_count_as_scripts_do_and_the_first_of_two_counts(tmp_path: Path) -> None:
    rows = write_conversations(1)
    run = write_run(tmp_path, conversations=rows, texts=["🙂🙂 Anna paid 12."])
    found = [
        Finding(start=3, end=7, kind="unsupported name"),
        Finding(start=5, end=9, kind="hidden by the first"),
        Finding(start=13, end=15, kind="unsupported number"),
        Finding(start=15, end=99, kind="beyond the text"),
    ]
    write_lines(
        run.folder / "scores.jsonl", [SampleScores(id=rows[0].id, scores={"rougeL": 0.1}, findings={"f": found})]
    )
    data = listed(reseal(run))
    [text] = data["rows"][0]["texts"]
    units = text["text"].encode("utf-16-le")
    marked = [
        (units[2 * start : 2 * end].decode("utf-16-le"), data["kinds"][kind]) for start, end, kind in text["marks"]
    ]
    assert marked == [("Anna", "unsupported name"), ("12", "unsupported number")]


def test_a_very_long_text_has_neither_sentences_nor_marks(tmp_path: Path) -> None:
    assert find_ends("One. Two. " * LONG) == []
    run = write_run(tmp_path, conversations=write_conversations(1), texts=["w" * (LONG + 1)])
    assert "marks" not in listed(run)["rows"][0]["texts"][0]


# -------------------------------------------------------------------------------------------------------------- tags


def words(**more: Any) -> list[str]:
    given_values: dict[str, Any] = {"scores": {"rougeL": 0.2}, "findings": [], "headline": "rougeL"} | more
    return [f"{number} {tag.one}" for tag, number in find_tags(**given_values)]


@pytest.mark.parametrize(
    ("prediction", "more", "wanted"),
    [
        (Prediction(id="a", text="The agent helped."), {}, []),
        (None, {}, ["1 no text recorded"]),
        (Prediction(id="a", text=" ."), {}, ["1 empty"]),
        (Prediction(id="a", text="The agent", finish_reason="length"), {}, ["1 cut off"]),
        (Prediction(id="a", text="The agent is sorry. " * 3), {}, ["1 repeats itself"]),
        (Prediction(id="a", text="Fine.", turns_dropped=2), {}, ["1 read only in part"]),
        (Prediction(id="a", text="Gut."), {"faults": ["other language"]}, ["1 other language"]),
        (Prediction(id="a", text="Fine."), {"leaks": ["trained on"]}, ["1 trained on"]),
        (Prediction(id="a", text="Fine."), {"before": "Fine."}, ["1 same text as the baseline"]),
        (Prediction(id="a", text="Fine."), {"scores": {"rougeL": None}}, ["1 no score"]),
        (
            Prediction(id="a", text="Anna paid 12."),
            {"scores": {"rougeL": 0.1, "unsupported-facts": 2.0}},
            ["2 invented detail"],
        ),
        (
            Prediction(id="a", text="Anna paid 12."),
            {
                "findings": [
                    Finding(start=0, end=4, kind="unsupported name"),
                    Finding(start=0, end=13, kind="unsupported sentence"),
                    Finding(start=0, end=13, kind="not what the agent said"),
                ]
            },
            ["1 invented detail", "1 role swapped", "1 unsupported sentence"],
        ),
    ],
)
def test_each_row_says_what_is_wrong_with_it(
    prediction: Prediction | None, more: dict[str, Any], wanted: list[str]
) -> None:
    assert words(prediction=prediction, **more) == wanted


def test_what_a_comparison_found_is_on_the_candidates_texts(runs: list[Run]) -> None:
    result = compare(runs[0], runs[1:]).candidates[0]
    first = runs[0].conversations[0].id
    changed: CandidateResult = msgspec.structs.replace(result, faults={"repeated": [first], "other language": None})
    data = listed(*runs, results=[changed])
    [row] = [row for row in data["rows"] if row["id"] == first]
    tags = [[data["tags"][number]["one"] for number, _ in text.get("tags", [])] for text in row["texts"]]
    assert "same text as elsewhere" in tags[1]
    assert "same text as elsewhere" not in tags[0]
    assert data["systems"][0]["guards"] == []
    guards = {guard.name: guard for guard in result.verdict.guards}
    assert [name for name, _, _ in data["systems"][1]["guards"]] == list(guards)
    for name, state, places in data["systems"][1]["guards"]:
        assert (state, [runs[0].conversations[place].id for place in places]) == (guards[name].state, guards[name].ids)


def test_guards_link_to_the_conversations_that_they_look_at() -> None:
    assert link_evidence(INVENTED.guard) == "#conversations?guard=facts"
    assert link_evidence("slices") == "#conversations?guard=slices"
    assert link_evidence("writing") == "#conversations?sort=novel-bigrams&by=candidate&order=asc"
    assert link_evidence("controls") is None


# ------------------------------------------------------------------------------------------------------------ slices


def test_slices_are_those_that_are_judged(tmp_path: Path) -> None:
    rows = [
        Conversation(
            id=f"c{number:03}",
            turns=tuple(
                Turn(role="customer", text=f"word{number * 7 + at} thing{number}") for at in range(2 + number % 3)
            ),
            references=(f"Customer said word{number}.",),
            metadata={"company": "big" if number % 2 else f"small {number}"},
        )
        for number in range(80)
    ]
    runs = [write_run(tmp_path, command=command, conversations=rows) for command in ("baseline", "score")]
    compared = compare(runs[0], runs[1:], slices=["company"])
    data = listed(*runs, results=compared.candidates, slicing=compared.slicing)
    [company] = data["slicing"]
    labels = {row["id"]: company["labels"][company["of"][row["place"]]] for row in data["rows"]}
    judged = {one.label: one.n for one in compared.candidates[0].slices}
    assert {label: list(labels.values()).count(label) for label in judged} == judged
    assert labels["c001"] == "big"
    assert re.fullmatch(r"\d+ others", labels["c000"])


# ------------------------------------------------------------------------------------------------------------- samples


@pytest.mark.parametrize(("most", "texts"), [(5, 100), (100, 10)])
def test_of_too_many_conversations_a_sample_is_listed_with_those_that_are_named(
    most: int, texts: int, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = compare(runs[0], runs[1:])
    whole = render_comparison(comparison, {run.id: run for run in runs})
    total = len(runs[0].conversations)
    monkeypatch.setattr("liftbench.report.html.conversations.MOST_LISTED", most)
    monkeypatch.setattr("liftbench.report.html.conversations.MOST_TEXTS", texts)
    monkeypatch.setattr("liftbench.report.html.conversations.NAMED", 3)
    page = render_comparison(comparison, {run.id: run for run in runs})
    [rows], [all_rows] = read_lists(page), read_lists(whole)
    ids = {row["id"] for row in rows["rows"]}
    gains = sorted((row["gains"][0], row["place"], row["id"]) for row in all_rows["rows"])
    named = list(dict.fromkeys(id_ for guard in comparison.candidates[0].verdict.guards for id_ in guard.ids))[:3]
    assert ids >= sample_ids([one.id for one in runs[0].conversations], 5) | set(named)
    assert ids >= {id_ for *_, id_ in (*gains[:5], *sorted(gains, key=lambda one: (-one[0], one[1]))[:5])}
    assert len(ids) < total
    assert [row for row in all_rows["rows"] if row["id"] in ids] == rows["rows"]
    assert f"{len(ids)} of {total} conversations are listed" in page
    assert "a random sample" not in whole
    chart = re.compile(r'Gains of \d+ conversations, sorted: [^"<]*')
    assert chart.findall(page) == chart.findall(whole) != []
