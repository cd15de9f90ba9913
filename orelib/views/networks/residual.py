"""Inside the improved generator: what its residual modules add, what cut connections cost, how gradients travel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from orelib.config import Experiment
from orelib.data.mosaic import to_network
from orelib.methods import Improved
from orelib.metrics import psnr
from orelib.networks import ResidualBlock, UNet, UNetLevel, init_weights
from orelib.restore.restorer import load_restorer
from orelib.runs import Folders
from orelib.views.networks.anatomy import shapes

WITH, WITHOUT = "#0072B2", "#D55E00"
SHOWN = 96  # px of a map; a multiple of 32, so that smaller maps are drawn at whole factors too


def improved_generator(folders: Folders, seed: int) -> tuple[UNet, bool]:
    """Returns the trained generator of a run of Improved and True; without such a run, a new one and False.

    Raises ModelFileError when the file of the run is damaged.
    """
    path = folders.run("improved", seed) / "generator.safetensors"
    if path.exists():
        return load_restorer(path).generator.eval(), True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Improved.build_generator(Experiment(folders.profile, "improved", seed)).eval(), False


@torch.no_grad()
def restored_by(network: UNet, wet: np.ndarray) -> np.ndarray:
    """Restores a wet image, uint8 (H, W, 3), whose sides are multiples of the network's stride."""
    dry = network(_tensor(wet))[0].permute(1, 2, 0).add(1).mul(127.5)
    return dry.round().clamp(0, 255).to(torch.uint8).numpy()


def _tensor(image: np.ndarray) -> Tensor:
    return to_network(torch.from_numpy(image.copy())[None], torch.device("cpu"))


# ---- X, F(X) and Y -------------------------------------------------------------------------------------------------


