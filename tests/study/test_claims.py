"""The claims: all are weighed, by the rule, from made scores whose verdicts are known."""

import shutil

import pandas as pd
import pytest

from orelib.study.bootstrap import CONTRADICTED, NOISE, REPRODUCED, UNTESTED
from orelib.study.claims import CLAIMS, Results, weigh


@pytest.fixture(scope="module")
def table(made_study):
    return weigh(Results(made_study, "smoke"))


def verdict_of(table, words):
    rows = table[table["claim"].str.contains(words, regex=False)]
    assert len(rows) == 1
    return rows["verdict"].iloc[0]


def test_at_least_fifteen_claims_each_with_evidence_and_a_verdict(table):
    assert len(table) == len(CLAIMS) >= 15
    assert set(table["verdict"]) <= {REPRODUCED, NOISE, CONTRADICTED, UNTESTED}
    assert table["evidence"].str.len().min() > 20
    assert not table["evidence"].str.contains("nan").any()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("reach 23.671", UNTESTED),
        ("Improved gains over Pix2Pix", REPRODUCED),  # made scores rise from method to method
        ("PSNR: Improved before Pix2Pix before CycleGAN", CONTRADICTED),  # CycleGAN is made better than Pix2Pix
        ("8.8 % and 1.28 %", CONTRADICTED),
        ("distorts colours", CONTRADICTED),  # Improved is made 2 higher in every metric, errors among them
        ("learning rate of 0.002", REPRODUCED),
        ("One image a step", CONTRADICTED),
        ("CycleGAN fails on ore with more water", NOISE),
        ("hard samples", REPRODUCED),
        ("stays near 1", REPRODUCED),
        ("discriminator makes", CONTRADICTED),  # changes of Improved are made better than it
        ("blurs edges", REPRODUCED),
        ("perceptual loss", UNTESTED),
        ("spoil the segmentation", CONTRADICTED),  # fewer are made to be found after restoring
        ("particle sizes", REPRODUCED),
        ("37.69 ms", UNTESTED),
    ],
)
def test_verdicts_follow_the_scores(table, words, expected):
    assert verdict_of(table, words) == expected


def test_a_discriminator_that_wins_contradicts_unless_the_loss_weights_decide(made_study, tmp_path):
    results = shutil.copytree(made_study, tmp_path / "smoke")
    for method, expected in (("improved", UNTESTED), ("pix2pix", CONTRADICTED)):
        for path in results.glob(f"{method}-seed*/history.csv"):
            pd.read_csv(path).assign(discriminator=0.1).to_csv(path, index=False)
        assert verdict_of(weigh(Results(results, "smoke")), "stays near 1") == expected
