"""Captions name what varies, call the person by one name, and say nothing that nobody said."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.core.training.captions import known_words, words_of, write_caption
from likeness_studio.core.training.data import load_manifest
from likeness_studio.runner.cli import main

FIELDS = {"framing": "head and shoulders", "pose": "facing the camera", "light": "light from the left"}


def test_a_sentence_and_tags():
    said = words_of({"Smiling": True, "Eyeglasses": True, "Gray_Hair": True, "Wearing_Hat": False})
    assert write_caption("ohwx man", FIELDS, said, "sentence") == (
        "Head and shoulders of ohwx man, smiling, with gray hair and glasses, facing the camera, light from the left."
    )
    assert write_caption("ohwx man", FIELDS, said, "tags") == (
        "photo, ohwx man, head and shoulders, smiling, gray hair, glasses, facing the camera, light from the left"
    )
    assert write_caption("a person", {}, {}, "sentence") == "Photo of a person."


def test_who_it_is_is_said_only_where_the_data_set_or_the_user_says_it():
    man, woman = (words_of({"Male": male}) for male in (True, False))
    assert write_caption("a person", {}, man, "sentence") == "Photo of a man."
    assert write_caption("a person", {}, woman, "sentence") == "Photo of a woman."
    assert write_caption("ohwx", {}, woman, "tags") == "photo, ohwx"


def test_what_was_judged_is_said_by_name_only_and_unknown_names_in_their_own_words():
    attributes = {"Attractive": True, "Big_Nose": True, "No_Beard": False, "Red_Scarf": True, "Bald": True}
    assert words_of(attributes) == {"hair": ["a beard"], "face": ["red scarf"], "look": ["bald"]}
    assert words_of(attributes, ["Big_Nose"]) == {"judged": ["a large nose"]}
    assert words_of(attributes, []) == {}


def test_every_attribute_of_celeba_has_words():
    assert len(known_words()) == 40
    assert all(words.says or words.otherwise for words in known_words().values())


def call(*words):
    return CliRunner().invoke(main, ["dataset", "caption", *map(str, words)])


@pytest.mark.models
def test_photos_are_measured_and_what_cannot_be_is_said(astronaut, photo_folder, tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(astronaut, folder / "me.jpg")
    shutil.copy(photo_folder / "coffee.png", folder / "more" / "cup.png")
    outcome = call(folder, "-o", tmp_path / "c.jsonl", "--subject", "ohwx woman", "--texts", tmp_path / "texts")
    assert outcome.exit_code == 0, outcome.output
    assert "Unseen    more/cup.png: " in outcome.output
    captions = {photo.file: str(photo.caption) for photo in load_manifest(tmp_path / "c.jsonl").photos}
    assert captions["more/cup.png"] == "Photo of ohwx woman."
    assert " of ohwx woman, " in captions["me.jpg"]
    assert "background" in captions["me.jpg"]
    assert (tmp_path / "texts" / "me.txt").read_text().strip() == captions["me.jpg"]
    assert (tmp_path / "texts" / "more" / "cup.txt").is_file()
    assert (tmp_path / "texts" / "me.txt").stat().st_mode & 0o077 == 0


def test_attributes_alone_need_no_network(photo_folder, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("file,Smiling,Eyeglasses\nchelsea.png,1,0\ncoffee.png,0,1\n")
    manifest = tmp_path / "m.jsonl"
    words = ["dataset", "make", str(table), "--photos", str(photo_folder), "-o", str(manifest)]
    assert CliRunner().invoke(main, words).exit_code == 0
    outcome = call(manifest, "-o", tmp_path / "c.jsonl", "--no-measured", "--attributes", "Smiling", "--json")
    assert json.loads(outcome.stdout.splitlines()[-1])["photos"] == 2
    assert [photo.caption for photo in load_manifest(tmp_path / "c.jsonl").photos] == [
        "Photo of a person, smiling.", "Photo of a person.",
    ]  # fmt: skip
    outcome = call(manifest, "-o", tmp_path / "d.jsonl", "--no-measured", "--attributes", "Hat")
    assert outcome.exit_code == 2
    assert "no attribute 'Hat'; it has: Eyeglasses, Smiling" in outcome.output
    assert call(manifest, "-o", manifest, "--no-measured").exit_code == 2
    assert call(manifest, "-o", tmp_path / "e.jsonl", "--no-measured", "--captioner", "blip").exit_code == 2


def test_texts_never_take_each_others_place(photo_folder, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(photo_folder / "coffee.png", folder / "a.png")
    shutil.copy(photo_folder / "chelsea.png", folder / "b.png")
    words = (folder, "--no-measured", "--texts", tmp_path / "texts")
    assert call(*words, "-o", tmp_path / "1.jsonl").exit_code == 0
    outcome = call(*words, "-o", tmp_path / "2.jsonl")
    assert outcome.exit_code == 2
    assert "a.txt for a.png is there already" in outcome.output
    assert not (tmp_path / "2.jsonl").exists()
    with Image.open(photo_folder / "rocket.png") as photo:
        photo.convert("RGB").save(folder / "a.jpg")
    assert call(folder, "--no-measured", "--texts", tmp_path / "new", "-o", tmp_path / "3.jsonl").exit_code == 2
