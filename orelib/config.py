"""The settings of an experiment, the profiles that fill them in, and where files live.

Everything that a reader may want to vary is a field of :class:`Experiment`; it is saved as ``config.json`` beside every
result and with every checkpoint. The defaults are the paper's; where the paper is silent, the comment says what we
decided and why. The profiles shrink them: ``smoke`` for tests, ``quick`` for a first look, ``cpu`` for published
results without a GPU, ``restorer`` for the restorer that comes with the kit, ``paper`` for the paper as printed.
"""

from __future__ import annotations

import ast
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from orelib.names import printable


class SettingsError(ValueError):
    """A setting that cannot be: the message names the field and the values it may take."""


METHODS = ("pix2pix", "cyclegan", "improved", "nafnet", "slim")  # the last two are not in the paper, see methods.py


@dataclass(frozen=True)
class Experiment:
    """One method trained once. Sizes are in pixels, (height, width); loss weights multiply the terms of ``losses``."""

    profile: str = "paper"
    method: str = "improved"
    seed: int = 0

    # The embedded data set; ignored when the user's own photographs are given.
    scene_size: tuple[int, int] = (1900, 2048)
    px_per_mm: float = 6.5  # not in the paper: 2048 px across a field of about 315 mm
    # Particle size by mass: Rosin-Rammler, cut to the paper's 5-25 mm (the paper gives no more than this range).
    size_mm: float = 14.0  # characteristic size: 36.8 % of the mass is coarser, before the cut
    size_modulus: float = 2.0
    # Each scene is seen from up to this many times nearer than px_per_mm says; 1: a fixed camera, as in the paper.
    # Views from near teach a restorer rock faces without edges, and so to serve photographs of another scale.
    zoom: float = 1.0
    # Shift of each wet photograph against its dry partner, in a random direction; test pairs are always aligned, or
    # their scores would say nothing.
    misalignment_px: float = 0.0
    scenes_seed: int = 0  # another number gives other scenes of the same kind, and so another split
    train_pairs: int = 500
    val_pairs: int = 50  # not in the paper, which names no validation images
    test_pairs: int = 200

    # Mosaic: four pairs in one square sample.
    mosaic_size: int = 512
    mosaic: bool = True  # False: one window of one pair, of the same size

    # Networks. The paper gives no widths or depths; 64, 8 and 9 are those of Pix2Pix and CycleGAN.
    base_width: int = 64
    unet_depth: int = 8
    discriminator_width: int = 64
    cyclegan_width: int = 64
    cyclegan_blocks: int = 9
    nafnet_width: int = 32  # at full resolution, doubled at every level; 16 beside a U-Net of 24 costs as much
    slim_width: int = 8

    # Loss weights. Only lambda_l1 = 100 beside an adversarial term of 1 has a source (Pix2Pix, Isola et al. 2017); the
    # paper prints none. 100 for MSE and SSIM did well on validation images; no search was made.
    lambda_adversarial: float = 1.0  # 0: the discriminator learns, but the generator takes no notice of it
    lambda_l1: float = 100.0
    lambda_mse: float = 100.0
    lambda_ssim: float = 100.0
    ssim_window: int = 11  # px, of the loss; sigma in proportion, 1.5 px for 11 (Wang et al. 2004). Tables keep 11
    lambda_perceptual: float = 10.0
    vgg_weights: str | None = None  # path of a VGG19 weight file; None: torchvision's own cache
    lambda_cycle: float = 10.0  # CycleGAN (Zhu et al. 2017)
    # CycleGAN's half of lambda_cycle. 0 saves a third of its step; yet under quick, on validation images, 350 steps
    # with 5 did better (18.8 dB, SSIM 0.51) than 500 steps with 0 (18.1 dB, 0.47).
    lambda_identity: float = 5.0

    # Optimisation: Adam, constant learning rate, batch 1. NAFNet, Slim: one cycle, with this as its highest rate.
    steps: int = 950_000  # the paper's 1,900 "epochs", read as passes over 500 training pairs
    batch_size: int = 1
    learning_rate: float = 0.002  # the paper's; ten times what Pix2Pix uses
    beta1: float = 0.5  # Pix2Pix and CycleGAN; the paper does not say
    # Fine-tuning: path of a generator.safetensors whose weights this generator starts with; None: random weights.
    start_from: str | None = None

    # Bookkeeping.
    validate_every: int = 5_000
    checkpoint_every: int = 5_000
    device: str = "auto"  # "auto", "cpu" or "cuda" (mixed precision)
    threads: int = 2  # fixed, so that two machines of one kind give the same numbers
    loader_workers: int = 2  # processes that compose Mosaic samples; 0: the training process itself

    def __post_init__(self):
        if self.method not in METHODS:
            raise SettingsError(f"method={self.method!r} is unknown: choose one of {', '.join(METHODS)}")
        at_least = {"unet_depth": 2, "mosaic_size": 32, "loader_workers": 0, "zoom": 1} | dict.fromkeys(
            ("steps", "batch_size", "base_width", "cyclegan_blocks", "threads", "validate_every", "checkpoint_every"), 1
        )
        for name, smallest in at_least.items():
            if getattr(self, name) < smallest:
                raise SettingsError(f"{name}={getattr(self, name)!r} must be at least {smallest}")
        if self.ssim_window % 2 == 0 or not 3 <= self.ssim_window <= self.mosaic_size:
            raise SettingsError(f"ssim_window={self.ssim_window} must be odd, from 3 to mosaic_size={self.mosaic_size}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise SettingsError(f"device={self.device!r} is unknown: choose auto, cpu or cuda")
        network, halvings = ("NAFNet", 5) if self.method == "nafnet" else ("U-Net", self.unet_depth)
        if self.mosaic_size % 2**halvings:
            raise SettingsError(
                f"mosaic_size={self.mosaic_size} must be a multiple of {2**halvings}, "
                f"because the {network} halves the image {halvings} times"
            )

    @classmethod
    def from_profile(cls, profile: str, method: str = "improved", seed: int = 0, **changes) -> Experiment:
        """The experiment of a profile; ``changes`` replaces any further field.

        Raises SettingsError for an unknown profile, method or field.
        """
        if profile not in PROFILES:
            raise SettingsError(f"profile={profile!r} is unknown: choose one of {', '.join(PROFILES)}")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(changes) - known):
            raise SettingsError(f"no such field: {', '.join(unknown)}; fields are {', '.join(sorted(known))}")
        settings = PROFILES[profile] | METHOD_SETTINGS.get(method, {}) | STEPS.get((profile, method), {}) | changes
        return cls(profile=profile, method=method, seed=seed, **settings)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Experiment:
        """The experiment of a ``config.json``; a field that it lacks, being newer, has its profile's value."""
        values = json.loads(text)
        return cls.from_profile(**{**values, "scene_size": tuple(values["scene_size"])})

    def replace(self, **changes) -> Experiment:
        """The same experiment with some fields changed."""
        return replace(self, **changes)


