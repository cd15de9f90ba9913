"""The file that carries a trained generator, ``generator.safetensors``, read as if a stranger had sent it.

It holds weights and, as metadata, JSON that says where they come from: version, experiment (from which the network
is rebuilt without unpickling anything), checksum of the training data, step, scale, and a checksum (``sha256``) of all
of this and of the weights. Older files have no such checksum. A ``stopped.safetensors`` is the same of a training that
was stopped on its way, and also says where (``stopped``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from orelib.config import Experiment
from orelib.restore.familiar import Familiar
from orelib.utils.allowed import SettingsError, brief
from orelib.utils.names import one_line
from orelib.utils.paths import shown
from orelib.utils.weights import ModelFileError, Shapes, checksum, demand_finite, unusable

FLOATS = ("F64", "F32", "F16", "BF16")


class ModelFile:
    """A ``generator.safetensors``, of which only its description was read.

    ``about`` and ``experiment`` come from :func:`described`; ``shapes`` are the shapes of the weights, so that they can
    be compared with a network before memory is taken for either.

    Raises ModelFileError when the file is damaged, or was not written by this kit.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        with self._reading():
            self.file = safe_open(self.path, framework="pt")
            metadata = self.file.metadata() or {}
            slices = {name: self.file.get_slice(name) for name in self.file.keys()}  # noqa: SIM118 (a file, not a dict)
        self.shapes: Shapes = {
            name: (tuple(part.get_shape()), part.get_dtype() in FLOATS) for name, part in slices.items()
        }
        self.about, self.experiment = described(self.path, metadata.get("orelib"))
        self._said = json.loads(metadata["orelib"])
        self._checksum = self._said.pop("sha256", None)

    def weights(self) -> dict[str, Tensor]:
        """Reads the weights. Raises ModelFileError when they are damaged or hold values that are no finite numbers."""
        with self._reading():
            weights = {name: self.file.get_tensor(name) for name in self.shapes}
        if self._checksum is not None and self._checksum != checksum(self._said, weights):
            raise unusable(self.path, "is damaged: its checksum does not fit")
        demand_finite(self.path, weights)
        return weights

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except SafetensorError as error:
            raise unusable(self.path, f"is damaged or no safetensors file ({one_line(error)})") from error
        except OSError as error:
            raise ModelFileError(
                f"{shown(self.path)} cannot be read ({error}): check its permissions and its disk"
            ) from error


def described(path: Path, text: str | None) -> tuple[dict, Experiment]:
    """Returns the description in ``text`` of a model file, without its checksum, and the experiment in it.

    Raises ModelFileError for a text that no version of this kit writes.
    """
    if text is None:
        raise unusable(path, "was not written by this kit: it does not say which network it holds")
    try:
        about = json.loads(text)
        experiment = Experiment.from_json(json.dumps(about["experiment"]))
        about["experiment"] = json.loads(experiment.to_json())  # with fields that are newer than the file
        about.pop("sha256", None)
        _demand_kinds(about)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise unusable(path, f"describes itself in a way that this kit cannot read ({reason})") from error
    return about, experiment


def _demand_kinds(about: dict) -> None:
    """Raises ValueError or KeyError where a value is missing, or of a kind that would be misread later."""
    step, scale, stopped = about["step"], about.get("px_per_mm"), about.get("stopped")
    for number in (step, stopped["step"]) if stopped else (step,):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**63:
            raise SettingsError(f"step={brief(number)} must be a whole number")
    if stopped and not isinstance(stopped["psnr"], float | None):
        raise SettingsError(f"psnr={brief(stopped['psnr'])} must be a number or missing")
    for name in ("data_checksum", "version", "precision"):
        text = about[name] if name == "data_checksum" else about.get(name, "")
        if not isinstance(text, str) or not text.isprintable():  # it reaches the terminal
            raise SettingsError(f"{name}={brief(text)} must be a text of one line")
    if scale is not None and not (isinstance(scale, list) and len(scale) == 2 and all(map(_is_scale, scale))):
        raise SettingsError(f"px_per_mm={brief(scale)} must be two scales")
    if about.get("familiar") is not None:
        Familiar.from_json(about["familiar"])


def _is_scale(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
