"""Figures, sliders and pages. They need the extra ``reproduce``; nothing outside this folder needs them.

``figures``        every figure of a run
``checked``        the figure of a checked folder of pairs
``study_figures``  the figures of the published experiment
``pictures``       pictures with alternative text; how a notebook shows a figure
``network_figures``  Fig. 1 to 4, drawn from the networks themselves
``network_costs``  where the weights of a network are, and where its work is
``anatomy``        what a network is made of, as the network itself says
``diagram``        boxes, arrows and words of which diagrams are drawn
``residual``       what residual modules add, what cut connections cost, how gradients travel
``patchgan``       what a PatchGAN's logits judge
``explorer``       pictures with controls that the kernel draws anew (controls/: the part that runs in the browser)
``compare``        the slider over wet, dry and restored images (slider/: the part that runs in the browser)
``gallery``        test images, restored by every generator
``report``         all results on one page
``watched``        whether somebody watches
"""

from orelib.utils.extras import demand_packages

demand_packages("A figure, slider or page", "reproduce", "matplotlib", "IPython", "anywidget")

from orelib.views.pictures import show_figures_with_words  # noqa: E402 - needs these packages

show_figures_with_words()
