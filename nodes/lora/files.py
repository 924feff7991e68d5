"""LoRA files as the nodes use them: checked, described, and kept in memory up to a limit so that each is read once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host
from .facts import trigger_words
from .family import Family, family_of
from .header import Header, read_header, stamp_of
from .layers import Layers, layers_of

if TYPE_CHECKING:
    import torch

MEMORY_LIMIT = 2 * 2**30
"""Bytes of LoRA files whose tensors are kept; those used longest ago go first."""


@dataclass
class LoraFile:
    """One LoRA file whose header was checked. Its tensors are read on demand."""

    name: str
    header: Header

    @cached_property
    def layers(self) -> Layers:
        """Its layers. Raises LoraFileDamaged."""
        return layers_of(self.header)

    @cached_property
    def family(self) -> Family:
        """The base model it was made for."""
        return family_of(self.layers.found.values(), self.header.metadata)

    @cached_property
    def trigger_words(self) -> list[str]:
        """The words that call it up, or an empty list."""
        return trigger_words(self.header.metadata)

    def read(self, names: list[str] | None = None) -> dict[str, torch.Tensor]:
        """Its tensors (or those of `names`), mapped into memory and not copied."""
        from safetensors import safe_open

        with safe_open(self.header.path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in (self.header.tensors if names is None else names)}


class Cache:
    """Values by key with a size each; what was used longest ago goes when the sum passes the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: OrderedDict[Hashable, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any | None:
        """What was kept under `key`, or None."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][1]

    def put(self, key: Hashable, size: int, value: Any) -> None:
        """Keep `value`, which takes `size` bytes; something larger than the limit is not kept."""
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (size, value)
            while self._kept and self.used > self.limit:
                self._kept.popitem(last=False)

    @property
    def used(self) -> int:
        """Bytes that are kept."""
        return sum(size for size, _ in self._kept.values())

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()


_files = Cache(256)
"""Headers, 256 of them: a header is small beside its file."""


def open_lora(name: str) -> LoraFile:
    """The LoRA of that name in ComfyUI's loras folders, with its header checked; unchanged files are read once.

    Raises ModelMissing, UnsafePath, UnsafeWeights and LoraFileDamaged.
    """
    path = host.model_file("loras", name)
    return open_path(path, name)


def open_path(path: Path, name: str) -> LoraFile:
    """The LoRA at `path`, called `name` in messages."""
    key = (name, *stamp_of(path))
    found = _files.get(key)
    if found is None:
        found = LoraFile(name, read_header(path))
        _files.put((name, *found.header.stamp), 1, found)
    return found


def count_kinds(layers: Mapping[str, Any]) -> dict[str, int]:
    """How many layers of each kind."""
    found: dict[str, int] = {}
    for layer in layers.values():
        found[layer.kind] = found.get(layer.kind, 0) + 1
    return found
