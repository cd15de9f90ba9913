"""The convolutions of VGG19 with the weights that torchvision publishes, for the perceptual loss."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from orelib.utils.checksums import file_checksum
from orelib.utils.extras import demand_packages
from orelib.utils.memory import memory_for
from orelib.utils.names import one_line
from orelib.utils.paths import kit_path, shown
from orelib.utils.weights import ModelFileError

CURE = (
    "The perceptual loss needs them: pass vgg_weights=<path of vgg19-dcbb9e9d.pth>, or, on a machine with network "
    'access, run: python -c "from torchvision.models import VGG19_Weights as W; '
    'W.IMAGENET1K_V1.get_state_dict()" once; or set lambda_perceptual=0 and say so with your results.'
)


def vgg19_features(layers: int, weights: str | Path | None = None) -> nn.Sequential:
    """The first layers of VGG19, (N, 3, H, W) of the photographs' range -> features.

    ``weights`` is the path of a file as torchvision publishes it, a relative one counts from the kit's root; None
    takes torchvision's own file, from its cache or by download (548 MB). Raises FileNotFoundError where there are none,
    ModelFileError where the file is damaged or holds other weights, MemoryError, and ModuleNotFoundError where
    torchvision, which lists the layers, is not installed.
    """
    demand_packages("The perceptual loss", "reproduce", "torchvision")
    path = _from_torchvision() if weights is None else kit_path("vgg_weights", weights)
    state, features = _read(path), _layers(layers)
    if problem := _misfit(state, features):
        raise ModelFileError(f"{shown(path)} does not hold the weights of VGG19: {problem}. {CURE}")
    features.load_state_dict({name: state[f"features.{name}"] for name in features.state_dict()})
    return features


def _layers(count: int) -> nn.Sequential:
    from torchvision.models.vgg import cfgs, make_layers

    return make_layers(cfgs["E"])[:count]


def _read(path: Path) -> object:
    """Reads a file without running anything in it; checks its SHA-256 if its name holds the start of it."""
    if not path.is_file():
        raise FileNotFoundError(f"VGG19 weights not found: {shown(path)} is no file. {CURE}")
    expected = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if expected and not file_checksum(path).startswith(expected.group(1)):
        raise ModelFileError(f"{shown(path)} is damaged: its checksum is not the one in its name. Delete it. {CURE}")
    try:
        with memory_for(f"reading {shown(path)}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged files, which are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # PyTorch raises errors of a dozen kinds for damaged files
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ModelFileError(f"{shown(path)} is damaged or no file of weights ({reason}). {CURE}") from error


def _misfit(state: object, features: nn.Module) -> str:
    """Returns why a file's content is not the weights of these layers; "" if it is."""
    if not isinstance(state, dict):
        return "it holds no table of weights"
    for name, wanted in features.state_dict().items():
        found = state.get(f"features.{name}")
        if not isinstance(found, Tensor) or found.shape != wanted.shape or not found.is_floating_point():
            return f"features.{name} is missing, or of another shape or kind"
        if not found.isfinite().all():
            return f"features.{name} has values that are no finite numbers"
    return ""


def _from_torchvision() -> Path:
    """Returns the file in torchvision's cache; downloads it first if it is missing."""
    url = _url()
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), path.stem.rpartition("-")[2])
        except (OSError, RuntimeError) as error:  # RuntimeError: the download has another checksum
            raise FileNotFoundError(
                f"VGG19 weights are not in torchvision's cache and cannot be downloaded ({error}). {CURE}"
            ) from error
    return path


def _url() -> str:
    from torchvision.models import VGG19_Weights

    return VGG19_Weights.IMAGENET1K_V1.url
