"""Photos for training an autoencoder: which are held out, how they are kept in memory, and random crops of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F

from ..errors import PhotoError, TrainingDataTooSmall
from ..imaging.files import SUFFIXES, load_photo
from .tiny_vae import STRIDE

HELD_OUT_SHARE = 0.1
MAX_MEASURED = 16
"""Held-out photos of a folder that are measured; more would cost training time."""

SCALES = (0.5, 2.0)
"""A crop is taken from its photo as it would be at between half and twice the size asked for."""

GAIN, OFFSET = 0.1, 0.05
"""Largest change of a colour channel: times 1 -+ GAIN, plus -+ OFFSET."""


@dataclass(frozen=True)
class Folder:
    """The photos below one folder, those to train on and those that are held out."""

    path: Path
    training: tuple[Path, ...]
    held_out: tuple[Path, ...]


@dataclass
class Photos:
    """Training photos in memory, by folder, and held-out ones as they are measured.

    `training` are uint8 tensors [3,H,W]; `held_out` are [1,3,size,size] in 0..1; `refused` names what was not readable.
    """

    size: int
    folders: list[Path] = field(default_factory=list)
    training: list[list[torch.Tensor]] = field(default_factory=list)
    held_out: list[list[torch.Tensor]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many photos are trained on."""
        return sum(map(len, self.training))

    def crops(self, count: int, side: int, generator: torch.Generator) -> torch.Tensor:
        """Random crops [count,3,side,side] in 0..1: any folder alike, any place, size, mirroring and slight tint."""
        return torch.stack([self._crop(side, generator) for _ in range(count)])

    def _crop(self, side: int, generator: torch.Generator) -> torch.Tensor:
        draws = torch.rand(14, generator=generator).tolist()
        folder = self.training[int(draws[0] * len(self.training))]
        photo = folder[int(draws[1] * len(folder))]
        height, width = photo.shape[1:]
        short = min(height, width)
        low, high = self.size * SCALES[0], max(min(self.size * SCALES[1], short), side)
        scaled = math.exp(math.log(low) + draws[2] * (math.log(max(high, low)) - math.log(low)))
        window = min(max(round(side * short / scaled), 1), short)
        top, left = int(draws[3] * (height - window + 1)), int(draws[4] * (width - window + 1))
        crop = photo[:, top : top + window, left : left + window].float()[None] / 255.0
        if window != side:
            crop = F.interpolate(crop, (side, side), mode="bilinear", antialias=True, align_corners=False)
        crop = crop[0].flip(2) if draws[5] < 0.5 else crop[0]
        gain = 1.0 + GAIN * (2.0 * torch.tensor(draws[6:9]) - 1.0)
        offset = OFFSET * (2.0 * torch.tensor(draws[9:12]) - 1.0)
        return (crop * gain[:, None, None] + offset[:, None, None]).clamp(0.0, 1.0)


def split(folders: Sequence[Path], limit: int) -> list[Folder]:
    """Choose by hash of the file's stem what is held out, and at most `limit` photos in all to train on.

    Copies of a photo in several sizes, under one stem, are all on the same side, in all folders. Raises
    TrainingDataTooSmall.
    """
    everything: list[tuple[Path, list[Path]]] = []
    stems: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            raise TrainingDataTooSmall(f"There is no folder {folder}; give a folder of photos with --data.")
        paths = sorted((path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES), key=_order)
        stems |= {path.stem for path in paths if _draw(path) < HELD_OUT_SHARE} or {path.stem for path in paths[:1]}
        everything.append((folder, paths))
    found = []
    for folder, paths in everything:
        held_out = [path for path in paths if path.stem in stems]
        training = [path for path in paths if path.stem not in stems]
        if not training:
            raise TrainingDataTooSmall(
                f"{folder} has {len(paths)} photos; at least two of different names are needed, one to measure with."
            )
        found.append(Folder(folder, tuple(training[: max(limit // len(folders), 1)]), tuple(held_out[:MAX_MEASURED])))
    return found


def load(folders: Iterable[Folder], size: int, on_photo: Callable[[], None] = lambda: None) -> Photos:
    """Read the photos, held-out ones as their middle square at `size` pixels. Raises TrainingDataTooSmall.

    A photo that cannot be read is left out and named in `refused`.
    """
    photos = Photos(size)
    for folder in folders:
        training = _read(folder.training, photos.refused, lambda image: _kept(image, 2 * size), on_photo)
        held_out = _read(folder.held_out, photos.refused, lambda image: middle_square(image, size), on_photo)
        if not training or not held_out:
            raise TrainingDataTooSmall(
                f"Of the photos in {folder.path}, {len(training)} to train on and {len(held_out)} to measure with can "
                "be read; at least one of each is needed."
            )
        photos.folders.append(folder.path)
        photos.training.append(training)
        photos.held_out.append(held_out)
    return photos


def middle_square(image: torch.Tensor, size: int) -> torch.Tensor:
    """The middle square of a picture [1,3,H,W] at `size` pixels (a multiple of 8), smoothly resized."""
    height, width = image.shape[2:]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = image[:, :, top : top + short, left : left + short]
    side = max(size // STRIDE, 1) * STRIDE
    return F.interpolate(square, (side, side), mode="bilinear", antialias=True, align_corners=False).clamp(0.0, 1.0)


def _read(
    paths: Iterable[Path],
    refused: list[str],
    shape: Callable[[torch.Tensor], torch.Tensor],
    on_photo: Callable[[], None],
) -> list[torch.Tensor]:
    images = []
    for path in paths:
        on_photo()
        try:
            image, _ = load_photo(path, first=True)
        except PhotoError as error:
            refused.append(str(error))
            continue
        images.append(shape(image[:1].permute(0, 3, 1, 2)))
    return images


def _kept(image: torch.Tensor, short_side: int) -> torch.Tensor:
    """A picture [1,3,H,W] in 0..1 as it is kept: uint8 [3,H,W], a quarter of the memory."""
    return (_at_most(image, short_side)[0] * 255.0).round().to(torch.uint8)


def _at_most(image: torch.Tensor, short_side: int) -> torch.Tensor:
    factor = short_side / min(image.shape[2:])
    if factor >= 1.0:
        return image
    size = [max(round(side * factor), 1) for side in image.shape[2:]]
    return F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False).clamp(0.0, 1.0)


def _order(path: Path) -> tuple[str, str]:
    return hashlib.sha256(path.stem.encode()).hexdigest(), str(path)


def _draw(path: Path) -> float:
    """A number in 0..1 that only the stem decides; other digits of its hash than those that order the photos."""
    return int(hashlib.sha256(path.stem.encode()).hexdigest()[-8:], 16) / 0x1_0000_0000
