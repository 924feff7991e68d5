"""The header of a safetensors file, checked strictly before anything is loaded; files of other kinds are named.

The rules are those of the format (https://github.com/huggingface/safetensors, "Format"): eight bytes with the length
of the header, JSON without duplicate keys, then the tensors' bytes without holes or overlaps up to the file's end.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ..errors import UnsafeWeights
from ..errors.formats import LoraFileDamaged
from ..models.manifest import refuse_pickle

MAX_HEADER = 32 * 2**20
"""Bytes of a header that are read. The format allows 100 MB; a LoRA with every tag of its training has a few."""

MAX_DIMENSIONS = 8

MAX_NAME = 500
"""Letters of a tensor's name; those of real layers have up to 150."""

DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip


class TensorInfo(NamedTuple):
    """One tensor as the header describes it; `begin` and `end` are bytes from the start of the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def numel(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """What a safetensors file says of itself. `data_start` is the first byte of the tensors."""

    path: Path
    size: int
    mtime_ns: int
    data_start: int
    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]

    @property
    def stamp(self) -> tuple[str, int, int]:
        """What changes when the file does: path, time of its last change in ns, and size in bytes."""
        return (str(self.path), self.mtime_ns, self.size)


def stamp_of(path: Path) -> tuple[str, int, int]:
    """`Header.stamp` without reading the file."""
    found = path.stat()
    return (str(path), found.st_mtime_ns, found.st_size)


def read_header(path: Path) -> Header:
    """The checked header of the safetensors file at `path`.

    Raises UnsafeWeights for a pickle or any other kind of file, LoraFileDamaged for a file that breaks the format.
    """
    if path.suffix.lower() != ".safetensors":
        refuse_pickle(path)
        raise UnsafeWeights(f"{path.name} is no safetensors file by its name; LoRAs are read as .safetensors only.")
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        opening = file.read(9)
        if len(opening) == 9 and opening[8:] != b"{":
            refuse_pickle(path)
        length = int.from_bytes(opening[:8], "little")
        _check_length(path, found.st_size, length)
        file.seek(8)
        text = file.read(length)
    entries = _parse(path, text)
    metadata = _metadata(path, entries.pop("__metadata__", {}))
    tensors = {name: _tensor(path, name, entry) for name, entry in entries.items()}
    _check_layout(path, tensors, found.st_size - 8 - length)
    return Header(path, found.st_size, found.st_mtime_ns, 8 + length, tensors, metadata)


def _refuse(path: Path, what: str) -> NoReturn:
    raise LoraFileDamaged(f"{path.name} {what}; it is not loaded, get it again from its source.")


def _check_length(path: Path, size: int, length: int) -> None:
    if size < 10:
        _refuse(path, f"has only {size} bytes, too few for a safetensors file")
    if length > MAX_HEADER:
        _refuse(path, f"says that its header has {length} bytes, more than the {MAX_HEADER} that are read")
    if length > size - 8:
        _refuse(path, f"is truncated: its header should have {length} bytes and the file has {size}")
    if length < 2:
        _refuse(path, f"says that its header has {length} bytes")


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(name for name in found if sum(name == other for other, _ in pairs) > 1)
            _refuse(path, f"names {twice[:80]!r} twice in its header")
        return found

    def no_constant(word: str) -> NoReturn:
        _refuse(path, f"has {word} in its header")

    try:
        entries = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant)
    except RecursionError:
        _refuse(path, "has a header that is nested too deeply")
    except ValueError as error:
        _refuse(path, f"has a header that is not JSON ({str(error)[:100]})")
    if not isinstance(entries, dict):
        _refuse(path, "has a header that is no JSON object")
    return entries


def _metadata(path: Path, entry: Any) -> dict[str, str]:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        _refuse(path, "has metadata that are not words")
    if not all(_is_text(word) for pair in entry.items() for word in pair):
        _refuse(path, "has metadata with half a character (a lone surrogate)")
    return entry


def _is_text(word: str) -> bool:
    """Whether `word` can be written as UTF-8; half of a surrogate pair from a ``\\u`` escape cannot."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _tensor(path: Path, name: str, entry: Any) -> TensorInfo:
    if len(name) > MAX_NAME or not _is_text(name):
        _refuse(path, f"has a tensor of an unusable name, which begins with {name[:80]!r}")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _refuse(path, f"does not give dtype, shape and data_offsets for {name[:80]!r}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        _refuse(path, f"has {name[:80]!r} in the unknown type {str(dtype)[:20]!r}")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(map(_whole, shape)):
        _refuse(path, f"has no usable shape for {name[:80]!r}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_whole, offsets)):
        _refuse(path, f"has no usable offsets for {name[:80]!r}")
    begin, end = offsets
    if end - begin != math.prod(shape) * DTYPE_BYTES[dtype]:
        _refuse(path, f"gives {name[:80]!r} {end - begin} bytes, which is not its shape {shape} in {dtype}")
    return TensorInfo(name, dtype, tuple(shape), begin, end)


def _check_layout(path: Path, tensors: dict[str, TensorInfo], data: int) -> None:
    """Tensors follow each other without holes and overlaps, from the first byte of the data to the last."""
    if not tensors:
        _refuse(path, "holds no tensor")
    reached = 0
    for tensor in sorted(tensors.values(), key=lambda each: (each.begin, each.end)):
        if tensor.begin < reached:
            _refuse(path, f"lets {tensor.name[:80]!r} overlap the tensor before it")
        if tensor.begin > reached:
            _refuse(path, f"leaves {tensor.begin - reached} bytes unused before {tensor.name[:80]!r}")
        reached = tensor.end
    if reached > data:
        _refuse(path, f"is truncated: its tensors need {reached} bytes and {data} are there")
    if reached < data:
        _refuse(path, f"has {data - reached} bytes after its last tensor")


_KINDS = (
    (r"(?m)^lora_controlnet$", "a Control LoRA", "controlnet"),
    (r"(?m)^(control_model\.|controlnet_|input_hint_block|zero_convs|.*control_add_embedding)", "a ControlNet",
     "controlnet"),
    (r"(?m)^(ip_adapter|image_proj)\.", "an IP-Adapter", "ipadapter"),
    (r"(?m)^model\.diffusion_model\.", "a checkpoint", "checkpoints"),
    (r"(?m)^(string_to_param|emb_params$|clip_[lg]$|t5xxl$)", "a textual inversion (embedding)", "embeddings"),
    (r"motion_modules\.", "a motion module of AnimateDiff", "animatediff_models"),
    (r"(?m)^(first_stage_model\.)?(encoder|decoder)\.(conv_in|mid|down|up|conv1|layers)[._]", "a VAE", "vae"),
    (r"(?m)^(diffusion_model\.)?(input_blocks|down_blocks|double_blocks|joint_blocks|transformer_blocks|blocks)\."
     r".*\.weight$", "a whole diffusion model", "diffusion_models"),
    (r"(?m)^(text_model\.encoder|transformer\.resblocks|encoder\.block|model\.layers)\.", "a text encoder",
     "text_encoders"),
)  # fmt: skip
"""What names of tensors tell, in this order, and the folder of ComfyUI's models that such files belong into."""


def file_kind(names: Iterable[str]) -> str | None:
    """What a file without a single LoRA layer is, as words to end a sentence with; None where its names do not tell."""
    text = "\n".join(names)
    if "lora" in text.lower() and not re.search(_KINDS[0][0], text):
        return None
    for pattern, kind, folder in _KINDS:
        if re.search(pattern, text):
            return f"{kind}, which belongs into models/{folder}"
    return None
