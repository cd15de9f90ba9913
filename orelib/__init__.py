"""orelib: networks, losses, metrics and wet/dry ore scenes for one paper.

The paper is "Improved Pix2PixGAN water-bearing ore reflection image restoration method". Its equation numbers
stand in the docstrings: search for "eq. 4" or "Fig. 8". Importing this package loads nothing heavy; import
the module you need, for instance ``from orelib.networks import UNet``.

The paper lies at the top, here from the ground up:

``config``      settings of an experiment, profiles, methods
``runs``        folders of pairs and results; the folder of a training
``networks``    U-Net with and without residual modules (Fig. 3, eq. 4), PatchGAN, CycleGAN's ResNet
``nafnet``      NAFNet, which is not in the paper
``vgg19``       VGG19 for the perceptual loss
``losses``      eq. 1-10, and those of CycleGAN
``metrics``     PSNR and SSIM (eq. 6-12), sharpness, colour, glare
``methods``     a training step of each method
``baselines``   colour maps and classical filling of glare, which train no network
``checkpoint``  all that a training goes on from
``training``    the training loop
``evaluation``  scores of a trained run
``cli``         the command orelib

Everything else lies in folders, whose ``__init__`` lists what they hold:

``data``        scenes, photographs, pairs, training samples
``restore``     a trained generator on photographs of any size
``sizing``      particles found and sized
``study``       the published experiment
``views``       figures, slider, report
``utils``       files, paths, tables, headless notebooks
"""

import ctypes
import os
import sys

__version__ = "0.1.0"

# PyTorch's threads wait for one another in a busy loop (GNU OpenMP). While another program uses a core, that made a
# training step three times slower on two cores; with a short wait it is 1.5 to 2 times, and as fast as before on an
# idle machine. It must be set before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

# glibc returns large blocks to the system as soon as they are free, and each must then be cleared page by page when
# it is asked for again. Keeping up to 1 GiB of them was seen to take a tenth off a training step, and off restoring
# an image of 512 x 512 px. (-3 and -1 are M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of malloc.h; a glibc that refuses the
# first, as those before 2.35 do, is better left alone.)
if sys.platform == "linux":
    _libc = ctypes.CDLL(None)
    if hasattr(_libc, "mallopt") and _libc.mallopt(-3, 1 << 30):
        _libc.mallopt(-1, 1 << 30)
