"""Broken ore: the size and shape of its particles, and how they lie on each other.

A pile is a height map: what a camera sees from above. Each particle is a convex polyhedron with flat fracture faces
that lies on its broad side, as crushed rock does on a belt; fines fill the gaps between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orelib.data.scenes.fields import Shape, blurred, noise


@dataclass(frozen=True)
class SizeDistribution:
    """Rosin-Rammler distribution of particle size by mass (Rosin and Rammler 1933), cut at both ends.

    Without the cuts, ``exp(-(d / characteristic_mm) ** modulus)`` of the mass is coarser than size d: 36.8 % is coarser
    than the characteristic size, and a larger modulus means a narrower distribution. The default cuts are 5 and 25 mm,
    as for the paper's ore. A particle's size is its width, the middle one of its three dimensions, which decides
    whether it passes a sieve.

    Raises ValueError where a field is not positive, the cuts are in the wrong order, or hold under 1 % of the mass.
    """

    characteristic_mm: float = 14.0
    modulus: float = 2.0
    smallest_mm: float = 5.0
    largest_mm: float = 25.0

    def __post_init__(self):
        for name in ("characteristic_mm", "modulus", "smallest_mm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)} must be above 0")
        if not self.smallest_mm < self.largest_mm:
            raise ValueError(f"smallest_mm={self.smallest_mm} must be below largest_mm={self.largest_mm}")
        coarser = [np.exp(-((d / self.characteristic_mm) ** self.modulus)) for d in (self.smallest_mm, self.largest_mm)]
        if coarser[0] - coarser[1] < 0.01:
            raise ValueError(
                f"characteristic_mm={self.characteristic_mm} with modulus={self.modulus} leaves less than 1 % of the "
                f"mass between {self.smallest_mm} and {self.largest_mm} mm: choose a size between them"
            )

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Sizes in mm and the share of particles, by number, that are smaller."""
        size = np.linspace(self.smallest_mm, self.largest_mm, 1001)
        mass = size ** (self.modulus - 1) * np.exp(-((size / self.characteristic_mm) ** self.modulus))
        number = mass / size**3  # the mass of particles of one shape grows with the cube of their size
        smaller = np.concatenate([[0.0], np.cumsum(number[1:] + number[:-1])])
        return size, smaller / smaller[-1]

    def smaller(self, size_mm: np.ndarray) -> np.ndarray:
        """Share of particles, by number, smaller than ``size_mm``."""
        return np.interp(size_mm, *self._table())

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Sizes in mm of ``count`` particles."""
        size, smaller = self._table()
        return np.interp(rng.random(count), smaller, size)

    def mean_square(self) -> float:
        """Mean of the squared size over particles, in mm^2."""
        size, smaller = self._table()
        return float(np.trapezoid(size**2, smaller))


_OUTLINE = 1.03  # mean area of an outline over the square of its particle's size
_CRUMBS_MM = (4.5, 2.4, 1.3)  # spacing of the fines' grains, layer by layer
_HIGHEST_CRUMB_MM = 0.6 * max(_CRUMBS_MM)


@dataclass(frozen=True)
class Pile:
    """Particles, fines and belt in the field of view.

    ``height`` in mm and ``labels`` int32, both (H, W): particle numbers from 1, and 0 for fines and belt. ``belt`` is
    True where the bare belt shows, and ``crumb_tone`` makes crumbs of the fines lighter or darker. Of particle i,
    ``size_mm[i - 1]`` is the width, ``visible[i - 1]`` the share of its outline in the image that nothing covers, 0-1,
    and ``cut[i - 1]`` whether the image's border cuts it.
    """

    height: np.ndarray
    labels: np.ndarray
    belt: np.ndarray
    crumb_tone: np.ndarray
    size_mm: np.ndarray
    visible: np.ndarray
    cut: np.ndarray


def pile_up(rng: np.random.Generator, shape: Shape, px_per_mm: float, sizes: SizeDistribution) -> Pile:
    """Drops particles one by one onto a belt or a heap, then pours fines over them."""
    height = 0.5 * noise(rng, shape, 25 * px_per_mm) + 0.2 * noise(rng, shape, 8 * px_per_mm)
    loaded = load_edge(rng, shape, px_per_mm)
    labels = np.zeros(shape, dtype=np.int32)
    outline_px, size_mm, cut = _drop_all(rng, height, labels, loaded, px_per_mm, sizes)
    belt, tone = _pour_fines(rng, height, labels, loaded, px_per_mm)

    # Numbers without gaps for the visible particles.
    seen = np.bincount(labels.ravel(), minlength=len(size_mm) + 1)
    keep = np.flatnonzero(seen[1:]) + 1
    renumbered = np.zeros(len(seen), dtype=np.int32)
    renumbered[keep] = np.arange(1, len(keep) + 1)
    visible = seen[keep] / outline_px[keep - 1]
    return Pile(height, renumbered[labels], belt, tone, size_mm[keep - 1], visible, cut[keep - 1])


def load_edge(rng, shape: Shape, px_per_mm: float) -> np.ndarray:
    """Distance in mm from the edge of the belt's load, negative on bare belt; one scene in four shows the edge.

    The belt runs down the image.
    """
    if rng.random() > 0.25:
        return np.full(shape, 1e4, dtype=np.float32)
    angle, inside = rng.choice([-1, 1]) * np.pi / 2 + rng.uniform(-0.15, 0.15), rng.uniform(0.1, 0.35)
    row, column = (np.arange(side, dtype=np.float32)[:, None] - side / 2 for side in shape)
    across = (np.cos(angle) * row + np.sin(angle) * column.T) / px_per_mm
    wavy = 3 * noise(rng, shape, 12 * px_per_mm) + 1.5 * noise(rng, shape, 3 * px_per_mm)
    return (across + wavy + inside * min(shape) / px_per_mm).astype(np.float32)


def _drop_all(rng, height, labels, loaded, px_per_mm, sizes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fills ``height`` and ``labels`` in place; returns outlines in pixels, sizes in mm, and which are cut."""
    shape = height.shape
    margin = 0.8 * sizes.largest_mm
    field_mm = np.array(shape) / px_per_mm + 2 * margin
    # Together their outlines cover the ground somewhat more than once: few gaps, some overlaps.
    coverage = rng.uniform(1.0, 1.9)
    count = round(coverage * field_mm.prod() / (_OUTLINE * sizes.mean_square()))
    size = sizes.draw(rng, count)
    faces, reach_mm = _polyhedra(rng, size)
    strays_mm = -10 * rng.random(count) ** 4  # how far beyond the edge of the load it may lie

    # Each particle comes to rest at the lowest of a few places.
    places = rng.uniform(-margin, field_mm - margin, (count, 4, 2))
    nearest = np.clip(np.rint(places * px_per_mm).astype(int), 0, np.array(shape) - 1)
    # Coordinates in mm, bent a little at two scales: straight edges of the polyhedra look chipped.
    bend = 0.22 * noise(rng, shape, 2.2 * px_per_mm) + 0.06 * noise(rng, shape, 0.7 * px_per_mm)
    row_mm = np.arange(shape[0], dtype=np.float32)[:, None] / px_per_mm + bend
    column_mm = np.arange(shape[1], dtype=np.float32) / px_per_mm + bend[::-1, ::-1]

    outline_px, cut = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
    for index in range(count):
        rows, columns = nearest[index].T
        lowest = height[rows, columns].argmin()
        if loaded[rows[lowest], columns[lowest]] < strays_mm[index]:
            continue
        place = places[index, lowest]
        first = np.floor((place - reach_mm[index]) * px_per_mm).astype(int).clip(0)
        last = np.ceil((place + reach_mm[index]) * px_per_mm).astype(int).clip(None, shape)
        if (first >= last).any():
            continue
        box = slice(first[0], last[0]), slice(first[1], last[1])
        plane = faces[index]
        plane[:, 2] -= (plane[:, :2] * place).sum(axis=1)  # from particle to image coordinates
        over = _lowest_face(plane, row_mm[box], column_mm[box])
        outline = over > 0
        area = np.count_nonzero(outline)
        if area == 0:
            continue
        outline_px[index], cut[index] = area, _touches_border(outline, first, last, shape)
        below = height[box]
        over += below[outline].mean() + 0.25 * size[index]  # it sinks a little between the higher spots
        outline &= over > below
        np.copyto(below, over, where=outline)
        np.copyto(labels[box], index + 1, where=outline)
    return outline_px, size, cut


