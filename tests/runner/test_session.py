"""One run from photos to report: what can be known to fail fails before the work."""

import errno
import sys

import pytest

from likeness_studio.core.errors import PhotoUnreadable
from likeness_studio.runner import errors
from likeness_studio.runner.api.workflows import run_once
from likeness_studio.runner.workflow import Given
from likeness_studio.runner.workflow import input_files as files_in
from likeness_studio.tests.runner.fake_backend import FakeBackend


def test_an_output_folder_that_cannot_be_written_to_is_noticed_first(workflow, invert, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.OutputUnwritable, match=r"output folder .*file"):
        run_once(workflow(invert), FakeBackend(), tmp_path / "file" / "results")


@pytest.mark.skipif(sys.platform != "linux", reason="no file like that elsewhere")
def test_a_photo_that_breaks_off_while_it_is_copied_is_refused(workflow, make, tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.symlink_to("/proc/self/mem")
    graph = workflow({"1": make("LoadImage", image=""), "2": make("SaveImage", images=["1", 0])})
    with pytest.raises(PhotoUnreadable, match=r"photo\.jpg"):
        run_once(graph, FakeBackend(), tmp_path / "results", [Given(photo)])


def test_a_full_disk_is_not_the_photos_fault(workflow, make, tmp_path, astronaut, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files_in.os, "link", full)
    monkeypatch.setattr(files_in.shutil, "copyfile", full)
    graph = workflow({"1": make("LoadImage", image=""), "2": make("SaveImage", images=["1", 0])})
    with pytest.raises(errors.OutputUnwritable, match="TMPDIR"):
        run_once(graph, FakeBackend(), tmp_path / "results", [Given(astronaut)])
