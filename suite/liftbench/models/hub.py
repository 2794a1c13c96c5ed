"""Downloads files from the Hugging Face hub, pinned to a commit. An unreachable hub is detected within seconds."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeVar

from ..errors import PrerequisiteError, UsageError, first_line, require_packages

T = TypeVar("T")

HUB = "hub:"
"""The beginning of a reference to the hub: `hub:org/name` or `hub:org/name@revision`."""

HOME = "huggingface.co"

Kind = Literal["model", "dataset", "space"]

EXTRAS: dict[Kind, str] = {"model": "models", "dataset": "data", "space": "metrics"}
"""Kind of repository → the extra of liftbench that installs what a download needs."""

SECONDS_TO_ANSWER = 15.0
"""Time limit for the whole first request to the hub. The client's own limit applies to each address of the host
(huggingface.co has eight), and not to DNS."""


def parse(reference: str) -> tuple[str, str | None]:
    """The repository and the revision in `hub:org/name@revision`: a branch, tag or commit, None for the default branch.

    Raises `UsageError` if the reference has another form.
    """
    matched = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", reference)
    if matched is None:
        raise UsageError(f"{reference!r} is not a reference to the hub", "Write hub:org/name or hub:org/name@revision.")
    return matched[1], matched[2]


def cached_snapshot(reference: str, kind: Kind = "model") -> Path | None:
    """The folder of an earlier download of a `hub:` reference; None if there is none. The hub is not asked."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    repository, revision = parse(reference)
    try:
        return Path(snapshot_download(repository, revision=revision, repo_type=kind, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def download(
    repository: str,
    revision: str | None,
    *,
    kind: Kind,
    allow: Sequence[str],
    ignore: Sequence[str] = (),
    instead: str,
) -> Path:
    """The local snapshot of the files in a repository that match the patterns; its folder has the commit as name.

    Without a connection, a complete snapshot from an earlier download is used. Raises `UsageError` if the repository or
    the revision does not exist, and `PrerequisiteError` if the hub cannot be reached or refuses access; `instead` is a
    sentence with the alternative that this error offers.
    """
    with _explain(repository, revision, kind, instead):
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HTTPError, IncompleteSnapshotError, LocalEntryNotFoundError

        unreachable = ""
        try:
            _call_within(SECONDS_TO_ANSWER, lambda: HfApi().repo_info(repository, revision=revision, repo_type=kind))
        except HfHubHTTPError as error:
            if error.response.status_code < 500:
                raise
            unreachable = f"status {error.response.status_code}"
        except (HTTPError, OSError) as error:
            unreachable = str(error) or type(error).__name__
        try:
            return Path(
                snapshot_download(
                    repository,
                    revision=revision,
                    repo_type=kind,
                    allow_patterns=list(allow),
                    ignore_patterns=list(ignore) or None,
                    local_files_only=bool(unreachable),
                )
            )
        except (LocalEntryNotFoundError, IncompleteSnapshotError) as error:
            raise _unreachable(unreachable or first_line(error), repository, instead) from error


def require_downloadable(repository: str, revision: str | None, *, instead: str) -> int | None:
    """The bytes of a model's weights; None if the hub does not say. Nothing is downloaded.

    Raises what `download` would raise at its beginning.
    """
    with _explain(repository, revision, "model", instead):
        from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import HfHubHTTPError, HTTPError

        def look() -> int | None:
            found = HfApi().model_info(repository, revision=revision, files_metadata=True)
            # The hub tells of a gated model to everybody; its files only those may have who accepted its licence.
            get_hf_file_metadata(hf_hub_url(repository, "config.json", revision=revision))
            files = [one for one in found.siblings or () if one.rfilename.endswith(".safetensors")]
            return sum(one.size or 0 for one in files if "/" not in one.rfilename) or None

        try:
            return _call_within(SECONDS_TO_ANSWER, look)
        except HfHubHTTPError as error:
            if error.response.status_code < 500:
                raise
            raise _unreachable(f"status {error.response.status_code}", repository, instead) from error
        except (HTTPError, OSError) as error:
            raise _unreachable(str(error) or type(error).__name__, repository, instead) from error


@contextmanager
def _explain(repository: str, revision: str | None, kind: Kind, instead: str) -> Iterator[None]:
    """Turn the errors of the hub's client into ours."""
    require_packages(["huggingface_hub"], f"{HUB}{repository}", f"liftbench[{EXTRAS[kind]}]")
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,  # the HTTP client's own base class, whichever client it is
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise PrerequisiteError(
            f"{repository} is gated on the hub",
            "Accept its licence on its page, create an access token there and log in with `hf auth login` (or set "
            f"HF_TOKEN). Or: {instead}",
        ) from error
    except HFValidationError as error:
        raise UsageError(f"{repository!r} is not a valid name of a {kind} on the hub: {first_line(error)}") from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{repository} has no revision {revision!r} on the hub") from error
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"the hub has no {kind} {repository!r}, or it is private",
            "Check the name, or log in with `hf auth login`.",
        ) from error
    except HfHubHTTPError as error:
        raise PrerequisiteError(f"the hub refuses {repository}: {first_line(error)}") from error
    except (HTTPError, OSError) as error:
        raise PrerequisiteError(
            f"the download of {repository} was interrupted ({first_line(error)})",
            "The same command continues it.",
        ) from error


def _unreachable(reason: str, repository: str, instead: str) -> PrerequisiteError:
    return PrerequisiteError(
        f"the hub cannot be reached ({reason}), and the local cache has no complete copy of {repository}",
        f"Connect to the internet. Or: {instead}",
    )


def _call_within(seconds: float, call: Callable[[], T]) -> T:
    """The result of the call. Raises the call's exception, or `TimeoutError` when the time is over.

    A call that hangs goes on in a daemon thread, which does not keep the process alive.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # raised in the waiting thread
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(timeout=seconds)
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"no answer within {seconds:.0f} seconds") from error
