"""Refusals name files, and not numbers: in reports, on the terminal, on the page and in errors."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio import run
from likeness_studio.core.errors import EnrollmentRefused
from likeness_studio.core.identity import load_identity
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import NodeFailed, ServerExecutionError
from likeness_studio.runner.workflow import Workflow
from likeness_studio.runner.workflow.input_files import InputPhoto
from likeness_studio.runner.workflow.reference_names import name_in_error, reference_names

pytestmark = pytest.mark.models


@pytest.fixture
def desk(tmp_path, portraits, monkeypatch):
    """Photos of a person whose names sort otherwise than those that the run gives them, and bad ones among them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(portraits / "obama.jpg", folder / "Zoë 1.jpg")
    shutil.copy(portraits / "obama2.jpg", folder / "älter.jpg")
    shutil.copy(portraits / "obama3.jpg", folder / "neu.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wall(path):
    Image.effect_noise((400, 300), 40).convert("RGB").save(path)


def test_a_damaged_photo_among_several_is_left_out_and_named(desk):
    (desk / "photos" / "Brücke.jpg").write_bytes((desk / "photos" / "neu.jpg").read_bytes()[:9_000])
    done = CliRunner().invoke(main, ["run", "enroll_identity", "-i", "photos", "-o", "out"])
    assert done.exit_code == 0, done.output
    assert "Left out Brücke.jpg cannot be decoded" in done.output
    finished = run("enroll_identity", ["photos"], "again")
    (enrolled,) = finished.report.enrollments
    assert sorted(photo.name for photo in enrolled.photos) == ["Zoë 1.jpg", "neu.jpg", "älter.jpg"]
    assert "Zoë 1.jpg" in finished.html.read_text()


def test_nothing_but_damaged_photos_is_an_error(desk):
    for path in (desk / "photos").iterdir():
        path.write_bytes(path.read_bytes()[:9_000])
    with pytest.raises(NodeFailed, match=r"\.jpg cannot be decoded") as failed:
        run("enroll_identity", ["photos"], "out")
    assert failed.value.as_dict()["code"] == "photo_unreadable"


def test_a_refused_photo_is_named_on_terminal_and_page(desk):
    wall(desk / "photos" / "Mauer.png")
    words = ["run", "enroll_identity", "-i", "photos", "-o", "out", "--set", "Person.on_refused=leave out"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "Refused  Mauer.png: No face was found" in done.output
    page = (desk / "out" / "report.html").read_text()
    assert "Mauer.png" in page


def test_an_error_names_each_photo_that_was_refused(desk):
    wall(desk / "photos" / "Mauer.png")
    with pytest.raises(NodeFailed, match=r"1 of 4 reference photos cannot be used\. Mauer\.png: No face"):
        run("enroll_identity", ["photos"], "out", settings={"Person.on_refused": "stop"})


def test_a_headshots_error_speaks_of_its_photo(desk):
    wall(desk / "wall.png")
    with pytest.raises(NodeFailed, match=r"failed: wall\.png cannot be used\. No face was found") as failed:
        run("studio_headshot", ["wall.png"], "out")
    assert failed.value.as_dict()["code"] == "enrollment_refused"
    assert "reference photo" not in str(failed.value)


def test_a_servers_error_names_them_too(desk):
    workflow = Workflow.load("enroll_identity")
    reads = next(node for node in workflow if node.class_type == "LikenessLoadPhotos")
    person = next(node for node in workflow if node.class_type == "LikenessEnrollIdentity")
    photos = [
        InputPhoto(reads.id, reads.title, path.name, path, staged)
        for path, staged in ((desk / "photos" / "älter.jpg", "alter.jpg"), (desk / "photos" / "neu.jpg", "neu.jpg"))
    ]
    assert reference_names(workflow, person.id, photos) == ["älter.jpg", "neu.jpg"]
    assert reference_names(workflow, reads.id, photos) == []
    text = "1 of 2 reference photos cannot be used. Photo 1: No face was found."
    error = ServerExecutionError(person.title, person.id, EnrollmentRefused.__name__, text)
    name_in_error(workflow, photos, error)
    assert str(error).endswith("1 of 2 reference photos cannot be used. älter.jpg: No face was found.")
    other = ServerExecutionError(person.title, person.id, EnrollmentRefused.__name__, text.replace("of 2", "of 3"))
    name_in_error(workflow, photos, other)
    assert "Photo 1:" in str(other), "numbers stay where it is not sure which file is meant"


def test_a_second_run_keeps_the_first_ones_report(desk):
    first = run("enroll_identity", ["photos"], "out")
    text = first.json.read_text()
    second = run("enroll_identity", ["photos"], "out")
    assert (first.html.name, second.html.name, second.json.name) == ("report.html", "report_2.html", "report_2.json")
    assert first.json.read_text() == text


def test_a_person_is_called_after_the_folder_of_their_photos(desk):
    (desk / "photos").rename(desk / "Zoë Müller")
    run("enroll_identity", ["Zoë Müller"], "out")
    (saved,) = (desk / "out" / "identities").iterdir()
    assert saved.name == "Zoe_Muller.safetensors"
    assert load_identity(saved).name == "Zoë Müller"
    run("enroll_identity", ["Zoë Müller"], "again", settings={"Person.name": "Z.", "Save person.filename": "mine/zoe"})
    assert load_identity(desk / "again" / "mine" / "zoe.safetensors").name == "Z."
    run("enroll_identity", sorted((desk / "Zoë Müller").iterdir()), "third")
    assert (desk / "third" / "identities" / "person.safetensors").is_file(), "single photos say nobody's name"
