"""The desks of notebook 09, where a person gives photographs in the browser and gets them back.

``desk``          takes files, in pieces, into a folder of the kit
``photographs``   wet photographs to restore, and the restorer for them
``pairs``         pairs to train on: found, split, shown, filed
``calibration``   a pair, or dry photographs, to calibrate on
``handing_over``  where restored photographs lie, and a ZIP of them
"""

from orelib.views.desks.calibration import calibration_desk
from orelib.views.desks.handing_over import handed_over, remarked
from orelib.views.desks.pairs import pairs_desk
from orelib.views.desks.photographs import keep_restorer, photographs_desk, restorer_of

__all__ = [
    "calibration_desk",
    "handed_over",
    "keep_restorer",
    "pairs_desk",
    "photographs_desk",
    "remarked",
    "restorer_of",
]
