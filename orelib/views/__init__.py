"""Figures, sliders and pages. They need the extra ``reproduce``; nothing outside this folder needs them.

``figures``        every figure of a run
``study_figures``  the figures of the published experiment
``explorer``       pictures with controls that the kernel draws anew (controls/: the part that runs in the browser)
``compare``        the slider over wet, dry and restored images (slider/: the part that runs in the browser)
``gallery``        test images, restored by every generator
``report``         all results on one page
``watched``        whether somebody watches
"""

from orelib.utils.extras import demand_packages

demand_packages("A figure, slider or page", "reproduce", "matplotlib", "IPython", "ipywidgets", "anywidget")
