"""Honest augmentation: the same portrait as a worse camera, a smaller file or another light would have shown it.

It changes the picture and never the face, so it is kinder than a second photo of another day: no other age, hair,
expression or direction of view. The report keeps both apart.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter


def _linear(photo: Image.Image) -> np.ndarray:
    value = np.asarray(photo, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _photo(light: np.ndarray) -> Image.Image:
    value = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return Image.fromarray((value.clip(0, 1) * 255).round().astype(np.uint8))


def jpeg(photo: Image.Image, quality: int = 20) -> Image.Image:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def small(photo: Image.Image, height: int = 200) -> Image.Image:
    return photo.resize((round(photo.width * height / photo.height), height), Image.Resampling.LANCZOS)


def grey(photo: Image.Image) -> Image.Image:
    return photo.convert("L").convert("RGB")


def dark(photo: Image.Image, light: float = 0.25) -> Image.Image:
    return _photo(_linear(photo) * light)


def side_light(photo: Image.Image, far: float = 0.25) -> Image.Image:
    return _photo(_linear(photo) * np.linspace(1, far, photo.width, dtype=np.float32)[None, :, None])


def blurred(photo: Image.Image, sigma: float = 0.004) -> Image.Image:
    return photo.filter(ImageFilter.GaussianBlur(sigma * photo.height))


def tilted(photo: Image.Image, degrees: float = 12) -> Image.Image:
    return photo.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))


def poor(photo: Image.Image) -> Image.Image:
    return jpeg(side_light(dark(blurred(tilted(small(grey(photo)), 8), 0.003), 0.5), 0.5), 40)


VARIANTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg": jpeg,
    "small": small,
    "grey": grey,
    "dark": dark,
    "side light": side_light,
    "blur": blurred,
    "tilt": tilted,
    "all at once": poor,
}

WORDS = {
    "jpeg": "JPEG at quality 20",
    "small": "200 pixels high instead of 1,024",
    "grey": "without colour",
    "dark": "a quarter of the light",
    "side light": "light that falls to a quarter from one side of the picture to the other",
    "blur": "Gaussian blur, sigma 0.4 % of the height (4 pixels)",
    "tilt": "turned by 12 degrees in the picture plane",
    "all at once": "grey, 200 pixels, tilted by 8 degrees, blur of 0.3 %, half the light and less at one side, JPEG 40",
}
"""What each does, for the report."""
