"""The HTML report: the verdict first, everything on one page that loads nothing, and no text that becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liftbench.files import write_atomic, write_lines
from liftbench.floors.background import Background
from liftbench.judging.compare import Comparison, compare
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.run import Finding, GitState, SampleScores
from liftbench.records.system import AdapterRecord, PromptSpec
from liftbench.records.training import CurvePoint
from liftbench.report.answer import answer_candidate, answer_comparison
from liftbench.report.html.comparison import render_comparison
from liftbench.report.html.runs import render_runs
from liftbench.report.outcomes import SYMBOLS
from liftbench.report.systems import list_steps
from liftbench.runs.directory import Run

from ...support.build import BASE, ENVIRONMENT, reseal, write_conversations, write_run
from ...support.inert import read_lists, read_rows
from ...support.lifts import as_lift
from ...support.pages import make_background

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=https://x.example/a onerror=alert(1)></style></details>{{ 7 * 7 }}&lt;<!--"
)
TAME = " ".join(re.findall("[A-Za-z0-9]+", HOSTILE))
"""The same words, so that both are judged alike."""
NO_WORD = re.compile(r"\bNone\b(?! of)|\b(nan|inf)\b", re.ASCII)
"""What a program says where a person says nothing."""
VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """A page taken apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.content: dict[str, list[str]] = {}
        self.words: list[str] = []
        self._open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
            self.content.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("script", "style"):
            self.content[self._open[-1]][-1] += data
            return
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """A baseline, an adapter with its training, and texts made elsewhere."""
    folder = tmp_path_factory.mktemp("runs")
    baseline = write_run(folder)
    trained = write_run(folder, command="train", created="2026-01-05T11:00:00Z")
    write_atomic(trained.folder / "training" / "options.json", {"rank": 16, "target": ["q_proj"], "max_steps": None})
    elsewhere: dict[str, Any] = {
        "kind": "predictions",
        "model": None,
        "adapter": None,
        "precision": None,
        "backend": None,
    }
    elsewhere |= {"prompt": None, "file_sha256": "f11e" * 16, "generation_verified": False}
    humans = write_run(
        folder, command="score", name="humans", created="2026-01-05T12:00:00Z", system=elsewhere, environment=None
    )
    return [baseline, trained, humans]


@pytest.fixture(scope="module")
def comparison(runs: list[Run]) -> Comparison:
    return compare(runs[0], [runs[1]])


@pytest.fixture(scope="module")
def text(runs: list[Run], comparison: Comparison) -> str:
    return render(comparison, runs, sections=[("Costs", "3.20 EUR\nof GPU time")])


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def render(comparison: Comparison, runs: list[Run], **more: Any) -> str:
    return render_comparison(comparison, {run.id: run for run in runs}, **more)


# ----------------------------------------------------------------------------------------------------------- structure


def test_the_verdict_comes_first_in_words_and_before_any_figure(page: Page, comparison: Comparison) -> None:
    verdict = comparison.candidates[0].verdict
    [answer] = answer_comparison(comparison)
    order = [
        f"{SYMBOLS[verdict.outcome]} {answer.badge}: {answer.advice}",
        answer.reason,
        f"What to do next: {answer.next.words}".replace("`", ""),
        f"{answer.lifts[0].lift} {answer.lifts[0].label}",
        answer.lifts[0].meaning,
        "Dots are means, bars their 95% intervals",
        f"of {len(answer.chips)} passed",
        "What else would change the answer",
        "Metrics Mean over",
    ]
    assert sorted(order, key=page.text.index) == order
    for words in order[:-1]:
        assert page.text.count(words) == 1 or words.startswith("of ")
    for caveat in verdict.caveats:
        assert caveat in page.text


def test_conversations_are_sorted_by_gain_and_the_extremes_are_linked(text: str, runs: list[Run]) -> None:
    gains = {
        id_: (runs[1].scores[id_]["rougeL"] or 0) - (before["rougeL"] or 0) for id_, before in runs[0].scores.items()
    }
    rows = read_rows(text)
    assert [gains[row["id"]] for row in rows] == sorted(gains.values())
    best = text.index("Largest gains")
    last, next_to_last = (text.index(f'href="#c{row["place"] + 1}"', best) for row in (rows[-1], rows[-2]))
    assert last < next_to_last


