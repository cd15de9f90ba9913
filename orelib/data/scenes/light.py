"""Light: the lamps and windows around a scene, the light that reaches the rock, and the camera."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, hypot, pi, radians, sin

import numpy as np
from scipy import ndimage

from orelib.data.scenes.fields import blurred, normals

SKY_SIDE = 192  # pixels across the map of everything above the scene


@dataclass(frozen=True)
class Surroundings:
    """Light that shines on a scene from above.

    ``toward_main`` is the direction (down, right, up) of the main light. ``sky`` (192, 192) holds radiance, relative to
    the diffuse light of the scene, by direction: its columns and rows are the right and down components, -1 to 1.
    """

    toward_main: tuple[float, float, float]
    main: float
    ambient: float
    sky: np.ndarray


def draw_surroundings(rng: np.random.Generator, lamps: int | None = None, turned: float = 0.0) -> Surroundings:
    """Draws a main light, several lamps and windows, and a hall or a sky that is brighter overhead or to one side.

    ``lamps`` is the number of lamps and windows beside the main light, drawn when None; all lights are ``turned`` by an
    angle around the vertical, in radians.
    """
    azimuth, elevation = rng.uniform(0, 2 * pi) + turned, radians(rng.uniform(35, 65))
    toward_main = _direction(azimuth, elevation)
    main = rng.uniform(0.25, 0.8)
    axis = np.linspace(-1, 1, SKY_SIDE, dtype=np.float32)
    down, right = axis[:, None], axis[None, :]
    up = np.sqrt(np.clip(1 - down**2 - right**2, 0, None))
    leaning = rng.uniform(-0.4, 0.4, 2)
    sky = rng.uniform(0.2, 0.9) * (1 + leaning[0] * down + leaning[1] * right)
    high, wide = rng.uniform(0.06, 0.15, 2)  # half-sides, as parts of the distance
    # A light of radiance L and solid angle w lights flat ground with L w sin(elevation) / pi.
    lights = [(azimuth, elevation, high, wide, main * pi / (4 * high * wide * sin(elevation)))]
    drawn = int(rng.integers(2, 5))
    for _ in range(drawn if lamps is None else lamps):
        high, wide = rng.uniform(0.04, 0.12), rng.uniform(0.05, 0.4)  # from a bulb to a tube or window
        around, above = rng.uniform(0, 2 * pi) + turned, radians(rng.uniform(25, 72))
        lights.append((around, above, high, wide, rng.uniform(20, 70)))
    for azimuth, elevation, high, wide, radiance in lights:
        centre = _direction(azimuth, elevation)
        # Coordinates on the lamp's own plane: up along its meridian, and across.
        across = cos(azimuth) * down - sin(azimuth) * right
        along = sin(azimuth) * down + cos(azimuth) * right - hypot(centre[0], centre[1])
        along = along / max(sin(elevation), 0.3)
        edge = np.maximum(np.abs(across) / wide, np.abs(along) / high)
        sky = np.maximum(sky, radiance * np.clip((1.15 - edge) / 0.3, 0, 1))
    sky = ndimage.gaussian_filter(sky * (up > 0), 1.2)  # a film is nearly, not quite, a mirror
    return Surroundings(toward_main, main, 1 - main, sky.astype(np.float32))


def _direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    return sin(azimuth) * cos(elevation), cos(azimuth) * cos(elevation), sin(elevation)


def falling_light(
    around: Surroundings, height: np.ndarray, relief: np.ndarray, px_per_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the light on each point, (3, H, W), about 1 on flat open ground, and the openness of each point, 0-1.

    The main light casts shadows; light from all around is dimmed in hollows (ambient occlusion), more in deeper ones.
    """
    surface = height + relief
    down, right, up = normals(surface, px_per_mm)
    toward = around.toward_main
    facing = np.clip(down * toward[0] + right * toward[1] + up * toward[2], 0, None)
    facing *= _lit(height, toward, px_per_mm)
    facing *= around.main / toward[2]
    occluded = np.zeros_like(height)
    for reach_mm, weight in ((0.8, 0.45), (2.5, 0.30), (7.0, 0.12)):
        occluded += weight * np.clip(blurred(surface, reach_mm * px_per_mm) - surface, 0, None)
    openness = np.exp(-occluded)
    open_sky = openness * (around.ambient * (0.55 + 0.45 * up))
    warm, cool = (1.04, 1.0, 0.93), (0.97, 1.0, 1.04)  # a lamp's light and the sky's
    return np.stack([w * facing + c * open_sky for w, c in zip(warm, cool, strict=True)]), openness


