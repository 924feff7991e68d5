"""What a photo shows that can be measured without a captioning model: pose, framing, light, sharpness."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..choices import FacePolicy
from ..errors import FaceNotUsable
from ..faces.choose import DESCRIBED, choose_face, steady_landmarks
from ..faces.engines import FaceEngine
from ..faces.face import CROP, Face, align
from ..faces.pose import Pose, pose_from_points
from ..imaging.colour import plane_luminance, to_linear
from ..imaging.tensors import planes
from ..portrait.measure_head import measure_head
from ..quality.sharpness import face_quality
from .measure_background import background

FRAMINGS = (
    (1.15, "close-up of the face"),
    (1.6, "tight headshot"),
    (2.3, "head and shoulders"),
    (3.2, "chest-up portrait"),
    (4.2, "half-length portrait"),
    (6.5, "three-quarter-length portrait"),
    (float("inf"), "full-length portrait"),
)
"""Framings by where the picture (or the person) ends, in head heights below the crown. An adult is 7.5 heads tall; the
chin lies at 1, the shoulder line at 1.4, the chest at 2, the navel at 3, the crotch at 4, the knees at 5.7 (Loomis,
Figure Drawing for All It's Worth, 1943)."""

ROW_COVERED = 0.02
"""A row belongs to the person when the matte covers this share of it."""

CROPPED = -0.1
"""The crown may lie this far above the picture, in head heights, before the head is called cropped: it is estimated."""


@dataclass(frozen=True)
class Framing:
    """`heads`: head heights from the crown to where the person or the picture ends. `head_share`: chin to crown as a
    share of the picture's height. `room`: free space above the crown as a share of the picture's height, negative when
    the crown is cut off. `centre`: the face's place across the picture, 0 left to 1 right."""

    heads: float
    head_share: float
    room: float
    centre: float

    def words(self) -> str:
        """A phrase such as "head and shoulders"."""
        name = next(name for most, name in FRAMINGS if self.heads < most)
        return f"{name}, top of the head cropped" if self.room < CROPPED * self.head_share else name

    def numbers(self) -> dict[str, Any]:
        """The measures for a report."""
        return {
            "head_heights_shown": round(self.heads, 2),
            "head_share_of_height": round(self.head_share, 3),
            "room_above_head": round(self.room, 3),
            "face_centre_across": round(self.centre, 3),
        }


def framing(landmarks: np.ndarray, height: int, width: int, mask: np.ndarray | None, scale: float) -> Framing:
    """The framing of a face with `landmarks` [5,2] in pixels of a picture; `mask` [h,w] is its matte shrunk by `scale`.

    Chin and crown are estimated from the eye distance (see `portrait.frame`); with a matte the crown is where the hair
    ends.
    """
    head = measure_head(landmarks, mask, scale, straighten=False)
    tall = head.chin - head.crown
    bottom = float(height)
    if mask is not None:
        rows = np.flatnonzero((mask > 0.5).mean(1) > ROW_COVERED)
        if len(rows):
            bottom = min(bottom, (rows[-1] + 1) / scale)
    return Framing((bottom - head.crown) / tall, tall / height, head.crown / height, head.centre / width)


LARGEST_HEIGHT_ERROR = 12.0
"""Faces differ in the length of the nose: on the 100 portraits, which look at the camera, nine in ten lie within 7
degrees. So only a pitch above this is named, in degrees."""

FRONTAL, SLIGHT, THREE_QUARTER = 15.0, 30.0, 60.0
"""Yaw in degrees up to which a face looks at the camera, is slightly turned, and is seen from three quarters."""

TILTED = 6.0
"""Roll in degrees from which a head is called tilted."""


def pose_words(pose: Pose) -> str:
    """A phrase such as "head turned slightly to the left, chin raised"; sides are the picture's."""
    parts = [_yaw_words(pose.yaw)]
    if abs(pose.pitch) > LARGEST_HEIGHT_ERROR:
        parts.append("chin lowered" if pose.pitch > 0 else "chin raised")
    if abs(pose.roll) >= TILTED:
        parts.append(f"head tilted to the {'left' if pose.roll > 0 else 'right'}")
    return ", ".join(parts)


def pose_numbers(pose: Pose) -> dict[str, Any]:
    """The angles for a report, with the signs of ISO/IEC 39794-5."""
    return {f"{name}_degrees": round(getattr(pose, name), 1) + 0.0 for name in ("yaw", "pitch", "roll")}


def _yaw_words(yaw: float) -> str:
    side = "right" if yaw > 0 else "left"
    if abs(yaw) <= FRONTAL:
        return "facing the camera"
    if abs(yaw) <= SLIGHT:
        return f"head turned slightly to the {side}"
    return f"three-quarter view to the {side}" if abs(yaw) <= THREE_QUARTER else f"profile view to the {side}"


CHEEKS = ((30, 46), (66, 82))
CHEEK_ROWS = (62, 82)
"""Columns and rows of the cheeks in the 112 x 112 aligned crop: below the eyes, beside the nose, above a beard."""

EVEN, SIDED = 0.4, 1.0
"""Difference of the cheeks in stops: up to the first the light is even, from the second it is strong side light (a
lighting ratio of 2:1, the usual beginning of modelling light in portraits)."""

LARGEST_YAW = 15.0
"""A head turned by more degrees shows its cheeks at different angles, and their difference says little of the light."""

CLIPPED = 0.05
"""A face of which this share is white without detail is overexposed."""

DIM = 0.22
"""A face whose brightest tenth lies below this luma (display values) is underexposed. Skin reflects differently, so
nothing else is concluded from how bright a face is."""

SMALLEST = 70.0
"""Eyes closer than this many pixels are enlarged before sharpness is measured, and then it says nothing."""

SOFT, SHARP = 0.0004, 0.0015
"""Variance of the Laplacian of the aligned face (see `face_quality`) below which it is soft and from which it is
sharp. All of 100 official portraits lie above 0.0024; blurred by a Gaussian of 1/140 of the eye distance their median
is 0.0018, and by 1/70, which is seen as soft, 0.0004."""


@dataclass(frozen=True)
class FaceLight:
    """`stops`: left cheek less right cheek of the picture, in stops; None when the head is turned too far. `luma`:
    mean luma of the cheeks. `bright`: luma that a tenth of the face exceeds. `clipped`: share without detail."""

    stops: float | None
    luma: float
    bright: float
    clipped: float

    def words(self) -> str:
        """A phrase such as "light from the left", or "" when nothing can be said."""
        parts = []
        if self.stops is not None and abs(self.stops) <= EVEN:
            parts.append("even light on the face")
        elif self.stops is not None:
            side = "left" if self.stops > 0 else "right"
            parts.append(f"strong side light from the {side}" if abs(self.stops) >= SIDED else f"light from the {side}")
        if self.clipped >= CLIPPED:
            parts.append("overexposed face")
        elif self.bright < DIM:
            parts.append("underexposed face")
        return ", ".join(parts)

    def numbers(self) -> dict[str, Any]:
        """The measures for a report."""
        return {
            "left_minus_right_stops": None if self.stops is None else round(self.stops, 2),
            "cheek_luma": round(self.luma, 3),
            "brightest_tenth_luma": round(self.bright, 3),
            "clipped_share": round(self.clipped, 4),
        }


def face_light(image: torch.Tensor, face: Face, yaw: float) -> FaceLight:
    """The light on a face of image [H,W,3] in 0..1 whose head is turned by `yaw` degrees."""
    crop = align(image, face.landmarks, CROP)
    luma = plane_luminance(crop)
    linear = plane_luminance(to_linear(crop))
    rows = slice(*CHEEK_ROWS)
    left, right = (float(linear[rows, first:last].median()) for first, last in CHEEKS)
    stops = math.log2((left + 1e-4) / (right + 1e-4)) if abs(yaw) <= LARGEST_YAW else None
    inner = luma[35:95, 25:87]
    both = torch.cat([luma[rows, first:last] for first, last in CHEEKS])
    return FaceLight(
        stops, float(both.mean()), float(inner.flatten().quantile(0.9)), float((inner > 0.985).float().mean())
    )


def face_sharpness(image: torch.Tensor, face: Face) -> tuple[str, dict[str, Any]]:
    """A word for the sharpness of a face of image [H,W,3], "" for a face too small to judge, and the number."""
    sharpness, _ = face_quality(image, face)
    numbers = {"laplacian_variance": round(sharpness, 5), "eye_distance_pixels": round(face.eye_distance, 1)}
    if face.eye_distance < SMALLEST:
        return "", numbers
    if sharpness < SOFT:
        return "soft focus", numbers
    return ("sharp focus" if sharpness >= SHARP else ""), numbers


MASK_GRID = 512
"""Pixels on the longer side at which a matte is looked at."""

COVERED = 0.5
"""A person's matte covers at least this share of the face's box; a face fills about three quarters of it."""

SMALLEST_FACE = 32
"""A face of fewer pixels across has no points to measure by."""


@dataclass(frozen=True)
class Measured:
    """`words` by field, for what can be said, and `numbers` by field, for all that was measured.

    notes: what has to be said of faces that were not counted.
    """

    words: dict[str, str]
    numbers: dict[str, dict[str, Any]]
    notes: list[str] = field(default_factory=list)


def measure(image: torch.Tensor, mask: torch.Tensor | None, engine: FaceEngine) -> Measured:
    """Measure IMAGE [1,H,W,3] in 0..1 of one person, with the person's matte [1,H,W] if there is one.

    Raises FaceNotUsable when there is no face, more than one, only a tiny one, or one that the matte does not cover.
    """
    choice = choose_face(engine.detect(image[0]), image.shape[1:3], FacePolicy.REFUSE, SMALLEST_FACE)
    face = choice.require(DESCRIBED)
    if mask is not None:
        _check_covered(face, mask)
    face = dataclasses.replace(face, landmarks=steady_landmarks(engine, image, face))
    height, width = image.shape[1:3]
    matte, scale = None, 1.0
    if mask is not None:
        block = -(-max(height, width) // MASK_GRID)
        matte, scale = F.avg_pool2d(planes(mask), block, ceil_mode=True)[0, 0].cpu().numpy(), 1 / block
    pose = pose_from_points(face.landmarks)
    head = measure_head(face.landmarks, matte, scale, straighten=False)
    shown = framing(face.landmarks, height, width, matte, scale)
    light = face_light(image[0].cpu(), face, pose.yaw)
    focus, sharpness = face_sharpness(image[0].cpu(), face)
    words = {"pose": pose_words(pose), "framing": shown.words(), "light": light.words(), "sharpness": focus}
    numbers = {"pose": pose_numbers(pose), "framing": shown.numbers(), "light": light.numbers(), "sharpness": sharpness}
    behind = background(image, mask, head.centre, head.crown, head.chin, head.unit)
    if behind is not None:
        words["background"] = behind.words()
        numbers["background"] = behind.numbers()
    return Measured({name: phrase for name, phrase in words.items() if phrase}, numbers, choice.notes)


def _check_covered(face: Face, mask: torch.Tensor) -> None:
    """Refuse a matte of another photo or an inverted one: what it says of the background would be said of the face."""
    left, top, right, bottom = (max(0, round(edge)) for edge in face.box)
    covered = float(mask[0, top : max(bottom, top + 1), left : max(right, left + 1)].mean())
    if not covered >= COVERED:
        raise FaceNotUsable(
            f"The mask covers {covered:.0%} of the face and must cover the person (1 = person); "
            "invert it, take that of this photo, or connect none."
        )