@pytest.mark.parametrize(
    "words",
    [
        "ROUGE-L headline higher is better",
        "rougeL|",  # the signature
        "Costs 3.20 EUR of GPU time",
        "400 to train on, 40 to choose the checkpoint",
        "step 40, validation loss 1.750",
        "peak memory 4.3 GB",
        'target ["q_proj"]',
        "max_steps none",
        "GPU none none",
        "generation.max_new_tokens",
        "recipe smollm2-135m",
        "bench train",
        "0123456789abcdef0123456789abcdef01234567",
        "Summarize this conversation in two sentences.",
    ],
)
def test_what_led_to_the_verdict_is_on_the_page(words: str, page: Page) -> None:
    assert words in page.text


def test_differences_of_the_systems_are_marked_in_words(text: str) -> None:
    rows = dict(re.findall(r'<tr class="differs"><th scope="row">([^<]*?) <span class="tag">(differs)</span>', text))
    assert "adapter, sha256" in rows
    assert "weights, sha256" not in rows


def test_the_same_input_gives_the_same_bytes(text: str, runs: list[Run], comparison: Comparison) -> None:
    again = [Run(run.folder) for run in runs]
    assert render(comparison, again, sections=[("Costs", "3.20 EUR\nof GPU time")]) == text
    assert render_runs(again) == render_runs(runs)


def test_links_lead_somewhere_and_ids_are_unique(page: Page, runs: list[Run]) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    # Links to conversations, and to filters of them, are followed by the script.
    known = {*ids, *(f"c{number + 1}" for number in range(len(runs[0].conversations)))}
    assert {link.removeprefix("#").partition("?")[0] for link in page.values("href")} <= known
    assert {id_ for value in page.values("aria-labelledby") for id_ in value.split()} <= set(ids)


def test_tables_have_scoped_heads_and_charts_have_words(page: Page) -> None:
    assert page.unbalanced == []
    heads = [tag for tag in page.tags if tag == "th"]
    assert len(heads) == len([1 for tag, name, _ in page.attributes if (tag, name) == ("th", "scope")])
    drawn = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(drawn) == page.tags.count("svg") == 1 + 2 * 2 + 3  # One small, two twice, three of the training.
    assert page.tags.count("figure") == page.tags.count("figcaption") == 4
    assert all(drawn)


# ------------------------------------------------------------------------------------------- floors, ceilings, sight


def background(runs: list[Run]) -> Background:
    return make_background([one.id for one in runs[0].conversations], "Customer <b>complains</b>.")


def test_floors_ceilings_prompts_and_sight_are_on_the_page(tmp_path: Path, runs: list[Run]) -> None:
    rival = write_run(tmp_path, name="smollm2-135m (best prompt)", best_prompt=True, texts=["Customer asks."] * 36)
    comparison = compare(runs[0], runs[1:2], background(runs), best_prompted=rival)
    page = Page(render(comparison, [*runs, rival]))
    assert page.unbalanced == []
    for words in (
        "best-constant",
        "Customer <b>complains</b>.",
        "there is no training split",
        "humans, leave one out",
        "best prompt",
        "roles swapped what it does",
        "ROUGE-L cannot see roles swapped; it sees half cut off.",
        "ROUGE-L over the best-prompted baseline",
        "best no-model system: best-constant",
    ):
        assert words in page.text, words
    drawn = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert any(
        "best no-model system 0.1" in label and "people 0.8" in label and "target +40%" in label for label in drawn
    )


def test_a_lift_over_prompts_that_were_not_tried_is_not_the_one_over_the_plain_baseline(runs: list[Run]) -> None:
    comparison = compare(runs[0], runs[1:2], against="best-prompted")
    page = Page(render(comparison, runs[:2]))
    plain = as_lift(comparison.candidates[0].lifts[0])
    assert page.text.count(f"{plain.lift:+.0%}") == page.text.count(f"{plain.lift:+.0%} ") >= 1
    assert "Lift over the best-prompted baseline" not in page.text
    assert not [value for tag, name, value in page.attributes if (tag, name) == ("p", "class") and value == "figure"]


