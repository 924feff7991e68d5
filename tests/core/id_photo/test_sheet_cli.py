"""`likeness sheet`: where the size is from, what is written, and what is refused."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.runner.cli import main


@pytest.fixture
def photo(tmp_path):
    """A photo of 35 x 45 mm that says so; `save` writes others."""

    def save(name="photo.png", size=(413, 531), dpi=(300, 300), **options):
        pixels = np.random.default_rng(3).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name, dpi=dpi, **options)
        return str(tmp_path / name)

    return save


def run(*words):
    return CliRunner().invoke(main, ["sheet", *map(str, words)])


def result_of(outcome):
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout.splitlines()[-1])


def code_of(outcome):
    assert outcome.exit_code == 1, outcome.output
    return json.loads(outcome.stdout.splitlines()[-1])["code"]


def test_the_files_own_resolution_gives_the_size_and_it_is_said(photo, tmp_path):
    out = tmp_path / "sheet.pdf"
    outcome = run(photo(), "-o", out)
    assert outcome.exit_code == 0, outcome.output
    assert "35 x 45 mm, is what the photo's own resolution says" in outcome.stdout
    assert "8 photos" in outcome.stdout
    assert out.read_bytes().startswith(b"%PDF")


def test_what_is_transparent_is_white_on_paper(tmp_path):
    clear = Image.new("RGBA", (354, 354), (200, 0, 0, 0))
    clear.paste((0, 0, 200, 255), (0, 0, 177, 354))
    clear.save(tmp_path / "cut.png")
    out = tmp_path / "sheet.png"
    outcome = run(tmp_path / "cut.png", "--size", "30x30", "--count", 1, "--no-marks", "--no-caption", "-o", out)
    assert outcome.exit_code == 0, outcome.output
    with Image.open(out) as page:
        colours = {tuple(colour) for colour in np.unique(np.array(page).reshape(-1, 3), axis=0).tolist()}
    assert {(0, 0, 200), (255, 255, 255)} <= colours
    assert not any(red > 100 > blue for red, _, blue in colours)


def test_a_lying_photo_is_measured_as_it_is_seen(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = photo("lying.jpg", (531, 413), exif=exif)
    assert result_of(run(lying, "-o", tmp_path / "a.pdf", "--json"))["photo_mm"] == [35, 45]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (["--size", "35x45"], [35, 45]),
        (["--document", "schengen-visa"], [35, 45]),
        (["--size", "3.5x4.5cm", "--paper", "a4", "--count", "4"], [35, 45]),
    ],
)
def test_a_size_or_a_document(photo, tmp_path, options, size):
    told = result_of(run(photo(dpi=(72, 72)), "-o", tmp_path / "a.pdf", "--json", *options))
    assert told["photo_mm"] == size
    assert not any("own resolution" in note for note in told["notes"])


def test_a_png_for_each_sheet(photo, tmp_path):
    told = result_of(run(photo(), photo("b.png"), "--count", 10, "--dpi", 600, "-o", tmp_path / "a.png", "--json"))
    assert [name.rpartition("/")[2] for name in told["files"]] == ["a_1.png", "a_2.png"]
    assert (told["sheets"], told["count"]) == (2, 10)
    with Image.open(told["files"][0]) as page:
        assert page.size == (2362, 3543)
        assert page.info["dpi"] == pytest.approx((600, 600), abs=0.01)


def test_the_photo_itself_is_never_overwritten(photo, tmp_path):
    name = photo()
    before = (tmp_path / "photo.png").read_bytes()
    told = result_of(run(name, "-o", name, "--json"))
    assert told["files"] == [str(tmp_path / "photo_2.png")]
    assert (tmp_path / "photo.png").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "made", "code"),
    [
        ([], {"dpi": (72, 72)}, "print_size_unknown"),
        ([], {"size": (3000, 4000)}, "print_size_unknown"),
        (["--size", "35"], {}, "print_size_unknown"),
        (["--document", "ca-passport-online"], {}, "print_size_unknown"),
        (["--document", "nowhere-passport"], {}, "document_unknown"),
        (["--size", "2x2in"], {}, "print_proportions_differ"),
        (["--count", "1000"], {}, "prints_do_not_fit"),
        (["--margin", "60"], {}, "prints_do_not_fit"),
    ],
)
def test_refusals_have_codes(photo, tmp_path, options, made, code):
    assert code_of(run(photo(**made), "-o", tmp_path / "a.pdf", "--json", *options)) == code
    assert not (tmp_path / "a.pdf").exists()


def test_photos_of_different_sizes_need_a_size(photo, tmp_path):
    outcome = run(photo(), photo("b.png", (600, 600)), "-o", tmp_path / "a.pdf", "--json")
    assert code_of(outcome) == "print_size_unknown"
    assert "b.png: 50.8 x 50.8 mm" in outcome.stderr


def test_a_folder_that_takes_no_file(photo, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert code_of(run(photo(), "-o", tmp_path / "file" / "a.pdf", "--json")) == "sheet_not_saved"


@pytest.mark.parametrize("words", [["-o", "a.jpg"], [], ["-o", "a.pdf", "--size", "35x45", "--document", "x"]])
def test_wrong_usage(photo, words):
    assert run(photo(), *words).exit_code == 2


def test_a_missing_photo_is_named(tmp_path):
    assert code_of(run(tmp_path / "none.jpg", "--size", "35x45", "-o", tmp_path / "a.pdf", "--json")) == "photo_missing"
