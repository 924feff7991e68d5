"""The files of a sheet, measured: by a parser that is not the writer, and on the page as another program renders it."""

import io
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from likeness_studio.core.errors import UnsafePath
from likeness_studio.core.errors.formats import PrintsDoNotFit, SheetNotSaved
from likeness_studio.core.id_photo import (
    LONGEST_MARK_MM,
    MARK_WIDTH_MM,
    MM_PER_INCH,
    PAPERS,
    caption_of,
    check_pixels,
    draw_page,
    lay_out,
    pdf_bytes,
    png_bytes,
    save_as,
    save_numbered,
    summary,
)
from likeness_studio.core.id_photo import sheet_files as sheet_file
from likeness_studio.core.imaging.encode import NOTHING_STATED

SCHENGEN, TWO_INCHES = (35.0, 45.0), (50.8, 50.8)
RENDER_DPI = 400
poppler = pytest.mark.skipif(
    not (shutil.which("pdfinfo") and shutil.which("pdftoppm")), reason="install poppler-utils to render PDFs"
)

CASES = {
    "eight on 10 x 15 cm": ("10x15cm", SCHENGEN, {}),
    "on their side": ("10x15cm", SCHENGEN, {"orientation": "portrait"}),
    "six with a strip beside": ("10x15cm", SCHENGEN, {"count": 6}),
    "A4 without gaps": ("A4", SCHENGEN, {}),
    "A4, wide gaps, not full": ("A4", SCHENGEN, {"gap_mm": 6, "count": 7}),
    "Letter": ("Letter", TWO_INCHES, {}),
    "4 x 6 in": ("4x6in", TWO_INCHES, {}),
}