def test_rival_candidates_build_upon_the_same_step(runs: list[Run]) -> None:
    steps = list_steps(compare(runs[0], runs[1:]), "rougeL")
    assert [step.role for step in steps] == ["baseline", "candidate", "candidate"]
    assert [step.start for step in steps] == [0.0, steps[0].value, steps[0].value]


def test_what_was_not_measured_is_said(page: Page) -> None:
    assert "Not measured (best-prompted): what a prompt alone buys was not measured" in page.text
    assert "Not measured (controls): not measured" in page.text


def test_findings_are_marked_in_the_text(tmp_path: Path) -> None:
    baseline, candidate = write_run(tmp_path), write_run(tmp_path, command="train", created="2026-01-05T11:00:00Z")
    rows = [SampleScores(id=id_, scores=scores) for id_, scores in candidate.scores.items()]
    first = rows[0].id
    found = [Finding(start=0, end=8, kind="unsupported name"), Finding(start=3, end=9, kind="hidden by the first")]
    rows[0] = msgspec.structs.replace(rows[0], findings={"unsupported-facts": found})
    write_lines(candidate.folder / "scores.jsonl", rows)
    again = [baseline, reseal(candidate)]
    text = render(compare(again[0], again[1:]), again)
    [data] = read_lists(text)
    row = next(row for row in data["rows"] if row["id"] == first)
    [(start, end, kind)] = row["texts"][1]["marks"]
    assert (start, end, data["kinds"][kind]) == (0, 8, "unsupported name")


# -------------------------------------------------------------------------------------------- self-contained, safe


def loaded(page: Page) -> list[str]:
    """What a browser would fetch, or follow, outside the page."""
    names = {"src", "href", "xlink:href", "srcset", "action", "formaction", "data", "poster", "background", "style"}
    found = [value for _, name, value in page.attributes if name in names and not value.startswith("#")]
    found += re.findall(r"url\(.*?\)|@import.*", " ".join(page.content["style"]))
    return found


