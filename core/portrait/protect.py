"""Which pixels of a portrait are the person's and stay, and which may change: masks for inpainting.

The face is an oval laid through the five landmarks, turned and pushed to the side with the head. Lengths are in
*eye distances*: the distance between the pupils of the face seen from the front, 63 mm in adults (Dodgson 2004).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..choices import CELL, Protect
from ..errors import MatteMissing
from ..faces.anthropometry import EYE_TO_CHIN, frontal_eye_distance
from ..faces.face import lean_of
from ..imaging.filters import distance_to, find_regions, smooth
from ..imaging.warp import rotate

FACE_HALF_WIDTH = 1.12
"""Middle of the face to its side in front of the ear: bizygomatic breadth is 140 mm (ANSUR, Gordon et al. 1988)."""

JAW = 0.12
"""How much narrower than an ellipse the face is towards the chin: bigonial breadth is 110 mm (ANSUR)."""

HEAD_HALF_WIDTH = 2.3
"""Middle of the face to the side of the widest hair that is kept below the eyes, where shoulders begin to show."""

EYE_TO_HAIRLINE = 1.1
"""Eye line to hairline: 70 mm (trichion, Farkas 1994)."""

BELOW_CHIN = 0.08
"""Room below the chin, so that its shadow stays with it."""

NOSE_DEPTH = 0.5
"""How far the tip of the nose lies in front of the plane of eyes and mouth: a turned head moves it to the side."""

FACE_DEPTH = 1.05
"""Half axis, from back to front, of the ellipsoid that the face is the front of."""

EYE_DEPTH = 0.95
"""How far that plane lies in front of the axis that the sides of the face turn about."""

LARGEST_TURN = 0.8
"""Largest sine of the head's turn that the oval follows: 53 degrees."""

CHEEK = 0.9
"""Eye line to below the ears, above any collar: here it is seen how wide the hair falls."""

SHORT_HAIR = 0.3
"""Hair that reaches less far beyond the face's oval there does not fall beside it."""

SOLID = 0.8
"""From this value on, the matte says that a pixel is the person's. Below, too much of the old background shines
through for a pixel that stays as it is."""


