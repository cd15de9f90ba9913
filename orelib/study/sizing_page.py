"""The part of ``RESULTS.md`` on particles found and sized, and what the README says of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from orelib.sizing.segmenter import segmenter_checksum
from orelib.study.bootstrap import Estimate
from orelib.study.effects import scores, share_gone, sized_ways, sizing_by_wetness
from orelib.study.kept import segmenter_of
from orelib.study.sizes import SIZED, percentiles_of_all
from orelib.study.table3 import title_of, to_markdown
from orelib.study.wording import Finding, bullets, paragraph, share, short
from orelib.utils.tables import read_table

ERRORS = {"p80": "P80", "p50": "P50", "count": "count"}
LEFT_OUT = ("linear_colour", "biharmonic")  # they change little that a segmenter sees
TITLES = {"do_nothing": "wet", "dry": "dry"}


def particles(quick: Path, published: Path) -> str:
    """The section on particles; ``quick`` has the scenes for sizing, ``published`` the outlined photographs.

    Raises OutdatedSentenceError when the results contradict a sentence.
    """
    ways = [name for name in sized_ways(quick) if name not in LEFT_OUT]
    table = pd.DataFrame([_row(quick, name) for name in ways])
    scenes = len(read_table(quick / "sizing.csv").query("method == 'dry'"))
    intro = f"""
        A segmenter that was trained on dry rendered scenes alone looks for particles in wet, restored and dry images of
        the same {scenes} scenes, after one training of each method under `quick`. *Found*: share of particles that
        overlap a found one by more than half of their union. *Error gone*: share of the wet images' error of that size,
        or of the count, that a restoration removes; 100 % is all of it, below 0 it adds error. Intervals cover other
        scenes, but not other trainings. More: [10_particle_sizing](../../notebooks/10_particle_sizing.ipynb)."""
    return "\n\n".join(
        ["## Particles found and sized", paragraph(intro), to_markdown(table), _findings(quick, published)]
    )


def found_particles(results: Path, name: str) -> str:
    """The share of the true particles that are found in a method's restored scenes, as text in per cent."""
    return share(scores(results, name, "matched", "sizing.csv"))


def gone(results: Path, name: str, error: str) -> Finding:
    """The share of the wet images' error that a way removes, in per cent."""
    found = share_gone(results, name)[error]
    return Finding(f"error of {error} gone by {name}, %", 100 * found.mean, 100 * found.low, 100 * found.high, digits=0)


def _row(results: Path, name: str) -> dict[str, str]:
    shares = share_gone(results, name)
    return {"image": TITLES.get(name, title_of(name)), "particles found": found_particles(results, name)} | {
        f"{short} error gone": _per_cent(shares[error]) for error, short in ERRORS.items()
    }


def _per_cent(found: Estimate) -> str:
    if found.low == found.high:  # the wet images, compared with themselves
        return "-"
    return f"{100 * found.mean:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _findings(quick: Path, published: Path) -> str:
    kit, dry = ({error: gone(quick, name, error).above() for error in ERRORS} for name in ("default_restorer", "dry"))
    thirds = sizing_by_wetness(quick, "default_restorer")
    (damp, damp_to), (soaked, soaked_to) = (
        [short(thirds.loc[third, f"P80 error, mm, {image}"]) for image in ("wet", "restored")]
        for third in ("least wet", "wettest")
    )
    together = percentiles_of_all(quick)["P80, mm"]
    off = {name: 100 * (together[name] / together["truth"] - 1) for name in ("wet", SIZED["default_restorer"])}
    outlined = read_table(published / "segmenter_photographs.csv").query("enlarged == 1").set_index("folder")
    (belts, on_belt), (gravels, in_gravel) = (
        (int(outlined.loc[name, "photographs"]), f"{100 * outlined.loc[name, 'matched']:.0f} %")
        for name in ("ore_belt", "gravel")
    )
    same = "the same" if segmenter_of(quick) == segmenter_checksum() else "another"
    return bullets(
        f"""**Restoring pays where one photograph is sized.** The kit's restorer removes {kit["p80"]} % of the wet
        images' error of P80, {kit["p50"]} % of the error of P50 and {kit["count"]} % of the error of the count. In dry
        images, which a restorer can hardly beat, {dry["p80"]}, {dry["p50"]} and {dry["count"]} % are gone: what
        remains is the segmenter's own error.""",
        f"""**The wetter, the more.** In the wettest third of the scenes the mean error of P80 falls from {soaked} to
        {soaked_to} mm, in the least wet third from {damp} to {damp_to} mm.""",
        f"""**Restorations differ.** Improved removes {gone(quick, "improved", "p80").above()} % of the error of P80 and
        {gone(quick, "improved", "count").above()} % of the error of the count, the classical restorer
        {gone(quick, "classical", "p80").above()} and {gone(quick, "classical", "count").above()} %. Filling the glare
        with a colour map changes the error of the count within noise ({gone(quick, "telea", "count").level()} % gone).
        After CycleGAN, sizes are no nearer to the truth ({gone(quick, "cyclegan", "p80").level()} % for P80).""",
        f"""**It pays little where one curve is made of many photographs.** Errors of single photographs cancel: over
        all scenes together, P80 is {off["wet"]:+.1f} % off in the wet images, and
        {off[SIZED["default_restorer"]]:+.1f} % after the kit's restorer.""",
        f"""On photographs of dry stones that were outlined by hand, {same} segmenter finds {on_belt} of the particles
        in {belts} photographs of an ore belt, and {in_gravel} in {gravels} of river gravel; it finds the scale itself.
        We have no photographs of wet ore with outlined particles.""",
    )
