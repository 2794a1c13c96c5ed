"""The background of a comparison: controls, humans and the validity table, measured where none are kept."""

from __future__ import annotations

from msgspec import Struct

from ..errors import LiftbenchError, NotWritten
from ..extension.loader import Plugins
from ..measuring.plan import ReadData, prepare_again, read_data
from ..progress import Progress
from ..runs.directory import Run
from .control_scores import ControlScores, floor_cache, measure_controls, read_cached
from .validity import Validity, measure_validity


class Background(Struct, frozen=True, kw_only=True):
    """Control scores and validity table, shown beside a comparison."""

    controls: ControlScores | None = None
    validity: Validity | None = None
    missing: dict[str, str] = {}
    """`controls`, `validity` → why it could not be measured."""


def measure_background(
    run: Run, plugins: Plugins, on_controls: Progress, on_validity: Progress, read: ReadData = read_data
) -> Background:
    """The background of a run's protocol: read where it is kept, else measured now from the run's own recipe.

    What cannot be measured (the data are gone or have changed) is listed in `missing`, with the reason. Raises
    `NotWritten` where what was measured cannot be kept.
    """
    manifest = run.manifest
    place = floor_cache(manifest.protocol, manifest.training, manifest.seed, plugins, run.folder.resolve().parent)
    kept_controls, kept_validity = read_cached(place.controls, ControlScores), read_cached(place.validity, Validity)
    if kept_controls and kept_validity:
        return Background(controls=kept_controls, validity=kept_validity)
    try:
        measurement = prepare_again(run, plugins, read=read)
        controls = measure_controls(measurement, place, manifest.seed, plugins, on_controls)
    except NotWritten:
        raise
    except LiftbenchError as error:
        return Background(missing={"controls": error.line, "validity": error.line})
    try:
        table = measure_validity(measurement, place, manifest.seed, plugins, on_validity)
    except NotWritten:
        raise
    except LiftbenchError as error:
        return Background(controls=controls, missing={"validity": error.line})
    return Background(controls=controls, validity=table)
