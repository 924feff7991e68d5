"""Where photos lie on paper: how many fit, nothing overlaps, and cut marks are in line with photos without touching."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from likeness_studio.core.errors.formats import PrintProportionsDiffer, PrintsDoNotFit, PrintSizeUnknown
from likeness_studio.core.id_photo import (
    CLEARANCE_MM,
    PAPERS,
    SHORTEST_MARK_MM,
    Box,
    check_proportions,
    lay_out,
    read_size,
    size_by_density,
)

EPS = 1e-6
SCHENGEN, TWO_INCHES = (35.0, 45.0), (50.8, 50.8)


def overlap(a, b, apart=0.0):
    """Whether two boxes are nearer than `apart` in both directions."""
    return (
        a.left < b.right + apart - EPS
        and b.left < a.right + apart - EPS
        and a.top < b.bottom + apart - EPS
        and b.top < a.bottom + apart - EPS
    )


def box_of(mark):
    return Box(mark.x1, mark.y1, mark.x2 - mark.x1, mark.y2 - mark.y1)


def within(box, sheet):
    margin = sheet.margin_mm - EPS
    return (
        box.left >= margin
        and box.top >= margin
        and box.right <= sheet.width_mm - margin
        and box.bottom <= sheet.height_mm - margin
    )


@pytest.mark.parametrize(
    ("paper", "size", "options", "fit"),
    [
        ("10x15cm", SCHENGEN, {}, 8),
        ("10x15cm", SCHENGEN, {"gap_mm": 2}, 6),
        ("13x18cm", SCHENGEN, {"gap_mm": 2}, 9),
        ("A4", SCHENGEN, {}, 32),
        ("A4", SCHENGEN, {"gap_mm": 2}, 30),
        ("A5", SCHENGEN, {}, 15),
        ("4x6in", TWO_INCHES, {}, 2),
        ("4x6in", TWO_INCHES, {"margin_mm": 0, "cut_marks": False}, 6),
        ("5x7in", TWO_INCHES, {}, 6),
        ("Letter", TWO_INCHES, {}, 15),
    ],
)
def test_how_many_fit(paper, size, options, fit):
    sheet = lay_out(PAPERS[paper], size, **options)
    assert (sheet.per_page, sheet.count, len(sheet.pages)) == (fit, fit, 1)


def test_the_papers_have_their_sizes():
    sizes = {name: (round(each.width_mm, 2), round(each.height_mm, 2)) for name, each in PAPERS.items()}
    assert sizes["A4"] == (210, 297)
    assert sizes["Letter"] == (215.9, 279.4)
    assert sizes["4x6in"] == (101.6, 152.4)
    assert sizes["5x7in"] == (127, 177.8)
    assert sizes["10x15cm"] == (100, 150)
    assert sizes["13x18cm"] == (130, 180)


@settings(max_examples=300, deadline=None)
@given(
    paper=some.sampled_from(list(PAPERS.values())),
    width=some.floats(15, 90),
    height=some.floats(15, 90),
    photos=some.integers(1, 4),
    more=some.integers(0, 40),
    filled=some.booleans(),
    orientation=some.sampled_from(["auto", "portrait", "landscape"]),
    gap=some.one_of(some.none(), some.integers(0, 24).map(lambda halves: halves / 2), some.floats(0.01, 12)),
    margin=some.one_of(some.none(), some.floats(0, 15)),
    cut_marks=some.booleans(),
)
def test_any_layout_is_sound(paper, width, height, photos, more, filled, orientation, gap, margin, cut_marks):
    count = 0 if filled else photos + more
    try:
        sheet = lay_out(
            paper, (width, height), photos, count=count, orientation=orientation, gap_mm=gap, margin_mm=margin,
            cut_marks=cut_marks, caption="Print at 100 %",
        )  # fmt: skip
    except PrintsDoNotFit:
        assert min(width, height) * 2 > 15
        return
    assert sheet.count == (count or sheet.per_page * math.ceil(photos / sheet.per_page))
    shown = [each.photo for page in sheet.pages for each in page.prints]
    assert shown == [number % photos for number in range(len(shown))]
    for page in sheet.pages:
        boxes = [each.box for each in page.prints]
        for number, box in enumerate(boxes):
            assert within(box, sheet)
            size = (box.height, box.width) if sheet.turned else (box.width, box.height)
            assert size == pytest.approx((width, height), abs=EPS)
            assert not any(overlap(box, other, sheet.gap_mm) for other in boxes[:number])
        assert bool(page.marks) == cut_marks
        for mark in page.marks:
            assert (mark.x1 == mark.x2) != (mark.y1 == mark.y2)
            assert max(mark.x2 - mark.x1, mark.y2 - mark.y1) >= SHORTEST_MARK_MM - EPS
            assert within(box_of(mark), sheet)
            assert not any(overlap(box_of(mark), box, CLEARANCE_MM) for box in boxes)
        if cut_marks:
            across = {round(mark.x1, 6) for mark in page.marks if mark.x1 == mark.x2}
            down = {round(mark.y1, 6) for mark in page.marks if mark.y1 == mark.y2}
            assert across == {round(edge, 6) for box in boxes for edge in (box.left, box.right)}
            assert down == {round(edge, 6) for box in boxes for edge in (box.top, box.bottom)}
        if page.strip is not None:
            assert within(page.strip.box, sheet)
            assert not any(overlap(page.strip.box, each) for each in [*boxes, *map(box_of, page.marks)])


def test_a_gap_is_the_widest_that_costs_no_photo():
    assert lay_out(PAPERS["10x15cm"], SCHENGEN).gap_mm == 1
    assert lay_out(PAPERS["10x15cm"], SCHENGEN, count=6).gap_mm == 3
    assert lay_out(PAPERS["10x15cm"], SCHENGEN, count=8).gap_mm == 1
    assert lay_out(PAPERS["10x15cm"], SCHENGEN, count=9).pages[1].prints[0].photo == 0


def test_photos_lie_on_their_side_only_where_the_paper_must_not_turn():
    assert not lay_out(PAPERS["10x15cm"], SCHENGEN).turned
    forced = lay_out(PAPERS["10x15cm"], SCHENGEN, orientation="portrait")
    assert forced.turned
    assert not forced.landscape
    assert forced.per_page == 8


def test_caption_and_scale_only_where_there_is_room():
    full = lay_out(PAPERS["10x15cm"], SCHENGEN, caption="x")
    assert full.pages[0].strip is None
    beside = lay_out(PAPERS["10x15cm"], SCHENGEN, count=6, caption="x").pages[0].strip
    assert beside is not None
    assert beside.turned
    below = lay_out(PAPERS["4x6in"], TWO_INCHES, caption="x").pages[0].strip
    assert below is not None
    assert (below.turned, below.bar_mm) == (False, 50.8)
    assert lay_out(PAPERS["4x6in"], TWO_INCHES).pages[0].strip is None


@pytest.mark.parametrize(
    ("paper", "size", "options", "word"),
    [
        ("10x15cm", (101, 151), {}, "does not fit"),
        ("10x15cm", (98, 20), {}, None),
        ("4x6in", TWO_INCHES, {"margin_mm": 60}, "does not fit"),
        ("4x6in", TWO_INCHES, {"photos": 3, "count": 2}, "3 different photos"),
        ("4x6in", TWO_INCHES, {"count": 101}, "51 sheets"),
        ("4x6in", TWO_INCHES, {"photos": 0}, "no photo"),
    ],
)
def test_what_does_not_fit_is_refused(paper, size, options, word):
    if word is None:
        assert lay_out(PAPERS[paper], size, **options).count >= 1
        return
    with pytest.raises(PrintsDoNotFit, match=word):
        lay_out(PAPERS[paper], size, **options)


@pytest.mark.parametrize(
    ("text", "size"),
    [("35x45", (35, 45)), ("3.5 x 4,5cm", (35, 45)), ("2x2in", (50.8, 50.8)), ("35×45 mm", (35, 45))],
)
def test_sizes_are_read(text, size):
    assert read_size(text) == pytest.approx(size)


@pytest.mark.parametrize("text", ["", "35", "35x", "x45", "3.5x4.5", "0x0", "9999x45", "-35x45", "35x45pt", "nanxnan"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(PrintSizeUnknown):
        read_size(text)


def test_a_file_states_a_size_only_where_it_can_be_an_id_photos():
    assert size_by_density((413, 531), (300, 300)) == (35.0, 45.0)
    assert size_by_density((600, 600), (299.9994, 299.9994)) == (50.8, 50.8)
    for pixels, dpi in [((413, 531), None), ((413, 531), (72, 72)), ((4000, 6000), (300, 300)), ((99, 99), (0, 0))]:
        with pytest.raises(PrintSizeUnknown):
            size_by_density(pixels, dpi)


def test_a_face_is_never_stretched():
    check_proportions((413, 531), SCHENGEN)
    check_proportions((414, 531), SCHENGEN)
    check_proportions((35, 45), SCHENGEN)
    with pytest.raises(
        PrintProportionsDiffer,
        match=r"^The photo has 419 x 531 pixels, which at 35 x 45 mm would be stretched by "
        r"1\.5%; cut it to that ratio first\.$",
    ):
        check_proportions((419, 531), SCHENGEN)


@pytest.mark.parametrize("length", [float("nan"), float("inf"), -1.0])
def test_lengths_that_are_none_are_refused(length):
    for lengths in ({"gap_mm": length}, {"margin_mm": length}):
        with pytest.raises(PrintsDoNotFit):
            lay_out(PAPERS["A4"], (35, 45), **lengths)