@torch.no_grad()
def inside(network: UNet, wet: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns X and F(X) of eq. 4, float32 (C, h, w), of every residual module for a wet image, by its place."""
    places = {c.module: c.place for c in connections(network, len(wet)) if c.kind == "F"}
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def keep(place: str):
        def hook(_, inputs: tuple[Tensor], y: Tensor) -> None:
            x = inputs[0][0]
            found[place] = (x.numpy(), (y[0] - x).numpy())

        return hook

    handles = [network.get_submodule(name).register_forward_hook(keep(place)) for name, place in places.items()]
    network(_tensor(wet))
    for handle in handles:
        handle.remove()
    return found


def inside_figure(x: np.ndarray, f: np.ndarray, place: str, channels: int = 4) -> Figure:
    """Shows X, F(X) and Y = F(X) + X of a residual module for some channels, the ones with the largest F(X).

    ``x`` and ``f`` are (C, h, w). All maps of a channel have one scale, with 0 in the middle of the colours. Of maps
    larger than :data:`SHOWN` px, the middle is shown, so that a value covers a whole number of pixels at 100 dpi.
    """
    largest = np.argsort(-np.square(f).mean(axis=(1, 2)))[:channels]
    (height, width), shown = x.shape[1:], (slice(None), slice(None))
    size = f"{len(x)} maps of {height} x {width} px"
    if max(height, width) > SHOWN:
        shown = tuple(slice(max(0, (side - SHOWN) // 2), (side + SHOWN) // 2) for side in (height, width))
        size += f", the middle {min(height, SHOWN)} x {min(width, SHOWN)} px"
    figure, axes = _maps(3, channels)
    for column, channel in zip(axes.T, largest, strict=True):
        maps = (x[channel], f[channel], x[channel] + f[channel])
        limit = float(np.quantile(np.abs(maps), 0.99)) or 1.0
        for axis, values in zip(column, maps, strict=True):
            axis.imshow(values[shown], cmap="PuOr", vmin=-limit, vmax=limit, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        column[0].set_title(f"channel {channel}", fontsize=9)
    for axis, name in zip(axes[:, 0], ("X", "F(X)", "Y = F(X) + X"), strict=True):
        axis.set_ylabel(name, fontsize=10)
    figure.suptitle(f"residual module {place}: {size}\npurple: above 0, white: 0, orange: below 0", fontsize=10)
    figure.set_label(
        f"Maps of {len(largest)} channels of the residual module {place}: its input X, the computed F(X), and their "
        "sum Y."
    )
    return figure


def _maps(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    """Makes axes of ``2 * SHOWN`` px at 100 dpi; a layout that measures all texts would take longer than all else."""
    side, left, top, gap, edge = 2 * SHOWN, 40, 74, 8, 5  # px
    width, height = left + columns * (side + gap) - gap + edge, top + rows * (side + gap) - gap + edge
    figure = plt.figure(figsize=(width / 100, height / 100))
    plt.close(figure)
    axes = np.empty((rows, columns), dtype=object)
    for row, column in np.ndindex(rows, columns):
        corner = left + column * (side + gap), height - top - side - row * (side + gap)
        axes[row, column] = figure.add_axes(
            (corner[0] / width, corner[1] / height, side / width, side / height)
        )  # from the left lower corner, as shares of the figure
    return figure, axes


def correction_table(modules: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Returns a row per residual module: sizes of X and F (root mean square), their ratio, cosine of Y and X.

    ``modules`` are those of :func:`inside`. The cosine is that of the angle between Y and X as vectors: 1 is the same
    direction, and the root of 1/2 is that of X and an F of the same size that is orthogonal to it.
    """
    rows = {}
    for place, (x, f) in modules.items():
        y = x + f
        rows[place] = {
            "X": _rms(x), "F(X)": _rms(f), "F(X) / X": _rms(f) / _rms(x),
            "cosine of Y and X": float((x * y).mean() / (_rms(x) * _rms(y))),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").round(2)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))


# ---- connections that can be cut -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connection:
    """A path through a U-Net: ``kind`` is "skip", "F" (the residual of eq. 4) or "X" (its identity path).

    ``module`` is the name of the module, :class:`~orelib.networks.UNetLevel` or
    :class:`~orelib.networks.ResidualBlock`; ``side`` of its maps is in px; ``way`` is "down", "up", or "" for a skip.
    """

    kind: str
    module: str
    side: int
    way: str = ""

    @property
    def place(self) -> str:
        return f"at {self.side} px" + (f", on the way {self.way}" if self.way else "")

    def __str__(self) -> str:
        return f"{'skip connection' if self.kind == 'skip' else f'{self.kind} of the module'} {self.place}"


def connections(network: UNet, size: int) -> list[Connection]:
    """Returns all skip connections, from the outside in, then F and X of all residual modules in their order."""
    seen = shapes(network, size)
    skips, modules = [], []
    for name, module in network.named_modules():
        if isinstance(module, UNetLevel):
            skips.append(Connection("skip", name, seen[name][1][1]))
        elif isinstance(module, ResidualBlock):
            modules.append(Connection("F", name, seen[name][1][1], "down" if ".down." in name else "up"))
    return [*skips, *modules, *(replace(module, kind="X") for module in modules)]


@contextmanager
def cut(network: UNet, connection: Connection | None) -> Iterator[None]:
    """Within the block, zeros flow through a connection; None cuts nothing."""

    def without_skip(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        (x,) = inputs
        return torch.cat([torch.zeros_like(x), output[:, x.shape[1] :]], dim=1)

    hooks = {"skip": without_skip, "F": lambda _, inputs, __: inputs[0], "X": lambda _, inputs, y: y - inputs[0]}
    handle = None
    if connection is not None:
        handle = network.get_submodule(connection.module).register_forward_hook(hooks[connection.kind])
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()


def cut_scores(network: UNet, wet: np.ndarray, dry: np.ndarray) -> dict[Connection, float]:
    """Returns the PSNR in dB of the restored image after each cut, one connection at a time."""
    scores = {}
    for connection in connections(network, len(wet)):
        with cut(network, connection):
            scores[connection] = psnr(restored_by(network, wet), dry)
    return scores


def cuts_table(scores: Mapping[Connection, float]) -> pd.DataFrame:
    """Returns the PSNR after each cut: a row per side of the maps, a column per kind and way."""
    table: dict[str, dict[str, float]] = {}
    for connection, score in scores.items():
        column = f"{connection.kind}, {connection.way}" if connection.way else "skip connection"
        table.setdefault(column, {})[connection.side] = round(score, 1)
    return pd.DataFrame(table).sort_index(ascending=False).rename(index="{} px".format)


def cut_figure(network: UNet, wet: np.ndarray, dry: np.ndarray, connection: Connection | None) -> Figure:
    """Shows the wet image, the restoration as it is and with one connection cut, and the dry image."""
    whole = restored_by(network, wet)
    with cut(network, connection):
        without = restored_by(network, wet)
    images = {
        "wet": wet,
        f"restored, {psnr(whole, dry):.1f} dB": whole,
        f"after the cut, {psnr(without, dry):.1f} dB": without,
        "dry": dry,
    }
    margins = {"left": 0.005, "right": 0.995, "bottom": 0.01, "top": 0.82, "wspace": 0.03}
    figure, axes = plt.subplots(1, 4, figsize=(10, 3.05), gridspec_kw=margins)
    plt.close(figure)
    for axis, (title, image) in zip(axes, images.items(), strict=True):
        axis.imshow(image)
        axis.set(xticks=[], yticks=[])
        axis.set_title(title, fontsize=10)
    figure.suptitle(f"cut: {connection or 'nothing'}", fontsize=10, color=WITHOUT, weight="bold")
    figure.set_label(f"Four images: {', '.join(images)}. Cut: {connection or 'nothing'}.")
    return figure


# ---- gradients -----------------------------------------------------------------------------------------------------


def gradient_flow(modules: int = 16, channels: int = 64, side: int = 16, seed: int = 0) -> pd.DataFrame:
    """Sends a gradient back through a stack of new residual modules; returns its norm after each, 1 at the output.

    A row per number of modules that it has passed, from 0 on. Columns: eq. 4 as printed, without norms, and the module
    of the kit, with an instance norm behind each convolution; each with the identity path X and without. Weights are
    new, drawn as for all networks of the kit.
    """
    columns = {}
    for title, norms in (("eq. 4 as printed", False), ("with instance norms", True)):
        for name, identity in (("with X", True), ("without X", False)):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                stack = [_module(channels, norms) for _ in range(modules)]
                x, output_gradient = torch.randn(2, 1, channels, side, side)
            maps = [x.requires_grad_()]
            for block in stack:
                maps.append(block(maps[-1]) if identity else block.residual(maps[-1]))
            gradients = torch.autograd.grad(maps[-1], maps[:-1], output_gradient)
            norms_back = [output_gradient.norm(), *(gradient.norm() for gradient in reversed(gradients))]
            columns[f"{title}, {name}"] = [float(norm / norms_back[0]) for norm in norms_back]
    return pd.DataFrame(columns).rename_axis("modules passed")


def _module(channels: int, norms: bool) -> ResidualBlock:
    block = ResidualBlock(channels).apply(init_weights)
    if not norms:
        block.residual = nn.Sequential(*(layer for layer in block.residual if not isinstance(layer, nn.InstanceNorm2d)))
    return block


def gradient_figure(flow: pd.DataFrame) -> Figure:
    """Shows the table of :func:`gradient_flow` on a logarithmic axis."""
    figure, axis = plt.subplots(figsize=(8, 3.2), layout="constrained")
    plt.close(figure)
    for name, values in flow.items():
        colour = WITHOUT if "without X" in name else WITH
        axis.plot(flow.index, values, "--s" if "norms" in name else "-o", color=colour, ms=4, mfc="white", label=name)
    axis.set(yscale="log", xlabel="residual modules that the gradient has passed", ylabel="norm, 1 at the output")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    last = ", ".join(f"{name}: {values.iloc[-1]:.2g}" for name, values in flow.items())
    figure.set_label(f"Norm of a gradient over the number of modules it has passed. After {flow.index[-1]}, {last}.")
    return figure
