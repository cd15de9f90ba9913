"""Runs ``python -m orelib.cli`` as the command ``orelib``."""

import sys

from orelib.cli import main

sys.exit(main())
