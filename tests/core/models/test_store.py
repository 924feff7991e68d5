"""The store's promises about what is on disk: trusted only when it is what the manifest means."""

import json
import os
import pickle
import re
import stat

import pytest

from likeness_studio.core import host
from likeness_studio.core.errors import ModelCorrupt, ModelMissing, ModelUnknown, UnsafeWeights
from likeness_studio.core.models import manifest, store
from likeness_studio.core.models import transfer as disk


@pytest.fixture
def net(site, page, publish, folder, content):
    """A model of the manifest that is on disk already."""
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    folder.mkdir()
    file = folder / "net.onnx"
    file.write_bytes(content)
    return file


def flip(file):
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)


def test_a_file_is_hashed_once_and_then_trusted_by_its_stamp(net, monkeypatch):
    assert store.path("net") == net
    monkeypatch.setattr(disk, "sha256", lambda path: pytest.fail("hashed again"))
    assert store.path("net") == net


def test_a_changed_file_is_hashed_again(net):
    store.path("net")
    flip(net)
    with pytest.raises(ModelCorrupt, match="likeness models get net"):
        store.path("net")


def test_verify_finds_a_flipped_byte_behind_a_valid_stamp(net):
    store.path("net")
    before = net.stat()
    flip(net)
    os.utime(net, ns=(before.st_atime_ns, before.st_mtime_ns))
    store._stamp(store.models()["net"], net)
    assert store.path("net") == net
    (check,) = store.verify("net")
    assert check.state == "corrupt"
    with pytest.raises(ModelCorrupt):
        store.path("net")


def test_get_replaces_a_damaged_file(net, content):
    net.write_bytes(content[:1000])
    assert store.get("net") == [net]
    assert net.read_bytes() == content


def signature(file, sha256):
    found = file.stat()
    names = {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "ctime_ns": found.st_ctime_ns}
    return json.dumps({"sha256": sha256, **names, "inode": found.st_ino, "device": found.st_dev})


@pytest.mark.parametrize("without", ["", '"device"'])
def test_who_may_write_to_the_model_folder_cannot_forge_a_stamp(net, without):
    flip(net)
    values = json.loads(signature(net, store.models()["net"].sha256))
    values.pop(without.strip('"'), None)
    (net.parent / ".net.onnx.verified").write_text(json.dumps(values))
    with pytest.raises(ModelCorrupt):
        store.path("net")
    assert {file.name for file in net.parent.iterdir()} == {"net.onnx", ".net.onnx.verified"}


@pytest.mark.skipif(os.name != "posix", reason="this system has no modes")
def test_a_stamp_in_a_folder_that_others_may_write_to_is_not_taken(net):
    store.path("net")
    (stamp,) = (host.state_dir() / "verified").iterdir()
    flip(net)
    stamp.write_text(signature(net, store.models()["net"].sha256))
    assert store.path("net") == net
    stamp.parent.chmod(0o777)
    with pytest.raises(ModelCorrupt):
        store.path("net")


@pytest.mark.parametrize("text", ["nonsense", "[" * 100_000, "", "null"])
def test_a_stamp_that_is_no_json_is_ignored(net, text):
    store.path("net")
    (stamp,) = (host.state_dir() / "verified").iterdir()
    stamp.write_text(text)
    assert store.path("net") == net


@pytest.mark.skipif(os.name != "posix", reason="this system has no modes")
def test_stamps_are_for_their_owner_only(net):
    store.path("net")
    (stamp,) = (host.state_dir() / "verified").iterdir()
    assert stat.S_IMODE(stamp.stat().st_mode) == 0o600
    assert stat.S_IMODE(stamp.parent.stat().st_mode) == 0o700


def test_missing_without_download(publish):
    publish("net", "http://127.0.0.1:1/a")
    with pytest.raises(ModelMissing, match="likeness models get net"):
        store.path("net", download=False)
    assert store.locate("net") is None
    assert store.verify("net")[0].state == "missing"


