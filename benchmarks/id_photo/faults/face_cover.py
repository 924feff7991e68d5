"""Faults that put cloth or a hand over a real face: a cap, a knitted hat, a mask, fingers."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from likeness_studio.core.faces import FaceMesh
from likeness_studio.core.faces import mesh as P

from .face_draw import CLOTH, MASKS, Frame, daylight, lay, noise


def hat(photo: np.ndarray, mesh: FaceMesh, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A baseball cap or a knitted hat; strength 0..1 is how far it comes down over the forehead."""
    frame = Frame(mesh, photo.shape[:2])
    grid = frame.grid()
    left, right = frame.point(127), frame.point(356)
    middle = (left[0] + right[0]) / 2
    half = 0.5 * (right[0] - left[0]) * rng.uniform(1.14, 1.28)
    hairline, brow = frame.point(P.FOREHEAD_TOP)[1], frame.point(P.GLABELLA)[1] - 0.10
    edge = hairline + (0.15 + 0.55 * strength) * (brow - hairline)
    knitted = rng.random() < 0.45
    height = rng.uniform(1.15, 1.4) if knitted else rng.uniform(1.05, 1.25)
    colour = np.array(CLOTH[str(rng.choice(list(CLOTH)))]) * daylight(photo, frame)
    turn = np.linspace(np.pi, 2 * np.pi, 80)
    dome = np.stack(
        [middle + half * np.cos(turn), edge + height * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.8], 1
    )
    sag = 0.10 if knitted else -0.02
    rim_x = np.linspace(middle + half, middle - half, 40)
    rim = np.stack([rim_x, edge + 0.05 - sag * (1 - ((rim_x - middle) / half) ** 2) + 0.04], 1)
    mask = frame.fill(np.vstack([dome, rim]), 0.012)
    across = np.clip((grid[..., 0] - middle) / half, -1.2, 1.2)
    light = 1.08 - 0.45 * across**2 + rng.uniform(-0.25, 0.25) * across
    texture = noise(frame.shape, rng, 0.012 * frame.unit, 0.035)
    if knitted:
        texture = (
            texture
            + 0.10 * np.sign(np.sin(grid[..., :1] * 70)) * np.abs(np.sin(grid[..., :1] * 70)) ** 0.5 * colour.mean()
        )
    shadow = gaussian_filter(mask, 0.10 * frame.unit) * (1 - mask)
    result = lay(photo, 0.45 * shadow, np.array([0.08, 0.05, 0.04]))
    result = lay(result, mask, colour * light[..., None] + texture)
    if knitted:
        fold = frame.fill(np.vstack([rim, rim[::-1] - [0, 0.32]]), 0.012)
        return lay(result, 0.85 * fold, colour * light[..., None] * 1.12 + 1.5 * texture)
    return _brim(result, frame, middle, half, edge, colour, rng)


def _brim(
    photo: np.ndarray,
    frame: Frame,
    middle: float,
    half: float,
    edge: float,
    colour: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 80)
    drop = rng.uniform(0.10, 0.20)
    ellipse = np.stack([middle + 0.82 * half * np.cos(turn), edge + 0.06 + drop * np.sin(turn)], 1)
    mask = frame.fill(ellipse, 0.012)
    level = np.clip((frame.grid()[..., 1:] - edge + drop) / (2 * drop), 0, 1)
    under = gaussian_filter(mask, 0.16 * frame.unit) * (1 - mask)
    down = np.clip(frame.grid()[..., 1] - edge, 0, None) > 0
    shaded = lay(photo, 0.5 * under * down, np.array([0.06, 0.04, 0.03]))
    return lay(shaded, mask, colour * (1.15 - 0.75 * level) + noise(frame.shape, rng, 1.0, 0.01))


