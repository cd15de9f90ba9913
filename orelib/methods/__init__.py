"""The methods of Table 3. A training step reads as its algorithm.

``base``        the base class: networks, optimisers, their state
``pix2pix``     Pix2Pix, and the paper's improved Pix2Pix
``cyclegan``    CycleGAN
``supervised``  NAFNet and Slim, without a discriminator; not in the paper
``registry``    all methods by name, and how to add one
"""

from orelib.methods.base import Method
from orelib.methods.pix2pix import Improved, Pix2Pix
from orelib.methods.registry import CLASSES, register
from orelib.methods.supervised import NAFNet, Slim

__all__ = ["CLASSES", "Improved", "Method", "NAFNet", "Pix2Pix", "Slim", "register"]
