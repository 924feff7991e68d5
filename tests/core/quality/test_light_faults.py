"""Planted faults do what they say, and the recommended limits tell them from the photo that they were planted into."""

import dataclasses
import importlib.util
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import YuNetSFace
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.quality import Portrait, look_at, measure_light

pytestmark = pytest.mark.models

FOLDER = Path(__file__).parents[3] / "benchmarks" / "id_photo"
LIMITS = tomllib.loads((FOLDER / "photometric_limits.toml").read_text("utf-8"))

SHOWS = {
    "defocus": {"sharpness"},
    "motion": {"sharpness"},
    "under_exposure": {"under_exposure"},
    "over_exposure": {"over_exposure"},
    "side_light": {"illumination_uniformity"},
    "colour_cast": {"natural_colour"},
    "washed_out": {"dynamic_range"},
    "patterned_background": {"background_pattern", "background_uniformity"},
    "background_shadow": {"background_shadow"},
    "heavy_jpeg": {"compression"},
    "enlarged": {"sharpness", "resolution"},
}
"""By which measures a fault is found: one of them is enough."""


def _faults():
    spec = importlib.util.spec_from_file_location("photometric_faults", FOLDER / "faults" / "photometric.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


faults = _faults()


@pytest.fixture(scope="module")
def portrait(astronaut) -> Portrait:
    """The demo photo with a matte that is simple enough to be sure of: an oval on a block."""
    found = look_at(load_photo(astronaut)[0][0], YuNetSFace())
    height, width = found.photo.shape[:2]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    unit = found.mesh.eye_distance
    x, y = found.mesh.points[4, :2]
    head = torch.hypot((columns - x) / (1.6 * unit), (rows - y + 0.4 * unit) / (2.2 * unit)) < 1
    body = (rows > y + 1.6 * unit) & ((columns - x).abs() < 2.5 * unit)
    return dataclasses.replace(found, matte=(head | body).float())


@pytest.fixture(scope="module")
def plain(portrait) -> Portrait:
    """The same before a wall."""
    wall = faults.on_plain_wall(portrait.photo, portrait, np.random.default_rng(1))
    return dataclasses.replace(portrait, photo=wall)


def values(portrait: Portrait, photo: torch.Tensor) -> dict[str, float | None]:
    return {measure.name: measure.value for measure in measure_light(dataclasses.replace(portrait, photo=photo))}


def failed(found: dict[str, float | None], bound: int = 1) -> set[str]:
    """The measures that fail the recommended limits for certain; with `bound` 0, those that do not pass."""
    result = set()
    for name, limit in LIMITS.items():
        value = found[name]
        if value is None:
            continue
        low, high = limit.get("at_least"), limit.get("at_most")
        if (low and value < low[bound]) or (high and value > high[bound]):
            result.add(name)
    return result


def test_every_fault_is_listed():
    assert set(faults.FAULTS) == set(SHOWS)


def test_a_good_photo_before_a_wall_fails_nothing(plain):
    assert failed(values(plain, plain.photo)) <= {"inter_eye_distance", "resolution"}


@pytest.mark.parametrize("name", SHOWS)
def test_a_fault_is_found_by_its_own_measure(plain, name):
    """The demo photo has 42 pixels between the eyes: its face holds few blocks, and heavy JPEG is not certain."""
    bound = 0 if name == "heavy_jpeg" else 1
    for seed in range(3):
        broken = faults.FAULTS[name](plain.photo, plain, 1.0, np.random.default_rng(seed))
        assert broken.shape == plain.photo.shape
        assert torch.equal((broken * 255).round() / 255, broken)
        assert failed(values(plain, broken), bound) & SHOWS[name], seed


@pytest.mark.parametrize("name", sorted(SHOWS.keys() - {"patterned_background"}))
def test_without_strength_nothing_changes(plain, name):
    """A pattern without strength is a plain wall, which is a change too."""
    left = faults.FAULTS[name](plain.photo, plain, 0.0, np.random.default_rng(0))
    assert float((left - plain.photo).abs().max()) <= 1 / 255 + 1e-6


@pytest.mark.parametrize("name", SHOWS)
def test_the_same_numbers_plant_the_same_fault(plain, name):
    plant = faults.FAULTS[name]
    first, second = (plant(plain.photo, plain, 0.7, np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(first, second)
