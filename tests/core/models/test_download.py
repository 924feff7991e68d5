"""Downloads against a server that breaks, lies and is slow."""

import socket
import time

import pytest

from likeness_studio.core import host
from likeness_studio.core.errors import DiskFull, DownloadFailed, Interrupted, ModelCorrupt
from likeness_studio.core.models import http as reach
from likeness_studio.core.models import store
from likeness_studio.core.models import transfer as disk


def only(folder, name="net"):
    """What a clean download leaves: the file and its lock."""
    left = {file.name for file in folder.iterdir()}
    return left <= {f"{name}.onnx", f".{name}.onnx.lock"}


def test_a_download_is_verified_and_leaves_nothing_else(site, page, publish, folder, content):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    assert store.path("net").read_bytes() == content
    assert only(folder)
    assert len(site.requests) == 1
    store.path("net")
    assert len(site.requests) == 1


def test_a_broken_transfer_goes_on_where_it_stopped(site, page, publish, folder, content):
    site.pages["/a"] = page(break_after=[300_000, 100_000])
    publish("net", site.url("/a"))
    assert store.path("net").read_bytes() == content
    ranges = [headers.get("Range") for _, headers in site.requests]
    assert ranges == [None, "bytes=300000-", "bytes=400000-"]
    assert site.requests[1][1]["If-Range"] == '"one"'
    assert only(folder)


def test_a_part_left_by_an_earlier_process_is_used(site, page, publish, folder, content):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    folder.mkdir()
    (folder / "net.onnx.part").write_bytes(content[:500_000])
    assert store.path("net").read_bytes() == content
    assert site.requests[0][1]["Range"] == "bytes=500000-"


def test_a_part_of_another_file_starts_afresh(site, page, publish, folder, content):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    folder.mkdir()
    (folder / "net.onnx.part").write_bytes(b"x" * 500_000)
    assert store.path("net").read_bytes() == content
    assert [headers.get("Range") for _, headers in site.requests] == ["bytes=500000-", None]
    assert only(folder)


def test_a_part_that_is_too_long_starts_afresh(site, page, publish, folder, content):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    folder.mkdir()
    (folder / "net.onnx.part").write_bytes(content + b"more")
    assert store.path("net").read_bytes() == content
    assert "Range" not in site.requests[0][1]


def test_a_changed_file_is_not_glued_to_the_old_part(site, page, publish, folder, content):
    site.pages["/a"] = page(break_after=[300_000])
    publish("net", site.url("/a"))
    served = site.pages["/a"]

    def change(done):
        served.etag = '"two"'

    with host.use(host.LocalHost(folder, folder, folder, on_progress=lambda done, total: change(done))):
        assert store.path("net").read_bytes() == content
    assert len(site.requests) == 2


def test_a_server_without_ranges_starts_over(site, page, publish, folder, content):
    site.pages["/a"] = page(ranges=False, break_after=[300_000])
    publish("net", site.url("/a"))
    assert store.path("net").read_bytes() == content


def test_a_server_that_always_breaks_at_the_same_byte_ends(site, page, publish, folder):
    site.pages["/a"] = page(ranges=False, break_after=[300_000] * 99)
    publish("net", site.url("/a"))
    with pytest.raises(DownloadFailed, match="broke off"):
        store.path("net")
    assert len(site.requests) < 6
    assert not (folder / "net.onnx").exists()


def test_a_busy_server_is_asked_again(site, page, publish, content):
    site.pages["/a"] = page(statuses=[503, 429])
    publish("net", site.url("/a"))
    assert store.path("net").read_bytes() == content
    assert len(site.requests) == 3


def test_the_next_source_is_tried_after_a_404(site, page, publish, content):
    site.pages["/b"] = page()
    publish("net", site.url("/a"), site.url("/b"))
    assert store.path("net").read_bytes() == content
    assert [path for path, _ in site.requests] == ["/a", "/b"]


def test_every_source_and_reason_is_named(site, page, publish, folder):
    site.pages["/b"] = page(status=403)
    publish("net", site.url("/a"), site.url("/b"))
    with pytest.raises(DownloadFailed) as caught:
        store.path("net")
    said = str(caught.value)
    assert f"{site.url('/a')}: HTTP 404" in said
    assert f"{site.url('/b')}: HTTP 403" in said
    assert str(folder / "net.onnx") in said
    assert "\n" not in said


def test_wrong_content_is_never_kept(site, page, publish, folder, content):
    site.pages["/a"] = page(body=content[:-1] + b"!")
    publish("net", site.url("/a"))
    with pytest.raises(ModelCorrupt):
        store.path("net")
    assert not (folder / "net.onnx").exists()
    assert not (folder / "net.onnx.part").exists()


