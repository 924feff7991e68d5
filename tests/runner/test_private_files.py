"""What people's faces are on is for its owner only, and nothing of it is written through somebody else's link."""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from likeness_studio.core import host
from likeness_studio.core.files import claim_free_path, make_private_folder, open_anew
from likeness_studio.core.imaging.encode import NOTHING_STATED, save_preview
from likeness_studio.core.models import http as web
from likeness_studio.nodes.print_sheet import PrintSheet
from likeness_studio.runner.api import run, run_batch
from likeness_studio.runner.api.sheet import lay_out_sheet
from likeness_studio.runner.api.training import train_tiny_vae
from likeness_studio.runner.backends.comfy.server import ComfyServer
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
def shared(tmp_path):
    """A folder of the user's that others may look into, as home folders often are."""
    (tmp_path / "shared").mkdir(mode=0o755)
    return tmp_path / "shared"


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


def run_here(workflow, astronaut, shared, tmp_path):
    run(workflow, [astronaut], shared)


def sheets(workflow, astronaut, shared, tmp_path):
    for name in ("sheet.pdf", "sheet.png", "new/sheet.png"):
        lay_out_sheet([astronaut], shared / name, size="35x35")


def sheet_node(workflow, astronaut, shared, tmp_path):
    asked = {"paper": "10x15cm", "dpi": "300", "count": 1, "orientation": "auto", "gap_mm": -1.0, "margin_mm": -1.0}
    sized = {"cut_marks": True, "caption": True, "width_mm": 30.0, "height_mm": 30.0, "filename_prefix": "new/sheet"}
    with host.use(host.LocalHost(shared, shared, tmp_path)):
        PrintSheet.execute(torch.rand(1, 60, 60, 3), **asked, **sized)


def previews(workflow, astronaut, shared, tmp_path):
    with host.use(host.LocalHost(shared, shared, shared)):
        save_preview(torch.rand(2, 60, 60, 3), NOTHING_STATED)


def training(workflow, astronaut, shared, tmp_path):
    for number in range(3):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(astronaut.read_bytes())
    train_tiny_vae([tmp_path / "photos"], shared / "new" / "vae.safetensors", steps=1, size=64, batch=1)


def download(workflow, astronaut, shared, tmp_path):
    server = ComfyServer("http://127.0.0.1:1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "view", lambda file: nullcontext(iter([b"picture"])))
        server.download({"filename": "x.png"}, shared / "x.part")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "link", raising(OSError("no links here")))
        claim_free_path(shared / "x.part", shared / "x.png")


def raising(error):
    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize("write", [run_here, sheets, sheet_node, previews, training, download])
def test_whatever_has_faces_on_it_is_for_its_owner_only(write, workflow, astronaut, shared, tmp_path):
    write(workflow, astronaut, shared, tmp_path)
    found = modes(shared)
    assert found
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}


def test_pictures_of_a_server_are_as_its_umask_says(shared, tmp_path, monkeypatch):
    monkeypatch.setattr(host, "is_serving", lambda: True)
    sheet_node(None, None, shared, tmp_path)
    assert set(modes(shared).values()) == {0o644, 0o755}


WRITES = re.compile(r"\.(write_bytes|write_text|mkdir|makedirs)\(|\.open\(\"[wxa]|shutil\.copy|[^_.]open\([^)]*\"[wxa]")
"""What makes files and folders as the umask says."""

FOR_OTHERS_TOO = {
    "core/files.py": "the helpers themselves",
    "core/host.py": "a server's pictures",
    "core/identity/enrollment.py": "the folder of identities, whose files are private",
    "core/lora/merge.py": "a merged LoRA",
    "core/models/download.py": "models",
    "core/models/store.py": "models",
    "runner/batch/contact_sheet.py": "into a private part",
    "runner/batch/verdict_tables.py": "into a private part",
    "runner/backends/comfy/uploads.py": "inside a temporary folder of the user's own",
    "runner/backends/execute.py": "inside a temporary folder of the user's own",
    "runner/managed/installation.py": "the link to the pack",
    "runner/managed/options.py": "made with its mode",
    "runner/managed/processes.py": "ComfyUI's log",
    "runner/workflow/comfy_cli.py": "inside a temporary folder of the user's own",
    "runner/workflow/input_files.py": "inside a temporary folder of the user's own",
}


def test_a_new_writer_is_private_or_says_why_not():
    root = Path(__file__).resolve().parents[2]
    files = [path for room in ("core", "nodes", "runner") for path in (root / room).rglob("*.py")]
    found = {path.relative_to(root).as_posix() for path in files if WRITES.search(path.read_text("utf-8"))}
    assert found == set(FOR_OTHERS_TOO), "use core.files with private=True, or say here what it writes"


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
