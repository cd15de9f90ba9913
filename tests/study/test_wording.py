"""Sentences that results contradict are refused."""

import pytest

from orelib.study.document import with_block
from orelib.study.wording import Finding, OutdatedSentenceError, bullets, short

BETTER, WORSE, LEVEL = (Finding("a - b", mean, mean - 0.2, mean + 0.2) for mean in (0.5, -0.5, 0.1))
UNKNOWN = Finding("a - b", 0.5, float("nan"), float("nan"))


def test_a_finding_is_said_in_the_direction_that_it_has():
    assert BETTER.above() == "0.50 [0.30, 0.70]"
    assert WORSE.below() == "0.50 [0.30, 0.70]"
    assert LEVEL.level() == "0.10 [-0.10, 0.30]"
    assert short(WORSE.below()) == "0.50"


@pytest.mark.parametrize(
    "say",
    [BETTER.below, BETTER.level, WORSE.above, WORSE.level, LEVEL.above, LEVEL.below, UNKNOWN.above, UNKNOWN.level],
)
def test_any_other_direction_is_an_error(say):
    with pytest.raises(OutdatedSentenceError, match="rewrite the sentence"):
        say()


def test_lists_are_wrapped():
    text = bullets("one\n   " * 50, "two")
    assert max(map(len, text.splitlines())) <= 118
    assert text.endswith("\n- two")


def test_a_block_is_replaced_and_all_else_kept():
    text = "# Title\n\n<!-- begin answer: written by make tables -->\nold\n<!-- end answer -->\n\nEnd\n"
    assert with_block(text, "answer", r"new \1") == text.replace("old", r"new \1")
    with pytest.raises(ValueError, match="begin profiles"):
        with_block(text, "profiles", "new")
