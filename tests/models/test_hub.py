from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from liftbench.errors import UsageError
from liftbench.models.hub import parse
from liftbench.models.references import files_sha256

from ..support.hub_stand_in import COMMIT, NOWHERE, Hub, ask

INSTEAD = "Use a folder, a .gguf file or the alias smollm2-135m."
LOG_IN = "create an access token there and log in with `hf auth login` (or set HF_TOKEN)."

RESOLVE = """
import sys
from liftbench.models import hub
from liftbench.errors import LiftbenchError
from liftbench.models.references import resolve
hub.SECONDS_TO_ANSWER = 3.0
try:
    model = resolve(sys.argv[1])
    print(model.path, model.name, model.record.sha256, model.record.source, sep="\\n")
except LiftbenchError as error:
    print(error)
    code = error.exit_code
else:
    code = 0
sys.exit(code)
"""


@pytest.fixture
def hub(tiny_chat_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One model, `org/tiny`, also as `org/gated`; beside what transformers reads lie the weights in another format."""
    folder = tmp_path_factory.mktemp("repository") / "tiny"
    shutil.copytree(tiny_chat_model, folder)
    (folder / "original").mkdir()
    (folder / "original" / "weights.safetensors").write_bytes(b"the same")
    hub = Hub(models={"org/tiny": folder, "org/gated": folder})
    yield hub
    hub.close()


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def resolve(reference: str, endpoint: str, home: Path, **environment: str) -> tuple[int, list[str], float]:
    """Exit code, printed lines and seconds of a process that resolves (the endpoint is read once, at import)."""
    done = ask(RESOLVE, reference, endpoint=endpoint, home=home, **environment)
    return done.code, done.lines, done.seconds


def test_a_model_comes_pinned_to_its_commit_and_then_serves_offline(
    hub: Hub, tmp_path: Path, tiny_chat_model: Path
) -> None:
    code, online, _ = resolve("hub:org/tiny", hub.url, tmp_path)
    path, name, sha256, source = online
    assert code == 0
    assert (name, source) == ("tiny", f"hub org/tiny @ {COMMIT}")
    assert sha256 == files_sha256(tiny_chat_model.glob("*.safetensors"))
    assert {file.name for file in Path(path).iterdir()} == {file.name for file in tiny_chat_model.iterdir()}
    assert not any("original" in asked for asked in hub.asked)
    asked = len(hub.asked)
    code, offline, seconds = resolve("hub:org/tiny", NOWHERE, tmp_path)
    assert (code, offline) == (0, online)
    assert resolve("hub:org/tiny", hub.url, tmp_path, HF_HUB_OFFLINE="1")[:2] == (0, online)
    assert seconds < 10
    assert len(hub.asked) == asked


@pytest.mark.parametrize(
    ("reference", "code", "said", "fix"),
    [
        ("hub:org/nothing", 2, "the hub has no model 'org/nothing'", "Check the name, or log in with `hf auth login`."),
        ("hub:org/tiny@v9", 2, "org/tiny has no revision 'v9'", ""),
        ("hub:org/a--b", 2, "'org/a--b' is not a valid name of a model", ""),
        (
            "hub:org/gated",
            3,
            "org/gated is gated on the hub",
            f"Accept its licence on its page, {LOG_IN} Or: {INSTEAD}",
        ),
        ("hub:org/down", 3, "the hub cannot be reached (status 503)", f"Connect to the internet. Or: {INSTEAD}"),
    ],
)
def test_what_the_hub_refuses_is_explained(
    hub: Hub, tmp_path: Path, reference: str, code: int, said: str, fix: str
) -> None:
    got, lines, seconds = resolve(reference, hub.url, tmp_path)
    assert got == code
    assert lines[0].startswith(said)
    assert lines[1:] == ([fix] if fix else [])
    assert seconds < 10


@pytest.mark.parametrize("place", ["refused", "unknown", "silent"])
def test_an_unreachable_hub_is_known_within_seconds(tmp_path: Path, silent_server: str, place: str) -> None:
    url = {"refused": NOWHERE, "unknown": "http://hub.invalid", "silent": silent_server}[place]
    code, lines, seconds = resolve("hub:org/tiny", url, tmp_path)
    assert code == 3
    assert lines[0].startswith("the hub cannot be reached (")
    assert lines[1:] == [f"Connect to the internet. Or: {INSTEAD}"]
    assert seconds < 15


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("hub:org/name", ("org/name", None)),
        ("hub:org/name@main", ("org/name", "main")),
        ("hub:meta-llama/Llama-3.2-1B@refs/pr/4", ("meta-llama/Llama-3.2-1B", "refs/pr/4")),
    ],
)
def test_references_to_the_hub(reference: str, expected: tuple[str, str | None]) -> None:
    assert parse(reference) == expected


@pytest.mark.parametrize("reference", ["hub:", "hub:name", "hub:a/b/c", "hub:org/name@", "hub:org/na me"])
def test_references_that_are_none(reference: str) -> None:
    with pytest.raises(UsageError, match="Write hub:org/name"):
        parse(reference)
