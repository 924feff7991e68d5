"""What photometric measures look at: one photo, its face turned upright at a fixed size, and the surroundings."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from ..choices import FacePolicy
from ..faces.choose import BATCH, choose_face
from ..faces.mesh import MOUTH_CORNERS, NOSE_TIP, FaceMesh, find_mesh
from ..imaging.colour import luminance, to_linear
from ..imaging.filters import inside_outlines
from ..imaging.tensors import resize
from ..imaging.warp import block_mean, move_points, similarity

if TYPE_CHECKING:
    from ..faces.engines import FaceEngine
    from ..faces.face import Face


@dataclass(frozen=True, eq=False)
class Portrait:
    """A photo [H,W,3] in 0..1 with the one face that is looked at.

    faces: all that were found; face: the one. mesh: its dense landmarks. matte: the person [H,W] in 0..1, or None.
    """

    photo: torch.Tensor
    face: Face
    mesh: FaceMesh
    faces: list[Face] = field(default_factory=list)
    matte: torch.Tensor | None = None

    @cached_property
    def aligned(self) -> AlignedFace:
        """The face upright at a fixed size: what photometric measures are defined on."""
        return align_face(self)

    @cached_property
    def surroundings(self) -> Surroundings:
        """The photo round the head, level and small: what background measures are defined on."""
        return look_around(self)


def look_at(
    photo: torch.Tensor,
    engine: FaceEngine,
    matte: torch.Tensor | None = None,
    policy: FacePolicy = FacePolicy.REFUSE,
) -> Portrait:
    """Find the face in `photo` [H,W,3] that is meant. Raises FaceNotUsable where none is."""
    faces = engine.detect(photo)
    face = choose_face(faces, photo.shape, policy).require(BATCH)
    return Portrait(photo, face, find_mesh(photo, face), faces, matte)


SIDE = 616
"""Side of the aligned face, in pixels: ISO/IEC 29794-5, as OFIQ aligns it."""

TEMPLATE = np.array([[251, 272], [364, 272], [308, 336], [262, 402], [355, 402]], np.float64)
"""Where OFIQ's alignment puts the eye centres, the tip of the nose and the corners of the mouth, in pixels (x, y)."""

EYE_DISTANCE = 113.0
"""Between the eye centres of an aligned face, in pixels, up to the shape of the face."""

OUTLINE = (
    *(127, 70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 356),
    *(454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234),
)
"""Points of the mesh round the face without the forehead: the brows, then the jaw from the viewer's right to the left.
OFIQ's face region ends at the brows too, where its 98 landmarks end."""

ZONE = 0.3
"""Side of the zone on each cheek, in eye distances: ISO/IEC 29794-5, as OFIQ has it."""

SURROUNDINGS = (648, 494)
"""Width and height of the picture of the surroundings, in pixels: 4 eye distances to each side and above, wider than
any document's frame, and 2.1 below, where OFIQ's ends too. OFIQ's is 4.4 wide, at the same scale."""

SURROUNDINGS_EYES = (324.0, 324.0)
"""Where the middle of the eyes lies in it: 4 eye distances below its top."""

