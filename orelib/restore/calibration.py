"""Fits a correction of a restorer's output on a user's own photographs, in pairs or not.

Water, exposure and white balance change a photograph's light by a factor per channel. So the *level* is fitted: the
factors by which the restored photographs become as bright as the dry ones, and of the same colour. Pairs also tell the
*contrast* around that level.

A few photographs tell little. On drill core, the level that a pair asks for differs from place to place by 3 to 4 %
(one standard deviation) although nothing in camera or light has changed; dry places differ from one another by 7 %, and
pieces of core by more. A correction within twice such a deviation is not applied, one beyond 2.6 times is applied in
full, and in part between them ("firm" shrinkage, Gao and Bruce 1997). Brightness and colour are judged apart, because
places differ less in colour.

Without pairs, brightness is therefore corrected only where it is far off, by about 18 % of the display value: with a
law of ``sqrt(wet)``, that is about the effect of one stop of exposure. Colour is corrected from 3 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orelib.data.alignment import misfit
from orelib.data.pair import SIDES
from orelib.data.pairs import match_pairs
from orelib.data.photographs import SUFFIXES, photographs_in, read_image
from orelib.metrics import glare_of
from orelib.restore.any_size import AnySizeRestorer
from orelib.restore.correction import OFFSET, SLOPE, Calibration, sentence
from orelib.utils.paths import shown
from orelib.utils.progress import Progress

# Blocks of at least 8 px are compared, not pixels, because wet and dry may be shifted against each other by 1 to 3 px.
BLOCK, BLOCKS_ALONG = 8, 128
LEAST_BLOCKS, LEAST_SHARE = 16, 0.05  # of a photograph, without glare; else it is left out
MOST_GLARE = 0.1  # share of a block's pixels, up to which the block is used
WHITE, BLACK = 250, 2  # grey levels; what is brighter or darker may have been cut off by the camera
USUAL_WET = 0.7  # display value of wet rock as a share of dry rock's

# Standard deviations of the logarithm of the level, on drill core: of all photographs together, which may show one
# piece of rock or be exposed alike, and of each photograph. In pairs, both sides show the same rock.
PAIRED = {"brightness": (0.02, 0.03), "colour": (0.006, 0.01)}
UNPAIRED = {"brightness": (0.082, 0.03), "colour": (0.008, 0.01)}
IGNORED, TRUSTED = 2.0, 2.6  # standard deviations
DARKEST = 1 / 255  # display value, of which a logarithm is taken
NOISE = 0.01  # display values; contrast between blocks that is as faint as this tells nothing
STEEPEST = 5  # most slope of a correction
CONTRAST = (0.6, 1.6)  # times the level; no pairs were seen to need more


@dataclass(frozen=True)
class Seen:
    """Mean colours of the blocks of one photograph that are usable, on display values 0-1: (blocks, 3).

    ``dry`` has the same blocks for a pair, and is None otherwise; ``left_out`` is the share of blocks left out.
    """

    restored: np.ndarray
    dry: np.ndarray | None
    left_out: float


# ---- photographs -------------------------------------------------------------------------------------------------


def calibrate_on_pairs(restorer: AnySizeRestorer, folder: Path) -> Calibration:
    """Fits a calibration on pairs: ``folder`` holds ``wet`` and ``dry``, and the same stem in both is the same place.

    Raises
    ------
    ValueError
        When there are no pairs, when some file has no partner or another size, or when no pair is usable.
    OSError, PhotographError
        When a photograph cannot be read.
    """
    folder, problems = Path(folder), []
    for side in SIDES:
        if not (folder / side).is_dir():
            raise FileNotFoundError(
                f"{shown(folder / side)} is missing: name a folder that holds wet/ and dry/, such as my_ore/train"
            )
    pairs = match_pairs(folder, "train", problems)
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise ValueError(f"{problems[0]}{more}; or run orelib check")
    progress, seen, skipped = Progress(len(pairs), "calibrating"), [], []
    for pair in pairs:
        wet, dry = pair.load()
        if wet.shape != dry.shape:
            raise ValueError(f"{shown(pair.wet)}: {misfit(wet, dry)}")
        look = see_pair(wet, restorer.restore(wet), dry)
        (skipped.append(pair.wet.name) if _too_little(look) else seen.append((pair, look)))
        progress.advance()
    progress.close()
    _demand(seen, skipped)
    slope, offset, measured = fit_pairs([look for _, look in seen])
    names = {side: [getattr(pair, side).name for pair, _ in seen] for side in SIDES}
    return _calibration(restorer, slope, offset, measured, {"way": "pairs", **names, "left_out": skipped}, seen)


def calibrate_on_photographs(restorer: AnySizeRestorer, wet: Path, dry: Path) -> Calibration:
    """Fits a calibration on wet photographs and dry ones of the same ore, taken anywhere: files or folders.

    Only the level is fitted. Raises ValueError when there are no photographs, or none is usable, and OSError and
    PhotographError when one cannot be read.
    """
    files = {"wet": _photographs(wet), "dry": _photographs(dry)}
    progress, seen, skipped = Progress(sum(map(len, files.values())), "calibrating"), {}, []
    for side, paths in files.items():
        seen[side] = []
        for path in paths:
            image = read_image(path)
            look = see(restorer.restore(image) if side == "wet" else image)
            (skipped.append(path.name) if _too_little(look) else seen[side].append((path, look)))
            progress.advance()
        _demand(seen[side], skipped)
    progress.close()
    slope, measured = fit_photographs(*([look for _, look in seen[side]] for side in SIDES))
    names = {side: [path.name for path, _ in seen[side]] for side in SIDES}
    about = {"way": "photographs", **names, "left_out": skipped}
    return _calibration(restorer, slope, np.zeros(3), measured, about, [*seen["wet"], *seen["dry"]])


def _photographs(place: Path) -> list[Path]:
    place = Path(place)
    if not place.exists():
        raise FileNotFoundError(f"{shown(place)} is missing: name a folder of photographs, or one photograph")
    paths = photographs_in(place)[0] if place.is_dir() else [place]
    if not paths:
        raise ValueError(f"{shown(place)} holds no photographs ({', '.join(SUFFIXES)})")
    return paths


def _too_little(look: Seen) -> bool:
    return len(look.restored) < LEAST_BLOCKS or 1 - look.left_out < LEAST_SHARE


def _demand(seen: Sequence, skipped: Sequence[str]) -> None:
    if not seen:
        raise ValueError(
            f"no photograph is usable ({', '.join(skipped[:3])}): nearly all of each is glare, white or black, or it "
            "is too small; name other photographs"
        )


def _calibration(
    restorer: AnySizeRestorer, slope: np.ndarray, offset: np.ndarray, measured: dict, fitted_on: dict, seen: Sequence
) -> Calibration:
    measured["blocks_left_out"] = round(float(np.mean([look.left_out for _, look in seen])), 4)
    try:
        slope, offset = (tuple(map(kind.take, row.tolist())) for kind, row in ((SLOPE, slope), (OFFSET, offset)))
    except ValueError:
        factors = _in_words(measured["level_measured"])
        raise ValueError(
            f"the dry photographs are {factors} times as bright as the restored ones (R / G / B): see whether wet and "
            "dry were mixed up, and how the camera was exposed"
        ) from None
    return Calibration(slope, offset, sentence(fitted_on), restorer.origin, restorer.fingerprint, fitted_on, measured)


def _in_words(factors: Iterable[float]) -> str:
    return " / ".join(f"{factor:.2f}" for factor in factors)


def summary(calibration: Calibration) -> str:
    """Says in one sentence what was measured and what of it is applied, for a terminal."""
    measured = calibration.measured
    text = (
        f"Dry is {_in_words(measured['level_measured'])} times as bright as restored (R / G / B); applied: "
        f"{_in_words(measured['level'])}"
    )
    if "contrast_measured" in measured:
        text += f"; contrast {measured['contrast_measured']:.2f}, applied: {measured['contrast']:.2f}"
    left_out = calibration.fitted_on["left_out"]
    more = f" and {len(left_out)} photograph(s)" if left_out else ""
    return f"{text}. Left out: {measured['blocks_left_out']:.0%} of the area (glare, white, black){more}."


# ---- what is seen of a photograph --------------------------------------------------------------------------------


def see_pair(wet: np.ndarray, restored: np.ndarray, dry: np.ndarray) -> Seen:
    """Averages restored and dry over blocks without glare; all are uint8 (H, W, 3) of one size.

    Glare is found by :func:`~orelib.metrics.glare_of`, after the wet image was darkened where it is as bright as the
    dry one because of its exposure. Blocks that are white or black in an image are left out, too.
    """
    exposure = min(1.0, USUAL_WET * np.median(dry) / max(np.median(wet), 1.0))
    hidden = (
        glare_of((np.arange(256) * exposure).astype(np.uint8)[wet], dry) | (wet >= WHITE).any(axis=2) | _cut_off(dry)
    )
    restored, dry, usable = _blocks(restored, dry, hidden | _cut_off(restored))
    return Seen(restored[usable], dry[usable], 1 - float(usable.mean()))


def see(image: np.ndarray) -> Seen:
    """Averages one photograph, restored or dry, uint8 (H, W, 3), over blocks that are neither white nor black."""
    image, _, usable = _blocks(image, image, _cut_off(image))
    return Seen(image[usable], None, 1 - float(usable.mean()))


def _cut_off(image: np.ndarray) -> np.ndarray:
    return (image >= WHITE).any(axis=2) | (image <= BLACK).all(axis=2)


def _blocks(image: np.ndarray, other: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean colours (blocks, 3) of two images, 0-1, and which blocks have hardly any hidden pixels."""
    height, width = hidden.shape
    side = min(max(BLOCK, max(height, width) // BLOCKS_ALONG), height, width)
    down, across = height // side, width // side

    def means(values: np.ndarray) -> np.ndarray:
        values = values[: down * side, : across * side].reshape(down, side, across, side, -1)
        return values.mean(axis=(1, 3), dtype=np.float64).reshape(down * across, -1)

    return means(image) / 255, means(other) / 255, means(hidden)[:, 0] <= MOST_GLARE


# ---- the fit -----------------------------------------------------------------------------------------------------


def fit_pairs(seen: Sequence[Seen]) -> tuple[np.ndarray, np.ndarray, dict]:
    """Fits level and contrast on pairs; returns slope (3,), offset (3,), and what was measured.

    Level: the median over pairs of the ratio of their medians, so that one odd pair spoils nothing. Contrast: in
    each pair, the slope of a line through the blocks, common to the channels. Noise and misregistration flatten such a
    line, so it counts by its squared correlation, and not at all where the rock is even.
    """
    restored, dry = (np.array([np.median(getattr(look, side), 0) for look in seen]) for side in ("restored", "dry"))
    wanted = np.log(np.maximum(dry, DARKEST) / np.maximum(restored, DARKEST))  # (pairs, 3)
    level = _level(wanted, PAIRED, [1 / len(seen)])
    slopes, trusts = np.array([_contrast(look.restored, look.dry) for look in seen]).T
    contrast = 1.0
    if trusts.any():  # relative to the level, which alone would stretch the contrast with the brightness
        relative = trusts * np.log(slopes / level.mean())
        contrast = float(np.clip(np.exp(np.average(relative, weights=trusts)), *CONTRAST))
        contrast = min(contrast, STEEPEST / float(level.max()))
    slope = level * contrast
    offset = (level - slope) * np.median(restored, axis=0)
    measured = _rounded(wanted, level) | {
        "contrast_measured": round(float(np.median(slopes)), 4),
        "contrast": round(float(slope.mean()), 4),
        "trust_in_contrast": round(float(np.median(trusts)), 4),
    }
    return slope, offset, measured


def fit_photographs(wet: Sequence[Seen], dry: Sequence[Seen]) -> tuple[np.ndarray, dict]:
    """Fits the level of restored wet photographs to dry ones; returns the slope (3,), and what was measured."""
    restored, dry_rock = (
        np.log([np.maximum(np.median(look.restored, axis=0), DARKEST) for look in looks]) for looks in (wet, dry)
    )
    wanted = np.median(dry_rock, axis=0) - np.median(restored, axis=0)
    level = _level(wanted[None], UNPAIRED, [1 / len(wet), 1 / len(dry)])
    return level, _rounded(wanted[None], level)


def _rounded(wanted: np.ndarray, level: np.ndarray) -> dict:
    measured = np.exp(np.median(wanted, axis=0))
    return {"level_measured": measured.round(4).tolist(), "level": level.round(4).tolist()}


def _level(wanted: np.ndarray, deviations: dict, shares: Sequence[float]) -> np.ndarray:
    """The factors (3,) to apply, of the logarithms (photographs, 3) that each photograph asks for."""
    brightness = wanted.mean(axis=1, keepdims=True)
    applied = np.zeros(3)
    for name, part in (("brightness", brightness), ("colour", wanted - brightness)):
        middle = np.median(part, axis=0)
        common, single = deviations[name]
        spread = 1.4826 * np.median(np.abs(part - middle), axis=0)  # 0 for one photograph
        single = max(single, float(np.sqrt(np.mean(spread**2))))
        applied = applied + _firm(middle, float(np.sqrt(common**2 + single**2 * sum(shares))))
    return np.exp(applied)


def _firm(value: np.ndarray, deviation: float) -> np.ndarray:
    """Shrinks a vector: to 0 within 2 deviations, not at all beyond 2.6, and continuously between."""
    size = float(np.sqrt(np.mean(np.square(value))))
    ignored, trusted = IGNORED * deviation, TRUSTED * deviation
    if size >= trusted:
        return value
    return value * (max(0.0, size - ignored) / (trusted - ignored) * trusted / max(size, 1e-12))


def _contrast(restored: np.ndarray, dry: np.ndarray) -> tuple[float, float]:
    """The slope of dry on restored, both (blocks, 3), and how far it is to be trusted, 0-1; outliers are left out."""
    x, y = ((colours - np.median(colours, axis=0)).mean(axis=1) for colours in (restored, dry))
    inside = np.ones(len(x), bool)
    for values in (x, y):
        inside &= np.abs(values) <= 3 * 1.4826 * np.median(np.abs(values)) + 1e-3
    xx, yy, xy = (float((a * b)[inside].sum()) for a, b in ((x, x), (y, y), (x, y)))
    if xy <= 0:
        return 1.0, 0.0
    variance = xx / inside.sum()
    return xy / xx, xy**2 / (xx * yy) * variance / (variance + NOISE**2)