def test_nothing_is_loaded_and_the_policy_says_so(page: Page) -> None:
    assert loaded(page) == []
    [policy] = [value for value in page.values("content") if "default-src" in value]
    assert policy.startswith("default-src 'none'")
    for tag in ("script", "style"):
        content = page.content[tag][-1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def hostile_run(folder: Path, text: str, command: Any, number: int) -> Run:
    """A run that has `text` in every field that may hold a text."""
    rows = [
        Conversation(
            id=f"{place}{text}",
            turns=(Turn(role=text, text=text), Turn(role="agent", text=text)),
            references=(text, f"order {text}"),
            metadata={text: text},
        )
        for place in range(2)
    ]
    written = "b179" * 16
    run = write_run(
        folder,
        command=command,
        name=text,
        created=f"2026-01-05T1{number}:00:00Z",
        conversations=rows,
        texts=[f"an order {text}", f"{text} order"],
        scores={name: [0.2 + 0.1 * number, 0.3 + 0.1 * number] for name in ("rouge1", "rouge2", "rougeL", "rougeLsum")},
        system={
            "model": msgspec.structs.replace(BASE, reference=text, source=text),
            "adapter": AdapterRecord(sha256=written, trainer=text, base_sha256=text, precision=text, run=text),
            "precision": text,
            "backend": text,
            "prompt": PromptSpec(template=text, system=text, style="chat", sha256=written),
        },
        protocol={"dataset": text, "split": text, "postprocess": text, "fingerprint": text},
        environment=msgspec.structs.replace(
            ENVIRONMENT, processor=text, platform=text, gpu=text, driver=text, python=text, packages={"p" + text: text}
        ),
        notes=[text],
    )
    manifest = msgspec.structs.replace(
        run.manifest,
        id=f"{number}{text}",
        created=text,
        finished=text,
        recipe={"section": {"key" + text: text}},
        origins={f"section.key{text}": text},
        argv=["bench", text],
        git=GitState(commit=text, dirty=True),
        version=text,
        parent=text,
    )
    write_atomic(run.folder / "manifest.json", manifest)
    if run.training is not None:
        changed = msgspec.structs.replace(run.training, trainer=text, device=text, rows_reported={text: 1})
        write_atomic(run.folder / "training" / "summary.json", changed)
        write_atomic(run.folder / "training" / "options.json", {"option" + text: text})
    return reseal(run)


def pages(folder: Path, text: str) -> Iterator[str]:
    runs = [hostile_run(folder, text, command, at) for at, command in enumerate(("baseline", "train"))]
    yield render(compare(runs[0], runs[1:]), runs, sections=[(text, text)])
    yield render_runs(runs)


def test_hostile_text_in_every_field_stays_text(tmp_path: Path) -> None:
    tame, hostile = list(pages(tmp_path / "tame", TAME)), list(pages(tmp_path / "hostile", HOSTILE))
    for one, other in zip(map(Page, tame), map(Page, hostile), strict=True):
        assert other.tags == one.tags
        assert [name for _, name, _ in other.attributes] == [name for _, name, _ in one.attributes]
        # All scripts but the last are inert data.
        assert other.content["script"][-1] == one.content["script"][-1]
        assert len(other.content["script"]) == len(one.content["script"])
        assert loaded(other) == []
        assert " ".join(HOSTILE.split()) in other.text
        assert "49" not in re.findall(r"alert\(1\).{0,60}", other.text)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_no_text_changes_the_markup(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    tame = Page(render_runs([hostile_run(folder / "tame", "tame", "score", 0)]))
    other = Page(render_runs([hostile_run(folder / "any", text, "score", 0)]))
    assert other.tags == tame.tags


# ---------------------------------------------------------------------------------------------- unknowns and numbers


def test_missing_scores_are_unknown_and_last_and_prove_nothing(tmp_path: Path) -> None:
    rows = write_conversations(6)
    values: list[float | None] = [0.1, None, 0.3, 0.2, 0.4, 0.5]
    baseline = write_run(tmp_path, conversations=rows, scores={"rougeL": [0.2] * 6})
    candidate = write_run(tmp_path, command="score", conversations=rows, scores={"rougeL": values})
    text = render(compare(baseline, [candidate]), [baseline, candidate])
    page = Page(text)
    assert "○ Not proven: do not ship" in page.text
    assert "unknown: rougeL has no number for 1 of 6 conversations of the candidate" in page.text
    assert "1 unscored" in page.text
    assert read_rows(text)[-1]["id"] == "c001"
    assert "3 better, 1 worse, 1 the same, 1 unknown" in page.text
    assert not NO_WORD.search(page.text)
    assert "nan" not in page.text.lower().split()


def test_what_texts_made_elsewhere_lack_is_unknown(runs: list[Run]) -> None:
    page = Page(render(compare(runs[0], [runs[2]]), runs))
    assert "cut at the token limit 0 unknown" in page.text
    assert "environment differs – not recorded" in page.text
    assert "unverified: the texts were given" in page.text
    assert "Training" not in page.text
    assert not NO_WORD.search(page.text)


def test_a_training_without_validation_and_an_adapter_without_a_past(tmp_path: Path) -> None:
    baseline = write_run(tmp_path)
    trained = write_run(tmp_path, command="train", system={"adapter": AdapterRecord(sha256="ada9" * 16)})
    write_lines(trained.folder / "training" / "curve.jsonl", [CurvePoint(step=1, epoch=0.1, loss=2.0)])
    assert trained.training is not None
    summary = msgspec.structs.replace(trained.training, best_validation_loss=None)
    write_atomic(trained.folder / "training" / "summary.json", summary)
    trained = reseal(trained)
    page = Page(render(compare(baseline, [trained]), [baseline, trained]))
    assert "validation loss unknown" in page.text
    assert "precision of the base unknown" in page.text
    assert "The trainer’s options are not recorded." in page.text
    assert "adapter's trainer differs – unknown" in page.text
    assert not NO_WORD.search(page.text)


def test_a_prediction_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    write_lines(run.folder / "predictions.jsonl", list(run.predictions.values())[1:])
    [data] = read_lists(render_runs([reseal(run)]))
    [lacking] = [row for row in data["rows"] if row["texts"][0]["text"] is None]
    assert lacking["id"] == run.conversations[0].id
    assert [data["tags"][tag]["one"] for tag, _ in lacking["texts"][0]["tags"]] == ["no text recorded"]


def test_without_a_candidate_the_baseline_is_shown_alone(runs: list[Run], comparison: Comparison) -> None:
    text = render(msgspec.structs.replace(comparison, candidates=[]), runs[:1])
    page = Page(text)
    assert "There is no candidate to judge" in page.text
    assert len(read_rows(text)) == len(runs[0].conversations)
    assert "Gains" not in page.text


def test_several_candidates_each_have_a_verdict_and_share_caveats(runs: list[Run]) -> None:
    comparison = compare(runs[0], runs[1:])
    page = Page(render(comparison, runs))
    for number, result in enumerate(comparison.candidates, start=1):
        assert f"candidate {number}" in page.text
        assert answer_candidate(comparison, result, "").reason in page.text
        for caveat in result.verdict.caveats:
            assert caveat in page.text
    shared = set.intersection(*(set(result.verdict.caveats) for result in comparison.candidates))
    assert shared
    assert all(page.text.count(caveat) == 1 for caveat in shared)
    assert "97.5% interval" in page.text


def test_where_lower_is_better_less_is_a_gain(tmp_path: Path) -> None:
    rows = write_conversations(3)
    given: dict[Literal["baseline", "score"], list[float]] = {"baseline": [3.0, 3.0, 3.0], "score": [1.0, 2.0, 4.0]}
    runs = [
        write_run(tmp_path, command=command, conversations=rows, scores={"errors": values}, headlines=["errors"])
        for command, values in given.items()
    ]
    for run in runs:
        metrics = [msgspec.structs.replace(row, direction="lower") for row in run.summary.metrics]
        write_atomic(run.folder / "summary.json", msgspec.structs.replace(run.summary, metrics=metrics))
    runs = [reseal(run) for run in runs]
    text = render(compare(runs[0], runs[1:]), runs)
    assert [row["gains"] for row in read_rows(text)] == [[-1.0], [1.0], [2.0]]
    assert "errors headline lower is better" in Page(text).text


# ---------------------------------------------------------------------------------------------------------- any runs


def test_runs_that_were_measured_alike_are_grouped_and_not_judged(tmp_path: Path, runs: list[Run]) -> None:
    other = write_run(tmp_path, protocol={"max_new_tokens": 40})
    text = render_runs([runs[0], other, runs[1]])
    page = Page(text)
    assert "Compare figures only within a group" in page.text
    assert "Runs 1 and 3 : tweetsumm, validation, 36 conversations" in page.text
    assert "different from runs 1 and 3 in max_new_tokens" in page.text
    assert not any(outcome.capitalize() in page.text for outcome in SYMBOLS)
    assert [(data["name"], len(data["rows"])) for data in read_lists(text)] == [
        ("conversations", 36),
        ("conversations-2", 36),
    ]
    assert len(page.values("id")) == len(set(page.values("id")))


def test_runs_measured_alike_may_be_compared(runs: list[Run]) -> None:
    page = Page(render_runs(runs))
    assert "All 3 runs were measured with the same protocol" in page.text
    assert all(run.id in page.text for run in runs)


def test_the_real_conversations_make_a_page_well_under_two_megabytes(tweetsumm: Path, tmp_path: Path) -> None:
    rows = [
        msgspec.json.decode(line, type=Conversation)
        for line in (tweetsumm / "validation.jsonl").read_bytes().splitlines()
    ]
    scores: dict[str, list[float | None]] = {
        name: [place / len(rows) for place in range(len(rows))] for name in ("rouge1", "rouge2", "rougeL", "rougeLsum")
    }
    runs = [
        write_run(
            tmp_path, command=command, conversations=rows, texts=["a summary of it " * 12] * len(rows), scores=scores
        )
        for command in ("baseline", "train")
    ]
    text = render(compare(runs[0], runs[1:]), runs)
    assert len(text.encode()) < 1_000_000
    assert len(read_rows(text)) == 108
