"""The files that a run writes: numbered PNG as SaveImage writes them, and where nodes say they wrote."""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...core import host
from ...core.errors import UnsafePath
from ...core.files import make_private_folder, write_new
from ...core.imaging.files import next_counter, place_saved_picture, relative_subfolder, to_pil

if TYPE_CHECKING:
    import torch
    from PIL.PngImagePlugin import PngInfo

    from .result import RunResult

File = dict[str, Any]
"""A file as nodes report it: ``{filename, subfolder, type}``."""


def announced_files(result: RunResult) -> Iterator[tuple[str, File]]:
    """Every file that a node showed, with the node's id."""
    for node, shown in result.ui.items():
        for values in shown.values():
            for value in values if isinstance(values, list | tuple) else ():
                if isinstance(value, dict) and isinstance(value.get("filename"), str):
                    yield node, value


FETCHED = frozenset(
    f".{ending}"
    for endings in (
        "png jpg jpeg webp gif bmp tif tiff avif heic heif exr hdr jxl psd",
        "mp4 webm mkv mov avi m4v wav mp3 flac ogg opus m4a aac",
        "txt json jsonl csv srt vtt md yaml pdf zip npy npz safetensors latent gguf cube",
        "glb gltf obj ply stl fbx usdz splat ksplat",
    )
    for ending in endings.split()
)
"""Endings of files that are brought from a server: what nodes save, and nothing that a system or a browser runs."""


def is_fetched(file: File) -> bool:
    """Whether a file that a server announces is of a kind that is brought here."""
    return PurePosixPath(file["filename"]).suffix.lower() in FETCHED


def refuse_hidden(file: File) -> None:
    """Raise UnsafePath for a server's name that is none, hides a file or folder, or steers a terminal."""
    name, named = relative_name(file), PurePosixPath(file["filename"]).name
    hides = any(part.startswith(".") for part in PurePosixPath(name.replace("\\", "/")).parts)
    if hides or not named or any(unicodedata.category(letter) == "Cc" for letter in name):
        raise UnsafePath(
            f"A server calls a result {name[:80]!r}, which is no safe name; the node that gave it is broken."
        )


def relative_name(file: File) -> str:
    """The file's name inside the folder of its type. It comes from outside: use `local_path`."""
    return (PurePosixPath(str(file.get("subfolder") or "")) / file["filename"]).as_posix()


def local_path(folder: Path, file: File) -> Path:
    """Where `file` belongs under `folder`. Raises UnsafePath for a name that leads elsewhere or names no file."""
    return host.file_inside(folder, relative_name(file))


def collect_files(result: RunResult, output: Path, temp: Path) -> None:
    """Add the files that the nodes announced to `result`. Raises OutputMissing or UnsafePath."""
    from ..errors import OutputMissing
    from .result import SavedFile

    for node, file in announced_files(result):
        title = result.titles.get(node, node)
        kind = file.get("type", "output")
        folder, found = (temp, result.previews) if kind == "temp" else (output, result.outputs)
        path = local_path(folder, file)
        if not path.is_file():
            raise OutputMissing(f"{title} announced {file['filename']}, which is not in {folder}; run it again.")
        found.append(SavedFile(path, node, title))


COMPRESS_LEVEL = 4
"""Core's zlib level for saved pictures."""


def save_images(
    images: torch.Tensor, prefix: str, root: Path, prompt: Any = None, extra: dict[str, Any] | None = None
) -> list[dict[str, str]]:
    """Write IMAGE [B,H,W,3] as PNG under `root`; return the names as a server reports them.

    The files carry the graph as text chunks (``prompt``, and each key of `extra`). Raises UnsafePath when the prefix
    leads outside `root`, OutputUnwritable when they cannot be written.
    """
    from ..errors import OutputUnwritable

    folder, stem = place_saved_picture(root, prefix, images.shape[2], images.shape[1])
    try:
        make_private_folder(folder)
        counter = next_counter(folder, stem)
        saved = []
        for index, image in enumerate(images):
            name, buffer = f"{stem.replace('%batch_num%', str(index))}_{counter + index:05}_.png", io.BytesIO()
            to_pil(image).save(buffer, "PNG", pnginfo=_text_chunks(prompt, extra), compress_level=COMPRESS_LEVEL)
            name = write_new(folder / name, buffer.getvalue(), private=True).name
            saved.append({"filename": name, "subfolder": relative_subfolder(folder, root), "type": "output"})
    except OSError as error:
        raise OutputUnwritable(
            f"The pictures cannot be written to {folder} ({error.strerror or error}); choose another --output."
        ) from error
    return saved


def _text_chunks(prompt: Any, extra: dict[str, Any] | None) -> PngInfo:
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, value in ({"prompt": prompt} | (extra or {})).items():
        if value is not None:
            chunks.add_text(key, json.dumps(value))
    return chunks
