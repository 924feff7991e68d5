"""Headers and metadata of a LoRA that are small as files and endless in time: looked at in a moment, or refused."""

from __future__ import annotations

import json
import struct
import time

import pytest

from likeness_studio.core.errors.formats import LoraFileDamaged
from likeness_studio.core.lora import header as headers
from likeness_studio.core.lora import read_header, tags, trigger_words
from likeness_studio.core.lora.adapter_metadata import adapter_scales
from likeness_studio.core.lora.layers import layers_of


@pytest.fixture
def lora(tmp_path):
    """Writes a file of `count` layers of rank 1 with `metadata`; more tensors may be named in JSON."""

    def write(count=1, metadata=None, more=""):
        names = [f"unet.block_{n}.proj.lora_{end}.weight" for n in range(count) for end in "AB"]
        infos = {n: {"dtype": "F16", "shape": [1, 1], "data_offsets": [2 * i, 2 * i + 2]} for i, n in enumerate(names)}
        text = json.dumps(({"__metadata__": metadata} if metadata else {}) | infos)[:-1] + more + "}"
        path = tmp_path / "x.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text.encode() + bytes(2 * len(names)))
        return path

    return write


@pytest.fixture(autouse=True)
def soon():
    began = time.process_time()
    yield
    assert time.process_time() - began < 8


MANY = 60_000
FOLDERS = {
    "tags": {"ss_tag_frequency": {"1_x": {f"tag {n}": 1 for n in range(3 * MANY)}}},
    "folders with tags": {"ss_tag_frequency": {f"{n}_a": {f"tag {n}": 1} for n in range(MANY)}},
    "folders to leave out": {
        "ss_dataset_dirs": {f"{n}_a": {} for n in range(MANY)},
        "ss_reg_dataset_dirs": {f"{n}_r": {} for n in range(MANY)},
    },
    "subsets": {"ss_datasets": [{"subsets": [{"image_dir": f"{n}_a", "class_tokens": f"a{n}"} for n in range(MANY)]}]},
}


@pytest.mark.parametrize("metadata", FOLDERS.values(), ids=FOLDERS)
def test_tens_of_thousands_of_folders_and_tags_take_no_time(metadata):
    texts = {key: json.dumps(value) for key, value in metadata.items()}
    trigger_words(texts)
    tags(texts)


SCALES = {
    "patterns": {"unet.lora_alpha": 2, "unet.alpha_pattern": {f"x{n}": 1 for n in range(MANY)}},
    "parts": {f"p{n}.lora_alpha": 1 for n in range(MANY)},
}


@pytest.mark.parametrize("stated", SCALES.values(), ids=SCALES)
def test_scales_of_thousands_of_layers_take_no_time(lora, stated):
    path = lora(5000, {"lora_adapter_metadata": json.dumps(stated)})
    assert len(layers_of(read_header(path)).found) == 5000


def test_the_last_of_several_patterns_counts():
    stated = {"unet.lora_alpha": 2, "unet.alpha_pattern": {"proj": 3, "^b.proj": 4, "a.b.proj": 5, "roj": 6}}
    scales = adapter_scales({"lora_adapter_metadata": json.dumps(stated)})
    assert [scales.alpha(f"unet.{name}", 4) for name in ("a.b.proj", "b.proj", "c.proj", "aproj")] == [5, 4, 3, 2]


def test_a_name_that_stands_twice_among_thousands_is_found_soon(lora):
    names = "".join(f', "a{n}": {{"dtype": "F16", "shape": [0], "data_offsets": [4, 4]}}' for n in range(MANY))
    twice = ', "a59999": {"dtype": "F16", "shape": [0], "data_offsets": [4, 4]}'
    with pytest.raises(LoraFileDamaged, match="'a59999' twice"):
        read_header(lora(more=names + twice))


def test_hundreds_of_thousands_of_tensors_are_refused(lora, monkeypatch):
    monkeypatch.setattr(headers, "MAX_TENSORS", 3)
    assert len(read_header(lora(1)).tensors) == 2
    with pytest.raises(LoraFileDamaged, match="4 tensors, more than the 3"):
        read_header(lora(2))
