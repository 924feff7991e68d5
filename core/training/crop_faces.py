"""Photos of a data set cut to what is trained on: a square round the face, or the whole at one of a few sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from ..choices import FacePolicy
from ..errors import PhotoError
from ..faces.choose import find_subject
from ..files import file_sha256, make_private_folder, write_new
from ..imaging.encode import drawn_file
from ..imaging.files import load_photo, to_pil
from ..imaging.tensors import pixels, planes, resize
from ..provenance.save import stated_of_photos
from .data import Manifest, Photo

if TYPE_CHECKING:
    import torch

    from ..faces.engines import FaceEngine

Cut = Literal["face", "whole"]

STEP = 64
"""Sides of a bucket are multiples of this: eight pixels to a latent, eight latents to a UNet's deepest level."""

WIDEST = 2.0
"""The most that one side of a bucket is longer than the other."""

AROUND = 2.2
"""Side of the square round a face, in face widths: hair, chin and collar are on it."""

LOWER = 0.06
"""The square's middle lies this share of its side below the face's: there is more of a neck than of a sky."""

SLACK = 1.02
"""An enlargement that nobody sees."""

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True)
class LeftOut:
    """A photo that was not cut, and why."""

    file: str
    reason: str


def buckets(size: int) -> list[tuple[int, int]]:
    """Widths and heights in multiples of `STEP`, of about `size` x `size` pixels and no more; the square is one."""
    side = size // STEP * STEP
    found = {(side, side)}
    for width in range(STEP, side, STEP):
        height = size * size // width // STEP * STEP
        if width <= height <= WIDEST * width:
            found |= {(width, height), (height, width)}
    return sorted(found)


def nearest_bucket(width: int, height: int, size: int) -> tuple[int, int]:
    """The bucket whose proportions are nearest to those of a photo."""
    return min(buckets(size), key=lambda each: abs(math.log(each[0] / each[1]) - math.log(width / height)))


def box_round_face(face: Box, width: int, height: int, around: float = AROUND) -> Box:
    """The square round a face inside a photo of `width` x `height`: shifted, and at last smaller, where it ends."""
    left, top, wide, high = face
    side = min(around * max(wide, high), width, height)
    x, y = left + wide / 2 - side / 2, top + high / 2 - side / 2 + min(LOWER * side, (side - high) / 2)
    return min(max(x, 0), width - side), min(max(y, 0), height - side), side, side


def box_of_bucket(bucket: tuple[int, int], face: Box | None, width: int, height: int) -> Box:
    """The largest box of a bucket's proportions in a photo, with the face as near to its middle as can be."""
    scale = min(width / bucket[0], height / bucket[1])
    wide, high = bucket[0] * scale, bucket[1] * scale
    x, y = (width / 2, height / 2) if face is None else (face[0] + face[2] / 2, face[1] + face[3] / 2)
    return min(max(x - wide / 2, 0), width - wide), min(max(y - high / 2, 0), height - high), wide, high


def crop_photos(
    manifest: Manifest,
    folder: Path,
    engine: FaceEngine,
    *,
    cut: Cut = "face",
    size: int = 512,
    enlarge: float = 1.0,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Manifest, list[LeftOut]]:
    """Write the photos of a data set cut and resized into `folder`, as PNG; their manifest, and what was left out.

    `cut`: "face" is a square of `size` pixels round the face, "whole" the nearest of the `buckets` of `size`. A photo
    that would be enlarged more than `enlarge` times is left out: what is enlarged teaches softness. Faces are those of
    the manifest, else the largest that is found. Each file says how its photo was made. Raises OSError and what loading
    the networks raises.
    """
    made: list[Photo] = []
    left_out: list[LeftOut] = []
    taken: set[str] = set()
    on_photo(0, len(manifest.photos))
    for number, photo in enumerate(manifest.photos, start=1):
        on_photo(number, len(manifest.photos))
        try:
            picture = load_photo(manifest.unchanged_path(photo), first=True)[0][0]
        except PhotoError as error:
            left_out.append(LeftOut(photo.file, str(error)))
            continue
        face = photo.face or _face(picture, engine)
        planned = plan_cut(picture.shape[1], picture.shape[0], face, cut, size)
        why = NO_FACE if planned is None else planned.refused(enlarge)
        if planned is None or why:
            left_out.append(LeftOut(photo.file, why))
            continue
        name = next(each for each in _names(photo.file) if each not in taken)
        taken.add(name)
        made.append(_cut(photo, picture, planned, folder / name, manifest.path(photo)))
    ordered = tuple(sorted(made, key=lambda each: each.file))
    source = f"{manifest.source or manifest.name}, version {manifest.version[:16]}, {cut} of {size} pixels"
    return Manifest(f"{manifest.name} ({cut})", folder, ordered, manifest.licence, source), left_out


