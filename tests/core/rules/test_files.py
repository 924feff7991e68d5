"""What is saved under a name that is taken gets the next free one, and a file is there whole or not at all."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

import likeness_studio
from likeness_studio.core.files import claim_free_path, free_path, numbered, write_whole
from likeness_studio.core.id_photo import save_as
from likeness_studio.core.identity import Identity, load_identity, save_identity
from likeness_studio.core.lora import Merged
from likeness_studio.core.lora import save as save_lora
from likeness_studio.runner.api.id_photo_files import save_new
from likeness_studio.runner.batch.verdict_tables import replaced


def lora(path):
    return save_lora(Merged({"a": torch.ones(2)}, {}), {}, path)


def sheet(path):
    return save_as(path, [(path.suffix, b"x")])[0]


def photo(path):
    return save_new(path, b"x")


SAVERS = [(lora, "face.safetensors"), (sheet, "face.pdf"), (photo, "face.jpg")]


@pytest.mark.parametrize(("save", "name"), SAVERS)
def test_a_taken_name_gets_a_number(tmp_path, save, name):
    stem, suffix = name.split(".")
    (tmp_path / f"{stem}_2.{suffix}").write_bytes(b"mine")
    saved = [save(tmp_path / name).name for _ in range(4)]
    assert saved == [name, *(f"{stem}_{number}.{suffix}" for number in (3, 4, 5))]
    assert (tmp_path / f"{stem}_2.{suffix}").read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 5, "nothing half-written is left"


def test_an_identity_is_never_written_over_and_is_for_its_owner_only(tmp_path):
    one, other = (Identity(np.eye(4)[row], (), 1, "stub") for row in (0, 1))
    paths = [save_identity(each, tmp_path / "ada").name for each in (one, one, other, one, other)]
    assert paths == ["ada.safetensors", "ada.safetensors", "ada_2.safetensors", "ada.safetensors", "ada_2.safetensors"]
    assert load_identity(tmp_path / "ada.safetensors").embedding[0] == 1
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "ada.safetensors").stat().st_mode) == 0o600


def test_a_text_file_that_is_not_finished_leaves_the_older_one(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("old")
    with pytest.raises(TypeError), replaced(file) as out:
        print("half", file=out, end=5)  # type: ignore[call-overload]
    assert (file.read_text(), len(list(tmp_path.iterdir()))) == ("old", 1)
    with replaced(file) as out:
        out.write("new")
    assert (file.read_text(), len(list(tmp_path.iterdir()))) == ("new", 1)


def test_a_fetched_picture_gets_a_free_name_among_hundreds(tmp_path):
    target, part = tmp_path / "a.png", tmp_path / ".part"
    part.write_bytes(b"x")
    names = [claim_free_path(part, target).name for _ in range(300)]
    assert names == ["a.png", *(f"a_{number}.png" for number in range(2, 301))]


def test_a_gap_is_used_where_there_are_few(tmp_path):
    target = tmp_path / "a.png"
    for number in (1, 2, 4, 8):
        numbered(target, number).touch()
    assert free_path(target).name == "a_3.png"


def test_a_file_system_without_links_gets_a_copy(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    part = tmp_path / ".part"
    part.write_bytes(b"x")
    monkeypatch.setattr(os, "link", refuse)
    names = [claim_free_path(part, tmp_path / "a.png").name for _ in range(2)]
    assert names == ["a.png", "a_2.png"]
    assert (tmp_path / "a_2.png").read_bytes() == b"x"


def test_a_disk_that_is_full_leaves_the_older_file(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    write_whole(file, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(file), "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, "new")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_no_other_module_names_a_second_file_or_swaps_one_in():
    root = Path(likeness_studio.__file__).parent
    words = ("os.replace(", "part.replace(path", "os.link(", "{path.stem}_{number}", "O_EXCL")
    found = {
        path.relative_to(root).as_posix()
        for room in ("core", "nodes", "runner")
        for path in (root / room).rglob("*.py")
        if any(word in path.read_text() for word in words)
    }
    assert found - EXCEPTIONS == {"core/files.py"}


EXCEPTIONS = {"runner/workflow/input_files.py"}
"""Links photos into ComfyUI's input folder."""
