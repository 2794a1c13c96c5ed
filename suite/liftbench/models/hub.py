"""Files of the Hugging Face hub, pinned to a commit; that the hub cannot be reached is known within seconds."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Literal, TypeVar

from ..errors import PrerequisiteError, UsageError

T = TypeVar("T")

HUB = "hub:"
"""Begins a reference to something on the hub: `hub:org/name` or `hub:org/name@revision`."""

Kind = Literal["model", "dataset", "space"]

SECONDS_TO_ANSWER = 15.0
"""A time limit of the client counts for each address of the host, eight for huggingface.co, and for no DNS at all; so
the first question to the hub gets a limit as a whole."""


def parse(reference: str) -> tuple[str, str | None]:
    """`hub:org/name@revision` as repository and revision (a branch, tag or commit; None for the default branch)."""
    matched = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", reference)
    if matched is None:
        raise UsageError(f"{reference!r} names nothing on the hub; write hub:org/name or hub:org/name@revision")
    return matched[1], matched[2]


def download(
    repository: str,
    revision: str | None,
    *,
    kind: Kind,
    allow: Sequence[str],
    ignore: Sequence[str] = (),
    instead: str,
) -> Path:
    """The local snapshot of those files of a repository that match the patterns; the folder's name is the commit.

    Without a connection, a snapshot that was downloaded whole before serves. Raises `UsageError` where there is no such
    repository or revision, `PrerequisiteError` where the hub cannot be reached or does not let us in; `instead` says
    what else would do.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,  # the HTTP client's own base class, whichever client it is
        IncompleteSnapshotError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    unreachable = ""
    try:
        try:
            _within(SECONDS_TO_ANSWER, lambda: HfApi().repo_info(repository, revision=revision, repo_type=kind))
        except HfHubHTTPError as error:
            if error.response.status_code < 500:
                raise
            unreachable = f"it answers with status {error.response.status_code}"
        except (HTTPError, OSError) as error:
            unreachable = str(error) or type(error).__name__
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
    except GatedRepoError as error:
        raise PrerequisiteError(
            f"{repository} is gated: accept its licence on its page on the hub, make an access token there, and log in "
            f"with `hf auth login` (or set HF_TOKEN); or {instead}"
        ) from error
    except HFValidationError as error:
        raise UsageError(f"{repository!r} is no name of a {kind} on the hub: {_first_line(error)}") from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{repository} has no revision {revision!r} on the hub") from error
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"there is no {kind} {repository!r} on the hub, or it is private: check the name, or log in with "
            "`hf auth login`"
        ) from error
    except (LocalEntryNotFoundError, IncompleteSnapshotError) as error:
        raise PrerequisiteError(
            f"the hub cannot be reached ({unreachable or _first_line(error)}), and {repository} is not in the local "
            f"cache as a whole; connect, or {instead}"
        ) from error
    except HfHubHTTPError as error:
        raise PrerequisiteError(f"the hub refuses {repository}: {_first_line(error)}") from error
    except (HTTPError, OSError) as error:
        raise PrerequisiteError(
            f"the download of {repository} broke off ({_first_line(error)}); the same command continues it"
        ) from error


def _within(seconds: float, call: Callable[[], T]) -> T:
    """The call's result. Raises its exception, or `TimeoutError`; a thread that hangs is left behind, as a daemon."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # the waiting thread raises it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(timeout=seconds)
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"no answer within {seconds:.0f} seconds") from error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
