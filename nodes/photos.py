"""Photo files to tensors and back: orientation, bit depth, colour model and damage are dealt with here, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import PhotoMissing, PhotoTooLarge, PhotoUnreadable

MAX_PIXELS = 100_000_000
"""Largest photo that is decoded, in pixels: 100 megapixels are 1.2 GB as float32 RGB."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"})
"""File name endings that count as photos when a folder is read."""


def load_photo(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a photo as ComfyUI's LoadImage does, but refuse a damaged one instead of guessing.

    Returns IMAGE [1,H,W,3] float32 in 0..1, upright by its EXIF orientation, and MASK [1,H,W] that is 1 where the
    picture is transparent ([1,64,64] zeros for a picture without transparency). Several frames of an animation are
    a batch, except in MPO. Grayscale, CMYK, palette and 16-bit pictures become 8-bit RGB.

    Raises PhotoMissing, PhotoTooLarge or PhotoUnreadable.
    """
    path = Path(path)
    if not path.is_file():
        raise PhotoMissing(f"There is no photo at {path}; check the name and the folder.")
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise PhotoTooLarge(
                    f"{path.name} has {opened.width} x {opened.height} pixels, more than the limit of "
                    f"{MAX_PIXELS // 1_000_000} megapixels; scale it down first."
                )
            return _frames(opened)
    except Image.DecompressionBombError as error:
        raise PhotoTooLarge(f"{path.name} has too many pixels to be decoded safely; scale it down first.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise PhotoUnreadable(
            f"{path.name} cannot be decoded ({str(error).rstrip('.') or type(error).__name__}); "
            "save it again as JPEG or PNG."
        ) from error


def _frames(opened: Image.Image) -> tuple[torch.Tensor, torch.Tensor]:
    images, masks = [], []
    count = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)
    for index in range(count):
        opened.seek(index)
        frame = ImageOps.exif_transpose(opened)
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
    return _unit(_eight_bit(frame).convert("RGB"))[None], mask


def _eight_bit(frame: Image.Image) -> Image.Image:
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
