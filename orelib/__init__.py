"""orelib: networks, losses, metrics and wet/dry ore scenes for one paper.

The paper is "Improved Pix2PixGAN water-bearing ore reflection image restoration method". Its equation numbers
stand in the docstrings: search for "eq. 4" or "Fig. 8". Importing this package loads nothing heavy; import
the module you need, for instance ``from orelib.networks import UNet``.
"""

__version__ = "0.1.0"
