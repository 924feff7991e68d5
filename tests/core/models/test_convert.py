"""Weights that are published as a pickle: the pinned file is converted, and no other one is even opened."""

import hashlib
import io
import pickle
import tarfile

import pytest
import torch
from safetensors.torch import load_file, save

from likeness_studio.core.errors import DownloadFailed, ModelCorrupt
from likeness_studio.core.models import UrlSource, store

TENSORS = {"b.weight": torch.arange(6.0).view(2, 3), "a": torch.tensor([1, 2])}


def pickled(value):
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def tarred(**members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"pkg/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.fixture
def offer(site, page, publish):
    """``offer(body, published)``: the model "net" is what becomes of the tensors, from an address that sends `body`."""

    def put(body, published, member=""):
        site.pages["/a"] = page(body)
        publish("net", UrlSource(site.url("/a"), member, digest(published)), content=save(TENSORS))

    return put


def test_the_pinned_pickle_becomes_safetensors_and_nothing_else_stays(offer, folder):
    data = pickled(TENSORS)
    offer(data, data)
    found = load_file(store.path("net"))
    assert all(torch.equal(found[name], value) for name, value in TENSORS.items())
    assert {file.name for file in folder.iterdir()} <= {"net.onnx", ".net.onnx.lock"}


def test_it_comes_out_of_a_source_archive_that_never_runs(offer, folder):
    data = pickled(TENSORS)
    archive = tarred(**{"net.pth": data, "setup.py": b"raise SystemExit", "../escape.txt": b"x"})
    offer(archive, data, "pkg/net.pth")
    assert set(load_file(store.path("net"))) == set(TENSORS)
    assert not list(folder.parent.rglob("escape.txt"))
    assert not list(folder.rglob("*.pth*"))


def test_another_pickle_is_not_opened(offer, folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    offer(pickle.dumps(Trap()), pickled(TENSORS))
    with pytest.raises(ModelCorrupt):
        store.path("net")
    assert not (tmp_path / "sprung").exists()
    assert not list(folder.glob("*.part"))


def test_a_pinned_pickle_that_holds_code_is_not_run(offer, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    data = pickled(Trap())
    offer(data, data)
    with pytest.raises(DownloadFailed, match="cannot be read as tensors"):
        store.path("net")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, {"a": {"b": torch.zeros(1)}}])
def test_only_named_tensors_are_converted(offer, value):
    data = pickled(value)
    offer(data, data)
    with pytest.raises(DownloadFailed, match="something else than named tensors"):
        store.path("net")


def test_a_damaged_archive_and_a_missing_member(offer):
    data = pickled(TENSORS)
    archive = tarred(**{"net.pth": data})
    offer(archive[: len(archive) // 2], data, "pkg/net.pth")
    with pytest.raises(DownloadFailed, match="the archive is damaged"):
        store.path("net")
    offer(archive, data, "pkg/other.pth")
    with pytest.raises(DownloadFailed, match=r"pkg/other\.pth"):
        store.path("net")


def test_other_tensors_than_the_manifest_means_are_refused(offer):
    data = pickled({"a": torch.zeros(3)})
    offer(data, data)
    with pytest.raises(ModelCorrupt):
        store.path("net")
