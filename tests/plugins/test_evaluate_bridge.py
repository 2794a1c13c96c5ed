from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from liftbench.errors import LiftbenchError, PrerequisiteError, UsageError
from liftbench.files import file_sha256
from liftbench.plugin_api import Conversation, MetricRequest, Turn
from liftbench_plugins.metrics.evaluate_bridge import Evaluate

from ..support.hub_stand_in import COMMIT, NOWHERE, Hub, ask

SCRIPT = """
import evaluate
import datasets


class Mine(evaluate.Metric):
    def _info(self):
        features = datasets.Features({{"predictions": datasets.Value("string"), "references": {references}}})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        [text], [reference] = predictions, references
        shared = set(text.split()) & set(reference.split())
        return {result}
"""

SHARED = "len(shared) / len(set(text.split()) | set(reference.split()))"


@pytest.fixture(autouse=True, scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where the library copies scripts to: not into the user's cache."""
    from evaluate import config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "HF_MODULES_CACHE", tmp_path_factory.mktemp("modules"))
        yield


def write(folder: Path, result: str, *, name: str = "mine", references: str = 'datasets.Value("string")') -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(SCRIPT.format(result=result, references=references))
    return path


def metric(argument: object) -> Evaluate:
    return Evaluate(MetricRequest(argument=str(argument)))


def conversation(*references: str) -> Conversation:
    return Conversation(id="c", turns=(Turn(role="customer", text="Where is my order?"),), references=references)


def test_a_local_script_scores_each_text_against_each_reference(tmp_path: Path) -> None:
    script = write(tmp_path, f'{{"overlap": {SHARED}}}')
    bridge = metric(script)
    texts = ["late order", "late order", "a b", "", "late order"]
    conversations = [
        conversation("late order"),
        conversation("late order", "late parcel", "refund"),
        conversation("c"),
        conversation("late"),
        conversation(),
    ]
    assert bridge.score(texts, conversations) == [1.0, pytest.approx((1 + 1 / 3 + 0) / 3), 0.0, None, None]
    assert bridge.name == f"evaluate:{script}"
    assert bridge.signature == (
        f"evaluate:mine|overlap|refs:mean|script:{file_sha256(script)[:12]}|evaluate:{version('evaluate')}"
    )
    assert (bridge.direction, bridge.sees) == ("neither", "overlap")


def test_a_folder_stands_for_the_script_of_its_name(tmp_path: Path) -> None:
    write(tmp_path / "mine", '{"overlap": 0.5}')
    assert metric(tmp_path / "mine").score(["a"], [conversation("a")]) == [0.5]


def test_a_changed_script_has_another_signature_and_its_own_numbers(tmp_path: Path) -> None:
    first = metric(write(tmp_path / "one", '{"overlap": 0.25}'))
    second = metric(write(tmp_path / "two", '{"overlap": 0.75}'))
    assert first.signature != second.signature
    assert [one.score(["a"], [conversation("a")]) for one in (first, second, first)] == [[0.25], [0.75], [0.25]]


@pytest.mark.parametrize(
    ("result", "key", "expected"),
    [
        ('{"f1": 0.5}', "", 0.5),
        ('{"f1": 0.5}', "#f1", 0.5),
        ('{"f1": 0.5, "recall": 0.25}', "#recall", 0.25),
        ('{"mine": 0.125, "recall": 0.25}', "", 0.125),
        ('{"f1": 0.5, "hash": "layer-6", "counts": [1, 2]}', "", 0.5),
        ('{"f1": [0.5], "hash": None}', "", 0.5),
        ('{"f1": __import__("numpy").float32(0.5)}', "", 0.5),
        ('{"f1": 3}', "", 3.0),
    ],
)
def test_the_number_is_the_named_the_sole_or_the_metrics_own(
    result: str, key: str, expected: float, tmp_path: Path
) -> None:
    bridge = metric(f"{write(tmp_path, result)}{key}")
    assert bridge.score(["a"], [conversation("a")]) == [expected]


