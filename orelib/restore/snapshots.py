"""``snapshots.json`` of a run: one validation image over the steps of a training, as small pictures for the eye.

It holds the image wet, dry, and restored before the first step and at each validation: its middle at its own scale,
:data:`SIDE` px a side at most, as WebP files in base64, some kB each. Numbers are never computed from these pictures.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from orelib.metrics import psnr
from orelib.utils.checksums import DamagedFileError, read_json, write_json
from orelib.utils.paths import shown

SIDE = 192  # px
QUALITY = 80  # of WebP
NAME = "snapshots.json"


@dataclass(frozen=True)
class Picture:
    """A small picture: a WebP file in base64, and its PSNR against the dry one in dB, before it was compressed."""

    webp: str
    psnr: float

    @classmethod
    def of(cls, image: np.ndarray, dry: np.ndarray) -> Picture:
        """Makes the picture of an image, uint8 (H, W, 3), and of its dry partner; equal ones count as 100 dB."""
        image, dry = middle(image), middle(dry)
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, format="webp", quality=QUALITY)
        return cls(base64.b64encode(buffer.getvalue()).decode(), round(min(float(psnr(image, dry)), 100.0), 2))

    @property
    def file(self) -> bytes:
        """The WebP file."""
        return base64.b64decode(self.webp)

    @property
    def pixels(self) -> np.ndarray:
        """The picture as it is shown, uint8 (h, w, 3)."""
        return np.asarray(Image.open(BytesIO(self.file)).convert("RGB"))


@dataclass
class Snapshots:
    """The pictures of one validation image, called ``image`` and of ``size`` (H, W): ``restored`` by step."""

    image: str
    size: tuple[int, int]
    wet: Picture
    dry: Picture
    restored: dict[int, Picture] = field(default_factory=dict)

    @property
    def part(self) -> str:
        """Says what the pictures show."""
        height, width = self.size
        if max(self.size) <= SIDE:
            return f"validation image {self.image}"
        return f"middle {min(width, SIDE)} x {min(height, SIDE)} px of validation image {self.image}"

    def at(self, step: int) -> int:
        """Returns the newest step with a picture that is not after ``step``, or the first one."""
        return max((kept for kept in self.restored if kept <= step), default=min(self.restored))

    def to_json(self) -> dict:
        """All of it as texts, numbers, lists and dicts."""
        restored = {str(step): asdict(picture) for step, picture in self.restored.items()}
        return asdict(self) | {"size": list(self.size), "restored": restored}

    @classmethod
    def from_json(cls, values: dict) -> Snapshots:
        """Reads what :meth:`to_json` returned. Raises KeyError, TypeError or ValueError for anything else."""
        height, width = values["size"]
        return cls(
            str(values["image"]), (int(height), int(width)), Picture(**values["wet"]), Picture(**values["dry"]),
            {int(step): Picture(**picture) for step, picture in values["restored"].items()},
        )  # fmt: skip


def middle(image: np.ndarray) -> np.ndarray:
    """Cuts the middle of an image (H, W, 3), at most :data:`SIDE` px a side."""
    top, left = (max(0, (length - SIDE) // 2) for length in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]


def write_snapshots(run: Path, snapshots: Snapshots) -> None:
    """Writes the pictures into a run folder, in one piece and with a checksum. Raises OSError."""
    write_json(Path(run) / NAME, snapshots.to_json())


def read_snapshots(run: Path) -> Snapshots:
    """Reads the pictures of a run.

    Raises FileNotFoundError, in a sentence for readers, for a run that kept none, and DamagedFileError when the file
    was cut or changed.
    """
    path = Path(run) / NAME
    if not path.exists():
        raise FileNotFoundError(
            f"{shown(path)} is missing, so there are no pictures over the steps: earlier versions of the kit kept "
            "none, and published results come without them. To see some, train again in another results_dir."
        )
    cure = "put back a copy of it (no other file holds it), or delete it: only these pictures are lost"
    values = read_json(path, cure)
    try:
        return Snapshots.from_json(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFileError(f"{shown(path)} is damaged ({type(error).__name__}: {error}): {cure}") from error