NO_FACE = "No face was found."


@dataclass(frozen=True)
class PlannedCut:
    """What is cut out of a photo, and to which width and height it is resized."""

    box: Box
    target: tuple[int, int]
    face: Box | None

    @property
    def scale(self) -> float:
        """How many times it is enlarged."""
        return self.target[0] / self.box[2]

    def refused(self, enlarge: float) -> str:
        """Why it is not cut; empty where it is."""
        if self.scale <= enlarge * SLACK:
            return ""
        return f"It would be enlarged {self.scale:.2f} times to {self.target[0]} x {self.target[1]} pixels."


def plan_cut(width: int, height: int, face: Box | None, cut: Cut, size: int) -> PlannedCut | None:
    """What is cut out of a photo of `width` x `height`; None where that needs a face and there is none."""
    if cut == "face":
        return None if face is None else PlannedCut(box_round_face(face, width, height), (size, size), face)
    target = nearest_bucket(width, height, size)
    return PlannedCut(box_of_bucket(target, face, width, height), target, face)


def _cut(photo: Photo, picture: torch.Tensor, planned: PlannedCut, file: Path, source: Path) -> Photo:
    """Write a photo cut and resized; what its line of the manifest is then."""
    width, height = planned.target
    written = _write(picture, planned, file, source)
    face = None if planned.face is None else _moved(planned.face, planned)
    digest, size = file_sha256(written), written.stat().st_size
    return replace(photo, file=file.name, sha256=digest, size=size, width=width, height=height, face=face, quality={})


def _face(picture: torch.Tensor, engine: FaceEngine) -> Box | None:
    face = find_subject(engine, picture, FacePolicy.LARGEST, 1).face
    if face is None:
        return None
    left, top, right, bottom = (float(edge) for edge in face.box)
    return left, top, right - left, bottom - top


def _names(file: str) -> Iterator[str]:
    """A photo's own name as PNG, with its folders in it where another has that name."""
    place = PurePosixPath(file)
    yield f"{place.stem}.png"
    yield "-".join((*place.parts[:-1], f"{place.stem}.png"))
    number = 2
    while True:
        yield f"{place.stem}-{number}.png"
        number += 1


def _write(picture: torch.Tensor, planned: PlannedCut, file: Path, source: Path) -> Path:
    """Cut at whole pixels, resize once, write."""
    left, top, wide, high = (round(each) for each in planned.box)
    part = planes(picture[top : top + max(high, 1), left : left + max(wide, 1)][None])
    small = pixels(resize(part, planned.target[1], planned.target[0]))[0].clamp(0, 1)
    make_private_folder(file.parent)
    return write_new(file, drawn_file(to_pil(small), "png", stated_of_photos([source])), private=True)


def _moved(face: Box, planned: PlannedCut) -> Box:
    """The face's box in the pixels of what was cut."""
    scale, (left, top, *_) = planned.scale, planned.box
    x, y, width, height = (face[0] - left) * scale, (face[1] - top) * scale, face[2] * scale, face[3] * scale
    return round(x, 1), round(y, 1), round(width, 1), round(height, 1)
