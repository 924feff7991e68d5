"""The pictures of a batch in one folder, by their own names: nothing is replaced, nothing unconfirmed slips in."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio import collect_pictures, run_batch
from likeness_studio.runner.batch.deliver import NamePattern
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import LedgerMissing, Misuse


@pytest.fixture
def team(tmp_path, photos):
    """Photos whose names are no names of folders, and one that is damaged."""
    (photos / "a.jpg").rename(photos / "Zoë Müller (2).jpg")
    (photos / "torn.jpg").write_bytes(b"no picture")
    return photos


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{name}", "Zoë.png"),
        ("{name}.JPG", "Zoë.jpg"),
        ("team-{number}.webp", "team-007.webp"),
        ("v1.5 {name}", "v1.5 Zoë.png"),
        ("{{{name}}}", "{Zoë}.png"),
    ],
)
def test_a_pattern_gives_names(pattern, name):
    assert NamePattern(pattern).fill("Zoë", 7, 120, ".png") == name


@pytest.mark.parametrize(
    "pattern", ["{nam}", "{name", "{0}", "{name!r}", "{number:3}", "a/{name}", "..", "", "{name}.exe"]
)
def test_a_pattern_that_cannot_be_is_refused_before_anything_runs(pattern, mirror, photos, tmp_path):
    with pytest.raises(Misuse, match="--name"):
        NamePattern(pattern)
    words = ["batch", str(mirror), "-i", str(photos), "-o", str(tmp_path / "out"), "--name", pattern]
    assert CliRunner().invoke(main, words).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_long_name_still_fits():
    assert len(NamePattern().fill("ö" * 200, 1, 1, ".png").encode()) < 255


def test_pictures_lie_together_under_the_names_of_their_photos(mirror, team, tmp_path):
    out = tmp_path / "out"
    run_batch(mirror, team, out)
    found = collect_pictures(out)
    assert {path.name for path in (out / "pictures").iterdir()} == {"Zoë Müller (2).png", "b.png", "c.png"}
    assert (found.new, [each.name for each in found.left_out]) == (3, ["torn"])
    assert "cannot be decoded" in found.left_out[0].reason
    assert all(path.stat().st_mode & 0o077 == 0 for path in found.files)
    again = collect_pictures(out)
    assert (again.new, again.files) == (0, found.files), "what is there already is not copied again"
    (out / "pictures" / "b.png").write_bytes(b"retouched by hand")
    third = collect_pictures(out)
    assert (out / "pictures" / "b.png").read_bytes() == b"retouched by hand"
    assert third.pictures["b"] == [out / "pictures" / "b_2.png"]
    with Ledger.read(out) as ledger:
        done = [row.result or {} for row in ledger.rows(state="done")]
    assert all((out / name["file"]).is_file() for result in done for name in result["outputs"])


def test_two_pictures_that_are_the_same_are_two_files(mirror, photos, tmp_path):
    run_batch(mirror, photos, tmp_path / "out")
    found = collect_pictures(tmp_path / "out", tmp_path / "all", name="portrait")
    assert sorted(path.name for path in found.files) == ["portrait.png", "portrait_2.png", "portrait_3.png"]


def test_the_command_makes_jpegs_and_a_zip(mirror, team, tmp_path):
    out = tmp_path / "out"
    words = ["batch", str(mirror), "-i", str(team), "-o", str(out), "--name", "{number} {name}.jpg", "--zip", "--json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1, "one photo is damaged"
    last = json.loads(done.stdout.splitlines()[-1])["collected"]
    with zipfile.ZipFile(out / "pictures.zip") as packed:
        assert sorted(packed.namelist()) == ["1 b.jpg", "2 c.jpg", "4 Zoë Müller (2).jpg"]
    assert last["left_out"].keys() == {"torn"}
    with Image.open(out / "pictures" / "1 b.jpg") as picture:
        assert picture.format == "JPEG"
    shown = CliRunner().invoke(main, ["collect", str(out), "-o", str(tmp_path / "all")])
    assert shown.exit_code == 0
    assert "3 pictures" in shown.output
    assert "Left out  torn" in shown.output


def test_what_is_not_confirmed_is_left_out_and_named(mirror, photos, tmp_path):
    out = tmp_path / "out"
    run_batch(mirror, photos, out)
    with closing(sqlite3.connect(out / "ledger.sqlite")) as write, write:
        write.execute("UPDATE jobs SET verdict = 'not_confirmed' WHERE name = 'b'")
    found = collect_pictures(out)
    assert "b" not in found.pictures
    assert [each.name for each in found.left_out] == ["b"]
    assert "b" in collect_pictures(out, tmp_path / "every", unconfirmed=True).pictures


def test_a_folder_that_is_no_batch_is_told(tmp_path):
    with pytest.raises(LedgerMissing):
        collect_pictures(tmp_path)
