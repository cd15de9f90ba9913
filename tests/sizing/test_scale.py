"""Pixels per mm: stated, of the file, marked, and by balls that are found in drawn pictures."""

import numpy as np
import pytest
from conftest import REAL
from skimage.draw import disk, rectangle

from orelib.data.photographs import Photograph, read_photograph
from orelib.sizing.balls import find_balls, without_balls
from orelib.sizing.scale import Scale, ScaleError, ball_scale, chosen_scale, file_scale, marked_scale

RED, YELLOW = (235, 20, 30), (240, 210, 10)


def rock(*balls, colour=RED, shape=(300, 400), base=(120, 105, 90), dtype=np.uint8):
    """A photograph of brown rock with balls (row, column, diameter)."""
    rng = np.random.default_rng(0)
    pixels = np.clip(np.array(base) + rng.normal(0, 15, (*shape, 1)) + rng.normal(0, 4, (*shape, 3)), 0, 255)
    for row, column, diameter in balls:
        pixels[disk((row, column), diameter / 2, shape=shape)] = colour
    return Photograph((pixels * (257 if dtype == np.uint16 else 1)).astype(dtype))


# ---- stated and of the file --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [4.2, "4.2"])
def test_a_stated_scale_holds_everywhere(number):
    scale = chosen_scale(number)(rock())
    assert (scale.at([0, 299], [0, 399]) == 4.2).all()
    assert "4.2 px per mm" in scale.how


@pytest.mark.parametrize("wrong", [{}, {"px_per_mm": 4, "balls_mm": 100}, {"px_per_mm": 0}, {"px_per_mm": "many"},
                                   {"px_per_mm": float("nan")}, {"balls_mm": -1}, {"balls_mm": "inf"}])  # fmt: skip
def test_a_scale_that_is_none_is_refused(wrong):
    with pytest.raises(ScaleError):
        chosen_scale(**wrong)


def test_the_file_is_believed_only_where_it_was_measured():
    pixels = np.zeros((40, 40, 3), np.uint8)
    scale = chosen_scale("file")(Photograph(pixels, resolution=(254.0, 254.0)))
    assert scale.px_per_mm == pytest.approx(10)
    assert "254 px per inch" in scale.how
    for resolution in (None, (72.0, 72.0), (96.0, 96.0), (1.0, 1.0), (254.0, 300.0)):
        with pytest.raises(ScaleError, match="say how many px a mm takes"):
            file_scale(Photograph(pixels, resolution=resolution))


# ---- marked ------------------------------------------------------------------------------------------------------


def test_two_points_and_a_length_are_a_scale():
    scale = marked_scale([(10, 20), (40, 60)], 25)
    assert scale.px_per_mm == pytest.approx(2)
    assert scale.error == pytest.approx(np.sqrt(2) / 50)
    with pytest.raises(ScaleError, match=r"5\.0 px apart"):
        marked_scale([(10, 20), (13, 24)], 25)
    with pytest.raises(ScaleError, match="no number of mm"):
        marked_scale([(10, 20), (40, 60)], 0)


# ---- balls -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", [RED, YELLOW, (20, 60, 230)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_balls_are_found_in_any_colour_that_the_rock_has_not(colour, dtype):
    found = find_balls(rock((60, 80, 24), (220, 300, 40), colour=colour, dtype=dtype).pixels)
    assert [(round(ball.row), round(ball.column)) for ball in found] == [(60, 80), (220, 300)]
    assert np.allclose([ball.diameter for ball in found], [24, 40], atol=1)


def test_a_ball_that_shines_is_one_ball():
    photograph = rock((100, 100, 40))
    photograph.pixels[disk((92, 96), 6)] = 250
    (ball,) = find_balls(photograph.pixels)
    assert ball.diameter == pytest.approx(40, abs=1)


