"""orelib: networks, losses, metrics and wet/dry ore scenes for one paper.

The paper is "Improved Pix2PixGAN water-bearing ore reflection image restoration method". Its equation numbers
stand in the docstrings: search for "eq. 4" or "Fig. 8". Importing this package loads nothing heavy; import
the module you need, for instance ``from orelib.networks import UNet``.

The modules at the top hold the paper, listed from the ground up:

``config``      settings of an experiment, profiles, methods
``runs``        folders of pairs and results; the folder of a training
``networks``    U-Net with and without residual modules (Fig. 3, eq. 4), PatchGAN, CycleGAN's ResNet
``nafnet``      NAFNet, which is not in the paper
``vgg``         VGG19, or VGG16, for the perceptual loss
``losses``      eq. 1-10, and the losses of CycleGAN
``metrics``     PSNR and SSIM (eq. 6-12), sharpness, colour, glare
``methods``     a training step of each method
``baselines``   colour maps and classical filling of glare, which train no network
``checkpoint``  the state from which a training goes on
``training``    the training loop
``evaluation``  scores of a trained run
``cli``         the command orelib

Everything else lies in folders, whose ``__init__`` lists what they hold:

``data``        scenes, photographs, pairs, training samples
``restore``     photographs of any size restored by a trained generator
``sizing``      particles found and sized
``study``       the published experiment
``views``       figures, slider, report
``utils``       files, paths, tables, headless notebooks
"""

__version__ = "0.1.0"
