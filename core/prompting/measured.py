"""What a photo shows that can be measured without a captioning model: pose, framing, light, background, sharpness."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ..errors import FaceNotUsable
from ..faces.choose import BYSTANDER
from ..faces.engines import FaceEngine
from ..faces.face import Face
from ..faces.measured_pose import head_pose
from ..faces.subject import one_face, steady_landmarks
from ..imaging.tensors import planes
from ..portrait.framing import measure_head
from .measure_background import background
from .measure_photo import face_light, face_sharpness
from .measured_framing import framing

MASK_GRID = 512
"""Pixels on the longer side at which a matte is looked at."""

COVERED = 0.5
"""A person's matte covers at least this share of the face's box; a face fills about three quarters of it."""

SMALLEST_FACE = 32
"""A face of fewer pixels across has no points to measure by."""


@dataclass(frozen=True)
class Measured:
    """`words` by field, for what can be said, and `numbers` by field, for all that was measured."""

    words: dict[str, str]
    numbers: dict[str, dict[str, Any]]


def measure(image: torch.Tensor, mask: torch.Tensor | None, engine: FaceEngine) -> Measured:
    """Measure IMAGE [1,H,W,3] in 0..1 of one person, with the person's matte [1,H,W] if there is one.

    Raises FaceNotUsable when there is no face, more than one, only a tiny one, or one that the matte does not cover.
    """
    face = _one_person(engine.detect(image[0]))
    if mask is not None:
        _check_covered(face, mask)
    face = dataclasses.replace(face, landmarks=steady_landmarks(engine, image, face))
    height, width = image.shape[1:3]
    matte, scale = None, 1.0
    if mask is not None:
        block = -(-max(height, width) // MASK_GRID)
        matte, scale = F.avg_pool2d(planes(mask), block, ceil_mode=True)[0, 0].cpu().numpy(), 1 / block
    pose = head_pose(face.landmarks)
    head = measure_head(face.landmarks, matte, scale, straighten=False)
    shown = framing(face.landmarks, height, width, matte, scale)
    light = face_light(image[0].cpu(), face, pose.yaw)
    focus, sharpness = face_sharpness(image[0].cpu(), face)
    words = {"pose": pose.words(), "framing": shown.words(), "light": light.words(), "sharpness": focus}
    numbers = {
        "pose": pose.numbers(),
        "framing": shown.numbers(),
        "light": light.numbers(),
        "sharpness": sharpness,
    }
    behind = background(image, mask, head.centre, head.crown, head.chin, head.unit)
    if behind is not None:
        words["background"] = behind.words()
        numbers["background"] = behind.numbers()
    return Measured({name: phrase for name, phrase in words.items() if phrase}, numbers)


def _one_person(faces: list[Face]) -> Face:
    """The only face that is large enough; small faces behind it are no people."""
    largest = max((face.size for face in faces), default=0.0)
    people = [face for face in faces if face.size >= BYSTANDER * largest]
    if len(people) > 1:
        raise FaceNotUsable(f"The photo has {len(people)} faces; crop it to one person.")
    face = one_face(people, largest=False)
    if face.size < SMALLEST_FACE:
        raise FaceNotUsable(
            f"The face is {face.size:.0f} pixels wide and at least {SMALLEST_FACE} are needed; use a closer photo."
        )
    return face


def _check_covered(face: Face, mask: torch.Tensor) -> None:
    """Refuse a matte of another photo or an inverted one: what it says of the background would be said of the face."""
    left, top, right, bottom = (max(0, round(edge)) for edge in face.box)
    covered = float(mask[0, top : max(bottom, top + 1), left : max(right, left + 1)].mean())
    if not covered >= COVERED:
        raise FaceNotUsable(
            f"The mask covers {covered:.0%} of the face and must cover the person (1 = person); "
            "invert it, take that of this photo, or connect none."
        )
