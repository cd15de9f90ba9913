"""The desk for pairs of wet and dry photographs, in notebook 09: what was found is shown, and used once agreed to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from orelib.data.filed import demand_filed, file_pairs, filed_before, is_filed
from orelib.data.filing import FiledPair, Filing, plan_filing
from orelib.data.pair import SIDES
from orelib.data.photographs import read_image
from orelib.utils.paths import kit_path, shown
from orelib.views.desks.desk import Desk, yours
from orelib.views.pictures import encoded
from orelib.views.watched import is_watched

MOST_SHOWN = 60  # pairs with pictures; of more, the first ones
HEIGHT = 168  # px of a picture, twice what it is shown at


class PairsDesk(Desk):
    """Takes photographs of places, wet and dry, and files them as pairs once a person has agreed.

    ``folder`` holds them in the form of :mod:`orelib.data.pairs`; None where there are none, or nobody has agreed yet.
    Where nobody watches, pairs whose names say everything are filed at once, and others are refused with a PairError.
    """

    kind, below = "pairs", "They are trained on below."
    invites = "Choose wet and dry photographs …"

    def __init__(self, given: Path | None):
        self.filing: Filing | None = None
        if given is not None and not is_watched():
            given = demand_filed(given, yours())
        super().__init__(given)

    @property
    def folder(self) -> Path | None:
        if self.chosen is None or (self.given is not None and is_filed(self.chosen)):
            return self.chosen
        return filed_before(self.chosen, yours())

    def look(self) -> dict:
        """Finds the pairs and their splits; returns what to say. Files given pairs that leave nothing to agree to."""
        self.filing = None
        if self.chosen is None:
            self.rows = []
            return {"line": "Nothing is chosen yet, so nothing is trained.", "state": "empty"}
        if self.given is not None and is_filed(self.chosen):
            return {"line": f"The pairs in {shown(self.chosen)} are used as they are.", "state": "ready"}
        self.filing = plan_filing(self.chosen)
        is_clear = not (self.filing.proposals or self.filing.left_out or self.filing.problem)
        if self.given is not None and is_clear:
            return self.use()
        return self._said()

    def use(self) -> dict:
        """Files the pairs, as the button of the desk does; returns what to say."""
        file_pairs(self.filing, yours() / self.filing.name, agreed=True)
        return self._said()

    def _said(self) -> dict:
        filing = self.filing
        self.rows = rows_of(filing)
        said = {"line": f"{filing.summary()}.", "remarks": remarks_on(filing), "state": "found"}
        if filing.problem or not filing.pairs:
            return said | {"next": filing.problem}
        filed = filed_before(filing.root, yours())
        if filed is None:
            return said | {"action": f"Use these {counted(filing)}"}
        said |= {"line": f"{filing.summary()}. Copies lie in {shown(filed)}.", "state": "ready"}
        return said if self.given is not None else said | {"again": "To train on them, run"}


def pairs_desk(data_dir: str | None) -> PairsDesk:
    """Returns the desk of notebook 09's second door; a relative path counts from the root of the kit.

    Raises SettingsError, FileNotFoundError, and PairError as :func:`~orelib.data.filed.demand_filed`.
    """
    return PairsDesk(kit_path("data_dir", data_dir) if data_dir else None)


def counted(filing: Filing) -> str:
    """Counts the pairs, the proposals among them and what is left out, for a button that a person agrees by."""
    count, proposed, left = len(filing.pairs), len(filing.proposals), len(filing.left_out)
    text = f"{count} pair{'s' * (count != 1)}"
    if proposed:
        text += f", {proposed} of them proposed"
    return text + (f", without what is named above ({left})" if left else "")


def remarks_on(filing: Filing) -> list[str]:
    """Sentences on what is left out of a filing and why, and on its proposals."""
    remarks = [f"{file}: {why}" for file, why in filing.left_out]
    remarks += [f"{file}: no photograph that this kit reads" for file in filing.others]
    if filing.proposals:
        remarks.append(
            "Dashed frames are proposals, because names do not tell all. See whether both pictures show the same "
            "place, wet on the left."
        )
    if len(filing.pairs) > MOST_SHOWN:
        remarks.append(f"Of {len(filing.pairs)} pairs, the first {MOST_SHOWN} are shown.")
    return remarks


def rows_of(filing: Filing) -> list[dict]:
    """Describes the first pairs of a filing for the browser, with small pictures."""
    return [_row(pair) for pair in filing.pairs[:MOST_SHOWN]]


def _row(pair: FiledPair) -> dict:
    pictures = {side: encoded(_small(read_image(getattr(pair.partners, side))), quality=75) for side in SIDES}
    return {"name": pair.partners.name, "split": pair.split, "proposal": pair.partners.proposal} | pictures


def _small(image: np.ndarray) -> np.ndarray:
    small = Image.fromarray(image)
    small.thumbnail((3 * HEIGHT, HEIGHT))
    return np.asarray(small)