def _lowest_face(plane: np.ndarray, row_mm: np.ndarray, column_mm: np.ndarray) -> np.ndarray:
    """Height of a convex polyhedron's upper side: at each point the lowest of its faces. Without BLAS, whose last bits
    depend on the number of threads."""
    level = plane[:, :1] * row_mm.ravel()
    level += plane[:, 1:2] * column_mm.ravel()
    level += plane[:, 2:]
    return level.min(axis=0).reshape(row_mm.shape)


def _touches_border(outline, first, last, shape) -> bool:
    return bool(
        (first[0] == 0 and outline[0].any())
        or (first[1] == 0 and outline[:, 0].any())
        or (last[0] == shape[0] and outline[-1].any())
        or (last[1] == shape[1] and outline[:, -1].any())
    )


def _polyhedra(rng, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper faces of broken rocks that lie on their broad side.

    Returns faces (n, 14, 3), each ``height = face @ (row, column, 1)`` in mm from the particle's middle, and the
    reach of the particles in mm. The faces touch an ellipsoid with the particle's size as its width, or pass it a
    little inside or outside, so that on average an outline is as wide as its particle's size.
    """
    count, sides, uppers = len(size), 8, 6
    length = size / rng.uniform(0.55, 0.95, count)
    thickness = size * rng.uniform(0.45, 0.85, count)
    turn = rng.uniform(0, 2 * np.pi, (count, 1))
    even = np.arange(sides) * (2 * np.pi / sides)
    azimuth = np.concatenate(
        [even + rng.uniform(-0.35, 0.35, (count, sides)), rng.uniform(0, 2 * np.pi, (count, uppers))], axis=1
    )
    tilt = np.concatenate([rng.uniform(1.15, 1.45, (count, sides)), rng.uniform(0.05, 1.05, (count, uppers))], axis=1)
    normal = np.stack([np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth), np.cos(tilt)], axis=2)
    half = np.stack([length, size, thickness], axis=1)[:, None] / 2
    reach = np.sqrt(((half * normal) ** 2).sum(axis=2)) * rng.uniform(0.79, 1.10, tilt.shape)
    slope_along, slope_across = -normal[..., 0] / normal[..., 2], -normal[..., 1] / normal[..., 2]
    rows = np.cos(turn) * slope_along - np.sin(turn) * slope_across
    columns = np.sin(turn) * slope_along + np.cos(turn) * slope_across
    planes = np.stack([rows, columns, reach / normal[..., 2]], axis=2)
    return planes.astype(np.float32), 0.65 * length


def _pour_fines(rng, height, labels, loaded, px_per_mm) -> tuple[np.ndarray, np.ndarray]:
    """Fills hollows with sand and crumbs, in place; returns masks of bare belt and the crumbs' tone, both (H, W)."""
    shape = height.shape
    level = blurred(height, 4 * px_per_mm) + rng.uniform(-5.5, -1.5) + 0.8 * noise(rng, shape, 10 * px_per_mm)
    np.maximum(level, height, out=level, where=(labels == 0) & (loaded > 0))
    level += 0.5 * np.minimum(loaded, 0)  # the load thins out toward its edge
    row, column = np.nonzero(level + _HIGHEST_CRUMB_MM > height)
    top, tone = np.zeros(len(row), dtype=np.float32), np.ones(len(row), dtype=np.float32)
    for grain_mm in _CRUMBS_MM:
        scatter_crumbs(rng, top, tone, row, column, shape, grain_mm, px_per_mm)
    top += level[row, column]
    fines = top > height[row, column]
    row, column = row[fines], column[fines]
    height[row, column] = top[fines]
    labels[row, column] = 0
    tones = np.ones(shape, dtype=np.float32)
    tones[row, column] = tone[fines]
    bare = (labels == 0) & (loaded < 0)
    bare[row, column] = False
    return bare, tones


def scatter_crumbs(rng, top, tone, row, column, shape: Shape, grain_mm: float, px_per_mm: float) -> None:
    """Lays loose grains about ``grain_mm`` apart on the pixels (row, column): raises ``top``, sets ``tone``, in place.

    Each cell of a jittered grid (Worley 1996) has one grain: a block of random turn and height with sloping sides.
    No block reaches beyond the four cells that are nearest to a pixel.
    """
    pitch = max(2.0, grain_mm * px_per_mm)
    cells = [int(side / pitch) + 3 for side in shape]
    centre_row, centre_column = rng.uniform(0.15, 0.85, (2, *cells)).astype(np.float32)
    tall = (0.6 * grain_mm * np.clip(rng.uniform(-0.4, 1.0, cells), 0, None)).astype(np.float32)
    shade = (0.6 + 1.1 * rng.random(cells) ** 2).astype(np.float32)
    turn = rng.uniform(0, np.pi / 2, cells)
    cosine, sine = (4.4 * np.cos(turn)).astype(np.float32), (4.4 * np.sin(turn)).astype(np.float32)
    # The first of the two nearest cells in each direction, and the pixel's place from that cell's corner.
    first_row, y = _cell_and_place(row, pitch)
    first_column, x = _cell_and_place(column, pitch)
    for down in (0, 1):
        for right in (0, 1):
            cell = (first_row + down) * cells[1] + (first_column + right)
            dy, dx = y - np.take(centre_row, cell), x - np.take(centre_column, cell)
            dy -= down
            dx -= right
            c, s = np.take(cosine, cell), np.take(sine, cell)
            # Flat on top; the sides fall from half-way to the block's edge.
            block = np.maximum(np.abs(c * dx + s * dy), np.abs(c * dy - s * dx))
            np.subtract(2, block, out=block)
            np.minimum(block, 1, out=block)
            block *= np.take(tall, cell)
            higher = block > top
            tone[higher] = np.take(shade, cell[higher])
            np.maximum(top, block, out=top)


def _cell_and_place(pixel: np.ndarray, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    place = (pixel.astype(np.float32) + 0.5) / pitch + 0.5
    cell = place.astype(np.intp)
    return cell, place - cell.astype(np.float32) + 0.5
