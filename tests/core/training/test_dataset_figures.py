"""The figures of a data set are those of scipy and numpy, and what was planted in it is found."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from PIL import Image

from likeness_studio.core.training.data_sources import make_manifest
from likeness_studio.core.training.dataset_figures import (
    channel_moments,
    correlations,
    measure_dataset,
    moments_of,
)

SIDE, PHOTOS = 24, 90


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ninety photos of smooth noise, ten of them copies: 0 to 4 as JPEG, 5 to 9 mirrored; and a table."""
    folder = tmp_path_factory.mktemp("set")
    random = np.random.default_rng(11)
    pictures = [
        Image.fromarray(random.integers(0, 255, (6, 6, 3), dtype=np.uint8)).resize((SIDE, SIDE)) for _ in range(80)
    ]
    for number, picture in enumerate(pictures):
        picture.save(folder / f"{number:02}.png")
        if number < 5:
            picture.save(folder / f"{80 + number}.jpg", quality=60)
        elif number < 10:
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / f"{80 + number}.png")
    ages = ["20-29", "03-Sep", "Oct-19", "30-39"]
    rows = []
    for number, file in enumerate(sorted(folder.iterdir())):
        hat, old = int(random.random() < 0.3), int(random.random() < 0.5)
        both = hat if random.random() < 0.9 else 1 - hat
        split = "test" if number % 3 == 0 else "train"
        worn = 1 if split == "test" else int(random.random() < 0.2)
        rows.append([file.name, split, hat, both, old, worn, ages[number % 4], round(random.random() * 50, 3)])
    with (folder / "table.csv").open("w", newline="") as target:
        csv.writer(target).writerows([["file", "split", "Hat", "Brim", "Old", "Glasses", "age", "weight"], *rows])
    return folder


@pytest.fixture(scope="module")
def manifest(folder):
    return make_manifest([folder / "table.csv"]).manifest


@pytest.fixture(scope="module")
def figures(manifest):
    return measure_dataset(manifest)


@pytest.mark.parametrize("seed", range(4))
def test_moments_are_scipys(seed):
    values = np.random.default_rng(seed).gamma(2, 3, 500) + 1000 * seed
    made = moments_of(values)
    assert made.mean == pytest.approx(values.mean(), rel=1e-12)
    assert made.deviation == pytest.approx(values.std(ddof=1), rel=1e-9)
    assert made.skewness == pytest.approx(scipy.stats.skew(values), rel=1e-6)
    assert made.kurtosis == pytest.approx(scipy.stats.kurtosis(values), rel=1e-6)
    assert (made.count, made.low, made.high) == (500, values.min(), values.max())
    counted = moments_of([1, 2, 5], [3, 0, 2])
    assert counted == moments_of([1, 1, 1, 5, 5])


def test_moments_of_few_or_equal_numbers_are_not_defined():
    assert moments_of([]).mean is None
    assert moments_of([3]).deviation is None
    assert moments_of([3, 3, 3]).skewness is None
    assert moments_of([3, 3, 3]).kurtosis is None


def test_channels_are_those_of_all_pixels(manifest, figures):
    pixels = np.concatenate(
        [np.asarray(Image.open(manifest.path(each)).convert("RGB")).reshape(-1, 3) / 255 for each in manifest.photos]
    )
    made = channel_moments(figures.pixels["all"])
    for index, name in enumerate(("red", "green", "blue")):
        assert made[name].mean == pytest.approx(pixels[:, index].mean(), rel=1e-9)
        assert made[name].deviation == pytest.approx(pixels[:, index].std(ddof=1), rel=1e-9)
        assert made[name].skewness == pytest.approx(scipy.stats.skew(pixels[:, index]), rel=1e-6)
        assert made[name].kurtosis == pytest.approx(scipy.stats.kurtosis(pixels[:, index]), rel=1e-6)
    assert (figures.pixels["train"] + figures.pixels["test"] == figures.pixels["all"]).all()


def test_counts_shares_and_sizes(manifest, figures):
    assert figures.photos == PHOTOS
    assert figures.splits == {"train": 60, "validation": 0, "test": 30}
    hat = next(each for each in figures.attributes if each.name == "Hat")
    held = [each.attributes["Hat"] for each in manifest.photos]
    assert (hat.true, hat.said, hat.share) == (sum(held), PHOTOS, sum(held) / PHOTOS)
    for split in ("train", "test"):
        assert hat.shares[split] == np.mean([each.attributes["Hat"] for each in manifest.of(split)])
    assert hat.moments.skewness == pytest.approx(scipy.stats.skew(np.array(held, float)))
    assert figures.sizes["width"].mean == SIDE
    weight = next(each for each in figures.values if each.name == "weight")
    assert weight.moments is not None
    assert weight.moments.mean == pytest.approx(np.mean([each.values["weight"] for each in manifest.photos]))


