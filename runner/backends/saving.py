"""What SaveImage writes: numbered PNG files that carry the workflow, as core's does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from PIL.PngImagePlugin import PngInfo

from ...core.imaging.file_names import next_counter, place, relative
from ...core.imaging.photos import to_pil
from ..errors import OutputUnwritable

COMPRESS_LEVEL = 4
"""Core's zlib level for saved pictures."""


def save_images(
    images: torch.Tensor, prefix: str, root: Path, prompt: Any = None, extra: dict[str, Any] | None = None
) -> list[dict[str, str]]:
    """Write IMAGE [B,H,W,3] as PNG under `root`; return the names as a server reports them.

    The files carry the graph as text chunks (``prompt``, and each key of `extra`). Raises UnsafePath when the prefix
    leads outside `root`, OutputUnwritable when they cannot be written.
    """
    folder, stem = place(root, prefix, images.shape[2], images.shape[1])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        counter = next_counter(folder, stem)
        saved = []
        for index, image in enumerate(images):
            name = f"{stem.replace('%batch_num%', str(index))}_{counter + index:05}_.png"
            to_pil(image).save(folder / name, pnginfo=_text_chunks(prompt, extra), compress_level=COMPRESS_LEVEL)
            saved.append({"filename": name, "subfolder": relative(folder, root), "type": "output"})
    except OSError as error:
        raise OutputUnwritable(
            f"The pictures cannot be written to {folder} ({error.strerror or error}); choose another --output."
        ) from error
    return saved


def _text_chunks(prompt: Any, extra: dict[str, Any] | None) -> PngInfo:
    chunks = PngInfo()
    for key, value in ({"prompt": prompt} | (extra or {})).items():
        if value is not None:
            chunks.add_text(key, json.dumps(value))
    return chunks
