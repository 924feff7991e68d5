"""Faults that move parts of a real face: a leaning photo, a turned head, closed lids, an open mouth.

Each moves the points of the dense mesh and bends the photo smoothly after them, so that skin, lashes and light stay the
person's own. Photos are float arrays [H,W,3] in 0..1.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.draw import polygon2mask

from likeness_studio.core.faces import FaceMesh
from likeness_studio.core.faces import mesh as P
from likeness_studio.core.imaging import rotate


def bend(photo: np.ndarray, source: np.ndarray, target: np.ndarray, box: tuple[float, ...], step: int) -> np.ndarray:
    """Move what is at `source` [N,2] to `target` [N,2] inside `box` (x0, y0, x1, y1), fading to nothing at its border.

    The displacement is a thin-plate spline through the points, on a grid of `step` pixels.
    """
    height, width = photo.shape[:2]
    x0, y0 = (max(0, int(value)) for value in box[:2])
    x1, y1 = min(width, int(box[2])), min(height, int(box[3]))
    rows, columns = np.arange(y0, y1, step), np.arange(x0, x1, step)
    grid = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2).astype(float)
    border = np.linspace(0, 1, 9)[:, None]
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]], float)
    frame = np.vstack([a + border * (b - a) for a, b in pairwise(corners)])
    places, keep = np.unique(np.round(np.vstack([target, frame]), 3), axis=0, return_index=True)
    shift = np.vstack([source - target, np.zeros_like(frame)])[keep]
    field = RBFInterpolator(places, shift, kernel="thin_plate_spline", smoothing=0.1, neighbors=60)(grid)
    field = field.reshape(len(rows), len(columns), 2)
    yy, xx = np.mgrid[y0:y1, x0:x1].astype(float)
    at = [(yy - y0) / step, (xx - x0) / step]
    dx, dy = (map_coordinates(field[..., axis], at, order=1, mode="nearest") for axis in (0, 1))
    result = photo.copy()
    for channel in range(3):
        result[y0:y1, x0:x1, channel] = map_coordinates(
            photo[..., channel], [yy + dy, xx + dx], order=1, mode="nearest"
        )
    return np.clip(result, 0, 1)


def tilt(photo: np.ndarray, mesh: FaceMesh, degrees: float) -> np.ndarray:
    """Lean the whole photo clockwise about the face, cutting a little so that no empty corners show."""
    height, width = photo.shape[:2]
    middle = mesh.points[:, :2].mean(0)
    yy, xx = np.mgrid[0:height, 0:width].astype(float)
    turned = rotate(np.stack([xx.ravel(), yy.ravel()], 1), (float(middle[0]), float(middle[1])), -degrees)
    at = [turned[:, 1], turned[:, 0]]
    planes = [map_coordinates(photo[..., c], at, order=1, mode="reflect").reshape(height, width) for c in range(3)]
    return np.stack(planes, -1)


def turn(photo: np.ndarray, mesh: FaceMesh, degrees: float) -> np.ndarray:
    """Turn the head by `degrees` of yaw: each mesh point moves as it would in space, hair and neck follow smoothly."""
    spots = mesh.points.astype(float)
    level = spots.copy()
    level[:, :2] = rotate(level[:, :2], (0.0, 0.0), -mesh.roll)
    axis = level[[P.LEFT_SIDE, P.RIGHT_SIDE]].mean(0)
    angle = np.radians(degrees)
    away = level - axis
    moved = level.copy()
    moved[:, 0] = axis[0] + away[:, 0] * np.cos(angle) - away[:, 2] * np.sin(angle)
    depth = away[:, 2] * np.cos(angle) + away[:, 0] * np.sin(angle)
    target = rotate(moved[:, :2], (0.0, 0.0), mesh.roll)
    visible = depth < np.percentile(depth, 92)
    chosen = np.flatnonzero(visible)[::3]
    low, high = spots[:, :2].min(0), spots[:, :2].max(0)
    size = float((high - low).max())
    box = (low[0] - 0.8 * size, low[1] - 0.7 * size, high[0] + 0.8 * size, high[1] + 0.6 * size)
    return bend(photo, spots[chosen, :2], target[chosen], box, max(2, int(size / 60)))


def close_eyes(
    photo: np.ndarray, mesh: FaceMesh, rng: np.random.Generator, which: tuple[int, ...] = (0, 1)
) -> np.ndarray:
    """Shut the eyes: over each a lid of the skin below it, mirrored and rounded by shade, and a line of lashes."""
    low = rng.uniform(0.0, 0.25)
    for index in which:
        photo = _close(photo, mesh.eyes[index].lids.astype(float), low, rng)
    return photo


def _close(photo: np.ndarray, lids: np.ndarray, low: float, rng: np.random.Generator) -> np.ndarray:
    """In the eye's own frame, in eye widths: x from corner to corner, y down. low: the slit above the lower lid."""
    first, last = sorted((lids[0], lids[8]), key=lambda spot: spot[0])
    width = float(np.hypot(*(last - first)))
    roll = float(np.degrees(np.arctan2(*(last - first)[::-1])))
    origin = (float((first + last)[0] / 2), float((first + last)[1] / 2))

    def own(spots: np.ndarray) -> np.ndarray:
        return (rotate(spots, origin, -roll) - origin) / width

    upper, lower = (_lid_curve(own(lids[part])) for part in (slice(9, 16), slice(1, 8)))
    yy, xx = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]]
    near = np.hypot(xx - origin[0], yy - origin[1]) < 0.9 * width
    x, y = own(np.stack([xx[near], yy[near]], 1).astype(float)).T
    within = np.clip((0.53 - np.abs(x)) / 0.06, 0, 1)
    top, bottom = upper(x) - 0.05 * within, lower(x) + 0.02 * within
    slit = bottom - low * np.clip(bottom - top, 0, None)
    mirrored = slit + np.clip(slit - y, 0, None) * 0.85 + 0.06
    skin = _lookup(photo, rotate(np.stack([x, mirrored], 1) * width + origin, origin, roll))
    under = _lookup(photo, rotate(np.stack([x, bottom + 0.5 * (y - slit) + 0.05], 1) * width + origin, origin, roll))
    height = np.clip((slit - y) / np.clip(slit - top, 0.02, None), 0, 1)
    rounded = 1.0 - 0.22 * height**3 + 0.05 * np.sin(np.pi * height)
    lid = np.where((y < slit)[:, None], skin * rounded[:, None], under * 0.97)
    soft = 0.025
    cover = np.clip((y - top) / soft + 0.5, 0, 1) * np.clip((bottom - y) / soft + 0.5, 0, 1) * within
    lashes = 0.75 * np.exp(-(((y - slit) / 0.017) ** 2)) * within
    crease = 0.22 * np.exp(-(((y - top + 0.02) / 0.03) ** 2)) * within
    dark = np.array([0.12, 0.08, 0.07]) * rng.uniform(0.6, 1.6)
    result = photo.copy()
    shut = result[near] * (1 - cover[:, None]) + lid * cover[:, None]
    for line in (crease * 0.6, lashes):
        shut = shut * (1 - line[:, None]) + dark * line[:, None]
    result[near] = np.clip(shut, 0, 1)
    return result