def mask(photo: np.ndarray, mesh: FaceMesh, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A surgical or a cloth mask; strength 0..1 is how high on the nose it sits."""
    frame = Frame(mesh, photo.shape[:2])
    jaw = [i for i in P.OVAL if frame.point(i)[1] > frame.point(1)[1] - 0.05]
    jaw = sorted(jaw, key=lambda i: np.arctan2(*(frame.point(i) - frame.point(1))[::-1]))
    nose = frame.point(197) + (frame.point(4) - frame.point(197)) * (0.9 - 0.7 * strength)
    lower = np.array([frame.point(i) for i in jaw])
    low = lower[np.argsort(np.arctan2(lower[:, 0] - nose[0], lower[:, 1] - nose[1]))]
    chin = frame.point(P.CHIN)
    low = chin + (low - chin) * [1.0, 1.0] + [0, 0.05]
    below = np.array([0.0, 0.05])
    outline = np.vstack([low, [frame.point(352) + below], [nose], [frame.point(123) + below]])
    outline = outline.mean(0) + (outline - outline.mean(0)) * 1.02
    cover = frame.fill(outline, 0.015)
    grid = frame.grid()
    colour = np.array(MASKS[str(rng.choice(list(MASKS)))]) * daylight(photo, frame)
    pleats = 1 + 0.05 * np.sin((grid[..., 1] - nose[1]) * rng.uniform(14, 26)) * np.exp(-((grid[..., 0] / 0.7) ** 4))
    light = (1.05 - 0.35 * (grid[..., 0] / 0.85) ** 2 - 0.12 * np.clip(grid[..., 1] - 0.9, 0, 1)) * pleats
    shadow = gaussian_filter(cover, 0.05 * frame.unit) * (1 - cover)
    result = lay(photo, 0.4 * shadow, np.array([0.1, 0.06, 0.05]))
    return lay(result, cover, colour * light[..., None] + noise(frame.shape, rng, 1.2, 0.012))


def hand(photo: np.ndarray, mesh: FaceMesh, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Fingers laid over the mouth, from a side, in the person's own skin; strength 0..1 is how many and how far."""
    frame = Frame(mesh, photo.shape[:2])
    mouth = (frame.point(P.UPPER_LIP) + frame.point(P.LOWER_LIP)) / 2
    lean = rng.uniform(-0.35, 0.35)
    side = rng.choice([-1, 1])
    along = np.array([np.cos(lean) * -side, np.sin(lean)])
    over = np.array([-along[1], along[0]]) * side
    result = photo
    for n in range(4 if strength > 0.4 else 3):
        reach = 0.55 - 0.10 * abs(n - 1.4) + 0.15 * strength
        tip = mouth + along * reach + over * (n - 1.5) * 0.235
        root = tip - along * 1.9
        result = _finger(result, frame, root, tip, 0.125, rng)
    return result


def _finger(
    photo: np.ndarray, frame: Frame, root: np.ndarray, tip: np.ndarray, thick: float, rng: np.random.Generator
) -> np.ndarray:
    grid = frame.grid()
    axis = (tip - root) / np.hypot(*(tip - root))
    across = np.array([-axis[1], axis[0]])
    along, off = (grid - root) @ axis, (grid - root) @ across
    length = np.hypot(*(tip - root))
    round_tip = np.hypot(np.clip(along - length + thick, 0, None), off)
    cover = np.clip((thick - round_tip) * frame.unit * 0.6 + 0.5, 0, 1) * (along > -0.1)
    cheek = frame.own(frame.mesh.points[50, :2][None])[0]
    texture_at = frame.to_pixels(cheek + np.stack([off.ravel() * 0.9, ((along.ravel() * 0.35) % 0.36) - 0.18], 1))
    skin = np.stack(
        [
            map_coordinates(photo[..., c], texture_at.T[::-1], order=1, mode="reflect").reshape(frame.shape)
            for c in range(3)
        ],
        -1,
    )
    x, y = frame.mesh.points[50, :2].astype(int)
    reach = max(2, int(0.12 * frame.unit))
    base = np.median(photo[y - reach : y + reach, x - reach : x + reach].reshape(-1, 3), 0)
    skin = base + 0.5 * (skin - skin[cover > 0.5].mean(0) if (cover > 0.5).any() else 0)
    round_light = 1.04 - 0.42 * (off / thick) ** 4 + 0.05 * off / thick
    knuckle = (
        1
        - 0.06 * np.exp(-((along - length + 0.45) ** 2) / 0.0006)
        - 0.05 * np.exp(-((along - length + 0.40) ** 2) / 0.0004)
    )
    shade = gaussian_filter(cover, 0.05 * frame.unit) * (1 - cover)
    result = lay(photo, 0.45 * shade, np.array([0.15, 0.06, 0.04]))
    return lay(result, cover, skin * (round_light * knuckle)[..., None] * rng.uniform(0.95, 1.03) * [1.0, 0.985, 0.98])
