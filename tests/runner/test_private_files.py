"""What people's faces are on is for its owner only, and nothing of it is written through somebody else's link."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from likeness_studio.core.files import make_private_folder, open_anew
from likeness_studio.core.models import http as web
from likeness_studio.runner.api import run, run_batch
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.errors import OutputUnwritable
from likeness_studio.runner.report.compliance import write_compliance

pytestmark = pytest.mark.skipif(os.name != "posix", reason="this system has no modes")

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "x"}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "p"}},
}


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def readable_by_others(folder: Path) -> list[str]:
    """What other users of the machine can read in a folder that they may look into."""
    found = []
    for path in folder.iterdir():
        mode = path.stat().st_mode & 0o077
        if mode:
            found += readable_by_others(path) if path.is_dir() else [path.name]
    return found


@pytest.fixture
def workflow(tmp_path):
    (tmp_path / "w.json").write_text(json.dumps(GRAPH))
    return tmp_path / "w.json"


def test_a_run_makes_folders_and_reports_for_their_owner(workflow, astronaut, tmp_path):
    finished = run(workflow, [astronaut], tmp_path / "new" / "out")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (finished.html, finished.json)} == {0o600}


def test_a_batch_is_private_also_in_a_folder_that_is_not(workflow, astronaut, tmp_path):
    out = tmp_path / "out"
    out.mkdir(mode=0o755)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(astronaut.read_bytes())
    run_batch(workflow, tmp_path / "photos", out, reports=True)
    names = {path.name for path in out.rglob("*") if path.is_file()}
    assert {"ledger.sqlite", "verdicts.csv", "verdicts.json", "contact_sheet.html", "report.html"} <= names
    assert set(readable_by_others(out)) <= {"ledger.lock"}


def test_the_report_of_checks_is_private(tmp_path):
    for path in write_compliance([], [], tmp_path / "checked"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "checked").stat().st_mode) == 0o700


def test_a_folder_that_is_there_stays_as_it_is_and_a_file_is_none(tmp_path):
    (tmp_path / "mine").mkdir(mode=0o755)
    make_private_folder(tmp_path / "mine")
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o755
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        make_private_folder(tmp_path / "file")


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("mine")
    yield path
    assert path.read_text() == "mine"


def test_a_part_and_its_note_are_not_written_through_links(tmp_path, mine):
    part = web.Part(tmp_path / "models" / "x.onnx.part")
    part.path.parent.mkdir()
    part.path.symlink_to(mine)
    part.note.symlink_to(mine)
    assert part.size() == 0
    part.remember("http://x", '"tag"')
    with part.open(go_on=False) as file:
        file.write(b"model")
    assert part.path.read_bytes() == b"model"
    assert not part.path.is_symlink()
    part.path.unlink()
    part.path.symlink_to(mine)
    with pytest.raises(OSError, match=r"symbolic link|File exists|loop"):
        part.open(go_on=True)


def test_a_file_is_opened_anew_and_not_through_a_link(tmp_path, mine):
    (tmp_path / "link").symlink_to(mine)
    with open_anew(tmp_path / "link", private=True) as file:
        file.write(b"new")
    assert stat.S_IMODE((tmp_path / "link").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["report.html", "report.json", "contact_sheet.html", "verdicts.csv"])
def test_reports_are_not_written_through_links(workflow, astronaut, tmp_path, mine, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(mine)
    run(workflow, [astronaut], out)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_bytes(astronaut.read_bytes())
    run_batch(workflow, tmp_path / "photos", out)


def test_a_ledger_that_is_a_link_is_refused(tmp_path, mine):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ledger.sqlite").symlink_to(mine)
    with pytest.raises(OutputUnwritable, match=r"ledger\.sqlite cannot be written"):
        Ledger.open(tmp_path / "out")