def _lookup(photo: np.ndarray, spots: np.ndarray) -> np.ndarray:
    """Colours [N,3] at places [N,2] (x, y) of the photo."""
    return np.stack([map_coordinates(photo[..., c], spots.T[::-1], order=1, mode="nearest") for c in range(3)], 1)


def _lid_curve(spots: np.ndarray) -> np.poly1d:
    """A parabola through a lid's points and both corners."""
    corners = np.array([[-0.5, 0.0], [0.5, 0.0]])
    x, y = np.vstack([spots, corners]).T
    return np.poly1d(np.polyfit(x, y, 3))


def open_mouth(photo: np.ndarray, mesh: FaceMesh, share: float, rng: np.random.Generator) -> np.ndarray:
    """Drop the jaw by `share` of the eye-chin distance and show a dark mouth with a hint of teeth."""
    spots = mesh.points[:, :2].astype(float)
    eyes = (mesh.eyes[0].centre + mesh.eyes[1].centre) / 2
    down = spots[P.CHIN] - eyes
    size = float(np.hypot(*down))
    drop = share * down
    jaw = [
        i for i in P.OVAL if (spots[i] - spots[P.SUBNASALE]) @ down > 0.45 * (spots[P.CHIN] - spots[P.SUBNASALE]) @ down
    ]
    below = [17, 84, 314, 18, 83, 313, 200, 199, 175, 201, 421, 208, 428, 171, 396]
    lips = [*P.LOWER_LIP_INSIDE[1:-1], *P.LOWER_LIP_OUTSIDE[1:-1]]
    moving = np.array(list(dict.fromkeys([*lips, *below, *jaw])))
    middle = (spots[P.MOUTH_CORNERS[0]] + spots[P.MOUTH_CORNERS[1]]) / 2
    half = np.hypot(*(spots[P.MOUTH_CORNERS[1]] - spots[P.MOUTH_CORNERS[0]])) / 2
    off = np.abs((spots[moving] - middle) @ np.array([down[1], -down[0]]) / size) / (half * 1.02)
    weight = np.where(np.isin(moving, lips), np.clip(1 - off**2, 0, 1) ** 0.7, 1.0 - 0.35 * np.clip(off - 1, 0, 1))
    fixed = [*P.UPPER_LIP_INSIDE, *P.UPPER_LIP_OUTSIDE, *P.NOSTRILS, 33, 133, 263, 362, 234, 454, 50, 280, 93, 323]
    fixed = [i for i in dict.fromkeys(fixed) if i not in moving]
    pursed = spots.copy()
    for group in (P.UPPER_LIP_INSIDE, P.UPPER_LIP_OUTSIDE, P.LOWER_LIP_INSIDE, P.LOWER_LIP_OUTSIDE):
        pursed[list(group)] = middle + (spots[list(group)] - middle) * (1 - 0.9 * share)
    source = np.vstack([spots[moving], spots[fixed]])
    goal = np.vstack([pursed[moving] + weight[:, None] * drop, pursed[fixed]])
    box = (*(spots[P.CHIN] - [1.1 * size, 1.2 * size]), *(spots[P.CHIN] + [1.1 * size, 0.9 * size]))
    bent = bend(photo, source, goal, box, max(2, int(size / 90)))
    lower = pursed[list(P.LOWER_LIP_INSIDE)].copy()
    places = {int(index): n for n, index in enumerate(moving)}
    for n, index in enumerate(P.LOWER_LIP_INSIDE):
        if index in places:
            lower[n] += weight[places[index]] * drop
    upper = pursed[list(P.UPPER_LIP_INSIDE)]
    return _fill_mouth(bent, upper, lower, size, rng)


