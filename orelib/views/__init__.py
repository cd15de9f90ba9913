"""Figures, sliders and pages. They need the extra ``reproduce``; nothing outside this folder needs them."""

from orelib.utils.extras import demand_packages

demand_packages("A figure, slider or page", "reproduce", "matplotlib", "IPython", "ipywidgets", "anywidget")
