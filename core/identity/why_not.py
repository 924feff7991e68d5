"""Why a picture was not confirmed, where the picture itself is the reason: turned, squeezed, cut off, covered, dark."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import DependencyMissing
from ..faces.choose import Outcome
from ..faces.pose import FRONTAL_WIDTHS, width_of
from ..models import store
from ..node_facts import MESH

if TYPE_CHECKING:
    from ..faces.engines import FaceEngine
    from ..faces.face import Face
    from .verdict import Verdict

HIDES = (
    "dark_glasses", "eyes_visible", "mouth_visible", "face_occlusion", "left_eye_open", "right_eye_open",
    "yaw", "pitch", "inter_eye_distance", "sharpness", "under_exposure", "over_exposure",
)  # fmt: skip
"""Measures of a reference photo (quality/usable.toml) whose failing lowers the likeness of the right person, too."""

CUT_OFF = 0.15
"""So near the edge of the picture, in eye distances, a landmark is as good as outside."""


def explained(verdict: Verdict, engine: FaceEngine, image: torch.Tensor) -> Verdict:
    """A verdict that did not pass on picture [H,W,3], with what in the picture speaks against trusting it.

    Turned pictures are named whatever was found; the rest needs the face that was compared. What the networks of the
    mesh measure is said only where they are on this machine.
    """
    turned = _turned(engine, image)
    if turned:
        return replace(verdict, reason=f"{verdict.reason} {turned}")
    face = verdict.subject.face
    if verdict.outcome is not Outcome.FAIL or face is None:
        return verdict
    faults = [*_of_shape(face, image), *_of_measures(face, image)]
    if not faults:
        return verdict
    words = f"The picture hardly allows a judgement: {', '.join(dict.fromkeys(faults))}."
    return replace(verdict, reason=f"{verdict.reason} {words}")


def _turned(engine: FaceEngine, image: torch.Tensor) -> str:
    from ..quality.usable_photo import upright

    if any(store.locate(name) is None for name in MESH):
        return ""
    try:
        tilt, _ = upright(image, engine, engine.detect(image))
    except DependencyMissing:
        return ""
    return tilt.detail if tilt.value else ""


def _of_shape(face: Face, image: torch.Tensor) -> list[str]:
    """What the five landmarks say: squeezed or stretched, cut off by the picture's edge."""
    height, width = image.shape[:2]
    near = CUT_OFF * face.frontal_eye_distance
    points = face.landmarks
    outside = (points < near).any() or (points > np.array([width, height]) - 1 - near).any()
    found = ["a part of the face lies outside the picture"] if outside else []
    wide = width_of(points)
    if not FRONTAL_WIDTHS[0] <= wide <= FRONTAL_WIDTHS[1]:
        found.append(f"it seems to be {'squeezed' if wide < 1 else 'stretched'} in width")
    return found


def _of_measures(face: Face, image: torch.Tensor) -> list[str]:
    """What fails of the measures that a reference photo is judged by."""
    from ..faces.mesh import find_mesh
    from ..quality.aligned_face import Portrait
    from ..quality.all_measures import measure_portrait
    from ..quality.checks import Outcome as Result
    from ..quality.checks import judge_measure
    from ..quality.usable_photo import limits

    if any(store.locate(name) is None for name in MESH):
        return []
    try:
        mesh = find_mesh(image, face)
    except DependencyMissing:
        return []
    bounds = limits()
    measures = measure_portrait(Portrait(image, face, mesh, [face]))
    checks = [judge_measure(each, bounds[each.name]) for each in measures if each.name in HIDES]
    return [check.fault for check in checks if check.outcome is Result.FAIL]
