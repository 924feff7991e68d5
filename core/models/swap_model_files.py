"""Model files that users bring themselves: where they are looked for, and which there are."""

from __future__ import annotations

from pathlib import Path

from .. import host
from ..errors import ModelMissing

NONE = "none"


SWAP_LICENCE = "non-commercial research only (insightface)"


def swap_model_folders() -> list[Path]:
    """Where swapping models are looked for, the folder to put one into first."""
    return host.folders_of("insightface")


def swap_models() -> list[str]:
    """Names of the ONNX files there, with `NONE` first."""
    found = {path.name for folder in swap_model_folders() for path in folder.glob("*.onnx") if path.is_file()}
    return [NONE, *sorted(found)]


def swap_model_file(name: str) -> Path:
    """The file of that name. Raises UnsafePath, and ModelMissing when there is none or `NONE` was chosen."""
    if name != NONE:
        for folder in swap_model_folders():
            path = host.inside(folder, name)
            if path.is_file():
                return path
    what = "no model is chosen" if name == NONE else f"there is no file {name!r}"
    raise ModelMissing(
        f"Swap Face is enabled and {what}; put insightface's inswapper_128.onnx (for non-commercial research only) "
        f"into {swap_model_folders()[0]} and choose it, or turn the node off."
    )
