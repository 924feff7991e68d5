"""Captioning models from local folders: which there are, whether one is safe to load, and the one that is loaded.

A folder is what its publisher offers for transformers: config.json, the weights as safetensors, the processor's files.
Nothing is downloaded, no code of the folder is run, and no pickle is opened.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host
from ..errors import CaptionerUnusable, DependencyMissing, ModelMissing
from ..models.manifest import PICKLE_SUFFIXES, refuse_pickle

if TYPE_CHECKING:
    import torch

    from .captioner_models import Captioner

KIND = "captioning"
"""The folder below the model folders that holds a folder for each model."""

COMPANIONS = (
    ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model"),
    ("processor_config.json", "preprocessor_config.json"),
)
"""Of each of these groups a folder needs one file: transformers would make up an empty tokenizer instead."""


def folders() -> list[str]:
    """Names of the captioning models on this machine: folders that hold a config.json; a link out of there is none."""
    found = {
        path.parent.relative_to(root).as_posix()
        for root in (folder / KIND for folder in host.model_dirs())
        for pattern in ("*/config.json", "*/*/config.json")
        for path in root.glob(pattern)
        if path.parent.resolve().is_relative_to(root.resolve())
    }
    return sorted(found)


def folder(name: str) -> Path:
    """The folder of that name. Raises UnsafePath, and ModelMissing when there is none."""
    roots = [root / KIND for root in host.model_dirs()]
    for root in roots:
        path = host.inside(root, name)
        if (path / "config.json").is_file():
            return path
    raise ModelMissing(f"There is no captioning model {name!r}; put its folder, with config.json, into {roots[0]}.")


def check_folder(path: Path) -> None:
    """Raise UnsafeWeights when the weights are a pickle, CaptionerUnusable when a file is missing or a broken link."""
    for file in path.iterdir():
        if not file.exists():
            raise CaptionerUnusable(
                f"{host.shown(file)} is a link to nothing; copy the files themselves from the publisher."
            )
    weights = sorted(path.glob("*.safetensors"))
    for file in weights or sorted(path.iterdir()):
        if weights or file.suffix.lower() in PICKLE_SUFFIXES:
            refuse_pickle(file)
    if not weights:
        raise CaptionerUnusable(
            f"{host.shown(path)} has no weights as .safetensors; copy model.safetensors from its publisher."
        )
    for group in COMPANIONS:
        if not any((path / name).is_file() for name in group):
            raise CaptionerUnusable(
                f"{host.shown(path)} has none of {', '.join(group)}; copy all files from its publisher."
            )


def read_config(path: Path) -> dict[str, Any]:
    """config.json of a model folder. Raises CaptionerUnusable when it is none."""
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CaptionerUnusable(
            f"{path / 'config.json'} cannot be read ({error}); copy it from the publisher."
        ) from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise CaptionerUnusable(f"{path / 'config.json'} names no model_type; copy it from the publisher.")
    return config


def stamp(name: str) -> tuple[str, int]:
    """The folder of that name and its last change in ns: what changes when a file does. Raises as `folder`."""
    path = folder(name)
    return (str(path), max(file.lstat().st_mtime_ns for file in path.iterdir()))


_loaded: dict[tuple[str, int, str], Captioner] = {}


def load_captioner(name: str) -> Captioner:
    """The model in the folder `name`, kept until another one (or another version of it) is asked for.

    Raises ModelMissing, UnsafePath, UnsafeWeights, DependencyMissing and CaptionerUnusable.
    """
    path = folder(name)
    check_folder(path)
    device = host.torch_device()
    key = (*stamp(name), str(device))
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = _load(name, path, device)
    return _loaded[key]


def _load(name: str, path: Path, device: torch.device) -> Captioner:
    try:
        import transformers  # noqa: F401
    except ImportError as error:
        raise DependencyMissing(
            "A captioning model needs the package transformers; run `pip install transformers`, "
            "or choose 'measured only'."
        ) from error
    from .captioner_models import load

    return load(name, path, read_config(path), device)