def _fill_mouth(
    photo: np.ndarray, upper: np.ndarray, lower: np.ndarray, size: float, rng: np.random.Generator
) -> np.ndarray:
    hole = polygon2mask(photo.shape[:2], np.vstack([upper, lower[::-1]])[:, ::-1]).astype(float)
    hole = gaussian_filter(hole, 0.012 * size)
    yy = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]][0]
    top, bottom = upper[:, 1].min(), lower[:, 1].max()
    depth = np.clip((yy - top) / max(bottom - top, 1), 0, 1)
    dark = np.array([0.20, 0.07, 0.06]) * rng.uniform(0.6, 1.2) * (0.6 + 0.8 * depth[..., None] ** 2)
    result = photo * (1 - hole[..., None]) + dark * hole[..., None]
    if rng.random() < 0.6:
        bite = upper + (lower - upper) * rng.uniform(0.18, 0.35)
        teeth = polygon2mask(photo.shape[:2], np.vstack([upper, bite[::-1]])[1:-1, ::-1]).astype(float)
        teeth = gaussian_filter(teeth, 0.012 * size)[..., None] * 0.85
        bright = np.median(photo[hole > -1].reshape(-1, 3), 0).mean()
        result = result * (1 - teeth) + np.array([0.82, 0.78, 0.70]) * np.clip(0.7 + 0.4 * bright, 0.6, 1) * teeth
    return np.clip(result, 0, 1)
