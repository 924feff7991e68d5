"""Errors that a server's clients read name files without the folders that they lie in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from likeness_studio.core import host
from likeness_studio.core.errors import LikenessError, UnsafePath
from likeness_studio.core.id_photo.sheet_files import save_numbered
from likeness_studio.core.identity import Identity, load_identity, save_identity
from likeness_studio.core.imaging.files import load_photo
from likeness_studio.core.models import store
from likeness_studio.core.toml_tables import TomlFile
from likeness_studio.nodes.identity import LoadIdentity, LoadPhotos, SaveIdentity


def broken_photo(folder: Path) -> None:
    (folder / "input" / "x.jpg").write_bytes(b"no picture")
    load_photo(folder / "input" / "x.jpg")


def truncated_identity(folder: Path) -> None:
    path = save_identity(Identity(np.ones(4) / 2, (), 1, "yunet-sface"), folder / "input" / "p")
    path.write_bytes(path.read_bytes()[:-3])
    LoadIdentity.execute("p.safetensors")


def file_in_the_way(folder: Path) -> None:
    (folder / "output" / "a").write_text("a file")
    save_numbered(folder / "output", "a/b", [(".pdf", b"x")])


def broken_toml(folder: Path) -> None:
    (folder / "a.toml").write_bytes(b"\xff")
    TomlFile(folder / "a.toml", UnsafePath)


def wrong_model(folder: Path) -> None:
    path = folder / "models" / store.entry("yunet").file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"another file")
    store.path("yunet", download=False)


RAISES = {
    "a missing photo": lambda folder: load_photo(folder / "input" / "x.jpg"),
    "a broken photo": broken_photo,
    "a missing identity": lambda folder: LoadIdentity.execute("nobody.safetensors"),
    "a truncated identity": truncated_identity,
    "a folder without photos": lambda folder: LoadPhotos.execute("."),
    "a name that leads outside": lambda folder: LoadIdentity.execute("../x"),
    "a name that is none": lambda folder: SaveIdentity.execute(Identity(np.ones(4) / 2, (), 1, "e"), "."),
    "a missing model file": lambda folder: host.model_file("loras", "x.safetensors"),
    "a model that is another file": wrong_model,
    "no swapping model": lambda folder: store.swap_model_file("none"),
    "a file where a folder is wanted": file_in_the_way,
    "a broken table": broken_toml,
    "an unreadable identity": lambda folder: load_identity(folder),
}


@pytest.mark.parametrize("raises", RAISES.values(), ids=RAISES)
@pytest.mark.parametrize("serving", [True, False])
def test_an_error_names_no_folder_of_the_server(raises, serving, local, model_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(host, "is_serving", lambda: serving)
    with pytest.raises(LikenessError) as caught:
        raises(tmp_path)
    said = json.dumps(caught.value.as_dict())
    assert not serving or (str(tmp_path) not in said and str(tmp_path.parent) not in said), said


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("cannot identify image file '/home/ada/in put/x.jpg'", "cannot identify image file 'x.jpg'"),
        (r'bad "C:\Users\ada\x.png" here', 'bad "x.png" here'),
        ("1/2 of 'a/b' is no path", "1/2 of 'a/b' is no path"),
    ],
)
def test_the_reason_of_another_library_names_files_without_folders(said, shown):
    assert host.reason_of(ValueError(said)) == shown
