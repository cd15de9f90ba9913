"""Figures, sliders and pages. They need the extra ``reproduce``; nothing outside this folder needs them.

``figures``           every figure of a run
``checked``           the figure of a checked folder of pairs
``study_figures``     the figures of the published experiment
``loss_figures``      the figures of notebook 04
``networks``          the paper's networks, drawn and looked into
``pictures``          pictures with alternative text; how a notebook shows a figure
``sources``           the text of functions, shown in a notebook
``explorer``          pictures with controls that the kernel draws anew (controls/: the part that runs in the browser)
``scene_explorer``    a rendered scene: its water, its lamps, the camera's distance
``mosaic_explorer``   a Mosaic sample: its centre, its windows
``loss_explorer``     a dry image damaged by hand, and the losses that notice it
``over_steps``        a validation image over the steps of a training
``training_panel``    a training as it goes on, with a button that stops it (controls/, too)
``curves``            its curves
``start``             what the first notebook shows
``compare``           the slider over wet, dry and restored images (slider/: the part that runs in the browser)
``gallery``           test images, restored by every generator
``report``            all results on one page
``pages``             parts of a page: text, tables, figures
``outlines``          photographs with the outlines of their particles
``size_figures``      passing curves
``size_page``         particle sizes of photographs on one page
``size_report``       the page, and all else that is written about particle sizes
``scale_marker``      an object of known size, marked in a photograph (controls/, too)
``offline``           exported notebooks that need no network
``desks``             where a person gives photographs in the browser
``unsaved``           what a saved notebook does not keep
``watched``           whether somebody watches
"""

from orelib.utils.extras import demand_packages

demand_packages("A figure, slider or page", "reproduce", "matplotlib", "IPython", "anywidget", "latex2mathml")

from orelib.views.pictures import show_figures_with_words  # noqa: E402 - needs these packages

show_figures_with_words()