def _lit(height, toward, px_per_mm) -> np.ndarray:
    """Share of the main light that is not in shadow, with a penumbra that widens with distance.

    A point is in shadow where the height map, followed toward the light, rises above the ray.
    """
    level = hypot(toward[0], toward[1])
    rise = toward[2] / level
    distances_mm = (0.5, 1.0, 1.6, 2.4, 3.5, 5.0, 7.0, 9.5, 12.5)
    most = ceil(distances_mm[-1] * px_per_mm)
    padded = np.pad(height, most, mode="edge")
    lit = np.ones_like(height)
    for distance in distances_mm:
        row, column = (most + round(part / level * distance * px_per_mm) for part in toward[:2])
        if row == column == most:
            continue
        clear = height - padded[row : row + height.shape[0], column : column + height.shape[1]]
        clear += distance * rise
        clear *= 1 / (0.35 * distance + 0.3)
        clear += 0.5
        np.minimum(lit, clear, out=lit)
    return np.clip(lit, 0, 1, out=lit)


@dataclass(frozen=True)
class Camera:
    """A fixed camera: its properties, which are the same in the dry and the wet shot of a scene."""

    defocus_px: float
    vignetting: float  # light lost in the corners, 0-1
    noise: float  # of the root of light
    white_balance: tuple[float, float, float]
    sharpening: float
    target: float  # mean linear brightness that the exposure aims at
    compensation: float = 0.15  # share of the difference between wet and dry that automatic exposure corrects

    def exposure(self, rng: np.random.Generator, mean: float, dry_mean: float) -> float:
        """Returns the exposure factor of a shot of mean light ``mean``; it varies a little from shot to shot.

        Automatic exposure corrects a small part of the difference to the dry scene: with a full correction wet rock
        would look no darker than dry rock, unlike in photographs.
        """
        return self.target / dry_mean * (dry_mean / mean) ** self.compensation * rng.uniform(0.93, 1.07)

    def photograph(self, rng: np.random.Generator, light: np.ndarray, exposure: float) -> np.ndarray:
        """Returns the 8-bit image (H, W, 3) of linear light (3, H, W): vignetting, defocus, noise, gamma, sharpening.

        Light above 1 clips. Shot noise grows as the root of light, so on the root of light it is the same everywhere.
        """
        height, width = light.shape[1:]
        row, column = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
        falloff = exposure * (1 - self.vignetting / 2 * (row[:, None] ** 2 + column**2))
        gamma = (255 * np.linspace(0, 1, 4096) ** (2 / 2.2)).astype(np.float32)
        image = np.empty((height, width, 3), dtype=np.uint8)
        for channel in range(3):
            plane = light[channel] * falloff
            plane *= self.white_balance[channel]
            np.minimum(plane, 4, out=plane)  # the sensor's pixels overflow, but not without limit
            plane = ndimage.gaussian_filter(plane, self.defocus_px, truncate=3)
            np.sqrt(plane, out=plane)
            plane += self.noise * rng.standard_normal(plane.shape, dtype=np.float32)
            plane *= 4095
            np.clip(plane, 0, 4095, out=plane)
            image[..., channel] = self._sharpened(np.take(gamma, plane.astype(np.uint16)))
        return image

    def _sharpened(self, plane: np.ndarray) -> np.ndarray:
        """Adds part of a pixel's excess over the mean of its four neighbours, as cameras do; in place, within 0-255."""
        excess = 4 * plane[1:-1, 1:-1]
        for neighbour in (plane[:-2, 1:-1], plane[2:, 1:-1], plane[1:-1, :-2], plane[1:-1, 2:]):
            excess -= neighbour
        excess *= self.sharpening / 4
        plane[1:-1, 1:-1] += excess
        plane += 0.5  # rounds
        return np.clip(plane, 0, 255, out=plane)


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draws an ordinary camera; its lens may be a little out of focus, or its sharpening a little strong."""
    warmth = rng.uniform(0.86, 1.14)
    return Camera(
        defocus_px=rng.uniform(0.4, 0.8),
        vignetting=rng.uniform(0.0, 0.3),
        noise=rng.uniform(0.002, 0.012),
        white_balance=(warmth, rng.uniform(0.97, 1.02), 1 / warmth),
        sharpening=rng.uniform(0.0, 0.7),
        target=rng.uniform(0.17, 0.30),
    )


def draw_any_camera(rng: np.random.Generator) -> Camera:
    """Draws a camera of a wider range: also dark and bright, soft, and with automatic exposure of any strength."""
    warmth = rng.uniform(0.8, 1.25)
    return Camera(
        defocus_px=rng.uniform(0.4, 1.6),
        vignetting=rng.uniform(0.0, 0.3),
        noise=rng.uniform(0.001, 0.012),
        white_balance=(warmth, rng.uniform(0.95, 1.05), 1 / warmth),
        sharpening=rng.uniform(0.0, 0.7),
        target=np.exp(rng.uniform(np.log(0.08), np.log(0.6))),
        compensation=rng.uniform(0.0, 0.5),
    )
