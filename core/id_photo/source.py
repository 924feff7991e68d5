"""A photo as ID photos need it: small to be looked at, at full size only where it is cut."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from ..imaging.files import opened

if TYPE_CHECKING:
    from PIL import Image, ImageCms

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels."""

PROFILED = ("RGB", "CMYK", "L")
"""Colour models for which a file's profile can be meant; others become RGB first."""


FILLED = "The photo came with its background removed: what is transparent in it was filled with white."
"""The edit that a transparent photo needs; the colours hidden under the transparency do not come back."""


class Source(Protocol):
    """A photo of `width` x `height` pixels."""

    @property
    def edits(self) -> tuple[str, ...]:
        """What was changed in it while it was read, in words."""
        ...

    @property
    def width(self) -> int:
        """Pixels across."""
        ...

    @property
    def height(self) -> int:
        """Pixels down."""
        ...

    def region(self, box: Box, block: int = 1) -> torch.Tensor:
        """A part of the photo [1,3,h,w] in 0..1, at full size or as means of blocks, the last of which may be cut."""
        ...


@dataclass(frozen=True, eq=False)
class TensorSource:
    """A photo [H,W,3] in 0..1 that is already in memory as numbers."""

    image: torch.Tensor
    edits: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.image.shape[1]

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.image.shape[0]

    def region(self, box: Box, block: int = 1) -> torch.Tensor:
        """A part of it."""
        left, top, right, bottom = box
        part = self.image[top:bottom, left:right].permute(2, 0, 1)[None]
        return part if block == 1 else F.avg_pool2d(part, block, ceil_mode=True)


class FileSource:
    """A photo of a file, upright, in 8 bits and in sRGB: numbers are made only of what is looked at."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises PhotoMissing, PhotoTooLarge or PhotoUnreadable."""
        from PIL import ImageOps

        from ..imaging.photos import eight_bit

        with opened(path) as photo:
            photo.load()
            self._profile = photo.info.get("icc_profile")
            picture, self.edits = _opaque(eight_bit(ImageOps.exif_transpose(photo)))
        self._picture: Image.Image = picture if picture.mode in PROFILED else picture.convert("RGB")

    @property
    def width(self) -> int:
        """Pixels across."""
        return self._picture.width

    @property
    def height(self) -> int:
        """Pixels down."""
        return self._picture.height

    def region(self, box: Box, block: int = 1) -> torch.Tensor:
        """A part of it."""
        part = self._picture.crop(box) if block == 1 else self._picture.reduce(block, box)
        return self._numbers(part).permute(2, 0, 1)[None]

    def _numbers(self, picture: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(in_srgb(picture, self._profile))).float().div_(255)


def _opaque(picture: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """`picture` on white where it is transparent, and what was done; as it is where all of it is opaque."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture, ()
    clear = picture.convert("RGBA")
    alpha = clear.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return clear.convert("RGB"), ()
    filled = Image.new("RGB", clear.size, "white")
    filled.paste(clear, mask=alpha)
    return filled, (FILLED,)


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """`picture` as RGB in sRGB. `profile`: the ICC profile of its file, if it has one, as phones' photos do (P3).

    A profile that is damaged or is for another kind of picture is left aside, as viewers do.
    """
    from PIL import ImageCms

    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(picture, source, _srgb(), outputMode="RGB") or picture.convert("RGB")
        except (ImageCms.PyCMSError, OSError):
            pass
    return picture if picture.mode == "RGB" else picture.convert("RGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