@dataclass(frozen=True)
class Oval:
    """A face in the picture's pixels: `centre` (x, y) is level with the widest place, `angle` the roll in degrees.

    `left`, `right`, `up` and `down` are its half axes as the viewer sees an upright face; `unit` is the eye distance
    and `chin` the height of the chin below `centre`.
    """

    centre: tuple[float, float]
    angle: float
    left: float
    right: float
    up: float
    down: float
    chin: float
    unit: float

    def level(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """For every pixel its place right of and below the centre, in the face's own upright axes, each [H,W]."""
        cosine, sine = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        x = np.arange(width, dtype=np.float32)[None] - np.float32(self.centre[0])
        y = np.arange(height, dtype=np.float32)[:, None] - np.float32(self.centre[1])
        return cosine * x + sine * y, cosine * y - sine * x

    def above_neck(self, height: int, width: int) -> torch.Tensor:
        """The pixels where a head and its hair can be, without neck and shoulders: a boolean mask [H,W].

        Everything above the eyes, and below them what lies inside a half ellipse down to the chin.
        """
        right, down = self.level(height, width)
        eyes = self.chin - EYE_TO_CHIN * self.unit
        below = np.clip((down - eyes) / (EYE_TO_CHIN * self.unit), 0, None)
        return torch.from_numpy(np.square(right / (HEAD_HALF_WIDTH * self.unit)) * (below > 0) + below**2 <= 1)

    def inside(self, height: int, width: int) -> torch.Tensor:
        """The pixels inside, as a boolean mask [H,W]."""
        right, down = self.level(height, width)
        return torch.from_numpy(np.abs(right) <= self.half_width(down, np.where(right < 0, self.left, self.right)))

    def half_width(self, down: np.ndarray, axis: float | np.ndarray) -> np.ndarray:
        """How wide the face is at heights below the centre, on the side with the half axis `axis`; -1 outside of it."""
        along = down / np.where(down < 0, self.up, self.down)
        curve = np.sqrt(np.clip(1 - np.square(along), 0, None)) * (1 - JAW * np.clip(along, 0, 1))
        return np.where(np.abs(along) <= 1, axis * curve, -1).astype(np.float32)


def face_oval(landmarks: np.ndarray) -> Oval:
    """The face that five landmarks [5,2] (as in `faces.face.Face`) belong to, from hairline to chin.

    On a turned head the near cheek is wide and the far one narrow: the nose's shift to the side gives the turn.
    """
    points = landmarks.astype(np.float64)
    across = points[1] - points[0]
    angle = lean_of(points)
    eyes = points[:2].mean(0)
    level = rotate(points, (float(eyes[0]), float(eyes[1])), -angle)
    mouth = level[3:5].mean(0)
    unit = frontal_eye_distance(float(np.hypot(*across)), float(mouth[1] - eyes[1]))
    middle = (eyes[0] + mouth[0]) / 2
    turn = float(np.clip((level[2, 0] - middle) / (NOSE_DEPTH * unit), -LARGEST_TURN, LARGEST_TURN))
    near = FACE_HALF_WIDTH * math.sqrt(1 - turn**2) + EYE_DEPTH * abs(turn)
    far = math.hypot(FACE_HALF_WIDTH * math.sqrt(1 - turn**2), FACE_DEPTH * turn) - EYE_DEPTH * abs(turn)
    left, right = (near, far) if turn > 0 else (far, near)
    up = down = (EYE_TO_HAIRLINE + EYE_TO_CHIN + BELOW_CHIN) / 2
    below_eyes = down - EYE_TO_HAIRLINE
    centre = rotate(np.array([[middle, eyes[1] + below_eyes * unit]]), (float(eyes[0]), float(eyes[1])), angle)[0]
    return Oval(
        centre=(float(centre[0]), float(centre[1])),
        angle=angle,
        left=left * unit,
        right=right * unit,
        up=up * unit,
        down=down * unit,
        chin=(EYE_TO_CHIN - below_eyes) * unit,
        unit=unit,
    )


def kept_region(
    protect: Protect, oval: Oval, height: int, width: int, matte: torch.Tensor | None = None
) -> torch.Tensor:
    """The pixels to protect, as a boolean mask [H,W]; `matte` is the person's, [H,W] in 0..1.

    Raises MatteMissing where more than the face is asked for and there is no matte.
    """
    face = oval.inside(height, width)
    if matte is None:
        if protect is not Protect.FACE:
            raise MatteMissing(
                f"To protect the {protect.value}, the person's matte is needed; connect Matte Person's mask, or "
                "protect the face only."
            )
        return face
    person = matte.cpu() >= SOLID
    if protect is Protect.PERSON:
        return person
    face &= person
    if protect is Protect.FACE:
        return face
    head = _connected(person & oval.above_neck(height, width), face)
    return face | (head & _without_collar(head, oval))


def _without_collar(head: torch.Tensor, oval: Oval) -> torch.Tensor:
    """The pixels [H,W] without those that jut out to the side below the cheeks: a collar or a shoulder.

    Each side is looked at from CHEEK down. Hair that is wide there may fall straight, and no wider. Beside a face with
    short hair nothing reaches further out than there, measured from the face's oval, which narrows to the chin.
    """
    right, down = oval.level(*head.shape)
    start = oval.chin + (CHEEK - EYE_TO_CHIN) * oval.unit
    row = np.maximum(np.floor(down - start), 0).astype(int)
    height = start + np.arange(int(row.max()) + 1, dtype=np.float32)
    allowed = np.ones(head.shape, dtype=bool)
    for side, axis in ((-1, oval.left), (1, oval.right)):
        outward = side * right
        at_cheek = head.numpy() & (outward > 0) & (np.abs(down - start) < 0.1 * oval.unit)
        widest = float(outward[at_cheek].max(initial=axis))
        face = oval.half_width(height, axis)
        beside = widest - float(face[0])
        limit = face + beside if beside < SHORT_HAIR * oval.unit else np.full_like(face, widest)
        allowed &= (row == 0) | (outward <= limit[row])
    return torch.from_numpy(allowed)


def _connected(mask: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
    """The regions of `mask` [H,W] that touch `seed`: a raised hand or a neighbour is none of the head."""
    regions = find_regions(mask.numpy())
    touched = np.zeros(len(regions.sizes) + 1, dtype=bool)
    touched[regions.labels[seed.numpy()]] = True
    touched[0] = False
    return torch.from_numpy(touched[regions.labels])


def cells_of(keep: torch.Tensor, cell: int) -> torch.Tensor:
    """`keep` [H,W] grown to every whole latent cell of `cell` pixels that it touches.

    Where the size is no multiple of the cell, ComfyUI crops the picture evenly at both ends before encoding it, but
    stretches a latent noise mask over the whole of it: both grids are covered then.
    """
    height, width = keep.shape
    rows, columns = height // cell, width // cell
    if cell < 2 or not rows or not columns:
        return keep
    top, left = height % cell // 2, width % cell // 2
    body = keep[top : top + rows * cell, left : left + columns * cell]
    touched = F.max_pool2d(body[None, None].float(), cell)
    grown = keep | (F.interpolate(touched, size=(height, width), mode="nearest")[0, 0] > 0)
    grown[top : top + rows * cell, left : left + columns * cell] |= (
        F.interpolate(touched, scale_factor=cell, mode="nearest")[0, 0] > 0
    )
    return grown


@dataclass(frozen=True)
class ProtectOptions:
    """`grow` (negative: shrink) and `feather` are in eye distances, `cell` in pixels (1: no latent cells)."""

    protect: Protect = Protect.FACE
    grow: float = 0.0
    feather: float = 0.3
    cell: int = CELL


def protect_masks(
    landmarks: np.ndarray, height: int, width: int, options: ProtectOptions, matte: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    """(change, keep, report) for one picture with landmarks [5,2]; both masks are [H,W] float32.

    keep is exactly 0 or 1. change is 0 on every latent cell that touches keep, and rises to 1 over the feather
    outside of them. Raises MatteMissing as `kept_region` does.
    """
    oval = face_oval(landmarks)
    region = kept_region(options.protect, oval, height, width, matte)
    reach = options.grow * oval.unit
    keep = distance_to(region, reach + 1) <= reach if reach >= 0 else distance_to(~region, 1 - reach) > -reach
    still = cells_of(keep, options.cell)
    width_of_edge = options.feather * oval.unit
    change = smooth(distance_to(still, width_of_edge + 1) / (width_of_edge + 1))
    report = {
        "protect": options.protect.value,
        "eye_distance_pixels": round(oval.unit, 1),
        "turned_degrees": round(oval.angle, 1),
        "grow_pixels": round(reach, 1),
        "feather_pixels": round(width_of_edge, 1),
        "cell_pixels": options.cell,
        "kept_percent": round(100 * float(keep.float().mean()), 2),
        "kept_with_cells_percent": round(100 * float(still.float().mean()), 2),
        "may_change_fully_percent": round(100 * float((change >= 1).float().mean()), 2),
        "notes": _notes(height, width, options.cell, keep, change),
    }
    return change, keep.float(), report


def _notes(height: int, width: int, cell: int, keep: torch.Tensor, change: torch.Tensor) -> list[str]:
    notes = []
    if cell > 1 and (height % cell or width % cell):
        notes.append(
            f"{width} x {height} pixels are no multiple of {cell}: ComfyUI crops the picture when it encodes it; "
            "resize it first and the picture comes back in its own size."
        )
    if not bool(keep.any()):
        notes.append("Nothing is protected: the matte does not cover the face.")
    if not bool((change > 0).any()):
        notes.append("Nothing may change: the protected area fills the picture.")
    return notes
