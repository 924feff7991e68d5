"""Looks at a photo for its head: the whole photo small, then the part round the head at the size networks need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from ..choices import FacePolicy
from ..errors import FaceNotUsable
from ..faces.choose import DOCUMENT, Box, choose_face, detect_in_tiles
from ..faces.mesh import LEFT_SIDE, RIGHT_SIDE, find_mesh
from ..imaging.colour_profiles import PROFILED, eight_bit, in_srgb
from ..imaging.files import opened
from ..imaging.tensors import planes, resize
from ..portrait.person_matte import PersonFinder
from ..quality.aligned_face import Portrait
from .head import Head, find_head

if TYPE_CHECKING:
    from PIL import Image

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

        with opened(path) as photo:
            photo.load()
            self._profile = photo.info.get("icc_profile")
            picture, self.edits = _opaque(eight_bit(ImageOps.exif_transpose(photo)))
        if picture.mode not in PROFILED:
            picture, self._profile = in_srgb(picture, None), None
        self._picture: Image.Image = picture

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


if TYPE_CHECKING:
    import torch

    from ..faces.engines import FaceEngine
    from ..faces.face import Face

    Matte = torch.Tensor | Callable[[torch.Tensor], torch.Tensor]
    """The person's MASK [h,w] of the whole photo at any size, or what makes one [h,w] for a picture [h,w,3]."""

LOOKED_AT = 800
"""Pixels on the longer side at which a face is looked for: a little more than the detector's input."""

SMALLEST_EYES = 64
"""Pixels between the eyes below which a photo is not reduced: more than the mesh's network sees (42), and what the
iris network does (62)."""

ROUND_HEAD = 12.0
"""How far the part that is kept reaches from the eyes to each side, in eye distances: three heads, so that no frame of
any document leaves it unless it leaves the photo."""

CLEAR = 0.9
"""The mesh's certainty below which there is no face, or one that is upside down or mostly hidden: upright faces of LFW
are at 1.00, an upside-down one at 0.87."""

FACE_SIDES = (LEFT_SIDE, RIGHT_SIDE)
"""The mesh's points at the widest places of the face, before the ears."""

HEAD_TO_FACE = 1.09
"""Head breadth by face breadth (bizygomatic) of adults: 152 by 140 mm, Gordon et al., ANSUR 1988."""


@dataclass(frozen=True, eq=False)
class LocatedHead:
    """What is known of a photo.

    `portrait` is of the part `box` of it, `block` times reduced, with the person's mask where there is one; `head` is
    in pixels of the whole photo. `doubts` say why a person should look at the mask.
    """

    portrait: Portrait
    head: Head
    box: Box
    block: int
    doubts: tuple[str, ...] = ()

    @property
    def head_width(self) -> float:
        """Of the head without the ears, in pixels of the whole photo."""
        first, last = self.portrait.mesh.points[list(FACE_SIDES), :2]
        return HEAD_TO_FACE * self.block * float(np.hypot(*(last - first)))


def locate_head(source: Source, engine: FaceEngine, matte: Matte | None = None, largest: bool = False) -> LocatedHead:
    """Find the head of the photo, at a size at which that is quick.

    Raises FaceNotUsable for no face, for several unless `largest`, and for one that cannot be made out; and what the
    face engine, the mesh and `matte` raise.
    """
    faces = find_faces(source, engine)
    policy = FacePolicy.LARGEST if largest else FacePolicy.STRICT
    rough = choose_face(faces, (source.height, source.width), policy).require(DOCUMENT)
    box, block = _round_head(source, rough)
    small = source.region(box, block)[0].permute(1, 2, 0)
    face = _again(engine, small, rough.moved(box[0], box[1], block))
    mesh = find_mesh(small, face)
    if mesh.presence < CLEAR:
        raise FaceNotUsable(
            f"The face cannot be made out (certainty {mesh.presence:.2f}, {CLEAR:g} is asked for); give a photo that "
            "stands upright and shows the whole face from the front."
        )
    mask, doubts = (None, ()) if matte is None else _mask(matte, source, box, small)
    head = _in_photo(find_head(face, mesh, mask), box, block)
    return LocatedHead(Portrait(small, face, mesh, faces, mask), head, box, block, doubts)


def coarse_block(source: Source) -> int:
    """By how much a photo is reduced before a face is looked for."""
    return max(1, -(-max(source.width, source.height) // LOOKED_AT))


def find_faces(source: Source, engine: FaceEngine) -> list[Face]:
    """The faces of a photo in its own pixels; one that is lost in a panorama or a crowd's width too."""
    size = (source.height, source.width)
    if coarse_block(source) == 1:
        return _faces_in(source, engine, (0, 0, source.width, source.height))
    return detect_in_tiles(lambda box: _faces_in(source, engine, box), size)


def _faces_in(source: Source, engine: FaceEngine, box: Box) -> list[Face]:
    block = max(1, -(-max(box[2] - box[0], box[3] - box[1]) // LOOKED_AT))
    small = source.region(box, block)[0].permute(1, 2, 0)
    return [face.moved(-box[0] / block, -box[1] / block, 1 / block) for face in engine.detect(small)]


def _round_head(source: Source, face: Face) -> tuple[Box, int]:
    """The part of the photo round the head, and how many times it is reduced."""
    middle = face.landmarks[:2].mean(0)
    unit = face.frontal_eye_distance
    reach = ROUND_HEAD * unit
    low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach, [source.width, source.height])
    box = (int(low[0]), int(low[1]), int(np.ceil(high[0])), int(np.ceil(high[1])))
    return box, max(1, min(int(unit / SMALLEST_EYES), -(-max(box[2] - box[0], box[3] - box[1]) // LOOKED_AT)))


def _again(engine: FaceEngine, small: torch.Tensor, expected: Face) -> Face:
    """The face as it is seen in the part that is kept, or as it was seen before, where it is not seen again."""
    found = [
        face
        for face in engine.detect(small)
        if np.hypot(*(face.landmarks.mean(0) - expected.landmarks.mean(0))) < 0.5 * expected.size
    ]
    return max(found, key=lambda face: face.size, default=expected)


def _mask(matte: Matte, source: Source, box: Box, small: torch.Tensor) -> tuple[torch.Tensor, tuple[str, ...]]:
    """The person in the part that is kept, at its size, and why a person should look at it."""
    height, width = small.shape[:2]
    if isinstance(matte, PersonFinder):
        found = matte.find(small)
        return found.mask, tuple(found.reasons) if found.look else ()
    if callable(matte):
        return resize(planes(matte(small)[None]), height, width)[0, 0], ()
    across, down = matte.shape[1] / source.width, matte.shape[0] / source.height
    left, right = int(box[0] * across), max(int(box[0] * across) + 1, round(box[2] * across))
    top, bottom = int(box[1] * down), max(int(box[1] * down) + 1, round(box[3] * down))
    return resize(planes(matte[None, top:bottom, left:right]), height, width)[0, 0], ()


def _in_photo(head: Head, box: Box, block: int) -> Head:
    """The head of the part `box`, reduced `block` times, in pixels of the whole photo."""
    x, y = box[0], box[1]
    scaled: dict[str, Any] = {
        name: getattr(head, name) * block for name in ("unit", "chin_sigma", "crown_sigma", "hair_sigma")
    }
    heights = {name: getattr(head, name) * block + y for name in ("eyes", "chin", "crown")}
    return dataclasses.replace(
        head,
        pivot=(head.pivot[0] * block + x, head.pivot[1] * block + y),
        centre=head.centre * block + x,
        hair=None if head.hair is None else head.hair * block + y,
        **heights,
        **scaled,
    )
