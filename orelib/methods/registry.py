"""The classes of the methods by name; their titles in tables are in ``METHODS`` of :mod:`orelib.config`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from orelib.config import METHODS, PUBLISHED, Experiment, MethodEntry
from orelib.methods.base import Method
from orelib.methods.cyclegan import CycleGAN
from orelib.methods.pix2pix import Improved, Pix2Pix
from orelib.methods.supervised import NAFNet, Slim
from orelib.utils.allowed import SettingsError, brief

CLASSES: dict[str, type[Method]] = {
    "pix2pix": Pix2Pix,
    "cyclegan": CycleGAN,
    "improved": Improved,
    "nafnet": NAFNet,
    "slim": Slim,
}
_FURTHER_COLOURS = ("#56B4E9", "#F0E442", "#000000")  # the remaining colours of Okabe and Ito


def register(name: str, title: str = "", **settings) -> Callable[[type[Method]], type[Method]]:
    """Makes a class a method of the kit, which then can be trained, scored and shown like any other::

        @register("plain", title="Improved, plain U-Net", lambda_ssim=50)
        class Plain(Improved):
            @staticmethod
            def build_generator(experiment):
                return UNet(experiment.base_width, experiment.unet_depth)

        train(Experiment("quick", "plain"), pairs, folders.run("plain", 0))

    It has the settings of the class that it extends, with the fields of :class:`~orelib.config.Experiment` in
    ``settings`` changed. ``title`` stands in tables and figures. A cell may be run again: the class replaces the
    earlier one. A process that did not run this shows the scores of such a run, but cannot restore with it, and says
    so.

    Raises SettingsError for a name that the folder of a run cannot have or that the kit uses itself, and for
    impossible settings.
    """
    from orelib.baselines import BASELINES  # imports SciPy and scikit-image: a second that restoring need not wait

    taken = (*PUBLISHED, *BASELINES, "wet", "dry", "truth")  # names that tables use already
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in taken:
        raise SettingsError(
            f"name={brief(name)} must begin with a-z, hold only a-z, 0-9 and _, and be none of {', '.join(taken)}"
        )

    def put(method: type[Method]) -> type[Method]:
        names = {known: name for name, known in CLASSES.items()}
        parent = next((METHODS[names[base]] for base in method.__mro__[1:] if base in names), MethodEntry("", "", ""))
        changed = {**parent.settings, **settings}
        Experiment("paper", **changed)  # raises for impossible settings
        further = [*METHODS.keys() - {*PUBLISHED, name}]
        colour = _FURTHER_COLOURS[len(further) % len(_FURTHER_COLOURS)]
        METHODS[name] = replace(parent, title=title or name, short=title or name, colour=colour, settings=changed)
        CLASSES[name] = method
        return method

    return put
