"""What other processes and the operating system do to a download: two at once, Ctrl-C, a disk that fills up."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from likeness_studio.core.errors import DiskFull
from likeness_studio.core.models import store

CHILD = """
import sys
from likeness_studio.core.models import store
from likeness_studio.core.models.manifest import Model, UrlSource
url, sha256, size = sys.argv[1:]
net = Model("net", "net.onnx", sha256, int(size), "MIT", "yes", "matte", "For tests.", (UrlSource(url),))
store.models = lambda: {"net": net}
print(store.path("net"))
"""


def child(site, content):
    return subprocess.Popen(
        [sys.executable, "-P", "-c", CHILD, site.url("/a"), hashlib.sha256(content).hexdigest(), str(len(content))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once_download_once(site, page, folder, content):
    site.pages["/a"] = page(pause=0.005)
    both = [child(site, content) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert {out.strip() for out, _ in said} == {str(folder / "net.onnx")}
    assert len(site.requests) == 1
    assert (folder / "net.onnx").read_bytes() == content


def test_ctrl_c_leaves_a_part_that_the_next_process_finishes(site, page, folder, content):
    site.pages["/a"] = page(pause=0.25)
    process = child(site, content)
    part = folder / "net.onnx.part"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (part.exists() and part.stat().st_size > 100_000):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert not (folder / "net.onnx").exists()
    had = part.stat().st_size
    assert had > 100_000
    site.pages["/a"].pause = 0.0
    again = child(site, content)
    again.communicate(timeout=30)
    assert again.returncode == 0
    assert site.requests[-1][1]["Range"] == f"bytes={had}-"
    assert (folder / "net.onnx").read_bytes() == content
    assert not part.exists()


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A real file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.name != "posix" or os.geteuid() != 0 or mount is None:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], check=False)
    if done.returncode != 0:
        pytest.skip("this machine does not let tests mount a file system")
    monkeypatch.setenv("LIKENESS_MODELS", str(place))
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_is_one_sentence_and_is_given_back(small_disk, site, page, publish, monkeypatch):
    monkeypatch.setattr("likeness_studio.core.models.transfer.require_space", lambda *args: None)
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    with pytest.raises(DiskFull, match="filled up") as caught:
        store.path("net")
    assert "\n" not in str(caught.value)
    assert [file.name for file in small_disk.iterdir() if not file.name.endswith(".lock")] == []


def test_a_small_disk_is_noticed_before_the_download(small_disk, site, page, publish):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    with pytest.raises(DiskFull, match="make room"):
        store.path("net")
