"""The header of a safetensors file, checked strictly before anything is loaded; files of other kinds are named.

The rules of the format (https://github.com/huggingface/safetensors, "Format") are checked by safetensors itself. What
it lets pass and we do not: headers above `MAX_HEADER`, names twice, unknown keys, no tensor, and tensors of other
types, with many dimensions, or with long names.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ..errors import UnsafeWeights
from ..errors.formats import LoraFileDamaged
from ..models.manifest import SAFETENSORS_SUFFIXES, refuse_pickle, words_instead

MAX_HEADER = 32 * 2**20
"""Bytes of a header that are read. The format allows 100 MB; a LoRA with every tag of its training has a few."""

MAX_TENSORS = 50_000
"""Tensors of a file; the largest LoRAs and models have some thousands."""

MAX_DIMENSIONS = 8

MAX_NAME = 500
"""Letters of a tensor's name; those of real layers have up to 150."""

DTYPES = {
    "BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "U16", "I16", "F16", "BF16", "U32", "I32", "F32", "U64", "I64", "F64",
}  # fmt: skip
"""The types of LoRAs; safetensors knows complex numbers and fractions of a byte too."""


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
    """The header of the safetensors file at `path`, checked by safetensors, and by us where that is too lenient.

    Raises UnsafeWeights for a pickle or any other kind of file, LoraFileDamaged for a file that breaks the format, or
    that has a Git LFS pointer or a web page in it.
    """
    from safetensors import SafetensorError, safe_open

    if path.suffix.lower() not in SAFETENSORS_SUFFIXES:
        refuse_pickle(path)
        raise UnsafeWeights(
            f"{path.name} is no safetensors file by its name; LoRAs are read as .safetensors or .sft only."
        )
    text_instead = words_instead(path)
    if text_instead is not None:
        raise LoraFileDamaged(f"{path.name} is {text_instead}; get the file itself from its source.")
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        opening = file.read(9)
        if len(opening) == 9 and opening[8:] != b"{":
            refuse_pickle(path)
        length = int.from_bytes(opening[:8], "little")
        if length > MAX_HEADER and len(opening) == 9:
            _refuse(path, f"says that its header has {length} bytes, more than the {MAX_HEADER} that are read")
        try:
            with safe_open(path, framework="numpy"):
                file.seek(8)
                text = file.read(length)
        except SafetensorError as error:
            _refuse(path, f"has {found.st_size} bytes and breaks the safetensors format ({str(error)[:200]})")
    if stamp_of(path) != (str(path), found.st_mtime_ns, found.st_size):
        _refuse(path, "was changed while it was read")
    entries = _parse(path, text)
    metadata = entries.pop("__metadata__", None) or {}
    if not entries:
        _refuse(path, "holds no tensor")
    if len(entries) > MAX_TENSORS:
        _refuse(path, f"holds {len(entries):,} tensors, more than the {MAX_TENSORS:,} that are taken")
    tensors = {name: _tensor(path, name, entry) for name, entry in entries.items()}
    return Header(path, found.st_size, found.st_mtime_ns, 8 + length, tensors, metadata)


def _refuse(path: Path, what: str) -> NoReturn:
    raise LoraFileDamaged(f"{path.name} {what}; it is not loaded, get it again from its source.")


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    """The header's JSON. safetensors takes the last of two tensors of one name, and skips unknown keys unread."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            _refuse(path, f"names {twice[:80]!r} twice in its header")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"has a header that cannot be read as JSON ({str(error)[:100]})")


def _tensor(path: Path, name: str, entry: dict[str, Any]) -> TensorInfo:
    """An entry with the keys and types that safetensors saw to; bounds and known kinds are ours."""
    if len(name) > MAX_NAME:
        _refuse(path, f"has a tensor of an unusable name, which begins with {name[:80]!r}")
    if set(entry) != {"dtype", "shape", "data_offsets"}:
        _refuse(path, f"does not give dtype, shape and data_offsets alone for {name[:80]!r}")
    if entry["dtype"] not in DTYPES:
        _refuse(path, f"has {name[:80]!r} in the unknown type {entry['dtype'][:20]!r}")
    if len(entry["shape"]) > MAX_DIMENSIONS:
        _refuse(path, f"has no usable shape for {name[:80]!r}")
    return TensorInfo(name, entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"])


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
