"""The faults of pose, eyes, mouth and covers that are planted into real portraits, each under the measure it must move.

`FAULTS[name].plant(photo, portrait, strength, rng)` gives the photo with the fault; strength runs from 0 (the mildest
that a checker must catch) to 1. What is needed beside the package is in its test extra: scipy and scikit-image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from . import face_cover, face_draw, face_warp

if TYPE_CHECKING:
    from likeness_studio.core.quality import Portrait

Change = Callable[[np.ndarray, "Portrait", float, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Fault:
    """One way to spoil a photo. measures: any of these must object. needs: what the photo must be like, for people."""

    name: str
    measures: tuple[str, ...]
    change: Change
    needs: str = ""

    def plant(self, photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
        """The photo [H,W,3] in 0..1 with the fault."""
        spoilt = self.change(photo.numpy().astype(np.float64), portrait, strength, rng)
        return torch.from_numpy(np.clip(spoilt, 0, 1).astype(np.float32))


def _sign(rng: np.random.Generator) -> int:
    return int(rng.choice([-1, 1]))


def _tilt(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    mesh = portrait.mesh
    return face_warp.tilt(photo, mesh, _sign(rng) * (10 + 10 * strength) - mesh.roll)


def _yaw(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    from likeness_studio.core.faces import pose_from_mesh

    now = pose_from_mesh(portrait.mesh).yaw
    side = 1 if now > 0 else -1
    return face_warp.turn(photo, portrait.mesh, side * (20 + 6 * strength) - now)


def _closed_eyes(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    return face_warp.close_eyes(photo, portrait.mesh, rng)


def _closed_eye(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    return face_warp.close_eyes(photo, portrait.mesh, rng, (int(rng.integers(2)),))


def _open_mouth(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    return face_warp.open_mouth(photo, portrait.mesh, 0.09 + 0.11 * strength, rng)


def _dark_glasses(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    return face_draw.dark_glasses(photo, portrait.mesh, strength, rng)


def _glare(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    return face_draw.glare(photo, portrait.mesh, strength, rng, frames=True)


def _glare_only(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    return face_draw.glare(photo, portrait.mesh, strength, rng, frames=False)


def _hat(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    return face_cover.hat(photo, portrait.mesh, strength, rng)


def _mask(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    return face_cover.mask(photo, portrait.mesh, strength, rng)


def _hand(photo: np.ndarray, portrait: Portrait, strength: float, rng: np.random.Generator) -> np.ndarray:
    return face_cover.hand(photo, portrait.mesh, strength, rng)


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("tilt", ("roll",), _tilt),
        Fault("yaw", ("yaw",), _yaw, "a face that looks at the camera"),
        Fault("closed_eyes", ("left_eye_open", "right_eye_open"), _closed_eyes, "eyes open"),
        Fault("one_closed_eye", ("left_eye_open", "right_eye_open"), _closed_eye, "eyes open"),
        Fault("open_mouth", ("mouth_closed",), _open_mouth, "lips closed"),
        Fault("dark_glasses", ("dark_glasses", "eyes_visible"), _dark_glasses),
        Fault("glasses_glare", ("glasses_glare",), _glare, "no glasses"),
        Fault("glare_on_own_glasses", ("glasses_glare",), _glare_only, "clear glasses"),
        Fault("hat", ("head_covering",), _hat, "a bare head"),
        Fault("mask", ("mouth_visible", "face_occlusion"), _mask),
        Fault("hand", ("mouth_visible", "face_occlusion"), _hand),
    )
}
"""By name."""
