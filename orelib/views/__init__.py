"""Figures, sliders and pages. They need the extra ``reproduce``; nothing outside this folder needs them.

``figures``        every figure of a run
``study_figures``  the figures of the published experiment
``compare``        the slider over wet, dry and restored images (slider/: the part that runs in the browser)
``gallery``        test images, restored by every generator
``report``         all results on one page
"""

from orelib.utils.extras import demand_packages

demand_packages("A figure, slider or page", "reproduce", "matplotlib", "IPython", "ipywidgets", "anywidget")
