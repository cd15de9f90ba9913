"""Notebook 09 in a real JupyterLab, by a person who only clicks and chooses files: both doors, actions counted."""

import re
import zipfile
from io import BytesIO

import numpy as np
import pytest
from browsing import lab_tab, put_notebook, wait_until_it_has_run, wait_until_it_runs
from PIL import Image

from orelib.data.scenes import render_pair

NAME = "09_your_photos"
MOST_TO_RESTORE, MOST_TO_TRAIN = 8, 10  # actions


@pytest.fixture(scope="module")
def kit(lab_folder):
    """An empty kit in the folder that JupyterLab shows, so that nothing is written into this one."""
    (lab_folder / "kit" / "notebooks").mkdir(parents=True)
    (lab_folder / "kit" / "orelib").mkdir()
    return lab_folder / "kit"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Six pairs, x_wet.png and x_dry.png: paths by side."""
    folder, found = tmp_path_factory.mktemp("camera"), {"wet": [], "dry": []}
    for seed in range(6):
        scene = render_pair(seed, (112, 128), px_per_mm=2.5, wetness=0.6)
        for side, paths in found.items():
            paths.append(folder / f"camera{seed:02d}_{side}.png")
            Image.fromarray(getattr(scene, side)).save(paths[-1])
    return found


class Person:
    """Clicks and chooses files; counts both. Waiting is no action."""

    def __init__(self, tab):
        self.tab, self.actions = tab, 0

    def click(self, place):
        place.click(timeout=60_000)
        self.actions += 1

    def run_all(self):
        self.tab.get_by_text("| Idle").wait_for(timeout=120_000)
        self.click(self.tab.get_by_role("menuitem", name="Run", exact=True))
        self.click(self.tab.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")))
        wait_until_it_runs(self.tab)

    def choose(self, desk, paths):
        """Opens the browser's dialog, chooses files in it, and waits until the desk has answered."""
        with self.tab.expect_file_chooser() as opened:
            self.click(desk.get_by_role("button").first)
        opened.value.set_files(paths)
        self.actions += 1
        self.tab.wait_for_function(
            "(desk) => ['found', 'ready'].includes(desk.dataset.state)", arg=desk.element_handle(), timeout=60_000
        )

    def desk(self, number):
        """The desk of photographs (0), of a calibration (1), of pairs (2), once it can be used."""
        desk = self.tab.locator(".orelib-desk").nth(number)
        desk.locator("button:enabled").first.wait_for(timeout=120_000)
        return desk


def save(tab):
    for _ in range(10):  # on a busy machine, what arrives while it saves makes it dirty again
        tab.keyboard.press("Control+s")
        tab.wait_for_timeout(1_000)
        if tab.locator(".jp-mod-dirty").count() == 0:
            return
    raise AssertionError("JupyterLab did not save the notebook")


