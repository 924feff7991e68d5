"""Faults that cover parts of a real face: dark glasses, glare on glasses, a hat, a mask, a hand.

Drawn in the face's own frame (eye distances from the middle between the eyes, level with them), shaded and blurred as
the photo is. Photos are float arrays [H,W,3] in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.draw import polygon2mask

from likeness_studio.core.faces import FaceMesh
from likeness_studio.core.faces import mesh as P
from likeness_studio.core.imaging import rotate

CLOTH = {
    "black": (0.06, 0.06, 0.07),
    "navy": (0.08, 0.11, 0.24),
    "grey": (0.42, 0.42, 0.43),
    "red": (0.62, 0.10, 0.12),
    "green": (0.12, 0.30, 0.16),
    "beige": (0.76, 0.66, 0.52),
    "white": (0.90, 0.90, 0.90),
    "brown": (0.28, 0.19, 0.13),
}
MASKS = {
    "surgical": (0.55, 0.72, 0.84),
    "white": (0.92, 0.93, 0.94),
    "black": (0.07, 0.07, 0.08),
    "rose": (0.78, 0.5, 0.55),
}


@dataclass(frozen=True)
class Frame:
    """Between the face's own coordinates and pixels, with the part of the photo that is worked on."""

    mesh: FaceMesh
    shape: tuple[int, int]

    @property
    def unit(self) -> float:
        eyes = (self.mesh.eyes[0].centre + self.mesh.eyes[1].centre) / 2
        return max(self.mesh.eye_distance, float(np.hypot(*(self.mesh.points[P.CHIN, :2] - eyes))) / 1.85)

    @property
    def origin(self) -> np.ndarray:
        return (self.mesh.eyes[0].centre + self.mesh.eyes[1].centre).astype(float) / 2

    def to_pixels(self, spots: np.ndarray) -> np.ndarray:
        return rotate(np.asarray(spots, float) * self.unit, (0.0, 0.0), self.mesh.roll) + self.origin

    def own(self, pixels: np.ndarray) -> np.ndarray:
        return rotate(np.asarray(pixels, float) - self.origin, (0.0, 0.0), -self.mesh.roll) / self.unit

    def point(self, index: int) -> np.ndarray:
        return self.own(self.mesh.points[index, :2][None])[0]

    def grid(self) -> np.ndarray:
        """The face's own coordinates of every pixel, [H,W,2]."""
        yy, xx = np.mgrid[0 : self.shape[0], 0 : self.shape[1]]
        return self.own(np.stack([xx.ravel(), yy.ravel()], 1)).reshape(*self.shape, 2)

    def fill(self, outline: np.ndarray, soft: float = 0.012) -> np.ndarray:
        """A soft mask [H,W] of a closed outline in the face's own coordinates."""
        return gaussian_filter(
            polygon2mask(self.shape, self.to_pixels(outline)[:, ::-1]).astype(np.float32), soft * self.unit
        )