@pytest.mark.parametrize(
    ("result", "key", "expected"),
    [
        ('{"f1": 0.5, "recall": 0.25}', "", ["returns several numbers", "mine.py#f1", "mine.py#recall"]),
        ('{"f1": 0.5, "recall": 0.25}', "#precision", ["has no 'precision'", "mine.py#f1", "mine.py#recall"]),
        ('{"label": "good"}', "", ["returns no number"]),
        ("None", "", ["returns no number"]),
        ("1 / 0", "", ["failed", "ZeroDivisionError"]),
    ],
)
def test_no_number_or_the_choice_of_several_is_said_before_anything_is_scored(
    result: str, key: str, expected: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        metric(f"{write(tmp_path, result)}{key}")
    assert all(piece in str(caught.value) for piece in expected)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_metric_of_other_inputs_is_refused(tmp_path: Path) -> None:
    numbers = write(tmp_path, '{"f1": 0.5}', references='datasets.Value("int64")')
    with pytest.raises(UsageError, match="failed on a text and a reference"):
        metric(numbers)


def test_a_number_that_is_none_gives_no_score(tmp_path: Path) -> None:
    result = '{"f1": float("nan") if text == "odd" else float("inf") if text == "odder" else 1.0}'
    bridge = metric(write(tmp_path, result))
    scores = bridge.score(["odd", "odder", "even"], [conversation("a")] * 3)
    assert scores == [None, None, 1.0]
    assert not any(score is not None and math.isnan(score) for score in scores)


@pytest.mark.parametrize(
    ("content", "error", "expected"),
    [
        ("import evaluate\nimport nowhere_to_be_had\n", PrerequisiteError, "nowhere_to_be_had"),
        ("this is no Python", UsageError, "is not a metric of evaluate"),
        ("x = 1\n", UsageError, "is not a metric of evaluate"),
    ],
)
def test_a_script_that_cannot_be_loaded_is_said(
    content: str, error: type[LiftbenchError], expected: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(content)
    with pytest.raises(error, match=expected) as caught:
        metric(tmp_path / "broken.py")
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("argument", ["", "#f1", "missing.py", "folder", "/nowhere/at/all", "a/b/c"])
def test_a_metric_that_is_nowhere_is_a_mistake(argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError):
        metric(argument)


ASK = """
import sys
from liftbench.models import hub
from liftbench.plugin_api import Conversation, LiftbenchError, MetricRequest
from liftbench_plugins.metrics.evaluate_bridge import Evaluate
hub.SECONDS_TO_ANSWER = 3.0
try:
    metric = Evaluate(MetricRequest(argument=sys.argv[1]))
except LiftbenchError as error:
    print(error)
    sys.exit(error.exit_code)
print(metric.signature)
print(metric.score(["a"], [Conversation(id="c", turns=(), references=("a",))]))
"""


def test_without_the_hub_a_name_fails_clearly(tmp_path: Path) -> None:
    done = ask(ASK, "chrf", endpoint=NOWHERE, home=tmp_path)
    assert (done.code, len(done.lines)) == (3, 2), done.errors
    assert "the hub cannot be reached" in done.lines[0]
    assert "evaluate-metric/chrf" in done.lines[0]
    assert "Save the metric's script" in done.lines[1]


@pytest.mark.parametrize(("name", "repository"), [("mine", "evaluate-metric/mine"), ("org/mine", "org/mine")])
def test_a_metric_from_the_hub_is_pinned_to_its_commit(name: str, repository: str, tmp_path: Path) -> None:
    write(tmp_path / "repository", f'{{"overlap": {SHARED}}}')
    hub = Hub(spaces={repository: tmp_path / "repository"})
    try:
        done = ask(ASK, name, endpoint=hub.url, home=tmp_path / "home")
    finally:
        hub.close()
    expected = f"evaluate:mine|overlap|refs:mean|hub:{repository}@{COMMIT[:12]}|evaluate:{version('evaluate')}"
    assert (done.code, done.lines) == (0, [expected, "[1.0]"]), done.errors


def test_what_the_hub_has_not_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "app.py").write_text("")
    hub = Hub(spaces={"org/other": tmp_path / "repository"})
    try:
        wrong = ask(ASK, "org/nothing", endpoint=hub.url, home=tmp_path / "home")
        empty = ask(ASK, "org/other", endpoint=hub.url, home=tmp_path / "home")
    finally:
        hub.close()
    assert (wrong.code, empty.code) == (2, 2), wrong.errors + empty.errors
    assert "the hub has no space 'org/nothing'" in wrong.lines[0]
    assert "has no other.py" in empty.lines[0]