def photo_of(size, ppi=300, shade=0):
    """A photo of saturated noise whose corners differ: what lies on its side or is resampled is seen."""
    width, height = (round(side / MM_PER_INCH * ppi) for side in size)
    coarse = np.random.default_rng(shade).integers(0, 90, (height // 5 + 1, width // 5 + 1, 3), dtype=np.uint8)
    pixels = coarse.repeat(5, 0).repeat(5, 1)[:height, :width].copy()
    pixels[..., shade % 3] |= 128
    pixels[: height // 4, : width // 4] = (0, 160, 160)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request):
    paper, size, options = CASES[request.param]
    photos = [photo_of(size), photo_of(size, shade=1)]
    return lay_out(PAPERS[paper], size, 2, caption=caption_of(size, "Visa für Öland"), **options), photos


@pytest.fixture(scope="module")
def rendered(case, tmp_path_factory):
    """The first page as poppler sees it, and the layout."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("install poppler-utils to render PDFs")
    sheet, photos = case
    file = tmp_path_factory.mktemp("pdf") / "sheet.pdf"
    file.write_bytes(pdf_bytes(sheet, photos, "", NOTHING_STATED))
    command = ["pdftoppm", "-r", str(RENDER_DPI), "-png", "-singlefile", str(file), str(file.with_suffix(""))]
    subprocess.run(command, check=True)
    with Image.open(file.with_suffix(".png")) as page:
        return sheet, np.asarray(page.convert("RGB")), RENDER_DPI


@pytest.fixture(scope="module")
def drawn(case):
    """The first page of the PNG, and the layout."""
    sheet, photos = case
    dpi = 600 if sheet.paper.name == "10x15cm" else 300
    with Image.open(io.BytesIO(png_bytes(draw_page(sheet, sheet.pages[0], photos, dpi), dpi, NOTHING_STATED))) as page:
        return sheet, np.asarray(page), dpi


def coloured(page):
    """Where a photo is: ink, marks and letters are gray."""
    return page.max(2) - page.min(2) > 24


def measure(sheet, page, dpi):
    """Compare what is on the page with the layout: photos within 0.2 mm, marks in their places, margins blank."""
    mm = MM_PER_INCH / dpi
    assert page.shape[1] * mm == pytest.approx(sheet.width_mm, abs=0.1)
    assert page.shape[0] * mm == pytest.approx(sheet.height_mm, abs=0.1)
    colour, dark = coloured(page), (page.max(2) < 128)
    for each in sheet.pages[0].prints:
        box = each.box
        reach = min(sheet.gap_mm / 2, 1.0)
        x1, x2, y1, y2 = (
            round(v / mm) for v in (box.left - reach, box.right + reach, box.top - reach, box.bottom + reach)
        )
        part = colour[y1:y2, x1:x2]
        across, down = np.flatnonzero(part.mean(0) > 0.3), np.flatnonzero(part.mean(1) > 0.3)
        assert (np.ptp(across) + 1) * mm == pytest.approx(box.width, abs=0.2)
        assert (np.ptp(down) + 1) * mm == pytest.approx(box.height, abs=0.2)
        assert (across[0] + x1) * mm == pytest.approx(box.left, abs=0.1)
        assert (down[0] + y1) * mm == pytest.approx(box.top, abs=0.1)
        whole = page[round(box.top / mm) : round(box.bottom / mm), round(box.left / mm) : round(box.right / mm)]
        upright = np.rot90(whole, -1) if each.turned else whole
        patch = upright[50:-50, 50:-50][: len(upright) // 8, : upright.shape[1] // 8]
        assert np.abs(patch - np.array([0.0, 160, 160])).max() < 3, "the photo's upper left corner is elsewhere"
        middle = upright[len(upright) // 2 :].mean((0, 1))
        assert middle.argmax() == each.photo, "it is another photo"
    for mark in sheet.pages[0].marks:
        along = (mark.x1 + mark.x2) / 2, (mark.y1 + mark.y2) / 2
        x, y = (round(value / mm) for value in along)
        near = round(0.25 / mm)
        square = dark[y - near : y + near, x - near : x + near]
        line = np.flatnonzero(square.mean(0 if mark.x1 == mark.x2 else 1) > 0.9)
        assert len(line), f"no mark at {along}"
        assert (line.mean() + 0.5 - near) * mm == pytest.approx(0, abs=0.1)
        assert len(line) * mm == pytest.approx(MARK_WIDTH_MM, abs=0.1)
    edge = round((sheet.margin_mm - 0.1) / mm)
    blank = np.ones(page.shape[:2], dtype=bool)
    blank[edge:-edge, edge:-edge] = False
    assert (page[blank] == 255).all()


def test_the_png_is_as_laid_out(drawn):
    measure(*drawn)


@poppler
def test_the_pdf_is_as_laid_out(rendered):
    measure(*rendered)


@poppler
def test_nothing_but_the_layout_is_printed(rendered):
    sheet, page, dpi = rendered
    rest = page.copy()
    grow = 0.15
    kept = [each.box for each in sheet.pages[0].prints] + ([sheet.pages[0].strip.box] if sheet.pages[0].strip else [])
    areas = [(box.left, box.top, box.right, box.bottom) for box in kept]
    areas += [(mark.x1, mark.y1, mark.x2, mark.y2) for mark in sheet.pages[0].marks]
    for left, top, right, bottom in areas:
        x1, y1 = (max(int((value - grow) * dpi / MM_PER_INCH), 0) for value in (left, top))
        x2, y2 = (int((value + grow) * dpi / MM_PER_INCH) + 1 for value in (right, bottom))
        rest[y1:y2, x1:x2] = 255
    assert (rest == 255).all()


@poppler
def test_the_scale_bar_is_as_long_as_it_says(rendered):
    sheet, page, dpi = rendered
    strip = sheet.pages[0].strip
    if strip is None:
        assert sheet.per_page == 8, "only the full sheet has no room"
        return
    mm, box = MM_PER_INCH / dpi, strip.box
    part = page[round(box.top / mm) : round(box.bottom / mm), round(box.left / mm) : round(box.right / mm)].max(2) < 128
    part = np.rot90(part, -1) if strip.turned else part
    runs = max(part, key=lambda row: longest_run(row))
    assert longest_run(runs) * mm == pytest.approx(2 * MM_PER_INCH if sheet.paper.inches else 50, abs=0.1)


def longest_run(row):
    edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(int), [0]))))
    return max((edges[1::2] - edges[::2]).tolist(), default=0)


@poppler
def test_pdfinfo_names_the_paper(tmp_path):
    (tmp_path / "a.pdf").write_bytes(
        pdf_bytes(lay_out(PAPERS["A4"], SCHENGEN), [photo_of(SCHENGEN)], "", NOTHING_STATED)
    )
    said = subprocess.run(["pdfinfo", str(tmp_path / "a.pdf")], capture_output=True, text=True, check=True).stdout
    width, height = map(float, re.findall(r"Page size: +([\d.]+) x ([\d.]+)", said)[0])
    assert (width * MM_PER_INCH / 72, height * MM_PER_INCH / 72) == pytest.approx((297, 210), abs=0.01)
    assert "(A4)" in said


def test_another_reader_finds_page_photos_and_fonts(case):
    pypdf = pytest.importorskip("pypdf")
    sheet, photos = case
    reader = pypdf.PdfReader(io.BytesIO(pdf_bytes(sheet, photos, "Passport", NOTHING_STATED)), strict=True)
    assert len(reader.pages) == len(sheet.pages)
    page = reader.pages[0]
    assert float(page.mediabox.width) * MM_PER_INCH / 72 == pytest.approx(sheet.width_mm, abs=0.01)
    assert float(page.mediabox.height) * MM_PER_INCH / 72 == pytest.approx(sheet.height_mm, abs=0.01)
    assert reader.trailer["/Root"]["/ViewerPreferences"]["/PrintScaling"] == "/None"
    stored = page["/Resources"]["/XObject"]
    assert len(stored) == 2, "each photo once, however often it is printed"
    pixels = [np.asarray(photo).tobytes() for photo in photos]
    assert sorted(each.get_object().get_data() for each in stored.values()) == sorted(pixels)
    for font in page["/Resources"]["/Font"].values():
        assert "/FontFile2" in font.get_object()["/FontDescriptor"].get_object()
    if sheet.pages[0].strip is not None:
        assert "Print at 100 %" in page.extract_text()
        assert "Visa für Öland" in page.extract_text()
    assert "Passport" in reader.metadata.title


def test_a_pdf_is_the_same_each_time(case):
    sheet, photos = case
    assert pdf_bytes(sheet, photos, "", NOTHING_STATED) == pdf_bytes(sheet, photos, "", NOTHING_STATED)


def test_photos_of_the_sheets_own_resolution_are_not_resampled():
    photo = photo_of(SCHENGEN)
    sheet = lay_out(PAPERS["10x15cm"], SCHENGEN)
    page = Image.open(io.BytesIO(png_bytes(draw_page(sheet, sheet.pages[0], [photo], 300), 300, NOTHING_STATED)))
    assert page.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert page.info["icc_profile"]
    for each in sheet.pages[0].prints:
        left, top = round(each.box.left / MM_PER_INCH * 300), round(each.box.top / MM_PER_INCH * 300)
        assert page.crop((left, top, left + photo.width, top + photo.height)).tobytes() == photo.tobytes()


def test_a_turned_photo_is_turned_and_not_mirrored():
    photo = photo_of(SCHENGEN)
    sheet = lay_out(PAPERS["10x15cm"], SCHENGEN, orientation="portrait")
    page = draw_page(sheet, sheet.pages[0], [photo], 300)
    box = sheet.pages[0].prints[0].box
    left, top = round(box.left / MM_PER_INCH * 300), round(box.top / MM_PER_INCH * 300)
    lying = page.crop((left, top, left + photo.height, top + photo.width))
    assert lying.tobytes() == photo.transpose(Image.Transpose.ROTATE_90).tobytes()


def test_marks_are_no_longer_than_said(case):
    for mark in case[0].pages[0].marks:
        assert max(mark.x2 - mark.x1, mark.y2 - mark.y1) <= max(LONGEST_MARK_MM, case[0].gap_mm) + 1e-6


def test_too_many_pixels_are_refused():
    sheet = lay_out(PAPERS["A4"], SCHENGEN, count=5 * 32)
    check_pixels(sheet, 300)
    with pytest.raises(PrintsDoNotFit, match="megapixels"):
        check_pixels(sheet, 600)


def test_the_summary_says_what_to_measure_and_how_sharp_it_is():
    sheet = lay_out(PAPERS["10x15cm"], SCHENGEN)
    said = "\n".join(summary(sheet, [(413, 531), (138, 177)]))
    assert "8 photos of 35 x 45 mm on 1 sheet 10x15cm (150 x 100 mm, landscape)" in said
    assert "143 x 91 mm" in said
    assert "100 pixels per inch, fewer than 250" in said
    assert "1 photo of" in summary(lay_out(PAPERS["10x15cm"], SCHENGEN, count=1), [(413, 531)])[0]


def test_names_are_numbered_and_never_taken_from_another_file(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "sheet_00007_2.png").write_bytes(b"mine")
    files = [(".pdf", b"1"), ("_1.png", b"2")]
    first = save_numbered(tmp_path, "a/b/sheet", files)
    assert [path.name for path in first] == ["sheet_00008.pdf", "sheet_00008_1.png"]
    assert [path.name for path in save_numbered(tmp_path, "a/b/sheet", files)] == [
        "sheet_00009.pdf",
        "sheet_00009_1.png",
    ]
    assert [path.read_bytes() for path in first] == [b"1", b"2"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch):
    (tmp_path / "sheet_00001.png").write_bytes(b"theirs")
    monkeypatch.setattr(sheet_file, "_next_number", lambda folder, stem: 1)
    saved = save_numbered(tmp_path, "sheet", [(".pdf", b"1"), (".png", b"2")])
    assert [path.name for path in saved] == ["sheet_00002.pdf", "sheet_00002.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet_00001.png", *(path.name for path in saved)]


def test_a_given_name_is_kept_or_numbered(tmp_path):
    assert save_as(tmp_path / "new" / "a.pdf", [(".pdf", b"1")]) == [tmp_path / "new" / "a.pdf"]
    assert save_as(tmp_path / "new" / "a.pdf", [(".pdf", b"2")]) == [tmp_path / "new" / "a_2.pdf"]
    assert (tmp_path / "new" / "a.pdf").read_bytes() == b"1"
    assert save_as(tmp_path / "v1.2.pdf", [(".pdf", b"3")]) == [tmp_path / "v1.2.pdf"]


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", ".", "", "x\n", "a\0b"])
def test_names_stay_in_their_folder(tmp_path, name):
    root = tmp_path / "output"
    with pytest.raises(UnsafePath):
        save_numbered(root, name, [(".pdf", b"1")])
    assert not list(tmp_path.rglob("*out*.pdf"))


def test_what_cannot_be_written_says_so_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SheetNotSaved):
        save_numbered(tmp_path, "file/sheet", [(".pdf", b"1")])
    with pytest.raises(UnsafePath):
        save_numbered(tmp_path, "x" * 300, [(".pdf", b"1")])
    with pytest.raises(SheetNotSaved):
        save_as(tmp_path / "file" / "a.pdf", [(".pdf", b"1")])
    with pytest.raises(SheetNotSaved):
        save_as(tmp_path / "a.pdf", [(".pdf", b"1"), ("x" * 300, b"2")])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
