"""The settings of an experiment, the profiles that fill them in, and the table of methods.

Everything that a reader may want to vary is a field of :class:`Experiment`; it is saved as ``config.json`` beside every
result and with every checkpoint. The defaults are the paper's; where the paper is silent, the comment says what we
decided and why. The profiles shrink them: ``smoke`` for tests, ``quick`` for a first look, ``cpu`` for published
results without a GPU, ``restorer`` for the restorer that comes with the kit, ``paper`` for the paper as printed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from orelib.utils.allowed import FIELDS, SettingsError, brief, checked, parameter


@dataclass(frozen=True)
class MethodEntry:
    """Names, colour and settings of a method; its class is in :mod:`orelib.methods`.

    ``title`` stands in tables; figures use ``short`` and ``colour``. ``settings`` are :class:`Experiment`'s fields that
    differ from the profile's, ``steps`` the number of training steps by profile where that differs. ``halvings`` is how
    often the generator halves an image; None: ``unet_depth`` times.
    """

    title: str
    short: str
    colour: str
    settings: Mapping[str, object] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    halvings: int | None = None


# Every method by name; orelib.methods.register adds one. The colours are Okabe and Ito's, which remain distinct to
# colour-blind readers. The paper has no NAFNet and no Slim. Their learning rate is the highest of one cycle, and may be
# higher than the constant rate of the others. NAFNet: two samples a step, which at 128 px keep a CPU busy. Slim: four,
# from which its batch norms compute statistics. A CycleGAN step takes four times as long as a step of the others, so
# under quick it gets fewer steps; NAFNet and Slim get as many as fit into the training time of Improved.
METHODS: dict[str, MethodEntry] = {
    "pix2pix": MethodEntry("Pix2Pix", "Pix2Pix", "#0072B2"),
    "cyclegan": MethodEntry("CycleGAN", "CycleGAN", "#E69F00", steps={"quick": 350}),
    "improved": MethodEntry("Improved (the paper's)", "Improved", "#D55E00"),
    "nafnet": MethodEntry(
        "NAFNet (not in the paper)", "NAFNet", "#009E73",
        settings={"learning_rate": 0.002, "batch_size": 2}, steps={"quick": 800}, halvings=5,
    ),
    "slim": MethodEntry(
        "Slim U-Net (not in the paper)", "Slim", "#CC79A7",
        settings={"learning_rate": 0.002, "batch_size": 4}, steps={"quick": 2000},
    ),
}  # fmt: skip
PUBLISHED = tuple(METHODS)  # the rows of the published Table 3


def entry_of(variant: str) -> MethodEntry:
    """Returns the entry of a method or variant, such as ``improved+lambda_ssim=0``; an unknown name gets grey."""
    method, *changes = variant.split("+")
    if method not in METHODS:
        return MethodEntry(variant, variant, "#777777")
    entry = METHODS[method]
    return replace(entry, title=", ".join([entry.title, *changes]), short=", ".join([entry.short, *changes]))


class UnknownMethodError(SettingsError):
    """A method that this process does not know."""


@dataclass(frozen=True, init=False)
class Experiment:
    """One method trained once: ``Experiment("quick", "nafnet", seed=1, steps=500)``.

    A field that is not given has the value of its profile and method, or else the default below, which is the paper's.
    Sizes are in pixels, (height, width); loss weights multiply the terms of ``losses``. ``seed`` may be a text, as
    papermill's ``-r`` passes it.

    Raises SettingsError for a profile, method or field that is unknown, and for a value that its field may not take.
    """

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
    # Views from near show a restorer rock faces without edges, and so prepare it for photographs of another scale.
    zoom: float = 1.0
    # Shift of each wet photograph against its dry partner, in a random direction; test pairs are always aligned,
    # because otherwise their scores would say nothing.
    misalignment_px: float = 0.0
    # Share of scenes, in each split, of a wider kind: any rock, broken or round, any law of wetting, any exposure.
    wide: float = 0.0
    scenes_seed: int = 0  # another number gives other scenes of the same kind, and so another split
    train_pairs: int = 500
    val_pairs: int = 50  # not in the paper, which names no validation images
    test_pairs: int = 200

    # Mosaic: four pairs in one square sample.
    mosaic_size: int = 512
    mosaic: bool = True  # False: one window of one pair, of the same size

    # Networks. The paper gives no widths or depths; 64, 8 and 9 are the values of Pix2Pix and CycleGAN.
    base_width: int = 64
    unet_depth: int = 8
    discriminator_width: int = 64
    cyclegan_width: int = 64
    cyclegan_blocks: int = 9
    nafnet_width: int = 32  # at full resolution, doubled at every level; 16 beside a U-Net of 24 costs as much
    slim_width: int = 8

    # Loss weights. Only lambda_l1 = 100 beside an adversarial term of 1 has a source (Pix2Pix, Isola et al. 2017); the
    # paper prints none. 100 for MSE and SSIM did well on validation images; no search was made.
    lambda_adversarial: float = 1.0  # 0: the discriminator learns, but the generator ignores it
    lambda_l1: float = 100.0
    lambda_mse: float = 100.0
    lambda_ssim: float = 100.0
    ssim_window: int = 11  # px, of the loss; sigma in proportion, 1.5 px for 11 (Wang et al. 2004). Tables keep 11
    lambda_perceptual: float = 10.0
    perceptual_network: str = "vgg19"  # the paper's; or "vgg16", whose weights come with the extra "perceptual"
    vgg_weights: str | None = None  # path of a VGG19 weight file; None: torchvision's own cache
    lambda_cycle: float = 10.0  # CycleGAN (Zhu et al. 2017)
    # Half of lambda_cycle, as in CycleGAN. 0 saves a third of a step; but under quick, on validation images, 350 steps
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
    device: str = "auto"  # "auto", "cpu" or "cuda" (bfloat16, whatever precision says)
    # Of the networks on a processor; losses are float32. "auto": bfloat16 where the processor has instructions for it
    # (AVX512_BF16, AMX), else float32. Without them "bfloat16" takes 2 (AVX-512) to 20 times as long as float32. The
    # provenance of a run says which was used. A trained generator restores in float32.
    precision: str = "float32"
    threads: int = 2  # fixed, so that two machines of one kind give the same numbers
    loader_workers: int = 2  # processes that compose Mosaic samples; 0: the training process itself

    def __init__(self, profile: str = "paper", method: str = "improved", seed: int | str = 0, **changes):
        if not isinstance(profile, str) or profile not in PROFILES:
            raise SettingsError(f"profile={brief(profile)} is unknown: choose one of {', '.join(PROFILES)}")
        if not isinstance(method, str) or method not in METHODS:
            cure = f"choose one of {', '.join(METHODS)}, or register it first (orelib.methods.register)"
            raise UnknownMethodError(f"method={brief(method)} is unknown: {cure}")
        values = {each.name: each.default for each in fields(self)}
        if unknown := sorted(set(changes) - set(values)):
            raise SettingsError(f"no such field: {brief(', '.join(unknown))}; fields are {', '.join(sorted(values))}")
        entry = METHODS[method]
        values |= PROFILES[profile] | entry.settings
        if profile in entry.steps:
            values["steps"] = entry.steps[profile]
        values |= changes | {"profile": profile, "method": method, "seed": parameter("seed", seed)}
        for name, value in values.items():  # the only way to set a frozen dataclass
            object.__setattr__(self, name, checked(name, value) if name in FIELDS else value)
        self._demand_fitting()

    def _demand_fitting(self) -> None:
        """Raises SettingsError for fields that do not go together."""
        if self.ssim_window % 2 == 0 or self.ssim_window > self.mosaic_size:
            raise SettingsError(f"ssim_window={self.ssim_window} must be odd, from 3 to mosaic_size={self.mosaic_size}")
        halvings = METHODS[self.method].halvings or self.unet_depth
        if self.mosaic_size % 2**halvings:
            raise SettingsError(
                f"mosaic_size={self.mosaic_size} must be a multiple of {2**halvings}, "
                f"because the generator of {METHODS[self.method].short} halves the image {halvings} times"
            )
        if (nearest := self.px_per_mm * self.zoom) > 100:
            raise SettingsError(
                f"zoom={self.zoom:g} at px_per_mm={self.px_per_mm:g} is {nearest:g} px per mm: at most 100 are possible"
            )
        if self.misalignment_px >= (quarter := min(self.scene_size) / 4):
            raise SettingsError(
                f"misalignment_px={self.misalignment_px} must be below {quarter:g}, a quarter of the scene"
            )

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Experiment:
        """Reads the experiment of a ``config.json``; a newer field, which the text lacks, gets its profile's value.

        Raises SettingsError for a text that is no experiment.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"the settings are no JSON ({type(error).__name__}: {error})") from error
        if not isinstance(values, dict) or not values.keys() >= {"profile", "method", "seed", "scene_size"}:
            raise SettingsError(f"the settings lack profile, method, seed or scene_size: {brief(values)}")
        return cls(**values)

    def replace(self, **changes) -> Experiment:
        """The same experiment with some fields changed. Raises SettingsError as the class does."""
        return Experiment(**(vars(self) | changes))


