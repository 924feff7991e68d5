"""Photo files to tensors and back: orientation, bit depth, colour model and damage are dealt with here, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from .files import opened


def load_photo(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a photo as ComfyUI's LoadImage does, but refuse a damaged one instead of guessing.

    Returns IMAGE [1,H,W,3] float32 in 0..1, upright by its EXIF orientation, and MASK [1,H,W] that is 1 where the
    picture is transparent ([1,64,64] zeros for a picture without transparency). Several frames of an animation are
    a batch, except in MPO. Grayscale, CMYK, palette and 16-bit pictures become 8-bit RGB.

    Raises PhotoMissing, PhotoTooLarge or PhotoUnreadable.
    """
    with opened(Path(path)) as photo:
        return _frames(photo)


def _frames(photo: Image.Image) -> tuple[torch.Tensor, torch.Tensor]:
    images, masks = [], []
    count = 1 if photo.format == "MPO" else getattr(photo, "n_frames", 1)
    for index in range(count):
        photo.seek(index)
        frame = ImageOps.exif_transpose(photo)
        image, mask = _tensors(frame)
        if images and image.shape != images[0].shape:
            continue
        images.append(image)
        masks.append(mask)
    return torch.cat(images), torch.cat(masks)


def _tensors(frame: Image.Image) -> tuple[torch.Tensor, torch.Tensor]:
    alpha = None
    if "A" in frame.getbands():
        alpha = frame.getchannel("A")
    elif frame.mode == "P" and "transparency" in frame.info:
        alpha = frame.convert("RGBA").getchannel("A")
    mask = torch.zeros(1, 64, 64) if alpha is None else 1.0 - _unit(alpha)[None]
    return _unit(eight_bit(frame).convert("RGB"))[None], mask


def eight_bit(frame: Image.Image) -> Image.Image:
    """16-bit grayscale comes as mode I or I;16; Pillow would clip it to white instead of scaling it."""
    if frame.mode == "I" or frame.mode.startswith("I;16"):
        values = np.asarray(frame, dtype=np.float64)
        return Image.fromarray(np.clip(values / 257.0, 0, 255).astype(np.uint8))
    return frame


def _unit(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture).astype(np.float32) / 255.0)


def to_pil(image: torch.Tensor) -> Image.Image:
    """One picture [H,W,3] in 0..1 as an 8-bit RGB image, cut off as ComfyUI's SaveImage does."""
    return Image.fromarray(np.clip(255.0 * image.detach().cpu().numpy(), 0, 255).astype(np.uint8))


def from_pil(picture: Image.Image) -> torch.Tensor:
    """A PIL image as IMAGE [1,H,W,3] float32 in 0..1."""
    return _unit(picture.convert("RGB"))[None]
