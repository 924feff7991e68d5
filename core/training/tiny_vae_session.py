"""The files of one training: the autoencoder, the state to go on from, the figures, and a picture to look at."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ..imaging.photos import to_pil
from . import tiny_vae
from .tiny_vae_data import Photos
from .tiny_vae_train import Measured, Training, save_state

SHOWN = 8
"""Held-out photos in the picture: as many columns."""

CELL = 192


def state_file(output: Path) -> Path:
    """Where the training of `output` goes on from."""
    return output.with_suffix(".state.safetensors")


def files_of(output: Path) -> list[Path]:
    """All files that a training writes."""
    return [output, state_file(output), output.with_suffix(".json"), output.with_suffix(".jpg")]


def save_whole(training: Training, output: Path, family: str) -> None:
    """Write the autoencoder as it is now, and the state."""
    about = {"steps": str(training.step), "seconds": f"{training.seconds:.0f}"}
    if training.history:
        about["psnr"] = f"{training.history[-1].psnr:.2f}"
    tiny_vae.save(training.model, output, family, about)
    save_state(training, state_file(output))


def finish(training: Training, photos: Photos, measured: Measured, output: Path, family: str) -> dict[str, Any]:
    """Write the report (JSON) and the picture beside the autoencoder; return what the report says."""
    sheet = output.with_suffix(".jpg")
    draw(training, photos).save(sheet, quality=92)
    values = {
        "file": str(output),
        "picture": str(sheet),
        "family": family,
        "photos": photos.count,
        "held_out": sum(map(len, photos.held_out)),
        "refused": photos.refused,
        "device": str(training.device),
        "threads": torch.get_num_threads(),
        "finished": training.done >= 1.0,
        "settings": asdict(training.settings),
        "measured": asdict(measured),
        "history": [asdict(each) for each in training.history],
    }
    output.with_suffix(".json").write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    return values


def draw(training: Training, photos: Photos) -> Image.Image:
    """Held-out photos above what the autoencoder makes of them, the folders in turn."""
    longest = max(map(len, photos.held_out))
    turns = [pictures[index] for index in range(longest) for pictures in photos.held_out if index < len(pictures)]
    shown = turns[:SHOWN]
    sheet = Image.new("RGB", (CELL * len(shown), 2 * CELL))
    for column, picture in enumerate(shown):
        decoded = tiny_vae.reconstruct(training.model, picture.to(training.device)).cpu()
        for row, image in enumerate((picture, decoded)):
            cell = to_pil(image[0].permute(1, 2, 0)).resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(cell, (CELL * column, CELL * row))
    return sheet
