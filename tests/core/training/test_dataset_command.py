"""`likeness dataset make`: the manifest it writes, what it says, wrong usage, and Ctrl-C."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from likeness_studio.core.errors import Interrupted
from likeness_studio.core.training.data import load_manifest
from likeness_studio.runner.api.dataset_photos import caption_dataset, screen_dataset
from likeness_studio.runner.api.datasets import make_dataset, report_dataset
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import OutputUnwritable


def call(*words):
    return CliRunner().invoke(main, ["dataset", "make", *map(str, words)])


def test_it_writes_a_manifest_for_its_owner_only(photo_folder, tmp_path):
    file = tmp_path / "things.jsonl"
    outcome = call(photo_folder, "-o", file, "--licence", "CC0", "--name", "things")
    assert outcome.exit_code == 0, outcome.output
    manifest = load_manifest(file)
    assert (manifest.name, manifest.licence, len(manifest.photos)) == ("things", "CC0", 4)
    assert manifest.root == photo_folder
    assert manifest.version[:16] in outcome.output
    assert "Photos    4: " in outcome.output
    assert file.stat().st_mode & 0o077 == 0


def test_programs_get_json_and_what_was_left_out_is_said(photo_folder, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("file,split,Cat\nchelsea.png,train,1\ncoffee.png,test,0\nmoon.png,test,0\n")
    outcome = call(table, "--photos", photo_folder, "-o", tmp_path / "m.jsonl", "--json")
    result = json.loads(outcome.stdout.splitlines()[-1])
    assert result["event"] == "result"
    assert (result["photos"], result["splits"], result["attributes"]) == (2, {"train": 1, "test": 1}, ["Cat"])
    assert (result["absent"], result["splits_drawn"], result["refused"]) == (1, False, [])


def test_a_file_in_two_splits_is_said(photo_folder, tmp_path):
    for split in ("train", "test"):
        (tmp_path / "set" / split / "cat").mkdir(parents=True)
        (tmp_path / "set" / split / "cat" / "1.png").write_bytes((photo_folder / "chelsea.png").read_bytes())
    outcome = call(tmp_path / "set", "-o", tmp_path / "m.jsonl")
    assert "1 files are in more than one split, such as test/cat/1.png and train/cat/1.png." in outcome.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "m.csv"], "must end in .jsonl"),
        (["-o", "there.jsonl"], "exists"),
        (["-o", "m.jsonl", "--validation", "0.6", "--test", "0.5"], "nothing to train on"),
    ],
)
def test_wrong_usage(photo_folder, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.jsonl").write_text("")
    outcome = call(photo_folder, *words)
    assert outcome.exit_code == 2, outcome.output
    assert said in outcome.output


def test_where_nothing_can_be_written_it_is_said_before_a_photo_is_read(photo_folder, things, tmp_path):
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "out"
    for work in (
        lambda told: make_dataset([photo_folder], inside / "m.jsonl", on_photo=told),
        lambda told: report_dataset(things, inside, on_photo=told),
        lambda told: screen_dataset(things, inside, on_photo=told),
        lambda told: caption_dataset(things, inside / "c.jsonl", measured=False, on_photo=told),
    ):
        with pytest.raises(OutputUnwritable):
            work(lambda *_: pytest.fail("a photo was read"))
    outcome = call(photo_folder, "-o", inside / "m.jsonl")
    assert outcome.exit_code == 1
    assert "output_unwritable" in outcome.output


def test_stopped_it_writes_nothing(photo_folder, tmp_path):
    seen = []
    with pytest.raises(Interrupted):
        make_dataset(
            [photo_folder],
            tmp_path / "m.jsonl",
            on_photo=lambda done, total: seen.append((done, total)),
            stopped=lambda: len(seen) > 2,
        )
    assert seen == [(0, 4), (1, 4), (2, 4)]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def things(photo_folder, tmp_path):
    file = tmp_path / "things.jsonl"
    assert call(photo_folder, "-o", file).exit_code == 0
    return file


def report(*words):
    return CliRunner().invoke(main, ["dataset", "report", *map(str, words)])


def test_the_report_is_a_page_and_the_same_figures_as_json(things, tmp_path):
    folder = tmp_path / "report"
    outcome = report(things, "-o", folder)
    assert outcome.exit_code == 0, outcome.output
    figures = json.loads((folder / "dataset_report.json").read_text("utf-8"))
    page = (folder / "dataset_report.html").read_text("utf-8")
    assert figures["version"] == load_manifest(things).version
    assert figures["version"][:16] in page
    assert figures["photos"] == 4
    assert f"{figures['channels']['all']['red']['mean']:.3f}" in page
    assert all(finding in outcome.output for finding in figures["findings"])
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}
    assert report(things, "-o", folder).exit_code == 0
    assert len(list(folder.iterdir())) == 4, "no report takes another's place"


def test_names_and_words_of_a_data_set_are_text_on_its_page(photo_folder, tmp_path):
    table = tmp_path / "t.csv"
    evil = "<script>alert(1)</script>"
    table.write_text(f'file,label,{evil},age\nchelsea.png,{evil},1,{evil}\ncoffee.png,"=1+1",0,x\n')
    assert call(table, "--photos", photo_folder, "-o", tmp_path / "m.jsonl", "--name", evil).exit_code == 0
    assert report(tmp_path / "m.jsonl", "-o", tmp_path / "r").exit_code == 0
    page = (tmp_path / "r" / "dataset_report.html").read_text("utf-8")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 3


def test_a_manifest_that_is_none_and_one_of_moved_photos(things, photo_folder, tmp_path):
    (tmp_path / "none.jsonl").write_text("{}")
    outcome = report(tmp_path / "none.jsonl", "-o", tmp_path / "r")
    assert outcome.exit_code == 1
    assert "manifest_invalid" in outcome.output
    things.write_text(things.read_text().replace(str(photo_folder), "/nowhere"))
    outcome = report(things, "-o", tmp_path / "gone")
    assert "4 photos are cannot" not in outcome.output
    assert "There is no photo at /nowhere" in outcome.output
    assert json.loads((tmp_path / "gone" / "dataset_report.json").read_text())["unread"]
    outcome = report(things, "-o", tmp_path / "found", "--root", photo_folder)
    assert json.loads((tmp_path / "found" / "dataset_report.json").read_text())["unread"] == []


def test_a_report_that_is_stopped_writes_nothing(things, tmp_path):
    with pytest.raises(Interrupted):
        report_dataset(things, tmp_path / "r", stopped=lambda: True)
    assert list((tmp_path / "r").iterdir()) == []


def test_half_a_character_in_a_table_does_not_stop_the_report(photo_folder, tmp_path):
    table = tmp_path / "t.jsonl"
    table.write_text('{"file": "chelsea.png", "label": "\\ud800"}\n')
    assert call(table, "--photos", photo_folder, "-o", tmp_path / "m.jsonl", "--name", "\udcff").exit_code == 0
    assert report(tmp_path / "m.jsonl", "-o", tmp_path / "r").exit_code == 0
    assert json.loads((tmp_path / "r" / "dataset_report.json").read_text("utf-8"))["labels"].keys() == {"\ud800"}


def test_a_photo_that_was_changed_is_not_measured(photo_folder, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("coffee", "chelsea"):
        (folder / f"{name}.png").write_bytes((photo_folder / f"{name}.png").read_bytes())
    assert call(folder, "-o", tmp_path / "m.jsonl").exit_code == 0
    (folder / "coffee.png").write_bytes((photo_folder / "rocket.png").read_bytes())
    outcome = report(tmp_path / "m.jsonl", "-o", tmp_path / "r")
    assert "coffee.png was changed since the manifest was made" in outcome.output


def test_a_thousand_classes_make_no_endless_page(photo_folder, tmp_path):
    table = tmp_path / "t.csv"
    folder = tmp_path / "photos"
    folder.mkdir()
    data = (photo_folder / "chelsea.png").read_bytes()
    for number in range(150):
        (folder / f"{number}.png").write_bytes(data)
    table.write_text("file,label\n" + "".join(f"{n}.png,class {n:03}\n" for n in range(150)))
    assert call(table, "--photos", folder, "-o", tmp_path / "m.jsonl").exit_code == 0
    assert report(tmp_path / "m.jsonl", "-o", tmp_path / "r").exit_code == 0
    page = (tmp_path / "r" / "dataset_report.html").read_text("utf-8")
    assert "class 149" in page
    assert page.count("<img") < 60 + 30