# The perceptual term is off outside the paper profile, because VGG19's 548 MB of weights cannot be shipped; table and
# notebooks say so. The learning rate is Pix2Pix's 0.0002; the paper's constant 0.002 is kept for its own profile.
# One thread a training, because trainings run side by side: one does two thirds of what two do together.
_WITHOUT_GPU = {"lambda_perceptual": 0.0, "learning_rate": 0.0002, "loader_workers": 0, "threads": 1}

PROFILES: dict[str, dict] = {
    "smoke": _WITHOUT_GPU
    | dict(
        scene_size=(64, 80), px_per_mm=1.0, train_pairs=6, val_pairs=2, test_pairs=3,
        mosaic_size=32, base_width=4, unet_depth=5, discriminator_width=4, cyclegan_width=4, cyclegan_blocks=1,
        nafnet_width=4, slim_width=4, steps=8, validate_every=4, checkpoint_every=4,
    ),
    "quick": _WITHOUT_GPU
    | dict(
        scene_size=(256, 256), px_per_mm=2.5, zoom=5.0, train_pairs=120, val_pairs=16, test_pairs=40,
        mosaic_size=128, base_width=24, unet_depth=7, discriminator_width=32, cyclegan_width=16, cyclegan_blocks=6,
        nafnet_width=16, steps=1000, validate_every=200, checkpoint_every=100,
    ),
    "cpu": _WITHOUT_GPU
    | dict(
        scene_size=(256, 256), px_per_mm=2.5, zoom=5.0, train_pairs=400, val_pairs=40, test_pairs=100,
        mosaic_size=128, base_width=24, unet_depth=7, discriminator_width=32, cyclegan_width=16, cyclegan_blocks=6,
        nafnet_width=16, steps=2000, validate_every=200, checkpoint_every=200,
    ),
    "restorer": _WITHOUT_GPU
    | dict(
        scene_size=(256, 256), px_per_mm=2.5, zoom=5.0, train_pairs=1500, val_pairs=40, test_pairs=100,
        mosaic_size=128, base_width=24, unet_depth=7, discriminator_width=32, cyclegan_width=16, cyclegan_blocks=6,
        nafnet_width=16, steps=20_000, validate_every=1000, checkpoint_every=500,
    ),
    "paper": {},
}  # fmt: skip

