"""The losses of the paper, eq. 1-10, and the losses of CycleGAN.

Each is a function of tensors; SSIM and the perceptual loss also come as modules, because they keep a window or a
network. Images are (N, C, H, W). A generated image is called ``restored``, its target ``dry``.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orelib.vgg import vgg16_features, vgg19_features

# Wang et al. 2004: an 11 x 11 Gaussian of sigma 1.5; c1 = (0.01 L)^2, c2 = (0.03 L)^2, L the range of the values.
WINDOW_SIZE, WINDOW_SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03

# ---- eq. 1: adversarial losses -----------------------------------------------------------------------------------


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
    """The loss that the discriminator minimises: the two halves of ``-L_cGAN``, eq. 1.

    ``-log D(x, y)`` on real pairs and ``-log(1 - D(x, G(x)))`` on generated ones, averaged over patches. A
    discriminator that cannot tell them apart scores ln 2 = 0.693 in each.
    """
    return -F.logsigmoid(real_logits).mean(), -F.logsigmoid(-fake_logits).mean()


def adversarial_loss(fake_logits: Tensor) -> Tensor:
    """The part of eq. 1 that the generator minimises, in its non-saturating form ``-log D(x, G(x))``.

    Goodfellow et al. 2014 (section 3) and Pix2Pix train this instead of ``log(1 - D)``, whose gradient fades
    exactly when the discriminator is winning.
    """
    return -F.logsigmoid(fake_logits).mean()


def least_squares_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
    """CycleGAN's form of :func:`discriminator_loss`: ``(D(y) - 1)^2`` and ``D(G(x))^2`` (Mao et al. 2017)."""
    return (real_logits - 1).square().mean(), fake_logits.square().mean()


def least_squares_adversarial_loss(fake_logits: Tensor) -> Tensor:
    """CycleGAN's form of :func:`adversarial_loss`: ``(D(G(x)) - 1)^2`` (Mao et al. 2017)."""
    return (fake_logits - 1).square().mean()


# ---- eq. 2 and the other pixel losses ------------------------------------------------------------------------------


def l1_loss(restored: Tensor, dry: Tensor) -> Tensor:
    """Mean absolute difference, eq. 2; the lambda of eq. 3 is ``Experiment.lambda_l1``."""
    return (restored - dry).abs().mean()


def mse_loss(restored: Tensor, dry: Tensor) -> Tensor:
    """Mean squared difference (section 2.3)."""
    return (restored - dry).square().mean()


def cycle_loss(image: Tensor, there_and_back: Tensor) -> Tensor:
    """Cycle consistency ``|F(G(x)) - x|`` (Zhu et al. 2017, eq. 2)."""
    return l1_loss(there_and_back, image)


def identity_loss(image: Tensor, mapped: Tensor) -> Tensor:
    """``|G(y) - y|``: a generator of dry images leaves a dry image alone (Zhu et al. 2017, section 5.2)."""
    return l1_loss(mapped, image)


# ---- eq. 5-10: structural similarity -------------------------------------------------------------------------------


def gaussian_window(
    dtype: torch.dtype = torch.float32, device: torch.device | None = None, size: int = WINDOW_SIZE
) -> Tensor:
    """The weights of one side of SSIM's window, by default 11; they sum to 1. Sigma grows with ``size``."""
    distance = torch.arange(size, dtype=dtype, device=device) - size // 2
    weights = torch.exp(-(distance**2) / (2 * (WINDOW_SIGMA * size / WINDOW_SIZE) ** 2))
    return weights / weights.sum()


def under_window(window: Tensor, *images: Tensor) -> tuple[Tensor, ...]:
    """Each image's weighted mean under the window at every place: (N, C, H, W) -> (N, C, H - 10, W - 10) for 11.

    Only windows that lie wholly inside the image count, as in Wang et al. 2004. The window is separable, so it goes
    along rows, then along columns. All planes are channels of one image in channels-last order: a pixel's channels then
    fill a CPU's vector, which made this ten times faster than one plane at a time.
    """
    planes = torch.cat(images, dim=1).contiguous(memory_format=torch.channels_last)
    count = planes.shape[1]
    for along in ((1, 1, 1, -1), (1, 1, -1, 1)):
        planes = F.conv2d(planes, window.view(along).repeat(count, 1, 1, 1), groups=count)
    return planes.contiguous().chunk(len(images), dim=1)


