"""Hard backgrounds for portraits with a known matte: flags, foliage, a crowd, a neighbour, the person's own colours."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter

from likeness_studio.core.imaging.filters import soft_blur

SCENES = ("flag", "foliage", "crowd", "neighbour", "same colours", "microphones")

STRIPES = ((178, 34, 52), (244, 244, 240), (36, 52, 110), (250, 205, 40), (20, 110, 60))


def scene(
    kind: str, front: np.ndarray, alpha: np.ndarray, photos: list[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    """A background [H,W,3] in 0..1 for the person `front` with matte `alpha`; `photos` [h,w,3] are of other people."""
    height, width = alpha.shape
    wall = _wall(height, width, random)
    if kind == "flag":
        return _flags(wall, random)
    if kind == "foliage":
        return _foliage(height, width, random)
    if kind == "crowd":
        return _crowd(height, width, photos, random)
    if kind == "neighbour":
        return _neighbour(wall, photos[int(random.integers(len(photos)))], random)
    if kind == "same colours":
        return _same_colours(front, alpha, random)
    return _microphones(wall, random)


def _picture(array: np.ndarray) -> Image.Image:
    return Image.fromarray((array.clip(0, 1) * 255).round().astype(np.uint8))


def _array(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"), np.float32) / 255


def _noise(height: int, width: int, sigma: float, random: np.random.Generator, channels: int = 1) -> np.ndarray:
    """Smooth noise [height,width,channels] in 0..1."""
    raw = torch.from_numpy(random.standard_normal((1, channels, height, width)).astype(np.float32))
    smooth = soft_blur(raw, sigma)[0].permute(1, 2, 0).numpy()
    return (smooth - smooth.min((0, 1))) / (np.ptp(smooth, (0, 1)) + 1e-6)


def _wall(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    colour = random.uniform(0.1, 0.75, 3).astype(np.float32)
    return (colour + 0.25 * (_noise(height, width, width / 8, random) - 0.5)).clip(0, 1).astype(np.float32)


def _flags(wall: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A hanging flag with folds on one side of the picture or both, down to its lower edge."""
    height, width = wall.shape[:2]
    picture = wall.copy()
    for left in random.permutation([True, False])[: int(random.integers(1, 3))]:
        wide = int(width * random.uniform(0.28, 0.42))
        columns = np.arange(wide)
        bend = (np.sin(columns / wide * random.uniform(3, 9)) * 0.06 * height).astype(int)
        rows = np.arange(height)[:, None] + bend[None]
        colours = np.array(STRIPES, np.float32)[random.permutation(len(STRIPES))[: int(random.integers(2, 4))]] / 255
        flag = colours[(rows // max(8, int(height * random.uniform(0.05, 0.12)))) % len(colours)]
        flag = flag * (0.75 + 0.25 * np.cos(columns / wide * random.uniform(12, 30)))[None, :, None]
        start = 0 if left else width - wide
        inside = np.arange(height)[:, None] > (np.abs(columns - wide * random.uniform(0.2, 0.8)) * 0.4)[None]
        part = picture[:, start : start + wide]
        picture[:, start : start + wide] = np.where(inside[..., None], flag, part)
    return picture.astype(np.float32)


def _foliage(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Leaves of all sizes in light and shade."""
    picture = Image.new("RGB", (width, height), (18, 30, 14))
    draw = ImageDraw.Draw(picture)
    for _ in range(2200):
        x, y, size = random.uniform(0, width), random.uniform(0, height), random.uniform(3, width / 28)
        turn, light = random.uniform(0, np.pi), random.uniform(0.15, 1)
        ring = np.linspace(0, 2 * np.pi, 9)
        leaf = np.stack([np.cos(ring) * size, np.sin(ring) * size * 0.4], 1)
        leaf = leaf @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + [x, y]
        colour = tuple(int(light * value) for value in (random.uniform(70, 150), random.uniform(110, 190), 60))
        draw.polygon([(float(a), float(b)) for a, b in leaf], fill=colour)
    return _array(picture.filter(ImageFilter.GaussianBlur(float(random.uniform(0.5, 2.5)))))


def _crowd(height: int, width: int, photos: list[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """Rows of other people's photos, each larger than the row behind it, a little out of focus."""
    canvas = Image.new("RGB", (width, height))
    for row in range(4):
        side = int(width * (0.22 + 0.07 * row))
        for place in range(-1, width // int(0.8 * side) + 1):
            photo = _picture(photos[int(random.integers(len(photos)))]).resize((side, side))
            canvas.paste(photo, (int(place * 0.8 * side + random.uniform(0, 20)), int(height * (0.2 * row - 0.02))))
    return _array(canvas.filter(ImageFilter.GaussianBlur(float(random.uniform(1, 3)))))


def _neighbour(wall: np.ndarray, photo: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Another person behind, cut by the picture's edge."""
    height, width = wall.shape[:2]
    side = int(width * random.uniform(0.6, 0.8))
    canvas = _picture(wall)
    x = int(-0.35 * side) if random.random() < 0.5 else int(width - 0.65 * side)
    canvas.paste(_picture(photo).resize((side, side)), (x, height - side))
    return _array(canvas.filter(ImageFilter.GaussianBlur(1.0)))


def _same_colours(front: np.ndarray, alpha: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Soft patches in the colours of the hair (above) and of the clothes (below)."""
    height, width = alpha.shape
    rows = np.nonzero((alpha > 0.9).any(1))[0]
    solid = alpha > 0.9
    upper, lower = np.zeros_like(solid), np.zeros_like(solid)
    upper[rows[0] : rows[0] + max(4, len(rows) // 12)] = True
    lower[-max(4, len(rows) // 6) :] = True
    hair, clothes = (front[solid & part].mean(0) for part in (upper, lower))
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    picture = hair * (1 - down) + clothes * down
    picture = picture + 0.16 * (_noise(height, width, width / 24, random) - 0.5)
    picture += 0.10 * (_noise(height, width, 1.5, random, 3) - 0.5)
    return picture.clip(0, 1).astype(np.float32)


def _microphones(wall: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Stands and heads of microphones beside and behind the person, and a lamp."""
    height, width = wall.shape[:2]
    canvas = _picture(wall)
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(random.integers(3, 6))):
        x, y = random.uniform(0, width), random.uniform(0.3, 0.75) * height
        radius = width * random.uniform(0.02, 0.05)
        draw.line([(x, y), (x + random.uniform(-0.1, 0.1) * width, height)], fill=(25, 25, 28), width=int(radius * 0.7))
        draw.ellipse([x - radius, y - 1.3 * radius, x + radius, y + 1.3 * radius], fill=(60, 60, 64))
    x = random.uniform(0.1, 0.9) * width
    draw.ellipse([x - 40, 10, x + 40, 90], fill=(255, 250, 230))
    return _array(canvas.filter(ImageFilter.GaussianBlur(0.7)))
