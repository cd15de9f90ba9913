"""Splits pairs of photographs by place, so that no place is both trained on and tested on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from orelib.data.pair import SIDES
from orelib.data.same_places import same_places


def number_places(thumbnails: Sequence[Mapping[str, np.ndarray]], pixels: Sequence[Mapping[str, str]]) -> list[int]:
    """Numbers the places that pairs show, from 0 in their order.

    Pairs share a number where their ``thumbnails`` (of each side, see :func:`~orelib.data.same_places.thumbnail`) show
    the same place, wet or dry, or where two images have the same checksum of their ``pixels``; and so do those that are
    linked by others, such as the first and last of overlapping frames.
    """
    first = list(range(len(thumbnails)))

    def first_of(number: int) -> int:
        while first[number] != number:
            number = first[number]
        return number

    def join(one: int, other: int) -> None:
        low, high = sorted((first_of(one), first_of(other)))
        first[high] = low

    seen: dict[str, int] = {}
    for number, checksums in enumerate(pixels):
        for checksum in checksums.values():
            join(seen.setdefault(checksum, number), number)
    for side in SIDES:
        for one, other in same_places([each[side] for each in thumbnails]):
            join(one, other)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(first_of(number), len(numbers)) for number in range(len(thumbnails))]


def hold_out_places(places: Sequence[int], shares: Mapping[str, int]) -> tuple[list[str], str]:
    """Chooses the split of each pair, given the number of the place that it shows.

    ``shares`` says which splits are held out, and that one of so many pairs, at least one, goes there. Places are held
    out whole, the last ones first, because neighbouring names are often near each other; one with more pairs than are
    wanted is passed over for an earlier one. All others are "train".

    Returns the splits, and why there are too few places, or "".
    """
    sizes = Counter(places)
    needed = len(shares) + 1
    if len(sizes) < needed:
        found = f"{len(places)} pair(s) of {len(sizes)} place(s)"
        why = f"{found} do not suffice: to train and to test, give photographs of {needed} places or more"
        return ["train"] * len(places), why
    split_of: dict[int, str] = {}
    for number, (split, share) in enumerate(shares.items()):
        still_needed = len(shares) - number  # places for the splits that come later, and one to train on
        _hold_out(split_of, sizes, split, max(1, len(places) // share), still_needed)
    return [split_of.get(place, "train") for place in places], ""


def _hold_out(split_of: dict[int, str], sizes: Mapping[int, int], split: str, wanted: int, still_needed: int) -> None:
    """Gives places to one split, up to ``wanted`` pairs; leaves at least ``still_needed`` places."""
    taken = 0
    while taken < wanted:
        free = [place for place in sizes if place not in split_of]
        fitting = [place for place in free if taken + sizes[place] <= wanted]
        if taken and (not fitting or len(free) <= still_needed):
            return
        place = fitting[-1] if fitting else min(reversed(free), key=sizes.get)
        split_of[place], taken = split, taken + sizes[place]