def local_statistics(x: Tensor, y: Tensor, window: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Means, variances and covariance under the window: ``mu_x, mu_y, sigma_x^2, sigma_y^2, sigma_xy``."""
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = under_window(window, x, y, x * x, y * y, x * y)
    return mean_x, mean_y, mean_xx - mean_x**2, mean_yy - mean_y**2, mean_xy - mean_x * mean_y


def luminance(mean_x: Tensor, mean_y: Tensor, c1: float) -> Tensor:
    """Eq. 6: ``(2 mu_x mu_y + c1) / (mu_x^2 + mu_y^2 + c1)``."""
    return (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)


def contrast(variance_x: Tensor, variance_y: Tensor, c2: float) -> Tensor:
    """Eq. 7: ``(2 sigma_x sigma_y + c2) / (sigma_x^2 + sigma_y^2 + c2)``."""
    return (2 * _spread(variance_x, variance_y) + c2) / (variance_x + variance_y + c2)


def structure(variance_x: Tensor, variance_y: Tensor, covariance: Tensor, c3: float) -> Tensor:
    """Eq. 8: ``(sigma_xy + c3) / (sigma_x sigma_y + c3)``."""
    return (covariance + c3) / (_spread(variance_x, variance_y) + c3)


def _spread(variance_x: Tensor, variance_y: Tensor) -> Tensor:
    """``sigma_x sigma_y``; on flat patches rounding can leave a variance a little below 0."""
    return (variance_x.clamp(min=0) * variance_y.clamp(min=0)).sqrt()


def ssim_terms(x: Tensor, y: Tensor, data_range: float, window: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Luminance, contrast and structure at every place, eq. 6 to 8; their product is eq. 9 with all exponents 1.

    Each is (N, C, H - 10, W - 10) for the window of 11. c3 = c2 / 2, as Wang et al. 2004 choose it. Takes and raises as
    :func:`ssim`. To look at, not to train with: at flat places the gradient of the square root is infinite.
    """
    window = _fitting_window(x, y, window)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    mean_x, mean_y, variance_x, variance_y, covariance = local_statistics(x, y, window)
    return (
        luminance(mean_x, mean_y, c1),
        contrast(variance_x, variance_y, c2),
        structure(variance_x, variance_y, covariance, c2 / 2),
    )


def ssim_map(x: Tensor, y: Tensor, data_range: float, window: Tensor | None = None) -> Tensor:
    """Structural similarity at every place, eq. 10, at most 1: (N, C, H - 10, W - 10) for the window of 11.

    For c3 = c2 / 2 contrast and structure multiply to ``(2 sigma_xy + c2) / (sigma_x^2 + sigma_y^2 + c2)``. That
    product is computed here: it needs no square root, whose gradient would be infinite on constant images. Takes and
    raises as :func:`ssim`.
    """
    window = _fitting_window(x, y, window)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    # Only the sum of both variances is needed, so one plane less is blurred.
    mean_x, mean_y, mean_squares, mean_xy = under_window(window, x, y, x * x + y * y, x * y)
    variances, covariance = mean_squares - mean_x**2 - mean_y**2, mean_xy - mean_x * mean_y
    return luminance(mean_x, mean_y, c1) * (2 * covariance + c2) / (variances + c2)


def _fitting_window(x: Tensor, y: Tensor, window: Tensor | None) -> Tensor:
    if x.shape != y.shape or x.ndim != 4:
        raise ValueError(f"SSIM compares two (N, C, H, W) of one shape, not {tuple(x.shape)} and {tuple(y.shape)}")
    window = gaussian_window(x.dtype, x.device) if window is None else window
    if min(x.shape[-2:]) < len(window):
        raise ValueError(f"SSIM needs images of at least {len(window)} x {len(window)} px, not {tuple(x.shape[-2:])}")
    return window


def ssim(x: Tensor, y: Tensor, data_range: float, window: Tensor | None = None) -> Tensor:
    """Structural similarity, one value per image (N,), at most 1: the mean of :func:`ssim_map`.

    Parameters
    ----------
    x, y : (N, C, H, W) of one shape, H and W at least the window's size; values start at 0.
    data_range : the largest possible value, for instance 1 or 255.
    window : from :func:`gaussian_window`; computed when None.

    Raises
    ------
    ValueError
        For different shapes, or images smaller than the window.
    """
    return ssim_map(x, y, data_range, window).mean(dim=(1, 2, 3))


class SSIMLoss(nn.Module):
    """``1 - mean SSIM`` of a batch, eq. 5; 0 for equal images. See :func:`ssim`."""

    def __init__(self, data_range: float, window_size: int = WINDOW_SIZE):
        super().__init__()
        self.data_range = data_range
        self.register_buffer("window", gaussian_window(size=window_size), persistent=False)

    def forward(self, restored: Tensor, dry: Tensor) -> Tensor:
        return 1 - ssim(restored, dry, self.data_range, self.window).mean()


# ---- perceptual loss -------------------------------------------------------------------------------------------------


# The layers of relu1_2, relu2_2, relu3_4 (of VGG16: relu3_3), relu4_4 (relu4_3) and relu5_4 (relu5_3).
TAPS = {"vgg19": (3, 8, 17, 26, 35), "vgg16": (3, 9, 17, 25, 33)}


class PerceptualLoss(nn.Module):
    """Mean absolute difference of VGG features (Johnson et al. 2016; section 2.3 of the paper names VGG19).

    The paper names no layers; these are the last activations of the five blocks, weighted alike. Takes images in
    [0, 1], (N, 3, H, W), at least 32 x 32.

    Parameters
    ----------
    weights : path of a VGG19 weight file as torchvision publishes it, a relative one counts from the kit's root; None
        takes torchvision's own file, from its cache or by download (548 MB).
    network : ``"vgg19"``, or ``"vgg16"``, which is not the paper's but needs no download (:mod:`orelib.vgg`).

    Raises
    ------
    FileNotFoundError
        When there are no weights; says how to get them.
    ModelFileError
        When the file is damaged, or holds the weights of another network.
    MemoryError
        When the weights need more memory than there is.
    ModuleNotFoundError
        When the package that holds VGG16's weights is not installed.
    """

    def __init__(self, weights: str | Path | None = None, network: str = "vgg19"):
        super().__init__()
        self.taps = TAPS[network]
        layers = self.taps[-1] + 1
        self.features = vgg16_features(layers) if network == "vgg16" else vgg19_features(layers, weights)
        for layer in self.features:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # the taps are read after later layers ran
        self.requires_grad_(False).eval()
        # The mean and spread of the photographs that VGG was trained on.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    def forward(self, restored: Tensor, dry: Tensor) -> Tensor:
        with torch.no_grad():
            targets = self._taps(dry)
        return sum(map(l1_loss, self._taps(restored), targets)) / len(self.taps)

    def _taps(self, image: Tensor) -> list[Tensor]:
        features, taps = (image - self.mean) / self.spread, []
        with torch.autocast("cuda", torch.bfloat16, enabled=image.is_cuda):
            for number, layer in enumerate(self.features):
                features = layer(features)
                if number in self.taps:
                    taps.append(features.float())
        return taps
