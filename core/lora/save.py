"""Writing a merged LoRA: safetensors with what it was made from, whole or not at all, never over another file."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import host
from ..errors import UnsafePath
from ..errors.lora_errors import LoraNotSaved
from .family import Family
from .lora_file import hashes, joined_words, licence
from .merge import Merged, Source

SUFFIX = ".safetensors"

KOHYA_VERSION = {
    "SD 1.5": "sd_v1", "SD 2": "sd_v2", "SDXL": "sdxl_base_v1-0", "SD 3": "sd3", "Flux": "flux1",
}  # fmt: skip
ARCHITECTURE = {
    "SD 1.5": "stable-diffusion-v1/lora", "SD 2": "stable-diffusion-v2-512/lora",
    "SDXL": "stable-diffusion-xl-v1-base/lora", "SD 3": "stable-diffusion-3-medium/lora", "Flux": "flux-1-dev/lora",
}  # fmt: skip
"""How kohya's trainer and Stability's modelspec call a base model."""


_FORBIDS = re.compile(
    r"no[- ]?deriv|\bnd\b|no[- ]?merg|not? .{0,20}\bmerg|\bmerg\w* .{0,20}(not|forbid|prohib)", re.IGNORECASE
)


def forbids_merging(licence: str) -> bool:
    """Whether a licence as stated reads as if changed or merged versions were not allowed, such as CC BY-ND."""
    return _FORBIDS.search(licence) is not None


def facts_of(source: Source) -> dict[str, Any]:
    """What a merge says of one of its sources."""
    header = source.file.header
    return {
        "file": source.file.name,
        **hashes(header.path, header.data_start),
        "weight": source.model,
        "weight_text_encoder": source.text,
        "base_model": source.file.family.name,
        "trigger_words": source.file.trigger_words,
        "licence": licence(header.metadata),
    }


def metadata_of(
    title: str, merged: Merged, family: Family, rank: int, facts: Sequence[dict[str, Any]]
) -> dict[str, str]:
    """The metadata of a merged file, in the keys that kohya's tools and Stability's modelspec read."""
    ranks = set(merged.ranks.values())
    found = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.title": title,
        "modelspec.merged_from": ", ".join(str(each["file"]) for each in facts),
        "modelspec.license": "; ".join(dict.fromkeys(str(each["licence"]) for each in facts)),
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(max(ranks)) if len(ranks) == 1 else "Dynamic",
        "ss_network_alpha": str(max(ranks)) if len(ranks) == 1 else "Dynamic",
        "likeness.merge": json.dumps(
            {"sources": list(facts), "rank": rank, "relative_error": merged.error, "base_model": family.name}
        ),
    }
    words = joined_words([each["trigger_words"] for each in facts])
    if words:
        found["modelspec.trigger_phrase"] = ", ".join(words)
    if family.name in KOHYA_VERSION:
        found["ss_base_model_version"] = KOHYA_VERSION[family.name]
        found["modelspec.architecture"] = ARCHITECTURE[family.name]
    return found


def place(filename: str) -> Path:
    """Where a merge of that name is written: inside output/loras. Raises UnsafePath."""
    folder = host.output_dir() / "loras"
    path = host.inside(folder, filename.strip() or "merged")
    if path == folder.resolve():
        raise UnsafePath(f"The name {filename!r} is that of the folder {path} itself; give a file's name.")
    if not filename.isprintable():
        raise UnsafePath(f"The name {filename[:80]!r} has characters that are not seen; give another name.")
    return path


def save(merged: Merged, metadata: dict[str, str], path: Path) -> Path:
    """Write to `path`, or to the first free ``name_2``, ``name_3`` … beside it. Returns where it was written.

    Raises LoraNotSaved.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(merged.tensors, part, metadata)
        return _claim(part, path)
    except (OSError, SafetensorError) as error:
        raise LoraNotSaved(
            f"{path.name[:80]} cannot be written to {path.parent} ({str(error)[:100]}); give another name or room."
        ) from error
    finally:
        _forget(part)


def _forget(part: Path) -> None:
    """Take a half-written file away, also where its folder could not be made."""
    with suppress(OSError):
        part.unlink()


def _claim(part: Path, path: Path) -> Path:
    """Give the finished file the first free name; a link fails where a name is taken, also by another process."""
    number = 1
    while True:
        target = path if number == 1 else path.with_stem(f"{path.stem}_{number}")
        try:
            os.link(part, target)
        except FileExistsError:
            number += 1
        except OSError:
            # A file system without hard links.
            if not target.exists():
                return part.rename(target)
            number += 1
        else:
            return target
