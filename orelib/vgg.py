"""The convolutions of VGG19, or of a VGG16 that needs no download, with their published weights: the perceptual loss.

The paper names VGG19. Its weights (548 MB) come from torchvision's host. VGG16's come inside a package of PyPI,
``stlpips-pytorch`` (Ghildyal and Liu 2022, BSD), so that the loss can be tried without them. That VGG16 blurs before it
halves (Zhang 2019), which makes its features depend less on where exactly an edge lies.
"""

from __future__ import annotations

import re
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orelib.utils.checksums import file_checksum
from orelib.utils.extras import demand_packages
from orelib.utils.memory import memory_for
from orelib.utils.names import one_line
from orelib.utils.paths import kit_path, shown
from orelib.utils.weights import ModelFileError

OFF = "or set lambda_perceptual=0 and say so with your results."
CURE = (
    "The perceptual loss needs them: pass vgg_weights=<path of vgg19-dcbb9e9d.pth>, or, on a machine with network "
    'access, run: python -c "from torchvision.models import VGG19_Weights as W; '
    f'W.IMAGENET1K_V1.get_state_dict()" once; or try perceptual_network=vgg16; {OFF}'
)
VGG16_CURE = f"Install stlpips-pytorch 0.0.2 again, {OFF}"
VGG16_FILE = Path("weights", "vST0.0", "vgg_shift_tolerant.pth")
VGG16_SHA256 = "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250"


def vgg19_features(layers: int, weights: str | Path | None = None) -> nn.Sequential:
    """The first layers of VGG19, (N, 3, H, W) of the photographs' range -> features.

    ``weights`` is the path of a file as torchvision publishes it, a relative one counts from the kit's root; None
    takes torchvision's own file, from its cache or by download (548 MB). Raises FileNotFoundError where there are none,
    ModelFileError where the file is damaged or holds other weights, MemoryError, and ModuleNotFoundError where
    torchvision, which lists the layers, is not installed.
    """
    demand_packages("The perceptual loss", "perceptual", "torchvision")
    path = _from_torchvision() if weights is None else kit_path("vgg_weights", weights)
    expected = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    state, features = _read(path, expected.group(1) if expected else "", CURE), _layers(layers)
    return _filled(features, state, f"{shown(path)} does not hold the weights of VGG19", CURE)


def vgg16_features(layers: int) -> nn.Sequential:
    """The first layers of the VGG16 inside ``stlpips-pytorch``, (N, 3, H, W) of the photographs' range -> features.

    Layers are counted as there: a halving is two of them. Raises FileNotFoundError and ModelFileError for a missing or
    damaged file, and ModuleNotFoundError where the package, or torchvision, is not installed.
    """
    demand_packages("The perceptual loss with VGG16", "perceptual", "stlpips_pytorch", "torchvision")
    path = Path(find_spec("stlpips_pytorch").origin).parent / VGG16_FILE  # found, not imported: it imports much else
    state = _read(path, VGG16_SHA256, VGG16_CURE)
    # net.slice3.12.weight is a weight of layer 12
    state = {re.sub(r"^net\.slice\d\.", "features.", name): value for name, value in state.items()}
    problem = f"{shown(path)} does not hold the weights of VGG16"
    return _filled(_blurring_layers(layers), state, problem, VGG16_CURE)


def _layers(count: int) -> nn.Sequential:
    from torchvision.models.vgg import cfgs, make_layers

    return make_layers(cfgs["E"])[:count]


def _blurring_layers(count: int) -> nn.Sequential:
    """VGG16's layers, where a maximum over 2 x 2 px in steps of 1, and a halving that blurs, take a halving's place."""
    from torchvision.models.vgg import cfgs, make_layers

    layers: list[nn.Module] = []
    for layer in make_layers(cfgs["D"]):
        layers += [nn.MaxPool2d(2, stride=1), Halving()] if isinstance(layer, nn.MaxPool2d) else [layer]
    return nn.Sequential(*layers[:count])


class Halving(nn.Module):
    """Every second pixel of an image that is blurred by 1-2-1: (N, C, H, W) -> about half of H and W (Zhang 2019)."""

    def forward(self, image: Tensor) -> Tensor:
        channels = image.shape[1]
        line = torch.tensor([0.25, 0.5, 0.25], dtype=image.dtype, device=image.device)
        kernel = torch.outer(line, line).expand(channels, 1, 3, 3)
        # 2 px of padding, as the weights were trained with
        return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=channels)


def _filled(features: nn.Sequential, state: object, problem: str, cure: str) -> nn.Sequential:
    """Loads weights into layers; ModelFileError, which begins with ``problem``, where they do not fit."""
    if misfit := _misfit(state, features):
        raise ModelFileError(f"{problem}: {misfit}. {cure}")
    features.load_state_dict({name: state[f"features.{name}"] for name in features.state_dict()})
    return features


def _read(path: Path, sha256: str, cure: str) -> object:
    """Reads a file without running anything in it; ``sha256`` is the start of its checksum, "" if it is not known."""
    if not path.is_file():
        raise FileNotFoundError(f"VGG weights not found: {shown(path)} is no file. {cure}")
    if sha256 and not file_checksum(path).startswith(sha256):
        raise ModelFileError(f"{shown(path)} is damaged: its checksum is not the published one. Delete it. {cure}")
    try:
        with memory_for(f"reading {shown(path)}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged files, which are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # PyTorch raises errors of a dozen kinds for damaged files
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ModelFileError(f"{shown(path)} is damaged or no file of weights ({reason}). {cure}") from error


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