def test_what_is_not_round_is_no_ball():
    photograph = rock()
    photograph.pixels[rectangle((50, 50), (70, 200))] = RED
    assert find_balls(photograph.pixels) == []
    assert find_balls(rock().pixels) == []
    assert find_balls(np.full((300, 400, 3), (235, 20, 30), np.uint8)) == []
    assert find_balls(np.zeros((8, 8, 3), np.uint8)) == []


def test_where_much_has_the_balls_colour_nothing_is_a_ball():
    photograph = rock((60, 80, 24))
    photograph.pixels[rectangle((150, 50), (200, 200))] = RED
    assert find_balls(photograph.pixels) == []


def test_a_ball_that_the_border_cuts_counts_neither_way():
    found = find_balls(rock((0, 200, 40), (150, 200, 40)).pixels)
    assert [round(ball.row) for ball in found] == [150]


def test_one_ball_gives_one_scale():
    scale = ball_scale(10)(rock((150, 200, 40)))
    assert np.allclose(scale.at([0, 299], [0, 399]), 4, rtol=0.03)
    assert "1 ball of 10 mm" in scale.how


def test_two_balls_show_how_the_scale_changes_from_far_to_near():
    scale = ball_scale(10)(rock((50, 200, 30), (250, 200, 50)))
    assert scale.at(50, 0) == pytest.approx(3, rel=0.03)
    assert scale.at(250, 399) == pytest.approx(5, rel=0.03)
    assert scale.at(150, 10) == pytest.approx(4, rel=0.03)
    assert "30 and 50 px wide: 2.98 to 4.97 px per mm" in scale.how


def test_half_a_photograph_has_half_the_scale():
    whole = ball_scale(10)(rock((50, 200, 40), (250, 200, 60)))
    half = ball_scale(10)(Photograph(rock((50, 200, 40), (250, 200, 60)).pixels[::2, ::2]))
    assert half.at(75, 100) == pytest.approx(whole.at(150, 200) / 2, rel=0.03)


def test_photographs_without_balls_and_with_balls_that_disagree_are_refused():
    with pytest.raises(ScaleError, match="no ball was found"):
        ball_scale(10)(rock())
    with pytest.raises(ScaleError, match=r"20 and 50 px wide.*less obliquely"):
        ball_scale(10)(rock((50, 200, 20), (250, 200, 50)))
    with pytest.raises(ScaleError, match="do not lie on one plane"):
        ball_scale(10)(rock((50, 200, 30), (150, 200, 50), (250, 200, 30)))


def test_the_scale_does_not_run_away_beyond_the_balls():
    scale = ball_scale(10)(rock((140, 200, 24), (185, 200, 44)))
    assert scale.at(0, 0) > 1
    assert scale.at(299, 0) < 7


def test_balls_are_masked_out_of_the_particles():
    photograph = rock((100, 100, 40))
    labels = np.zeros((300, 400), np.int32)
    labels[disk((100, 100), 21)] = 1  # the ball itself
    labels[90:110, 115:200] = 2  # a particle below it in part
    labels[200:240, 200:260] = 3
    kept = without_balls(labels, find_balls(photograph.pixels))
    assert set(np.unique(kept)) == {0, 2, 3}
    assert (kept == 3).sum() == (labels == 3).sum()
    assert 0.8 * (labels == 2).sum() < (kept == 2).sum() < (labels == 2).sum()
    assert labels[100, 100] == 1  # the caller's are left as they were


def test_balls_of_photographs_of_blasted_rock():
    if not (REAL / "rock_fragments").is_dir():
        pytest.skip("the photographs of rock fragments are not on this machine")
    found = [len(find_balls(read_photograph(path).pixels)) for path in sorted((REAL / "rock_fragments").glob("*.jpg"))]
    assert np.mean(np.array(found) == 2) > 0.9
    assert max(found) == 2


def test_a_scale_at_a_place_takes_arrays():
    scale = Scale(4, "", middle=(10, 20), slope=(0.1, 0))
    assert np.allclose(scale.at(np.array([0, 10, 20]), np.zeros(3)), [3, 4, 5])