# One cycle bears a higher rate than the constant one of the others. NAFNet: two samples a step, of which 128 px fill a
# CPU. Slim: four, whose statistics its batch norms share.
METHOD_SETTINGS: dict[str, dict] = {
    "nafnet": {"learning_rate": 0.002, "batch_size": 2},
    "slim": {"learning_rate": 0.002, "batch_size": 4},
}

# A CycleGAN step takes four times as long as one of the others, so under quick it gets fewer; NAFNet and Slim get as
# many as fit into the training time of Improved. Table 3 prints every method's number of updates and its time.
STEPS: dict[tuple[str, str], dict] = {
    ("quick", "cyclegan"): {"steps": 350},
    ("quick", "nafnet"): {"steps": 800},
    ("quick", "slim"): {"steps": 2000},
}


# What a data set depends on: with one of these changed, it is another, in a folder of its own.
SCENE_FIELDS = (
    "scene_size", "px_per_mm", "size_mm", "size_modulus", "zoom", "misalignment_px", "scenes_seed", "train_pairs",
    "val_pairs", "test_pairs",
)  # fmt: skip


def parse_changes(text: str) -> dict:
    """The fields that a text like ``"lambda_ssim=0 batch_size=4"`` changes, for :meth:`Experiment.from_profile`.

    Raises SettingsError for what is no such text, an unknown field, or a value of another kind than the field's.
    """
    kinds = {field.name: type(field.default) for field in fields(Experiment)}
    changes = {}
    for word in text.split():
        name, equals, written = word.partition("=")
        if not equals or name not in kinds or name in ("profile", "method", "seed", "vgg_weights", "start_from"):
            raise SettingsError(f"changes={text!r}: {word!r} is not <field>=<value> of a field that can be changed so")
        try:
            value = ast.literal_eval(written)
        except (SyntaxError, ValueError):
            value = written
        if kinds[name] is float and type(value) is int:
            value = float(value)
        if type(value) is not kinds[name]:
            raise SettingsError(f"changes={text!r}: {name} takes a value of type {kinds[name].__name__}, not {written}")
        changes[name] = value
    return changes


def kit_root() -> Path:
    """The folder that relative paths count from.

    The nearest folder at or above the current one that holds ``notebooks`` and ``orelib``, so that a notebook gives
    the same result from the kit's root and from ``notebooks/``; outside the kit, the current folder.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "orelib").is_dir():
            return folder
    return here


def shown(path: Path) -> str:
    """A path as a reader should see it, in one line: relative to the kit's root where it lies inside."""
    path = Path(path)
    try:
        place = path.parent.resolve() / path.name  # the name of a link, not of what it leads to
        return printable(str(place.relative_to(kit_root().resolve())))
    except (ValueError, OSError, RuntimeError):  # elsewhere, or below a link that leads to itself
        return printable(str(path))


@dataclass(frozen=True)
class Folders:
    """Where one profile reads its pairs and writes its results.

    ``data_dir=None`` means the embedded data set of the profile, ``data/<profile>``. Relative paths count from
    :func:`kit_root`. ``changes`` are those of :func:`parse_changes`; they are part of a run's name, and those of
    :data:`SCENE_FIELDS` of the data set's.
    """

    profile: str
    data_dir: str | None = None
    results_dir: str = "results"
    changes: str = ""

    @property
    def embedded(self) -> bool:
        """Whether the pairs are the embedded scenes rather than the user's own photographs."""
        return not self.data_dir

    @property
    def data(self) -> Path:
        scenes = f"data/{self.profile}{self._suffix(SCENE_FIELDS)}"
        return kit_root() / Path(str(self.data_dir or scenes)).expanduser()

    @property
    def results(self) -> Path:
        return kit_root() / Path(str(self.results_dir)).expanduser() / self.profile

    def run(self, method: str, seed: int) -> Path:
        """The run folder of one training, for instance ``improved+lambda_ssim=0-seed1``."""
        return self.results / f"{method}{self._suffix()}-seed{seed}"

    def _suffix(self, among: tuple[str, ...] | None = None) -> str:
        """The changes as a part of a name, always in the same order."""
        words = sorted(self.changes.split())
        return "".join(f"+{word}" for word in words if among is None or word.partition("=")[0] in among)
