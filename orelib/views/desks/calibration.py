"""The desk for photographs to calibrate on, in notebook 09: pairs, of which one is enough, or dry photographs."""

from __future__ import annotations

from pathlib import Path

from orelib.data.filed import copy_sides, state_of
from orelib.data.filing import Filing, plan_filing
from orelib.restore.calibration import calibrate_on_pairs, calibrate_on_photographs, summary
from orelib.restore.correction import write_calibration
from orelib.utils.checksums import read_json, write_json
from orelib.utils.paths import kit_path, shown
from orelib.views.desks.desk import Desk, yours
from orelib.views.desks.pairs import counted, remarks_on, rows_of
from orelib.views.desks.photographs import PhotographsDesk, restorer_of

CURE = "delete it, and choose the photographs again"


class CalibrationDesk(Desk):
    """Takes pairs, or dry photographs, that tell how bright results must be.

    ``given`` is a file of ``orelib calibrate``.
    """

    kind, below = "calibration", "It is used below."
    invites = "Choose one pair, or dry photographs …"

    def __init__(self, given: Path | None):
        self.filing: Filing | None = None
        super().__init__(given)

    @property
    def _note(self) -> Path:
        return yours() / f"{self.chosen.name}-agreed.json"

    def _is_agreed(self) -> bool:
        return self._note.exists() and read_json(self._note, CURE)["state"] == state_of(self.chosen)

    def look(self) -> dict:
        """Finds pairs among the photographs; returns what to say."""
        self.filing, self.rows = None, []
        if self.chosen is None:
            return {"line": "Optional. Nothing is chosen.", "state": "empty"}
        if self.given is not None:
            return {"line": f"The calibration in {shown(self.given)} is used.", "state": "ready"}
        self.filing = plan_filing(self.chosen)
        self.rows = [row | {"split": ""} for row in rows_of(self.filing)]
        said = {"line": f"In {shown(self.chosen)}.", "remarks": remarks_on(self.filing), "state": "found"}
        alone = len(self.filing.left_out)
        what = counted(self.filing)
        if not self.filing.pairs:
            said["remarks"] = []
            what = f"{alone} photograph{'s' * (alone != 1)} of dry ore"
        if self._is_agreed():
            return said | {"line": f"To be calibrated on {what}.", "again": "To do so, run", "state": "ready"}
        return said | {"action": f"Calibrate on {what}"}

    def use(self) -> dict:
        """Notes that the photographs are what the button said; returns what to say."""
        copy_sides(self.filing, self._sides)
        write_json(self._note, {"state": state_of(self.chosen), "pairs": bool(self.filing.pairs)})
        return self.look()

    @property
    def _sides(self) -> Path:
        return yours() / f"{self.chosen.name}-agreed"

    def calibrate(self, model: str | None, wet: PhotographsDesk) -> Path | None:
        """Returns the calibration file that was given, or is made now of what was chosen; None without either.

        ``wet`` are the photographs that dry ones are compared with. Raises as
        :func:`~orelib.restore.calibration.calibrate_on_pairs` and its sister.
        """
        if self.chosen is None or self.given is not None:
            return self.given
        if not self._is_agreed():
            return None
        restorer, out = restorer_of(model, to_calibrate=True), yours() / f"{self.chosen.name}.json"
        if read_json(self._note, CURE)["pairs"]:
            calibration = calibrate_on_pairs(restorer, self._sides)
        elif wet.is_yours:
            calibration = calibrate_on_photographs(restorer, wet.folder, self._sides / "dry")
        else:
            print("Dry photographs wait for wet ones of yours to be compared with.")
            return None
        write_calibration(out, calibration)
        print(summary(calibration))
        return out


def calibration_desk(calibration: str | None) -> CalibrationDesk:
    """Returns the desk; a relative path counts from the root of the kit. Raises SettingsError."""
    return CalibrationDesk(kit_path("calibration", calibration) if calibration else None)
