"""What stands beside a comparison: controls, humans and the validity table, measured where they are not at hand."""

from __future__ import annotations

from msgspec import Struct

from ..errors import LiftbenchError
from ..extension.loader import Plugins
from ..measuring.plan import measured_again
from ..progress import Progress
from ..runs.directory import Run
from .control_scores import Yardsticks, controls, kept, read_cached
from .validity import Validity, validity


class Beside(Struct, frozen=True, kw_only=True):
    """What stands beside a comparison."""

    yardsticks: Yardsticks | None = None
    validity: Validity | None = None
    missing: dict[str, str] = {}
    """`controls`, `validity` → why it could not be had."""


def beside(run: Run, plugins: Plugins, on_controls: Progress, on_validity: Progress) -> Beside:
    """The yardsticks of a run's protocol: as they are kept, else measured now from the run's own recipe.

    What cannot be had (the data are gone, or are no longer what they were) is missing, with the reason.
    """
    manifest = run.manifest
    place = kept(manifest.protocol, manifest.training, manifest.seed, plugins, run.folder.resolve().parent)
    kept_controls, kept_validity = read_cached(place.controls, Yardsticks), read_cached(place.validity, Validity)
    if kept_controls and kept_validity:
        return Beside(yardsticks=kept_controls, validity=kept_validity)
    try:
        measurement = measured_again(run, plugins)
        yardsticks = controls(measurement, place, manifest.seed, plugins, on_controls)
    except LiftbenchError as error:
        return Beside(missing={"controls": str(error), "validity": str(error)})
    try:
        table = validity(measurement, place, manifest.seed, plugins, on_validity)
    except LiftbenchError as error:
        return Beside(yardsticks=yardsticks, missing={"validity": str(error)})
    return Beside(yardsticks=yardsticks, validity=table)
