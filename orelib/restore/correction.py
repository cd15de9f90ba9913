"""Corrections of a restorer's output by a few numbers, and the file that keeps a calibration.

A network or a fixed law cannot see from one photograph how much darker the water has made the rock, nor how the camera
was exposed. Both act on light, so on display values (with their gamma) they are one factor per channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import orelib
from orelib.utils.allowed import brief, number, parameter
from orelib.utils.checksums import DamagedFileError, read_json, write_json
from orelib.utils.names import printable
from orelib.utils.paths import shown

GAMMA = 2.2  # display value = light ** (1 / 2.2), nearly that of sRGB
KIND, FORM = "orelib calibration", 1
SLOPE, OFFSET = number(0.2, 5), number(-1, 1)  # display values; beyond, photographs were mixed up
CURE = "make it again with orelib calibrate"
NAMED = 3  # names of photographs that a description holds


@dataclass(frozen=True)
class Correction:
    """``slope * dry + offset`` for each channel, on display values 0-1; ``says`` describes it in a sentence."""

    slope: tuple[float, float, float]
    offset: tuple[float, float, float]
    says: str

    def apply(self, dry: np.ndarray, largest: float) -> np.ndarray:
        """Corrects float (..., 3) with values from 0 to ``largest``; the result is neither rounded nor clipped."""
        return dry * np.float32(self.slope) + np.float32(self.offset) * np.float32(largest)


@dataclass(frozen=True)
class Calibration(Correction):
    """A correction that was fitted on photographs (:mod:`orelib.restore.calibration`).

    ``restorer`` describes the restorer that it is for, ``fingerprint`` identifies it; ``fitted_on`` holds the names of
    the photographs, and ``measured`` what was found, applied and left out.
    """

    restorer: str
    fingerprint: str
    fitted_on: dict
    measured: dict


def darker(light: float, assumed: float | None) -> Correction:
    """Corrects the output of a restorer for rock that water darkens more, or less, than the restorer assumes.

    Parameters
    ----------
    light : share of the dry rock's light, linear, that the wet rock sends back; 0.1 to 1.
    assumed : the restorer's own assumption, which the output is divided by.

    Raises
    ------
    SettingsError
        For another share.
    ValueError
        Where the restorer has no assumption.
    """
    light = parameter("darker", light)
    if assumed is None:
        raise ValueError(
            "this restorer has learnt from photographs how much darker wet rock is: leave --darker out, or correct it "
            "with orelib calibrate"
        )
    factor = (assumed / light) ** (1 / GAMMA)
    says = f"Output x {factor:.3f}: wet rock sends back {light:g} of the dry rock's light, instead of {assumed:g}."
    return Correction((factor,) * 3, (0.0,) * 3, says)


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Writes a calibration as JSON, in one piece, with a checksum. Raises OSError."""
    write_json(
        path,
        {
            "kind": KIND,
            "form": FORM,
            "version": orelib.__version__,
            "slope": calibration.slope,
            "offset": calibration.offset,
            "restorer": calibration.restorer,
            "fingerprint": calibration.fingerprint,
            "fitted_on": calibration.fitted_on,
            "measured": calibration.measured,
        },
    )


def read_calibration(path: Path, fingerprint: str) -> Calibration:
    """Reads the calibration that :func:`write_calibration` wrote for the restorer with this fingerprint.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    DamagedFileError
        When the file is damaged, of another version's form, or holds absurd numbers.
    ValueError
        When it was made for another restorer.
    OSError
        When it cannot be read.
    """
    path = Path(path)
    if path.exists() and not path.is_dir() and not path.is_file():  # reading a pipe would wait without end
        raise DamagedFileError(f"{shown(path)} is a pipe, socket or device: name a file that orelib calibrate wrote")
    values = read_json(path, CURE)
    if values.get("kind") != KIND:
        raise DamagedFileError(f"{shown(path)} is no calibration: name a file that orelib calibrate wrote")
    if values.get("form") != FORM:
        raise DamagedFileError(
            f"{shown(path)} has the form {brief(values.get('form'))} of another version of the kit, not {FORM}: {CURE}"
        )
    try:
        slope = tuple(SLOPE.take(value) for value in values["slope"])
        offset = tuple(OFFSET.take(value) for value in values["offset"])
        fitted_on, restorer = values["fitted_on"], str(values["restorer"])
        if len(slope) != 3 or len(offset) != 3:
            raise ValueError("three channels are needed")
        calibration = Calibration(
            slope, offset, sentence(fitted_on), restorer, str(values["fingerprint"]), fitted_on, values["measured"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(
            f"{shown(path)} holds no correction that makes sense (slopes {brief(values.get('slope'))}, offsets "
            f"{brief(values.get('offset'))}; slopes must be from 0.2 to 5, offsets from -1 to 1): {CURE}"
        ) from error
    if calibration.fingerprint != fingerprint:
        raise ValueError(
            f"{shown(path)} was made for another restorer ({printable(restorer)[:200]}): name that one as the model, "
            "or calibrate this one"
        )
    return calibration


def sentence(fitted_on: dict) -> str:
    """Says in a sentence which photographs a calibration was fitted on. Raises KeyError and TypeError."""
    wet, dry = ([printable(str(name)) for name in fitted_on[side]] for side in ("wet", "dry"))
    if fitted_on["way"] == "pairs":
        return f"Output calibrated on {_count(wet, 'pair')}."
    return f"Output calibrated on {_count(wet, 'wet photograph')} and {_count(dry, 'dry photograph')}."


def _count(names: list[str], what: str) -> str:
    first = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
    return f"{len(names)} {what}{'s' if len(names) != 1 else ''} ({first})"
