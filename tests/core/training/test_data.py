"""Data sets: what is made of folders and tables, how splits are drawn, and what a manifest holds."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from likeness_studio.core.errors import DatasetUnreadable, ManifestInvalid, PhotoMissing, PhotoUnreadable
from likeness_studio.core.training import data, read_table
from likeness_studio.core.training.data import Manifest, Photo, load_manifest, save_manifest, split_photos
from likeness_studio.core.training.data_sources import make_manifest


def draw(path, seed=0, size=(12, 10), **save):
    """A photo of noise; the seed says which."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, **save)
    return path


@pytest.fixture
def classes(tmp_path):
    """Six photos in class folders below two splits."""
    for number, place in enumerate(
        f"{split}/{label}/{n}.png" for split in ("train", "test") for label in ("cat", "dog") for n in range(2)
    ):
        draw(tmp_path / "pets" / place, number)
    return tmp_path / "pets"


def made(*sources, **options):
    return make_manifest(sources, **options)


def test_class_folders_give_labels_and_splits(classes):
    found = made(classes)
    assert not found.drawn
    assert found.manifest.labels == ("cat", "dog")
    assert {(photo.file, photo.label, photo.split) for photo in found.manifest.photos} == {
        (f"{split}/{label}/{n}.png", label, split)
        for split in ("train", "test")
        for label in ("cat", "dog")
        for n in range(2)
    }
    photo = found.manifest.photos[0]
    path = found.manifest.path(photo)
    assert (photo.width, photo.height, photo.size) == (12, 10, path.stat().st_size)
    assert photo.sha256 == data.file_sha256(path)


def test_a_turned_photo_has_its_upright_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(tmp_path / "p.jpg", exif=exif)
    (photo,) = made(tmp_path).manifest.photos
    assert (photo.width, photo.height) == (10, 12)


def test_folders_of_persons_stay_together(tmp_path):
    for person in range(40):
        for number in range(3):
            draw(tmp_path / f"{person}" / f"{number}.png", 3 * person + number)
    found = made(tmp_path, kind="persons")
    assert found.drawn
    assert data.persons_across_splits(found.manifest) == {}
    shares = [len(found.manifest.of(split)) / 120 for split in data.SPLITS]
    assert shares[0] > 0.6
    assert min(shares[1:]) > 0


def photo(number, person=None, content=None):
    return Photo(f"{number}.jpg", content or f"{number:064x}", 1, 1, 1, person=person)


def test_splits_are_drawn_by_person_else_by_content_and_stay_when_photos_come():
    few = [photo(n, f"p{n % 50}") for n in range(300)] + [photo(n) for n in range(300, 600)]
    more = few + [photo(n) for n in range(600, 900)]
    first = {each.file: each.split for each in split_photos(few)}
    again = {each.file: each.split for each in split_photos(reversed(more))}
    assert first.items() <= again.items()
    counts = [list(again.values()).count(split) for split in data.SPLITS]
    assert 600 < counts[0] < 800
    assert min(counts[1:]) > 40


def test_copies_and_persons_that_share_a_file_are_in_one_split():
    for number in range(200):
        chain = [
            photo(1, f"a{number}", f"x{number}"), photo(2, f"b{number}", f"x{number}"),
            photo(3, f"b{number}", f"y{number}"), photo(4, None, f"y{number}"),
        ]  # fmt: skip
        assert len({each.split for each in split_photos(chain)}) == 1


CSV = "image_id,age,gender,Smiling,Hat\na.png,30,Female,1,-1\nb.png,1,Male,0,\nc.png,50-59,Male,-1,1\n"


@pytest.fixture
def table(tmp_path):
    for number, name in enumerate("abc"):
        draw(tmp_path / "photos" / f"{name}.png", number)
    file = tmp_path / "labels.csv"
    file.write_text(CSV)
    return file


def test_a_column_is_an_attribute_only_where_all_its_cells_say_yes_or_no(table):
    photos = made(table, photos=table.parent / "photos").manifest.photos
    assert [each.attributes for each in photos] == [
        {"Smiling": True, "Hat": False},
        {"Smiling": False},
        {"Smiling": False, "Hat": True},
    ]
    assert [each.values for each in photos] == [
        {"age": 30.0, "gender": "Female"}, {"age": 1.0, "gender": "Male"}, {"age": "50-59", "gender": "Male"},
    ]  # fmt: skip