def test_offline_never_touches_the_network(site, page, publish, monkeypatch):
    site.pages["/a"] = page()
    publish("net", site.url("/a"))
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    with pytest.raises(ModelMissing, match="LIKENESS_OFFLINE"):
        store.path("net")
    assert site.requests == []


def test_offline_uses_what_is_there(net, monkeypatch):
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    assert store.path("net") == net


def test_an_unknown_name_lists_the_known(publish):
    publish("net")
    with pytest.raises(ModelUnknown, match="are net"):
        store.path("nett")


def test_a_name_cannot_leave_the_folder(publish, folder):
    (folder / "matte").mkdir(parents=True)
    (folder / "secret.pth").write_bytes(b"x")
    with pytest.raises(ModelUnknown):
        store.path("../secret")


def test_onnx_files_of_the_user_appear_by_name(publish, folder, content):
    publish("net")
    own = folder / "matte" / "hair_pro.onnx"
    own.parent.mkdir(parents=True)
    own.write_bytes(content)
    assert store.names("matte") == ["net", "hair_pro"]
    assert store.names("face detection") == []
    assert store.path("hair_pro") == own
    assert store.used("hair_pro") == [
        {"name": "hair_pro", "licence": "unknown", "commercial": "unclear", "use": "matte"}
    ]
    assert store.verify("hair_pro")[0].state == "unpinned"


def test_pickles_in_the_model_folder_are_refused(publish, folder):
    publish("net")
    (folder / "matte").mkdir(parents=True)
    (folder / "matte" / "evil.pth").write_bytes(pickle.dumps([1]))
    (folder / "matte" / "disguised.onnx").write_bytes(pickle.dumps([1]))
    assert "evil" not in store.names("matte")
    with pytest.raises(UnsafeWeights, match=r"evil\.pth"):
        store.path("evil")
    with pytest.raises(UnsafeWeights, match="begins like a pickle"):
        store.path("disguised")


def test_the_packs_manifest_is_complete():
    known = manifest.read()
    assert set(known) >= {"yunet", "sface", "u2net", "u2netp", "scrfd_500m", "w600k_mbf"}
    for model in known.values():
        assert len(model.sha256) == 64
        assert int(model.sha256, 16)
        assert model.size > 0
        assert model.licence
        assert model.about.endswith(".")
        assert model.commercial in ("yes", "no", "unclear")
        assert any(isinstance(source, manifest.UrlSource) for source in model.sources)
        last = model.sources[-1]
        assert isinstance(last, manifest.WheelSource) or last.pickle
        assert not any(
            str(source.pickle) == model.sha256 for source in model.sources if isinstance(source, manifest.UrlSource)
        )
        for source in model.sources:
            if isinstance(source, manifest.UrlSource):
                assert source.url.startswith("https://")
            else:
                assert source.pypi.count("==") == 1
    assert len({model.file for model in known.values()}) == len(known)


def test_the_defaults_may_be_used_commercially():
    known = manifest.read()
    assert {known[name].commercial for name in ("yunet", "sface", "u2net", "u2netp")} == {"yes"}
    assert {known[name].commercial for name in ("scrfd_500m", "w600k_mbf")} == {"no"}


def test_a_relative_model_folder_is_made_absolute(tmp_path, monkeypatch):
    from likeness_studio.core import host

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIKENESS_MODELS", "weights")
    assert host.model_dirs() == [tmp_path / "weights"]


def test_a_model_that_was_changed_with_its_time_put_back_is_hashed_again(net):
    """The system writes down when a file was changed, and no program can put that back."""
    store.path("net")
    before = net.stat()
    flip(net)
    os.utime(net, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelCorrupt):
        store.path("net")


def test_the_first_address_of_each_model_can_not_come_to_mean_another_file():
    commit, release, package = (
        r"/[0-9a-f]{40}/",
        r"/releases/download/(?!latest)[^/]+/",
        r"/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/",
    )
    for name, model in manifest.read().items():
        assert re.search(f"{commit}|{release}|{package}", str(model.sources[0])), (name, str(model.sources[0]))