def test_after_wrong_content_the_next_source_is_tried(site, page, publish, content):
    site.pages["/a"] = page(body=content[:-1] + b"!")
    site.pages["/b"] = page()
    publish("net", site.url("/a"), site.url("/b"))
    assert store.path("net").read_bytes() == content


def test_a_login_page_in_place_of_the_file_is_refused_at_once(site, page, publish):
    site.pages["/a"] = page(body=b"<html>please log in</html>")
    publish("net", site.url("/a"))
    with pytest.raises(DownloadFailed, match="26 bytes"):
        store.path("net")


def test_redirects_are_followed(site, page, publish, content):
    site.pages["/a"] = page(status=302, location="/b", body=b"")
    site.pages["/b"] = page()
    publish("net", site.url("/a"))
    assert store.path("net").read_bytes() == content


def test_redirects_in_a_circle_end(site, page, publish):
    site.pages["/a"] = page(status=302, location="/a", body=b"")
    publish("net", site.url("/a"))
    with pytest.raises(DownloadFailed, match="circle"):
        store.path("net")


def test_a_refused_connection_moves_on_and_is_remembered(site, page, publish, content, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/net"
        site.pages["/b"] = page()
        publish("net", dead, site.url("/b"))
        assert store.path("net").read_bytes() == content
        monkeypatch.setattr(reach, "_try_to_connect", lambda name, port: pytest.fail("asked twice"))
        assert "cannot be reached" in reach.why_unreachable(dead)


def test_hosts_that_swallow_connections_cost_their_time_once(site, page, publish, content, monkeypatch):
    monkeypatch.setattr(reach, "PATIENCE", 0.6)
    monkeypatch.setattr(socket, "create_connection", swallow(socket.create_connection))
    site.pages["/b"] = page()
    publish("net", "https://one.invalid/a", "https://two.invalid/b", site.url("/b"))
    publish("net2", "https://two.invalid/a", "https://three.invalid/b", site.url("/b"))
    started = time.monotonic()
    store.get("net", "net2")
    assert time.monotonic() - started < 1.5


@pytest.fixture
def mute():
    """A host that takes connections and never says a word, as some firewalls do; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_a_firewall_that_takes_the_connection_and_is_silent_is_left_soon(
    mute, site, page, publish, content, monkeypatch
):
    monkeypatch.setattr(reach, "PATIENCE", 0.5)
    site.pages["/b"] = page()
    publish("net", f"https://{mute}/a", f"https://{mute}/again", site.url("/b"))
    started = time.monotonic()
    assert store.path("net").read_bytes() == content
    assert time.monotonic() - started < 2
    assert "cannot be used" in reach.why_unreachable(f"https://{mute}/a")


def test_a_server_that_never_answers_is_asked_once(mute, site, page, publish, content, monkeypatch):
    monkeypatch.setattr("likeness_studio.core.models.http._READ_TIMEOUT", 0.4)
    site.pages["/b"] = page()
    publish("net", f"http://{mute}/a", site.url("/b"))
    started = time.monotonic()
    assert store.path("net").read_bytes() == content
    assert time.monotonic() - started < 1.5


def swallow(connect):
    def create(address, *args, **options):
        if address[0].endswith(".invalid"):
            time.sleep(5)
        return connect(address, *args, **options)

    return create


def test_too_little_room_is_said_before_anything_is_written(site, page, publish, folder, monkeypatch):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        DiskFull,
        match=r"^net\.onnx needs 17\.\d MB and the disk of .* has 1\.0 MB free; make room, "
        r"or point LIKENESS_MODELS at another disk\.$",
    ):
        store.path("net")
    assert not list(folder.glob("net.onnx*"))


def test_stopping_a_run_leaves_a_part_that_the_next_one_uses(site, page, publish, folder, content):
    site.pages["/a"] = page(pause=0.001)
    publish("net", site.url("/a"))
    progress = []
    around = host.LocalHost(
        folder,
        folder,
        folder,
        on_progress=lambda done, total: progress.append(done),
        interrupted=lambda: bool(progress) and progress[-1] > 40,
    )
    with host.use(around), pytest.raises(Interrupted):
        store.path("net")
    assert (folder / "net.onnx.part").stat().st_size > 100_000
    assert not (folder / "net.onnx").exists()
    assert store.path("net").read_bytes() == content
    assert site.requests[-1][1]["Range"].startswith("bytes=")
    assert progress == sorted(progress)


def test_a_folder_that_cannot_be_written_is_one_sentence(site, page, publish, folder):
    folder.write_text("a file where the folder should be")
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    with pytest.raises(DownloadFailed, match="cannot be written"):
        store.path("net")