def lay(photo: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """`colour` ([3] or [H,W,3]) over the photo where the mask [H,W] is."""
    alpha = mask[..., None]
    return np.clip(photo * (1 - alpha) + np.asarray(colour, float) * alpha, 0, 1)


def noise(shape: tuple[int, int], rng: np.random.Generator, size: float, amount: float) -> np.ndarray:
    """Smooth noise [H,W,1] of a given grain in pixels."""
    field = gaussian_filter(rng.standard_normal(shape), max(size, 0.3))
    return amount * (field / max(field.std(), 1e-6))[..., None]


def daylight(photo: np.ndarray, frame: Frame) -> float:
    """How bright the cheeks are, to light what is drawn alike."""
    x, y = frame.mesh.points[[50, 280], :2].mean(0).astype(int)
    reach = max(2, int(0.1 * frame.unit))
    return float(np.clip(photo[y - reach : y + reach, x - reach : x + reach].mean() / 0.6, 0.5, 1.3))


def lens(frame: Frame, index: int, width: float, height: float) -> np.ndarray:
    """The outline of one lens: a rounded rectangle round the eye, narrower towards the nose."""
    eye = frame.own(frame.mesh.eyes[index].centre[None])[0]
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.6 * width / 2
    y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.7 * height / 2
    outwards = -1 if index == 0 else 1
    squeeze = np.where(x * outwards < 0, 1 - 0.18 * np.clip(y, 0, None) / (height / 2), 1.0)
    reach = frame.point((P.LEFT_SIDE, P.RIGHT_SIDE)[index])[0] - eye[0]
    narrow = np.clip(abs(reach) / 0.62, 0.6, 1.1)
    return np.stack([eye[0] + outwards * 0.03 + x * squeeze * narrow, eye[1] + 0.06 + y], 1)


def add_frames(
    photo: np.ndarray, frame: Frame, rng: np.random.Generator, colour: np.ndarray | None = None
) -> np.ndarray:
    """Rims, a bridge and the temples as far as the ears."""
    thick = rng.uniform(0.03, 0.07)
    shade = np.array(CLOTH[rng.choice(["black", "brown", "grey", "navy"])]) if colour is None else colour
    width, height = rng.uniform(0.72, 0.84), rng.uniform(0.48, 0.62)
    outlines = [lens(frame, index, width, height) for index in (0, 1)]
    rim = np.zeros(frame.shape, np.float32)
    for outline in outlines:
        middle = outline.mean(0)
        grown = middle + (outline - middle) * (1 + 2 * thick / height)
        rim = np.maximum(rim, frame.fill(grown, 0.008) - frame.fill(outline, 0.008))
    inner = [outlines[0][np.argmax(outlines[0][:, 0])], outlines[1][np.argmin(outlines[1][:, 0])]]
    bridge = np.array(
        [
            inner[0] - [0.02, 0.08],
            inner[1] + [0.02, -0.08],
            inner[1] + [0.02, -0.08 + thick],
            inner[0] - [0.02, 0.08 - thick],
        ]
    )
    rim = np.maximum(rim, frame.fill(bridge, 0.008))
    for outline, side, sign in zip(outlines, (127, 356), (-1, 1), strict=True):
        start = outline[np.argmax(sign * outline[:, 0])] + np.array([sign * 0.02, -0.1])
        ear = frame.point(side) + np.array([sign * 0.02, 0.0])
        arm = np.array([start, ear, ear + np.array([0, 0.9 * thick]), start + np.array([0, thick])])
        rim = np.maximum(rim, frame.fill(arm, 0.008))
    shaded = lay(photo, 0.25 * gaussian_filter(rim, 0.05 * frame.unit), np.zeros(3))
    return lay(shaded, np.clip(rim, 0, 1), shade * daylight(photo, frame))


def dark_glasses(photo: np.ndarray, mesh: FaceMesh, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Sunglasses; strength 0..1 is how little light comes through (0.75 to 0.98)."""
    frame = Frame(mesh, photo.shape[:2])
    tint = np.array(CLOTH[rng.choice(["black", "brown", "navy", "green"])]) * 0.7
    width, height = rng.uniform(0.82, 0.94), rng.uniform(0.56, 0.70)
    grid = frame.grid()
    result = photo
    for index in (0, 1):
        outline = lens(frame, index, width, height)
        mask = frame.fill(outline, 0.010)
        level = np.clip((grid[..., 1] - outline[:, 1].min()) / np.ptp(outline[:, 1]), 0, 1)
        opacity = (0.75 + 0.23 * strength) * (1 - 0.12 * level)
        sheen = 0.10 * np.exp(-(((grid @ [0.8, 0.6]) - (outline.mean(0) @ [0.8, 0.6]) + 0.12) ** 2) / 0.004)
        result = lay(result, mask * opacity, tint + sheen[..., None] * rng.uniform(0, 1.5))
    return add_frames(result, frame, rng, np.array(CLOTH["black"]) + 0.03)


def glare(photo: np.ndarray, mesh: FaceMesh, strength: float, rng: np.random.Generator, frames: bool) -> np.ndarray:
    """The reflection of a window, a lamp or a flash on the lenses; with `frames` the glasses are drawn, too."""
    frame = Frame(mesh, photo.shape[:2])
    result = add_frames(photo, frame, rng) if frames else photo
    kind = rng.choice(["window", "lamp", "band"])
    bright = np.array([1.0, 1.0, 1.0]) * rng.uniform(0.96, 1.0) - [0.03 * rng.random(), 0.01, 0.02 * rng.random()]
    shift = rng.uniform([-0.16, -0.12], [0.16, 0.05])
    for index in (0, 1) if rng.random() < 0.75 else (int(rng.integers(2)),):
        inside = lens(frame, index, 0.72, 0.5)
        spot = inside.mean(0) + shift
        size = (0.10 + 0.14 * strength) * rng.uniform(0.85, 1.15)
        if kind == "lamp":
            turn = np.linspace(0, 2 * np.pi, 40)
            shape = spot + np.stack([np.cos(turn), 0.8 * np.sin(turn)], 1) * size
        else:
            wide = size * (1.1 if kind == "window" else 2.2)
            high = size * (1.3 if kind == "window" else 0.5)
            lean = rng.uniform(-0.3, 0.3)
            corners = np.array([[-1 - lean, -1], [1 - lean, -1], [1 + lean, 1], [-1 + lean, 1]])
            shape = spot + corners * [wide, high]
        mask = frame.fill(shape, 0.015) * frame.fill(inside, 0.01)
        result = lay(result, mask * (0.80 + 0.2 * strength), bright)
        result = lay(result, 0.35 * frame.fill(shape, 0.10) * frame.fill(inside, 0.01), bright)
    return result
