"""LoRA files as the nodes use them: checked, described, and kept in memory up to a limit so that each is read once."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host
from ..errors.lora_errors import LoraFileDamaged
from .family import Family, family_of
from .header import Header, read_header, stamp_of
from .layers import Layers, layers_of
from .lora_file import trigger_words
from .strangers import stranger

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
    def stranger(self) -> str | None:
        """What it is instead, where it has no LoRA layer and its tensors' names tell."""
        return None if self.layers.found else stranger(self.header.tensors)

    @cached_property
    def trigger_words(self) -> list[str]:
        """The words that call it up, or an empty list."""
        return trigger_words(self.header.metadata)

    def read(self, names: list[str] | None = None) -> dict[str, torch.Tensor]:
        """Its tensors (or those of `names`), mapped into memory and not copied.

        Raises LoraFileDamaged where the file is another one than when its header was checked.
        """
        from safetensors import SafetensorError, safe_open

        wanted = list(self.header.tensors) if names is None else names
        try:
            with safe_open(self.header.path, framework="pt") as file:
                found = {name: file.get_tensor(name) for name in wanted}
            unchanged = stamp_of(self.header.path) == self.header.stamp
        except (SafetensorError, OSError) as error:
            raise LoraFileDamaged(f"{self.name} cannot be read ({str(error)[:200]}); get it again.") from error
        if not unchanged:
            raise LoraFileDamaged(f"{self.name} was changed while it was read; run again when it is complete.")
        return found

    def read_finite(self, names: list[str] | None = None) -> dict[str, torch.Tensor]:
        """Its tensors, as `read`. Raises LoraFileDamaged where one holds NaN or infinity: they make black pictures."""
        found = self.read(names)
        for name, tensor in found.items():
            if not _finite(tensor):
                raise LoraFileDamaged(
                    f"{self.name} holds numbers that are not finite, first in {name[:120]!r}, and would make black "
                    "pictures; use another version of it."
                )
        return found


def _finite(tensor: torch.Tensor) -> bool:
    """Whether all numbers are finite; by the extremes, which carry NaN along and take a tenth of `isfinite`'s time."""
    import torch

    if not tensor.dtype.is_floating_point or tensor.numel() == 0:
        return True
    if tensor.dtype.itemsize == 1:
        tensor = tensor.float()
    extremes = torch.aminmax(tensor) if tensor.numel() > 1 else [tensor]
    return all(math.isfinite(extreme.item()) for extreme in extremes)


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


HEADER_LIMIT = 32 * 2**20
"""Bytes of headers that are kept, as they are in the files; read ones take some ten times as much."""

_files = Cache(HEADER_LIMIT)


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
        _files.put((name, *found.header.stamp), found.header.data_start, found)
    return found


def count_kinds(layers: Mapping[str, Any]) -> dict[str, int]:
    """How many layers of each kind."""
    found: dict[str, int] = {}
    for layer in layers.values():
        found[layer.kind] = found.get(layer.kind, 0) + 1
    return found
