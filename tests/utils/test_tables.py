"""The kit's tables: names come back as they were written, and numbers without an infinite one."""

import math

import numpy as np
import pandas as pd
import pytest

from orelib.utils.checksums import DamagedFileError
from orelib.utils.tables import dashed, read_table, with_interval, write_csv

NAMES = ["NA", "N/A", "null", "nan", "None", "inf", "007", "7", "1e3", "1_000", "0x1f", "True", "2024_05_12", " a",
         "a ", "a,b", 'a"b', "a;b", "a\nb", "é", "-"]  # fmt: skip


@pytest.mark.parametrize("column", ["image", "stem", "method", "split"])
def test_names_are_text(tmp_path, column):
    write_csv(tmp_path / "a.csv", pd.DataFrame({column: NAMES, "psnr": np.arange(len(NAMES)) / 4}))
    table = read_table(tmp_path / "a.csv")
    assert table[column].tolist() == NAMES
    assert table["psnr"].tolist() == [k / 4 for k in range(len(NAMES))]


def test_a_table_of_numbers_alone_has_names_too(tmp_path):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"image": ["0001", "0002"], "count": [1, 2]}))
    table = read_table(tmp_path / "a.csv")
    assert table["image"].tolist() == ["0001", "0002"]
    assert table["count"].dtype == np.int64


def test_numbers_may_be_missing_and_are_never_infinite(tmp_path):
    (tmp_path / "a.csv").write_text("image,psnr,ssim\nNA,inf,1\nb,-inf,0.5\nc,,nan\nd,20.5,0.25\n")
    table = read_table(tmp_path / "a.csv")
    assert table["psnr"].isna().tolist() == [True, True, True, False]
    assert table["ssim"].dropna().tolist() == [1, 0.5, 0.25]
    assert table["psnr"].dtype == np.float64


@pytest.mark.parametrize("content", [b"", b"image,psnr\na,1\nb,2,3\n", b"image\xff\xfe\x00,psnr\n"])
def test_what_is_no_table_is_named(tmp_path, content):
    (tmp_path / "metrics.csv").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"metrics\.csv.*delete it"):
        read_table(tmp_path / "metrics.csv")
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.csv")


def test_numbers_as_people_read_them():
    assert with_interval(0.714, 0.62, 0.801, ".2f") == "0.71 [0.62, 0.80]"
    assert with_interval(0.714, math.nan, math.nan, "+.1%") == "+71.4% [-]"
    assert with_interval(math.nan, math.nan, math.nan, ".2f") == "-"


def test_a_dash_stands_where_there_is_nothing():
    table = pd.DataFrame({"psnr": [20.5, np.nan], "ssim": [0.5, 0.25]})
    assert dashed(table).to_numpy().tolist() == [[20.5, 0.5], ["-", 0.25]]
    pd.testing.assert_frame_equal(dashed(table[["ssim"]]), table[["ssim"]])