def test_json_lines_and_a_zipped_table_say_the_same(table):
    photos = made(table, photos=table.parent / "photos").manifest
    lines = table.with_suffix(".jsonl")
    rows = [
        {"file": "a.png", "age": 30, "gender": "Female", "attributes": {"Smiling": True, "Hat": False}},
        {"file": "b.png", "age": 1, "gender": "Male", "Smiling": False},
        {"file": "c.png", "age": "50-59", "gender": "Male", "Smiling": 0, "Hat": 1},
    ]
    lines.write_text("\n".join(map(json.dumps, rows)))
    packed = table.with_suffix(".csv.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("labels.csv", CSV)
    for file in (lines, packed):
        assert made(file, photos=table.parent / "photos").manifest.version == photos.version


CELEBA = "3\nSmiling Male\na.png  1 -1\nb.png -1  1\nc.png  1  1\n"


def test_celebas_own_files(table):
    folder = table.parent
    (folder / "list_attr_celeba.txt").write_text(CELEBA)
    (folder / "identity_CelebA.txt").write_text("a.png 7\nb.png 8\nc.png 7\n")
    (folder / "headed.txt").write_text("image identity\na.png 7\nb.png 8\nc.png 7\n")
    (folder / "list_eval_partition.txt").write_text("a.png 0\nb.png 1\nc.png 2\n")
    source = folder / "list_attr_celeba.txt"
    for people in ("identity_CelebA.txt", "headed.txt"):
        found = made(
            source, photos=folder / "photos", identities=folder / people, partition=folder / "list_eval_partition.txt"
        )
        assert not found.drawn
        assert [(each.person, each.split, dict(each.attributes)) for each in found.manifest.photos] == [
            ("7", "train", {"Smiling": True, "Male": False}), ("8", "validation", {"Smiling": False, "Male": True}),
            ("7", "test", {"Smiling": True, "Male": True}),
        ]  # fmt: skip
        assert list(data.persons_across_splits(found.manifest)) == ["7"]


def test_two_tables_with_their_folders_are_two_splits(tmp_path):
    for number, place in enumerate(("train/1.png", "val/1.png")):
        draw(tmp_path / place, number)
    for name in ("train", "val"):
        (tmp_path / f"{name}.csv").write_text(f"file,label\n{name}/1.png,x\n")
    found = made(tmp_path / "train.csv", tmp_path / "val.csv")
    assert [each.split for each in found.manifest.photos] == ["train", "validation"]


def test_what_cannot_be_read_or_is_not_there_is_said(table):
    folder = table.parent / "photos"
    (folder / "b.png").write_bytes(b"no picture")
    (folder / "c.png").unlink()
    found = made(table, photos=folder)
    assert (len(found.manifest.photos), found.absent) == (1, 1)
    assert len(found.refused) == 1
    assert "b.png" in found.refused[0]


WRONG = {
    "no photo column": ("label\nx\n", "names no photo"),
    "another length": ("file,label\na.png,x,y\n", "3 cells in line 2, and 2 columns"),
    "no such photos": ("file\nz.png\n", "no photo can be used"),
    "a split of no name": ("file,split\na.png,tomorrow\n", "'tomorrow'"),
    "columns of one name": ("file,x,x\na.png,1,2\n", "several columns called 'x'"),
    "too many columns": (
        "file," + ",".join(f"c{n}" for n in range(1001)) + "\na.png" + ",1" * 1001 + "\n",
        "1,001 attributes",
    ),
    "twice": ("file\na.png\na.png\n", "two rows"),
    "nothing": ("", "no photo can be used"),
    "a cell without end": ("file\n" + "a" * 200_000 + "\n", "no table in line"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_table_is_said(table, text, said):
    table.write_text(text)
    with pytest.raises(DatasetUnreadable, match=said):
        made(table, photos=table.parent / "photos")


def test_a_folder_of_texts_a_file_of_no_kind_and_a_wrong_zip_are_said(tmp_path):
    (tmp_path / "a.txt").write_text("no photo")
    with pytest.raises(DatasetUnreadable, match="no photo can be used"):
        made(tmp_path)
    (tmp_path / "a.parquet").write_text("")
    with pytest.raises(DatasetUnreadable, match="neither a folder nor a table"):
        made(tmp_path / "a.parquet")
    (tmp_path / "a.zip").write_bytes(b"PK no")
    with pytest.raises(DatasetUnreadable, match="cannot be read as a table"):
        made(tmp_path / "a.zip")


def test_a_table_that_unpacks_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(read_table, "MAX_TABLE", 1000)
    file = tmp_path / "a.csv.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "file\n" + "a.png\n" * 1000)
    with pytest.raises(DatasetUnreadable, match="give a smaller table"):
        made(file)


@pytest.fixture
def manifest(tmp_path):
    said = {"person": "p", "label": "cat", "caption": "a \u2028 cat", "licence": "CC0"}
    facts = {"attributes": {"Hat": True}, "values": {"age": 3.0, "race": "x"}, "quality": {"sharp": 0.5}}
    photos = (
        Photo("a.jpg", "0" * 64, 5, 10, 12, "test", face=(1, 2, 3.5, 4), **said, **facts),
        Photo("b/\u00e9.jpg", "1" * 64, 5, 10, 12),
    )
    return Manifest("pets", tmp_path, photos, "CC0", "folder")


def test_a_manifest_is_read_as_it_was_written(manifest, tmp_path):
    file = save_manifest(manifest, tmp_path / "m.jsonl")
    assert load_manifest(file) == manifest
    assert load_manifest(file, tmp_path / "elsewhere").version == manifest.version
    assert save_manifest(manifest, file) != file, "no file is replaced"


HURT = {
    "another label": lambda text: text.replace('"cat"', '"dog"'),
    "no head": lambda text: text.split("\n", 1)[1],
    "out of the folder": lambda text: text.replace('"b/', '"../'),
    "absolute": lambda text: text.replace('"b/', '"/'),
    "a split of no name": lambda text: text.replace('"test"', '"tomorrow"'),
    "a nested value": lambda text: text.replace('"race": "x"', '"race": ["x"]'),
    "a size that is none": lambda text: text.replace('"size": 5', '"size": "5"'),
    "a person that is none": lambda text: text.replace('"person": "p"', '"person": 3'),
    "a box of two": lambda text: text.replace("[1, 2, 3.5, 4]", "[1, 2]"),
    "a box without an area": lambda text: text.replace("[1, 2, 3.5, 4]", "[1, 2, 0, 4]"),
    "a box far outside": lambda text: text.replace("[1, 2, 3.5, 4]", "[1, 2, 3.5, 1e9]"),
    "a box that is no number": lambda text: text.replace("[1, 2, 3.5, 4]", "[NaN, 2, 3.5, 4]"),
    "a number that is none": lambda text: text.replace('"age": 3.0', '"age": NaN'),
    "a number without end": lambda text: text.replace('"age": 3.0', '"age": ' + "9" * 4000),
    "a photo twice": lambda text: text + text.rsplit("\n", 2)[1] + "\n",
    "a photo without a name": lambda text: text.replace('"a.jpg"', '""'),
    "a licence that is none": lambda text: text.replace('"licence": "CC0"', '"licence": ["CC0"]', 1),
    "an unknown key": lambda text: text.replace('"label"', '"etikett"'),
    "deep": lambda text: text.replace('{"Hat": true}', "[" * 100_000),
    "cut off": lambda text: text[:-30],
    "a line is missing": lambda text: text.rsplit("\n", 2)[0],
    "no text": lambda text: text.encode("utf-16").decode("latin-1"),
}


@pytest.mark.parametrize("hurt", HURT.values(), ids=HURT)
def test_a_manifest_that_was_hurt_is_refused(manifest, tmp_path, hurt):
    file = save_manifest(manifest, tmp_path / "m.jsonl")
    file.write_text(hurt(file.read_text("utf-8")), "utf-8")
    with pytest.raises(ManifestInvalid):
        load_manifest(file)


def test_entries_and_lines_of_a_manifest_are_bounded(manifest, tmp_path, monkeypatch):
    file = save_manifest(manifest, tmp_path / "m.jsonl")
    monkeypatch.setattr(data, "MAX_PHOTOS", 1)
    with pytest.raises(ManifestInvalid, match="more than 1 photos"):
        load_manifest(file)
    monkeypatch.setattr(data, "MAX_LINE", 30)
    with pytest.raises(ManifestInvalid, match="30 bytes"):
        load_manifest(file)


def test_changed_and_lost_photos_are_not_taken_for_those_of_the_manifest(classes):
    manifest = made(classes).manifest
    first, second, third = manifest.photos[:3]
    manifest.path(first).unlink()
    draw(manifest.path(second), 99)
    assert manifest.unchanged_path(third) == manifest.path(third)
    with pytest.raises(PhotoMissing):
        manifest.unchanged_path(first)
    with pytest.raises(PhotoUnreadable, match="was changed"):
        manifest.unchanged_path(second)


ODD_ROWS = {
    "no finite number": ('{"file": "a.png", "score": 1e999, "other": NaN}', "values", {"score": "inf", "other": "nan"}),
    "a line separator": ('{"file": "a.png", "caption": "a\u2028b"}', "caption", "a\u2028b"),
}


@pytest.mark.parametrize(("line", "key", "said"), ODD_ROWS.values(), ids=ODD_ROWS)
def test_odd_cells_are_kept_as_words(table, line, key, said):
    file = table.with_suffix(".jsonl")
    file.write_text(line + "\n", "utf-8")
    (photo,) = made(file, photos=table.parent / "photos").manifest.photos
    assert getattr(photo, key) == said


def test_a_row_whose_photo_is_a_dot_is_absent(table):
    table.write_text("file\n.\na.png\n")
    assert made(table, photos=table.parent / "photos").absent == 1


def test_a_photo_of_another_split_never_stands_in(table):
    draw(table.parent / "photos" / "val" / "1.png")
    table.write_text("file,label\ntrain/1.png,x\na.png,y\n")
    found = made(table, photos=table.parent / "photos")
    assert ([each.file for each in found.manifest.photos], found.absent) == (["a.png"], 1)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_tables_of_other_separators_and_an_index_without_a_name(table, separator):
    before = made(table, photos=table.parent / "photos").manifest.version
    lines = CSV.replace(",", separator).splitlines()
    table.write_text("\n".join(f"{n or ''}{separator}{line}" for n, line in enumerate(lines)))
    assert made(table, photos=table.parent / "photos").manifest.version == before


def test_another_encoding_is_named(table):
    table.write_bytes(CSV.replace("Female", "Zo\u00eb").encode("latin-1"))
    with pytest.raises(DatasetUnreadable, match="not in UTF-8"):
        made(table, photos=table.parent / "photos")


def test_hidden_files_are_not_the_users_and_a_backslash_is_said(tmp_path):
    for number, place in enumerate((".thumbs/a.png", "__MACOSX/b.png", "._c.png", "d.png")):
        draw(tmp_path / place, number)
    draw(tmp_path / "e\\f.png", 9)
    found = made(tmp_path)
    assert [each.file for each in found.manifest.photos] == ["d.png"]
    assert len(found.refused) == 1
    assert "backslash" in found.refused[0]


def test_folders_of_splits_are_no_classes_and_digits_are_no_splits(tmp_path):
    for number, place in enumerate(("train/1.png", "val/2.png", "test/cat/3.png")):
        draw(tmp_path / "a" / place, number)
    found = {each.file: (each.label, each.split) for each in made(tmp_path / "a").manifest.photos}
    assert found == {
        "train/1.png": (None, "train"),
        "val/2.png": (None, "validation"),
        "test/cat/3.png": ("cat", "test"),
    }
    for number, place in enumerate(("0/x/1.png", "1/x/2.png")):
        draw(tmp_path / "b" / place, number)
    assert made(tmp_path / "b").drawn


def test_two_photos_of_one_name_are_told_apart_or_the_table_is_refused(tmp_path):
    for number, place in enumerate(("cat/1.png", "dog/1.png")):
        draw(tmp_path / "in" / place, number)
    people = tmp_path / "people.csv"
    people.write_text("file,person\n1.png,x\n")
    with pytest.raises(DatasetUnreadable, match="2 photos are called so"):
        made(tmp_path / "in", identities=people)
    people.write_text("file,person\ncat/1.png,x\ndog/1.png,y\n")
    assert [each.person for each in made(tmp_path / "in", identities=people).manifest.photos] == ["x", "y"]
    people.write_text("file,age\ncat/1.png,3\n")
    with pytest.raises(DatasetUnreadable, match="no column 'person'"):
        made(tmp_path / "in", identities=people)