# The perceptual term is off outside the paper profile, because VGG19's 548 MB of weights cannot be shipped; table and
# notebooks say so. The learning rate is Pix2Pix's 0.0002; the paper's constant 0.002 is kept for its own profile.
# One thread per training, because trainings run side by side: one thread does two thirds of the work of two. quick may
# compute in bfloat16: with three seeds, it changed PSNR and SSIM of validation images by less than another seed does.
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
        nafnet_width=16, steps=1000, validate_every=200, checkpoint_every=100, precision="auto",
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


# The fields that a data set depends on: if one of them is changed, it is another data set, in a folder of its own.
SCENE_FIELDS = (
    "scene_size", "px_per_mm", "size_mm", "size_modulus", "zoom", "misalignment_px", "wide", "scenes_seed",
    "train_pairs", "val_pairs", "test_pairs",
)  # fmt: skip


def parse_changes(text: str) -> dict:
    """Returns the fields that a text like ``"lambda_ssim=0 batch_size=4"`` changes, for :class:`Experiment`.

    Raises SettingsError for another kind of text, an unknown field, a field that is changed twice, or a value that its
    field may not take.
    """
    if not isinstance(text, str):
        raise SettingsError(f"changes={brief(text)} must be text, for instance lambda_ssim=0")
    changes = {}
    for word in text.split():
        # The text becomes a part of folder names, where + stands between two changes.
        name, written = _CHANGE.fullmatch(word).groups() if _CHANGE.fullmatch(word) else ("", "")
        if name not in FIELDS or name in ("seed", "vgg_weights", "start_from") or name in changes:
            raise SettingsError(
                f"changes={brief(text)}: {brief(word)} is not <field>=<value>, once, for a field that can be changed "
                "here, with a word or number without + as the value"
            )
        try:
            value = ast.literal_eval(written)
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
            value = written
        changes[name] = checked(name, value)
    return changes


_CHANGE = re.compile(r"(\w+)=([\w.,()-]+)", re.ASCII)
