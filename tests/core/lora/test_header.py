"""Hostile and damaged files: each is refused with its own words before a byte of its tensors is loaded."""

import json
import pickle
import struct

import pytest
import torch
from safetensors.torch import save_file

from likeness_studio.core.errors import UnsafeWeights
from likeness_studio.core.errors.formats import LoraFileDamaged
from likeness_studio.core.lora import MAX_HEADER, read_header

GOOD = '{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'


def tensor(begin, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_what_safetensors_writes_is_read(tmp_path):
    path = tmp_path / "good.safetensors"
    tensors = {
        "b": torch.zeros(3, 4, dtype=torch.float16),
        "a": torch.zeros(0, 4),
        "c": torch.zeros(2, dtype=torch.bfloat16),
        "d": torch.zeros((), dtype=torch.float32),
        "e": torch.zeros(5, dtype=torch.float8_e4m3fn),
    }
    save_file(tensors, path, {"ss_network_dim": "4"})
    header = read_header(path)
    assert {name: info.shape for name, info in header.tensors.items()} == {
        name: tuple(value.shape) for name, value in tensors.items()
    }
    assert header.metadata == {"ss_network_dim": "4"}
    assert header.data_start + max(info.end for info in header.tensors.values()) == path.stat().st_size


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9])
def test_a_file_that_is_too_short(tmp_path, size):
    path = tmp_path / "short.safetensors"
    path.write_bytes(b"\x02{}     {}"[:size])
    with pytest.raises(LoraFileDamaged, match=f"has {size} bytes and breaks|more than"):
        read_header(path)


def test_a_truncated_download_at_every_length(tmp_path):
    path = tmp_path / "whole.safetensors"
    save_file({"a": torch.zeros(8), "b": torch.zeros(2, 3)}, path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(LoraFileDamaged, match=r"truncated|bytes"):
            read_header(path)
    path.write_bytes(whole)
    assert set(read_header(path).tensors) == {"a", "b"}


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (MAX_HEADER + 1, "more than"),
        (2**63, "more than"),
        (2**64 - 1, "more than"),
        (5000, "breaks the safetensors format"),
        (1, "breaks the safetensors format"),
    ],
)
def test_a_header_length_that_is_a_lie(raw, length, words):
    with pytest.raises(LoraFileDamaged, match=words):
        read_header(raw(b"{}" + b" " * 60, length=length))


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, 12, "breaks the safetensors format"),
        ({"a": tensor(0, 8, [2]), "b": tensor(0, 8, [2])}, 8, "breaks the safetensors format"),
        ({"a": tensor(0, 4, [1]), "b": tensor(8, 12, [1])}, 12, "breaks the safetensors format"),
        ({"a": tensor(4, 8, [1])}, 8, "breaks the safetensors format"),
        ({"a": tensor(0, 8, [2])}, 12, "breaks the safetensors format"),
        ({"a": tensor(0, 400, [100])}, 8, "breaks the safetensors format"),
        ({"a": tensor(0, 8, [3])}, 8, "breaks the safetensors format"),
        ({"a": tensor(8, 0, [2])}, 8, "breaks the safetensors format"),
        ({"a": tensor(0, 8, [2**62, 2**62])}, 8, "breaks the safetensors format"),
        ({"a": tensor(0, 8, [2], "F33")}, 8, "breaks the safetensors format"),
        ({"a": tensor(0, 8, [-2])}, 8, "breaks the safetensors format"),
        ({"a": tensor(0, 8, [2.0])}, 8, "breaks the safetensors format"),
        ({"a": tensor(0, 8, [True, 2])}, 8, "breaks the safetensors format"),
        ({"a": tensor(0, 4, [1] * 9)}, 4, "no usable shape"),
        ({"a": tensor(-8, 0, [2])}, 8, "breaks the safetensors format"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}, 4, "breaks the safetensors format"),
        ({"a": {"dtype": "F32", "shape": [1]}}, 4, "breaks the safetensors format"),
        ({"a": 7}, 4, "breaks the safetensors format"),
        ({"a": tensor(0, 4, [1]) | {"more": 1}}, 4, "does not give"),
        ({"__metadata__": {"a": 1}, "a": tensor(0, 4, [1])}, 4, "breaks the safetensors format"),
        ({"__metadata__": [], "a": tensor(0, 4, [1])}, 4, "breaks the safetensors format"),
        ({}, 0, "no tensor"),
        (b'{"a":' * 100_000, 0, "breaks the safetensors format"),
        (b'{"a": NaN}' + b" " * 9, 0, "breaks the safetensors format"),
        (b'{"a": 1' + b" " * 9, 0, "breaks the safetensors format"),
        (b'{"a": ' + b"9" * 6000 + b"}", 0, "breaks the safetensors format"),
        (b'{"\xff": 1}' + b" " * 9, 0, "breaks the safetensors format"),
        (b'{"__metadata__": {"a": "\\ud800"}, "b": 1}', 0, "breaks the safetensors format"),
        ({"a\ud800": tensor(0, 4, [1])}, 4, "breaks the safetensors format"),
        ({"a" * 501: tensor(0, 4, [1])}, 4, "unusable name"),
        (b'{"a": {}, "a": {}}', 0, "breaks the safetensors format"),
        (f'{{"a": {GOOD}, "a": {GOOD}}}'.encode(), 4, "names 'a' twice"),
        (f'{{"__metadata__": {{"b": "1", "b": "2"}}, "a": {GOOD}}}'.encode(), 4, "names 'b' twice"),
        ({"a": tensor(0, 8, [1], "C64")}, 8, "unknown type 'C64'"),
        ({"a": tensor(0, 1, [2], "F4")}, 1, "unknown type 'F4'"),
        (f'{{"a": {GOOD[:-1]}, "more": {"[" * 100_000}{"]" * 100_000}}}}}'.encode(), 4, "JSON|format"),
        (f'{{"a": {GOOD[:-1]}, "more": {"9" * 6000}}}}}'.encode(), 4, "JSON|format"),
    ],
)
def test_a_header_that_breaks_the_format(raw, header, data, words):
    with pytest.raises(LoraFileDamaged, match=words) as caught:
        read_header(raw(header, b"\0" * data))
    assert str(caught.value).startswith("made.safetensors ")
    assert len(str(caught.value)) < 400


