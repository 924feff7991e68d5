"""Axes, ticks and points, and that the drawn plot shows them."""

from itertools import pairwise

import numpy as np
import pytest

from likeness_studio.core.imaging import COLOURS, HEIGHT, LEGEND_ROW, WIDTH, apart, chart_of, ticks
from likeness_studio.core.imaging.plot import plot


def chart(*rows, threshold: float | None = 0.42, baseline: tuple[float, float] | None = None):
    return chart_of(rows, "denoise", threshold, baseline)


LINE = (
    ("", "0.1", 0.1, [0.9], ""),
    ("", "0.5", 0.5, [0.3, 0.5], ""),
    ("", "0.9", 0.9, [], "no face"),
)


def test_numbers_make_lines_and_words_make_bars():
    assert chart(*LINE).numeric
    assert not chart(("", "a", None, [0.9], ""), ("", "0.5", 0.5, [0.3], "")).numeric
    assert not chart(("a", "0.5", 0.5, [0.9], ""), ("b", "0.5", 0.5, [0.3], "")).numeric, "one value is no line"


def test_a_point_is_the_median_with_its_range():
    series = chart(*LINE).series[0]
    assert series.points[1].middle == pytest.approx(0.4)
    assert (series.points[1].low, series.points[1].high) == (0.3, 0.5)
    assert series.points[2].middle is None
    assert series.points[2].problem == "no face"


def test_entries_of_one_label_are_one_point_and_values_are_in_order():
    made = chart(("a", "0.5", 0.5, [0.2], ""), ("a", "0.1", 0.1, [0.9], ""), ("a", "0.5", 0.5, [0.4], ""))
    assert [(point.x, point.cosines) for point in made.series[0].points] == [(0.1, (0.9,)), (0.5, (0.2, 0.4))]


def test_a_line_is_interrupted_where_there_is_no_face():
    rows = [("", str(x), float(x), [] if x == 2 else [0.5], "") for x in range(5)]
    assert [[x for x, _ in line] for line in chart(*rows).series[0].lines()] == [[0, 1], [3, 4]]


def test_the_axis_holds_everything_and_shows_no_difference_that_means_nothing():
    low, high = chart(*LINE, baseline=(0.55, 0.7)).y_range()
    assert low <= 0.3
    assert high >= 0.9
    low, high = chart(("", "1", 1.0, [0.96], ""), ("", "2", 2.0, [0.961], ""), threshold=None).y_range()
    assert high - low >= 0.3
    assert high <= 1.0
    assert chart(("", "a", None, [0.9], "")).y_range()[0] == 0.0, "bars begin at 0"
    assert chart(("", "1", 1.0, [], "no face"), ("", "2", 2.0, [], ""), threshold=None).y_range() == (0.0, 1.0)


def test_negative_likeness_is_on_the_axis():
    low, _ = chart(("", "1", 1.0, [-0.15], ""), ("", "2", 2.0, [0.5], "")).y_range()
    assert low <= -0.15


@pytest.mark.parametrize(
    ("low", "high", "most", "found"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (3, 17, 4, [5, 10, 15]),
        (2, 2, 5, [2]),
        (0, 0.003, 3, [0, 0.001, 0.002, 0.003]),
    ],
)
def test_ticks_are_round(low, high, most, found):
    assert ticks(low, high, most) == pytest.approx(found)


def test_many_values_are_labelled_at_round_numbers():
    rows = [("", f"{x / 40:g}", x / 40, [0.5], "") for x in range(41)]
    assert len(chart(*rows).x_ticks()) <= 13


def coloured(picture, colour):
    """How many pixels have nearly this colour."""
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    return int((np.abs(np.asarray(picture, dtype=int) - wanted).max(axis=2) < 12).sum())


def test_the_plot_draws_each_series_and_the_threshold():
    rows = [(name, str(x), float(x), [0.9 - x / 10], "") for name in ("a", "b") for x in range(3)]
    picture = plot(chart(*rows), "Likeness")
    assert picture.size == (WIDTH, HEIGHT)
    assert coloured(picture, COLOURS[1]) > 300
    assert coloured(picture, "#b3341f") > 300, "the threshold"
    without = plot(chart(*rows, threshold=None), "Likeness")
    assert coloured(without, "#b3341f") < 30


def test_the_line_falls_where_likeness_falls():
    picture = plot(chart(("", "0", 0.0, [0.95], ""), ("", "1", 1.0, [0.1], "")), "Likeness")
    pixels = np.asarray(picture, dtype=int)
    wanted = np.array([0x1C, 0x5D, 0x99])
    rows, columns = np.nonzero(np.abs(pixels - wanted).max(axis=2) < 12)
    left, right = rows[columns < WIDTH * 0.4], rows[columns > WIDTH * 0.7]
    assert left.mean() < right.mean() - 100


def test_bars_have_the_height_of_their_value():
    picture = plot(chart(("", "a", None, [0.8], ""), ("", "b", None, [0.4], ""), threshold=None), "Likeness")
    pixels = np.abs(np.asarray(picture, dtype=int) - np.array([0x1C, 0x5D, 0x99])).max(axis=2) < 12
    left, right = pixels[:, : WIDTH // 2], pixels[:, WIDTH // 2 :]
    assert left.any(axis=1).sum() == pytest.approx(2 * right.any(axis=1).sum(), rel=0.03)


def test_many_series_have_a_legend_of_several_rows():
    rows = [(f"a checkpoint with a long name {n}", str(x), float(x), [0.5], "") for n in range(12) for x in range(2)]
    assert plot(chart(*rows), "Likeness").height >= HEIGHT + 2 * LEGEND_ROW


def test_no_face_anywhere_is_still_a_plot():
    assert plot(chart(("", "0", 0.0, [], "no face"), ("", "1", 1.0, [], "no face")), "Likeness").size == (WIDTH, HEIGHT)


def test_names_of_lines_do_not_cover_one_another():
    made = chart(*LINE, threshold=0.8, baseline=(0.77, 0.81))
    assert [limit.words for limit in made.limits()] == ["own median 0.81", "threshold 0.80", "own lowest 0.77"]
    places = apart([100.0, 101.0, 104.0], 24)
    assert all(below - above > 23 for above, below in pairwise(places))
    assert sum(places) == pytest.approx(305), "they move both ways"