def test_correlations_are_numpys_over_those_that_say_both(manifest, figures):
    names = manifest.attributes
    held = np.array([[each.attributes[name] for name in names] for each in manifest.photos], float)
    assert figures.correlations == pytest.approx(np.corrcoef(held.T), abs=1e-12)
    quiet = [
        replace(each, attributes={"Hat": True} if n < 20 else each.attributes) for n, each in enumerate(manifest.photos)
    ]
    assert correlations(quiet, names)[0, 1] == pytest.approx(np.corrcoef(held[20:, 0], held[20:, 1])[0, 1])
    always = [replace(each, attributes={**each.attributes, "Hat": True}) for each in manifest.photos]
    assert np.isnan(correlations(always, names)[0]).all()


def test_every_planted_copy_is_found_and_nothing_else(figures):
    planted = {(f"{number:02}.png", f"{80 + number}.{'jpg' if number < 5 else 'png'}") for number in range(10)}
    assert {tuple(group) for group in figures.near} == planted


def test_copies_of_which_something_else_is_said_are_named(manifest):
    first = manifest.photos[0]
    told = replace(first, file="80.jpg", attributes={**first.attributes, "Hat": not first.attributes["Hat"]})
    two = replace(manifest, photos=(first, told))
    assert measure_dataset(two).said_otherwise == (("00.png", "80.jpg"),)
    same = replace(manifest, photos=(first, replace(told, attributes=first.attributes)))
    assert measure_dataset(same).said_otherwise == ()
    assert measure_dataset(same).near_across_splits == 0
    apart = replace(manifest, photos=(first, replace(told, split="validation")))
    assert measure_dataset(apart).near_across_splits == 1


def test_dates_that_a_spreadsheet_made_of_ranges_are_named(manifest, figures):
    age = next(each for each in figures.values if each.name == "age")
    assert age.mangled == ("03-Sep", "Oct-19")
    real = [
        replace(each, values={"born": word}) for each, word in zip(manifest.photos, ["03-Sep", "Oct-19"], strict=False)
    ]
    (born,) = measure_dataset(replace(manifest, photos=tuple(real))).values
    assert born.mangled == (), "dates among dates are dates"


def test_drift_is_named_and_chance_is_not(figures):
    assert {(each.fact, each.split) for each in figures.drift} == {("Glasses", "test")}
    (drift,) = figures.drift
    assert drift.there == 1.0
    assert drift.errors > 4


def test_a_photo_that_is_gone_is_said(manifest, tmp_path):
    lost = measure_dataset(replace(manifest, root=tmp_path))
    assert len(lost.unread) == PHOTOS
    assert lost.near == ()


def test_numbers_near_each_other_have_moments_and_large_ones_no_error(manifest):
    values = 1e4 + np.random.default_rng(2).normal(0, 1e-4, 300)
    assert moments_of(values).skewness == pytest.approx(scipy.stats.skew(values), rel=1e-2)
    wild = [replace(each, values={"big": 1e59 if n % 2 else -1e59}) for n, each in enumerate(manifest.photos)]
    (big,) = measure_dataset(replace(manifest, photos=tuple(wild))).values
    assert big.moments is not None
    assert big.moments.high == 1e59


def test_a_turned_photo_is_seen_upright_and_16_bits_are_not_cut_off(tmp_path):
    step = np.arange(0, 65536, 65536 // 40, dtype=np.uint16)[:40]
    Image.fromarray(np.tile(step, (40, 1))).save(tmp_path / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    ramp = Image.fromarray((np.tile(step, (40, 1)) // 257).astype(np.uint8)).convert("RGB")
    ramp.save(tmp_path / "plain.png")
    ramp.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    figures = measure_dataset(make_manifest([tmp_path]).manifest)
    assert figures.near == (("deep.png", "plain.png", "turned.jpg"),)
    assert channel_moments(figures.pixels["all"])["red"].mean == pytest.approx(0.5, abs=0.03)


def test_a_column_does_not_take_the_place_of_what_is_measured(manifest):
    told = [replace(each, values={"width": 5.0 if each.split == "test" else 1.0}) for each in manifest.photos]
    assert "width" not in {each.fact for each in measure_dataset(replace(manifest, photos=tuple(told))).drift}