def test_photographs_are_restored_and_downloaded_and_pairs_train_a_restorer(browser, lab, kit, files):
    notebook = put_notebook(NAME, kit / "notebooks", profile="smoke", methods="slim")
    with lab_tab(browser, lab, f"kit/notebooks/{NAME}.ipynb") as tab:
        tab.locator(".jp-Notebook").wait_for(timeout=60_000)
        tab.get_by_role("menuitem", name="Settings", exact=True).click()
        tab.get_by_text("Save Widget State Automatically", exact=True).click()  # the worst case for what is saved

        person = Person(tab)
        person.run_all()
        wait_until_it_has_run(tab)
        assert not list(kit.rglob("config.json"))  # nothing is trained
        assert tab.get_by_text("3 of 3 photographs restored").count() == 1  # the example
        person.choose(person.desk(0), files["wet"])
        person.run_all()
        wait_until_it_has_run(tab)
        link = tab.get_by_text("Download all of them as a ZIP")
        with tab.expect_download() as download:
            person.click(link)
        assert person.actions <= MOST_TO_RESTORE
        with zipfile.ZipFile(download.value.path()) as archive:
            assert sorted(archive.namelist()) == [path.name for path in files["wet"]]
            restored = np.asarray(Image.open(BytesIO(archive.read("camera03_wet.png"))))
        assert restored.shape == (112, 128, 3)
        assert not list(kit.rglob("config.json"))
        assert tab.get_by_text("unlike the training photographs").count() >= 1

        person = Person(tab)  # the notebook has run before: a person at the second door need not know
        person.choose(person.desk(2), [*files["wet"], *files["dry"]])
        desk = person.desk(2)
        assert desk.locator("figure").count() == 6
        assert desk.locator("figure[data-split=test]").count() == 1
        assert desk.locator("figure[data-proposed=true]").count() == 0
        person.click(desk.get_by_role("button", name="Use these 6 pairs"))
        desk.get_by_text("Copies lie in").wait_for()
        person.run_all()
        wait_until_it_has_run(tab)
        assert person.actions + 2 <= MOST_TO_TRAIN
        [model] = kit.glob("results/yours/pairs-1-*/smoke/slim-seed0/generator.safetensors")
        assert tab.locator(".orelib-panel[data-state=finished]").count() == 1
        tab.locator(".orelib-browser [data-shown]").wait_for(state="attached", timeout=10_000)  # their own test pairs
        assert tab.get_by_text("From now on, (a) restores with").count() == 1

        person.run_all()  # and the first door takes it
        wait_until_it_has_run(tab)
        assert tab.get_by_text("Method slim, step 8 of 8").count() >= 1
        save(tab)
    written = notebook.read_text("utf-8")
    assert "camera03" not in written
    assert "data:image" not in written
    assert "application/vnd.jupyter.widget-view+json" not in written
    assert "RIFF" not in written
    assert model.parent.joinpath("metrics.csv").exists()
    assert all(path.exists() for path in (*files["wet"], *files["dry"]))


def test_pairs_from_two_folders_and_a_calibration(browser, lab, kit, files, tmp_path):
    """Folders whose names tell nothing; one pair to calibrate on; a photograph larger than one message may be."""
    put_notebook(NAME, kit / "notebooks", profile="smoke", methods="")
    for folder, side in (("one", "dry"), ("two", "wet")):
        (tmp_path / folder).mkdir()
        for number, path in enumerate(files[side][:4]):
            (tmp_path / folder / f"{number}.png").write_bytes(path.read_bytes())
    large = np.random.default_rng(0).integers(0, 256, (2000, 2100, 3)).astype(np.uint8)
    Image.fromarray(large).save(tmp_path / "large.png", compress_level=0)
    with lab_tab(browser, lab, f"kit/notebooks/{NAME}.ipynb") as tab:
        person = Person(tab)
        person.run_all()
        wait_until_it_has_run(tab)
        desk = person.desk(2)
        desk.get_by_role("button", name="Begin anew").click()
        desk.get_by_text("Nothing is chosen yet").wait_for()
        person.choose(desk, sorted((tmp_path / "one").iterdir()))
        person.choose(person.desk(2), sorted((tmp_path / "two").iterdir()))
        desk.get_by_role("button", name="Use these 4 pairs, 4 of them proposed").wait_for()
        assert desk.locator("figure[data-proposed=true]").count() == 4

        person.choose(person.desk(1), [files["wet"][0], files["dry"][0]])
        person.click(person.desk(1).get_by_role("button", name="Calibrate on 1 pair"))
        person.desk(1).get_by_text("To be calibrated on 1 pair").wait_for()

        photographs = person.desk(0)
        photographs.get_by_role("button", name="Begin anew").click()
        photographs.get_by_text("No photograph is chosen yet").wait_for()
        person.choose(person.desk(0), [tmp_path / "large.png"])
        assert photographs.get_by_text("1 photograph, in").count() == 1
    [copy] = kit.glob("data/yours/photographs-*/large.png")
    assert copy.read_bytes() == (tmp_path / "large.png").read_bytes()