SURROUNDINGS_SCALE = 81.0
"""Its pixels for one eye distance: 113 * 354 / 492, what OFIQ shrinks the background to."""


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face in a square of `SIDE` pixels, the eyes level and `EYE_DISTANCE` apart.

    image: [SIDE,SIDE,3] display values in 0..1; where the photo ends, its edge is repeated. inside: [SIDE,SIDE] bool,
    where the photo is. points: the mesh [468,2], x and y in aligned pixels. lids: two outlines [16,2]; irises: two
    (x, y, radius). scale: aligned pixels for one of the photo's.
    """

    image: torch.Tensor
    inside: torch.Tensor
    points: np.ndarray
    lids: tuple[np.ndarray, np.ndarray]
    irises: tuple[tuple[float, float, float], tuple[float, float, float]]
    scale: float

    @cached_property
    def luminance(self) -> torch.Tensor:
        """Linear light [SIDE,SIDE] in 0..1, Rec. 709 weights: the luminance of ISO/IEC 29794-5 divided by 255."""
        return linear_luminance(self.image)

    @cached_property
    def region(self) -> torch.Tensor:
        """The face without its forehead, [SIDE,SIDE] bool."""
        return inside_outlines(self.points[list(OUTLINE)], height=SIDE, width=SIDE) & self.inside

    @cached_property
    def tones(self) -> np.ndarray:
        """Luminances in 0..1 of the face without its forehead, eyes included, from dark to light.

        Of all that is there, where the photo shows nothing of that part.
        """
        face = self.region | self.eye_opening
        return np.sort(self.luminance[face if bool(face.any()) else ...].numpy(), axis=None)

    @cached_property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns that hold `region` and the eyes, with a margin for filters."""
        spots = self.points[list(OUTLINE)]
        (x0, y0), (x1, y1) = (np.clip(ends, 0, SIDE).astype(int) for ends in (spots.min(0) - 10, spots.max(0) + 11))
        return slice(y0, y1), slice(x0, x1)

    @cached_property
    def eye_opening(self) -> torch.Tensor:
        """What lies between the lids of both eyes, [SIDE,SIDE] bool."""
        return inside_outlines(*map(_round, self.lids), height=SIDE, width=SIDE) & self.inside

    @cached_property
    def cheeks(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Rows and columns of the viewer-left and the viewer-right cheek's zone: the measurement zones of the ISO.

        Squares outward from below the eye centres, half-way between eyes and mouth.
        """
        left, right = ((lids[0] + lids[8]) / 2 for lids in self.lids)
        mouth = self.points[list(MOUTH_CORNERS)].mean(0)
        down = float(np.hypot(*(mouth - (left + right) / 2))) / 2
        size = int(ZONE * np.hypot(*(right - left)))

        def zone(x: float, y: float) -> tuple[slice, slice]:
            column, row = (min(max(round(start), 0), SIDE - size) for start in (x, y))
            return slice(row, row + size), slice(column, column + size)

        return zone(left[0] - size, left[1] + down), zone(right[0], right[1] + down)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The photo round the head, level and small: `SURROUNDINGS` pixels, `SURROUNDINGS_SCALE` for one eye distance.

    image: [H,W,3] display values. inside: [H,W] bool, where the photo is. matte: the person [H,W] in 0..1, or None.
    """

    image: torch.Tensor
    inside: torch.Tensor
    matte: torch.Tensor | None


def align_face(portrait: Portrait) -> AlignedFace:
    """Cut out and turn the face of `portrait`. The least squares over OFIQ's five points, where OFIQ drops outliers."""
    mesh = portrait.mesh
    eyes, below = [eye.centre for eye in mesh.eyes], mesh.points[[NOSE_TIP, *MOUTH_CORNERS], :2]
    five = np.concatenate([eyes, below]).astype(np.float64)
    a, b = similarity(five, TEMPLATE)
    image, inside = cut(portrait.photo, a, b, SIDE, SIDE, smooth=True)

    def moved(points: np.ndarray) -> np.ndarray:
        return move_points(points, (a, b))

    first, second = (moved(eye.lids) for eye in mesh.eyes)
    circles = [(*moved(eye.iris[None])[0].tolist(), eye.radius * abs(a)) for eye in mesh.eyes]
    return AlignedFace(image, inside, moved(mesh.points[:, :2]), (first, second), (circles[0], circles[1]), abs(a))


def look_around(portrait: Portrait) -> Surroundings:
    """Cut out and turn what surrounds the head of `portrait`, and the same of its matte."""
    mesh = portrait.mesh
    eyes = np.array([eye.centre for eye in mesh.eyes], np.float64)
    x, y = SURROUNDINGS_EYES
    half = SURROUNDINGS_SCALE / 2
    a, b = similarity(eyes, np.array([[x - half, y], [x + half, y]]))
    width, height = SURROUNDINGS
    image, inside = cut(portrait.photo, a, b, width, height, smooth=False)
    if portrait.matte is None:
        return Surroundings(image, inside, None)
    shrink = portrait.matte.shape[1] / portrait.photo.shape[1]
    corner = complex(0.5, 0.5) * (1 / shrink - 1)
    matte, _ = cut(portrait.matte[..., None], a / shrink, b + a * corner, width, height, smooth=False)
    return Surroundings(image, inside, matte[..., 0])


def cut(
    picture: torch.Tensor, a: complex, b: complex, width: int, height: int, smooth: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The frame of `width` x `height` pixels into which w = a z + b takes the pixels z = x + iy of [H,W,C].

    Returns [height,width,C], the picture's edge repeated outside it, and [height,width] bool, where the picture is.
    A frame with fewer pixels than the picture is averaged: exactly (`smooth`), or over whole blocks of pixels.
    """
    step, start = 1 / a, -b / a
    ratio = abs(step)
    corners = start + step * np.array([0, width, height * 1j, width + height * 1j], np.complex128)
    rows, columns = picture.shape[:2]
    x0, x1 = _span(corners.real, ratio, columns)
    y0, y1 = _span(corners.imag, ratio, rows)
    block = min(max(1, int(ratio / 1.25) if smooth else int(ratio)), x1 - x0, y1 - y0)
    planes = _blocks(picture[y0:y1, x0:x1].detach().cpu().float().numpy(), block)
    tall, wide = (count * block for count in planes.shape[-2:])
    if smooth and ratio > block:
        size = (round(tall / ratio), round(wide / ratio))
        planes = resize(planes, max(2, size[0]), max(2, size[1]))
    spots = np.add.outer(np.arange(height) * 1j * step, np.arange(width) * step) + start + (0.5 + 0.5j)
    grid = torch.from_numpy(np.stack([(spots.real - x0) / wide, (spots.imag - y0) / tall], -1)).float()
    inside = (spots.real >= 0) & (spots.real <= columns) & (spots.imag >= 0) & (spots.imag <= rows)
    found = F.grid_sample(
        planes,
        (grid * 2 - 1)[None],
        mode="bicubic" if smooth else "bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return found[0].permute(1, 2, 0).clamp(0, 1).contiguous(), torch.from_numpy(inside)


def _span(places: np.ndarray, ratio: float, size: int) -> tuple[int, int]:
    """The part of 0..size that is needed for `places`, with a margin for the filters."""
    margin = 3 * ratio + 3
    low = min(max(math.floor(places.min() - margin), 0), size - 1)
    return low, min(max(math.ceil(places.max() + margin), low + 1), size)


def _blocks(patch: np.ndarray, block: int) -> torch.Tensor:
    """[H,W,C] as [1,C,H / block,W / block]: pictures averaged over blocks, of masks, which are smooth, the middle."""
    if patch.shape[2] == 3:
        return torch.from_numpy(np.ascontiguousarray(block_mean(patch, block)))[None]
    rows, columns = (count // block * block for count in patch.shape[:2])
    middle = patch[block // 2 : rows : block, block // 2 : columns : block]
    return torch.from_numpy(np.ascontiguousarray(middle.transpose(2, 0, 1)))[None]


def linear_luminance(display: torch.Tensor) -> torch.Tensor:
    """Linear light [...] of sRGB display values [...,3], Rec. 709 weights."""
    return luminance(to_linear(display))


def _round(lids: np.ndarray) -> np.ndarray:
    """The lower lid and back along the upper one: the lids' outline in order."""
    return np.concatenate([lids[:9], lids[:8:-1]])
