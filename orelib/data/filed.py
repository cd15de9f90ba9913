"""Files photographs as a planned folder of pairs (:mod:`orelib.data.filing`): copies them, and finds the copies again.

The user's files are only read. A copy has the form of :mod:`orelib.data.pairs`, with a ``val``, and is called after its
photographs and after signs that stand for exactly these files in these splits.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from itertools import product
from pathlib import Path

from orelib.data.filing import SIGNS, Filing, plan_filing, usable_below, within
from orelib.data.pair import SIDES, PairError, refuse
from orelib.data.pairs import SPLITS, find_pairs
from orelib.data.photographs import SUFFIXES
from orelib.utils.checksums import file_checksum, read_json, write_json
from orelib.utils.files import appearing_folder, demand_room, writing
from orelib.utils.paths import kit_path, shown

FILED = "filed.json"  # beside train, val and test: how the folder was made
YOURS = "data/yours"  # in the kit: copies of a user's photographs, uploaded or filed
RESULTS = "results/yours"  # in the kit: what was made of them


def is_filed(root: Path) -> bool:
    """Returns whether a folder has the form of :mod:`orelib.data.pairs` already, so that it is used as it is."""
    folders = [Path(root, split, side) for split in ("train", "test") for side in SIDES]
    return all(folder.is_dir() for folder in folders)


def file_pairs(filing: Filing, out: Path, agreed: bool = False) -> Path:
    """Copies the pairs of a filing into a new folder, as they are; returns the folder.

    ``filed.json`` in it says which file became which. A folder of the same pairs that was filed before is kept.
    ``agreed`` says that a person has seen the proposals and what is left out.

    Raises
    ------
    PairError
        When the pairs are too few; or, if nobody has agreed, when there are proposals or photographs left out.
    FileExistsError
        When something else lies at ``out``.
    OSError
        When ``out`` cannot be written; nothing of it remains then.
    """
    out = Path(out)
    problems = [] if agreed else [f"{file}: {why}" for file, why in filing.left_out]
    for pair in [] if agreed else filing.proposals:
        wet, dry = (within(path, filing.root) for path in (pair.partners.wet, pair.partners.dry))
        problems.append(
            f"{wet} and {dry}: {pair.partners.proposal}, which needs to be looked at: give both one name, in folders "
            "wet and dry, or file them in the browser, in 09_your_photos"
        )
    refuse(problems + ([filing.problem] if filing.problem else []), filing.root, "nothing was filed")
    about = {"made_by": "orelib", "root": str(filing.root), "state": state_of(filing.root)}
    about["pairs"] = filing.table().to_dict("records")
    if (out / FILED).exists():  # the same pairs, found among other files
        write_json(out / FILED, about)
        return out
    files = [path for pair in filing.pairs for path in (pair.partners.wet, pair.partners.dry)]
    demand_room(out.absolute().parent, sum(path.stat().st_size for path in files), "the pairs", "file fewer")
    with writing(out, "Nothing was kept."), appearing_folder(out) as unfinished:
        for split, side in product(SPLITS, SIDES):
            (unfinished / split / side).mkdir(parents=True)
        for pair in filing.pairs:
            for side in SIDES:
                source = getattr(pair.partners, side)
                shutil.copyfile(source, unfinished / pair.split / side / f"{pair.partners.name}{source.suffix}")
        write_json(unfinished / FILED, about)
    return out


def copy_sides(filing: Filing, out: Path) -> Path:
    """Copies the pairs of a filing into ``out/wet`` and ``out/dry``, whatever their splits; replaces earlier copies.

    Where there are no pairs, all photographs are taken for dry ones, and copied into ``out/dry``. Raises OSError when
    ``out`` cannot be written.
    """
    sources = [(side, pair.partners.name, getattr(pair.partners, side)) for side, pair in product(SIDES, filing.pairs)]
    if not sources:
        photographs = usable_below(filing.root)[0]
        sources = [("dry", within(path, filing.root).replace("/", "_"), path) for path in photographs]
    with writing(out, "Nothing was kept."), appearing_folder(out, replace_earlier=True) as unfinished:
        for side, name, source in sources:
            (unfinished / side).mkdir(exist_ok=True)
            shutil.copyfile(source, unfinished / side / f"{name.removesuffix(source.suffix)}{source.suffix}")
    return out


def state_of(root: Path) -> str:
    """SHA-256 of the names and sizes of the photographs below a folder: whether some were added since."""
    facts = [(within(path, root), path.stat().st_size) for path in usable_below(root)[0]]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def filed_before(root: Path, folder: Path) -> Path | None:
    """Returns where in ``folder`` exactly the photographs below ``root`` were filed; None where they were not."""
    state = state_of(root)
    for about in sorted(Path(folder).glob(f"{root.name}-*/{FILED}")):
        values = read_json(about, "delete its folder and file the pairs again")
        if values.get("state") == state and values.get("root") == str(root):
            return about.parent
    return None


def signs_of(folder: Path) -> str:
    """A few signs that stand for the pairs of a data folder: others as soon as a file's content or name changes."""
    pairs = find_pairs(Path(folder), [])
    rows = [(pair.split, pair.stem, file_checksum(pair.wet), file_checksum(pair.dry)) for pair in pairs]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:SIGNS]


def results_of(results_dir: str | None, folder: Path, signs: str = "") -> str:
    """Returns ``results_dir``, or, where that is None, a folder of results that no other photographs share.

    It lies in ``results/yours`` and is called like ``folder``; for one outside of ``data/yours``, ``signs`` follow, or
    a checksum of its path.
    """
    if results_dir is not None:
        return results_dir
    folder = Path(os.path.realpath(folder))
    if not folder.is_relative_to(os.path.realpath(kit_path("data_dir", YOURS))):
        signs = signs or hashlib.sha256(str(folder).encode()).hexdigest()[:SIGNS]
        return f"{RESULTS}/{folder.name}-{signs}"
    return f"{RESULTS}/{folder.name}"


def demand_filed(data_dir: Path, into: Path) -> Path:
    """Returns a folder of pairs for training: ``data_dir`` itself, or a copy of its pairs in ``into``, filed now.

    Raises FileNotFoundError, and PairError as :func:`file_pairs` does when nobody has agreed.
    """
    if is_filed(data_dir):
        return Path(data_dir)
    filing = plan_filing(data_dir)
    if not filing.pairs and not filing.left_out:
        raise PairError(f"{shown(data_dir)} holds no photographs ({', '.join(SUFFIXES)})")
    return file_pairs(filing, Path(into) / filing.name)
