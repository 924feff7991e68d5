"""Photos that are of no use to train on are named with why; what is kept has its face, and nothing is changed."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner
from PIL import Image, ImageFilter

from likeness_studio.core.files import file_sha256
from likeness_studio.core.training.data import load_manifest
from likeness_studio.runner.cli import main

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def folder(portraits, tmp_path_factory):
    """Three photos of one person, one of another, and seven that are spoiled."""
    folder = tmp_path_factory.mktemp("mixed") / "photos"
    folder.mkdir()
    for name in ("obama", "obama2", "obama3", "biden"):
        shutil.copy(portraits / f"{name}.jpg", folder / f"{name}.jpg")
    with Image.open(portraits / "obama.jpg") as opened:
        photo = opened.convert("RGB")
    with Image.open(portraits / "biden.jpg") as opened:
        other = opened.convert("RGB").resize(photo.size)
    photo.resize((photo.width // 2, photo.height // 2)).save(folder / "smaller.jpg", quality=70)
    photo.rotate(2).filter(ImageFilter.GaussianBlur(photo.width / 120)).save(folder / "blurred.jpg", quality=95)
    photo.rotate(-2).point([level // 9 for level in range(256)] * 3).save(folder / "dark.jpg")
    photo.rotate(4).resize((60, 80)).save(folder / "tiny.jpg")
    photo.crop((0, 0, photo.width // 5, photo.height // 5)).save(folder / "wall.jpg")
    two = Image.new("RGB", (2 * photo.width, photo.height))
    two.paste(photo, (0, 0))
    two.paste(other, (photo.width, 0))
    two.save(folder / "two.jpg")
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def call(*words):
    return CliRunner().invoke(main, ["dataset", "check", *map(str, words)])


@pytest.fixture(scope="module")
def screened(folder, tmp_path_factory):
    """What the command leaves, and what it says, with the photos' hashes before."""
    before = {path.name: file_sha256(path) for path in folder.iterdir()}
    out = tmp_path_factory.mktemp("screened") / "out"
    outcome = call(folder, "-o", out, "--one-person")
    return outcome, out, before


def test_each_spoiled_photo_is_named_with_what_is_wrong(screened):
    outcome, out, _ = screened
    assert outcome.exit_code == 3, outcome.output
    found = {row["file"]: row for row in json.loads((out / "screening.json").read_text())["photos"]}
    problems = {name: set(row["problems"]) for name, row in found.items()}
    assert problems["biden.jpg"] == {"disagrees"}
    assert problems["smaller.jpg"] == {"copy"}
    assert found["smaller.jpg"]["copy_of"] == "obama.jpg"
    assert "sharpness" in problems["blurred.jpg"]
    assert problems["dark.jpg"]
    assert problems["tiny.jpg"] == {"face_too_small"}
    assert problems["wall.jpg"] == {"no_face"}
    assert problems["two.jpg"] == {"several_faces"}
    assert {name for name, each in problems.items() if not each} == {"obama.jpg", "obama2.jpg", "obama3.jpg"}
    for word in ("another person", "the same picture as another", "no face", "several faces", "not sharp enough"):
        assert word in outcome.output


def test_what_is_kept_is_a_manifest_with_faces_and_nothing_was_changed(screened, folder):
    _, out, before = screened
    kept = load_manifest(out / "kept.jsonl")
    assert [photo.file for photo in kept.photos] == ["obama.jpg", "obama2.jpg", "obama3.jpg"]
    for photo in kept.photos:
        assert photo.face is not None
        left, top, width, height = photo.face
        assert 0 < left < left + width < photo.width
        assert 0 < top < top + height < photo.height
    assert {path.name: file_sha256(path) for path in folder.iterdir()} == before
    assert {path.stat().st_mode & 0o077 for path in (out, *out.iterdir())} == {0}


def test_of_named_persons_each_is_compared_with_their_own(portraits, tmp_path):
    for person, names in {"a": ("obama", "obama2", "obama3"), "b": ("biden",)}.items():
        (tmp_path / "people" / person).mkdir(parents=True)
        for name in names:
            shutil.copy(portraits / f"{name}.jpg", tmp_path / "people" / person)
    manifest = tmp_path / "people.jsonl"
    made = CliRunner().invoke(
        main, ["dataset", "make", str(tmp_path / "people"), "--kind", "persons", "-o", str(manifest)]
    )
    assert made.exit_code == 0, made.output
    outcome = call(manifest, "-o", tmp_path / "all", "--json")
    assert outcome.exit_code == 0, outcome.output
    result = json.loads(outcome.stdout.splitlines()[-1])
    assert (result["photos"], result["refused"], result["problems"]) == (4, 0, {})
    shutil.move(tmp_path / "people" / "b" / "biden.jpg", tmp_path / "people" / "a" / "stranger.jpg")
    again = tmp_path / "again.jsonl"
    CliRunner().invoke(main, ["dataset", "make", str(tmp_path / "people"), "--kind", "persons", "-o", str(again)])
    outcome = call(again, "-o", tmp_path / "mixed", "--json")
    assert json.loads(outcome.stdout.splitlines()[-1])["problems"] == {"disagrees": 1}


def test_a_photo_of_several_people_is_kept_where_that_is_asked_for(folder, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(folder / "two.jpg", tmp_path / "in")
    assert call(tmp_path / "in", "-o", tmp_path / "no").exit_code == 3
    assert call(tmp_path / "in", "-o", tmp_path / "yes", "--several", "largest").exit_code == 0


def test_a_folder_without_photos_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = call(tmp_path / "empty", "-o", tmp_path / "out")
    assert outcome.exit_code == 1
    assert "dataset_unreadable" in outcome.output