def test_metadata_that_are_null_are_none(raw):
    assert read_header(raw({"__metadata__": None, "a": tensor(0, 4, [1])}, b"\0" * 4)).metadata == {}


def test_sft_is_safetensors(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "style.sft")
    assert list(read_header(tmp_path / "style.sft").tensors) == ["a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n", "a Git LFS pointer"),
        ("<!DOCTYPE html>\n<html><title>Log in</title>", "a web page"),
        ("\ufeff \n<HTML>", "a web page"),
    ],
)
@pytest.mark.parametrize("name", ["style.safetensors", "style.sft"])
def test_a_text_in_the_place_of_a_lora_is_called_what_it_is(text, words, name, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(LoraFileDamaged, match=rf"^{name} is {words}.*; get the file itself from its source\.$"):
        read_header(tmp_path / name)


def test_a_pickle_is_refused_by_every_name(tmp_path):
    for name in ("lora.pt", "lora.ckpt", "lora.bin", "lora.safetensors", "lora.onnx", "lora.txt"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps({"lora_unet.lora_up.weight": [0.0] * 50}))
        with pytest.raises(UnsafeWeights):
            read_header(path)
    torch.save({"a": torch.zeros(9)}, tmp_path / "zip.safetensors")
    with pytest.raises(UnsafeWeights):
        read_header(tmp_path / "zip.safetensors")


def test_an_onnx_file_is_no_lora(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x09" + b"\0" * 50)
    with pytest.raises(UnsafeWeights):
        read_header(path)


def test_random_damage_is_either_refused_or_harmless(tmp_path):
    """Flipped bytes of a header: our check refuses at least what the library refuses, and never fails otherwise."""
    import random

    from safetensors import SafetensorError, safe_open

    path = tmp_path / "made.safetensors"
    save_file({"x.lora_up.weight": torch.zeros(4, 2), "x.lora_down.weight": torch.zeros(2, 4)}, path, {"a": "b"})
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    assert json.loads(whole[8 : 8 + length])
    chance = random.Random(4)
    refused = 0
    for _ in range(1000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(8 + length)] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            read_header(path)
        except (LoraFileDamaged, UnsafeWeights):
            refused += 1
        else:
            try:
                with safe_open(path, framework="pt") as file:
                    list(file.keys())
            except SafetensorError as error:
                pytest.fail(f"let through what safetensors refuses: {error}")
    assert refused > 300
