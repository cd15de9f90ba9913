"""Names of files: what is passed over, which are one, how they are shown and written into tables."""

import subprocess
import sys
import unicodedata

import pandas as pd
import pytest
from conftest import ROOT

from orelib.utils.names import composed, csv_cell, is_left_behind, one_name, printable, text_of_cell
from orelib.utils.paths import shown
from orelib.utils.tables import write_csv

HARMFUL = [
    "\x1b[31mred\x1b[0m",
    "two\nlines",
    "\r",
    "\u202egnp.exe",
    "a\u2028b",
    "\x9b2J",
    "bytes\udcff",
    "tab\t",
    "\0",
]
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\n=1", "'=1", "''+x", "-belt", "--"]
PLAIN = [
    "belt_017",
    "007",
    "NA",
    "null",
    "True",
    "1e3",
    "'quoted'",
    "it's",
    "'",
    "''",
    "-",
    "",
    " =1",
    "a=b",
    "Käse",
    "岩",
]


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "._belt.png", ".hidden", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Icon\r", "@eaDir", "#recycle",
     "#snapshot", "$RECYCLE.BIN", "$Recycle.Bin", "lost+found", "System Volume Information", "__MACOSX",
     "belt.png:Zone.Identifier", "belt.png@SynoEAStream"],
)  # fmt: skip
def test_what_nobody_put_there_is_passed_over(name):
    assert is_left_behind(name)


@pytest.mark.parametrize("name", ["belt.png", "#1.png", "@home.png", "$5.jpg", "Icon", "icon.png", "recycle", "a.db"])
def test_what_somebody_may_have_put_there_is_not(name):
    assert not is_left_behind(name)


def test_names_need_nothing_heavy():
    code = "import sys, orelib.utils.files; print({'torch', 'numpy', 'pandas', 'PIL'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("name", ["é", "Å", "ñandú.PNG", "한국", "ﬁ", "ẞ"])
def test_accents_written_either_way_are_one_name(name):
    spellings = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    assert len({composed(spelling) for spelling in spellings}) == 1
    assert len({one_name(spelling) for spelling in (*spellings, name.upper(), name.lower())}) == 1


def test_case_tells_names_apart_where_it_may():
    assert composed("Belt") != composed("belt")
    assert one_name("Belt") == one_name("belt")


@pytest.mark.parametrize("text", HARMFUL)
def test_what_cannot_be_seen_is_escaped(text, tmp_path):
    for shown_text in (printable(text), shown(tmp_path / text)):
        assert shown_text.isprintable()
        shown_text.encode()  # to a terminal
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize("text", ["belt 017.png", "Käse", "岩石", "نام", "a\u202fb", "emoji 🪨", "back\\slash"])
def test_what_can_be_seen_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_like_a_formula(text):
    assert csv_cell(text)[0] == "'"
    assert text_of_cell(csv_cell(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_other_cells_stay_as_they_are(text):
    assert csv_cell(text) == text == text_of_cell(text)


def test_a_table_gives_its_names_back_and_its_numbers_stay_numbers(tmp_path):
    names = [*FORMULAS, *PLAIN, 'comma, "quote" and\nline']
    table = pd.DataFrame({"image": names, "psnr": -1.5, "stem": "-a", "claim": "-0.5 dB"})
    write_csv(tmp_path / "metrics.csv", table)
    read = pd.read_csv(tmp_path / "metrics.csv", dtype={"image": str}, keep_default_na=False)
    assert read["image"].map(text_of_cell).tolist() == names
    assert not read["image"].str.match(r"[=+@\t\r]|-.").any()
    assert (read["psnr"] == -1.5).all()
    assert (read["claim"] == "-0.5 dB").all()  # the kit's own words


def test_a_name_that_is_no_text_is_escaped_in_a_table(tmp_path):
    write_csv(tmp_path / "restored.csv", pd.DataFrame({"file": ["belt\udcff.png", "\r=1"], "psnr": 1}))
    assert pd.read_csv(tmp_path / "restored.csv")["file"].tolist() == ["belt\\udcff.png", "\\r=1"]
