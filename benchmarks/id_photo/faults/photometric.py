"""Faults of light, sharpness, colour, background and file, planted into real portraits.

Each fault is a function `plant(photo [H,W,3] in 0..1, portrait, strength, rng) -> [H,W,3]`. A strength of 1 is what a
clerk refuses at first glance, as the function's first line describes it; 0.5 is where the argument starts; 0 leaves
the photo as it is. Lengths are shares of the eye distance, so that photos of every size get the same fault. Light is
changed in linear light and clipped, as a sensor clips it. Every fault ends in eight bits, like a file.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from likeness_studio.core.imaging import soft_blur, to_display, to_linear
from likeness_studio.core.portrait import ComposeOptions, foreground_colours
from likeness_studio.core.portrait.compose import compose

if TYPE_CHECKING:
    from likeness_studio.core.quality import Portrait

Plant = Callable[[torch.Tensor, "Portrait", float, np.random.Generator], torch.Tensor]

CASTS = ((1.45, 0.95, 0.45), (0.62, 0.98, 1.75), (0.75, 1.22, 0.75), (1.3, 0.78, 1.3))
"""Gains of red, green and blue in linear light: lamp light, deep shade, fluorescent tubes, its opposite."""


def defocus(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """Out of focus: a point becomes a disc of 7 % of the eye distance, so that lashes melt into the lid."""
    radius = 0.035 * strength * portrait.mesh.eye_distance
    reach = math.ceil(radius)
    x, y = np.meshgrid(*2 * [np.arange(-reach, reach + 1)])
    return _convolved(photo, np.clip(radius + 0.5 - np.hypot(x, y), 0, 1))


def motion(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """Shaken: every point is a straight line of 11 % of the eye distance, in any direction; irises have two edges."""
    if strength <= 0:
        return _bytes(photo)
    length = 0.11 * strength * portrait.mesh.eye_distance
    reach = math.ceil(length / 2) + 1
    x, y = np.meshgrid(*2 * [np.arange(-reach, reach + 1)])
    angle = rng.uniform(0, math.pi)
    along = np.abs(x * math.cos(angle) + y * math.sin(angle))
    across = np.abs(y * math.cos(angle) - x * math.sin(angle))
    return _convolved(photo, np.clip(length / 2 + 0.5 - along, 0, 1) * np.clip(1 - across, 0, 1))


def under_exposure(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """Three stops too little light, with the noise of a sensor: eyes and nostrils drown in the dark."""
    linear = to_linear(photo) * 2 ** (-3 * strength)
    noise = torch.from_numpy(rng.standard_normal(tuple(photo.shape), np.float32))
    return _display(linear + noise * 0.004 * strength * (linear + 0.02).sqrt())


def over_exposure(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """Burnt out: so much light that 35 % of the face, whatever its tone, goes past white and loses its shape.

    At half strength a fifth of it does.
    """
    face = to_linear(portrait.aligned.image)[portrait.aligned.region]
    top = torch.quantile(face.mean(-1), 1 - (0.05 + 0.3 * strength)).clamp_min(0.01)
    return _display(to_linear(photo) * max(1.0, float(1 / top)) ** min(1.0, 20 * strength))


def side_light(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """Lit from one side: the far cheek, the darker one already, gets two and a half stops less light than it had.

    A lamp on the other side would make such a portrait more even, not less.
    """
    first, second = (np.asarray(eye.centre) for eye in portrait.mesh.eyes)
    across = (second - first) / portrait.mesh.eye_distance**2
    left, right = (float(portrait.aligned.luminance[zone].mean()) for zone in portrait.aligned.cheeks)
    if left < right:
        across = -across
    y, x = torch.meshgrid(torch.arange(photo.shape[0]), torch.arange(photo.shape[1]), indexing="ij")
    middle = (first + second) / 2
    place = (x - middle[0]) * across[0] + (y - middle[1]) * across[1]
    return _display(to_linear(photo) * torch.exp2(-2.5 * strength * torch.sigmoid(5 * place))[..., None])


def colour_cast(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """A white balance for other light: orange, blue, green or magenta skin, at the same luminance."""
    gains = np.array(CASTS[rng.integers(len(CASTS))]) ** strength
    linear = to_linear(photo) * torch.tensor(gains, dtype=photo.dtype)
    luma = torch.tensor((0.2126, 0.7152, 0.0722))
    return _display(linear * float((to_linear(photo) @ luma).mean() / (linear @ luma).mean()))


def washed_out(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """As through fog: a third of the tonal range is left, pupils are grey."""
    return _bytes(photo + (0.6 - photo) * 0.67 * strength)


def patterned_background(
    photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator
) -> torch.Tensor:
    """Bricks, stripes, or coloured lights out of focus behind the person, instead of a wall."""
    height, width = photo.shape[:2]
    unit = portrait.mesh.eye_distance
    y, x = torch.meshgrid(torch.arange(height) / unit, torch.arange(width) / unit, indexing="ij")
    kind = rng.integers(3)
    if kind == 0:
        pattern = _bricks(x, y, rng)
    elif kind == 1:
        angle, period = rng.uniform(0, math.pi), rng.uniform(0.25, 0.9)
        wave = (x * math.cos(angle) + y * math.sin(angle)) / period % 1 < 0.5
        pattern = torch.lerp(_colour(rng, 0.75), _colour(rng, 0.45), wave.float()[..., None])
    else:
        pattern = _lights(x, y, rng)
    wall = torch.lerp(torch.full_like(photo, 0.85), pattern, min(1.0, strength))
    return _bytes(_behind(photo, portrait, wall))


def background_shadow(
    photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator
) -> torch.Tensor:
    """The person's shadow on the wall beside the head, soft-edged, 45 % darker. Wants an even wall to start from."""
    if portrait.matte is None:
        raise ValueError("A shadow on the wall needs the portrait's matte.")
    unit = portrait.mesh.eye_distance
    side = int(rng.choice([-1, 1]) * rng.uniform(0.4, 0.9) * unit)
    down = int(rng.uniform(0.0, 0.4) * unit)
    margin = (max(side, 0), max(-side, 0), down, 0)
    cast = F.pad(portrait.matte[None, None], margin, mode="replicate")
    left = max(-side, 0)
    cast = cast[..., : photo.shape[0], left : left + photo.shape[1]]
    soft = soft_blur(cast, rng.uniform(0.08, 0.3) * unit)[0, 0]
    shade = 1 - 0.45 * strength * soft * (1 - portrait.matte)
    return _bytes(photo * shade[..., None])


def heavy_jpeg(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """Blocks and smears everywhere: JPEG of quality 10 with halved colour resolution. Quality 25 at half strength."""
    if strength <= 0:
        return _bytes(photo)
    buffer = io.BytesIO()
    quality = round(5 + 5 / strength**2) if strength >= 0.25 else 85
    _image(photo).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return _tensor(Image.open(buffer))


def enlarged(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """A thumbnail with 28 pixels between the eyes (a 200-pixel portrait), blown up by one of four interpolations.

    56 pixels at half strength.
    """
    share = 28 / max(strength, 1e-3) / portrait.mesh.eye_distance
    if share >= 1:
        return _bytes(photo)
    image = _image(photo)
    small = image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.LANCZOS)
    ways = (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR, Image.Resampling.NEAREST)
    return _tensor(small.resize(image.size, ways[rng.integers(len(ways))]))


FAULTS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        *(defocus, motion, under_exposure, over_exposure, side_light, colour_cast, washed_out),
        *(patterned_background, background_shadow, heavy_jpeg, enlarged),
    )
}


def on_plain_wall(photo: torch.Tensor, portrait: Portrait, rng: np.random.Generator) -> torch.Tensor:
    """The clean case for backgrounds: the person before an even light wall, with the grain of a camera.

    The wall is white to light grey, a little warm or cool, up to 4 % darker towards one edge.
    """
    height, width = photo.shape[:2]
    tint = np.array([0.0, 0.0, 0.0]) + rng.uniform(-0.012, 0.012, 3)
    colour = torch.tensor(np.clip(rng.uniform(0.78, 0.95) + tint, 0, 1), dtype=photo.dtype)
    angle, fall = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.04)
    y, x = torch.meshgrid(torch.linspace(-0.5, 0.5, height), torch.linspace(-0.5, 0.5, width), indexing="ij")
    light = 1 - fall * (0.5 + x * math.cos(angle) + y * math.sin(angle)).clamp(0, 1)
    grain = torch.from_numpy(rng.standard_normal((height, width, 3), np.float32)) * rng.uniform(0.002, 0.008)
    return _bytes(_behind(photo, portrait, colour * light[..., None] + grain))


def _behind(photo: torch.Tensor, portrait: Portrait, wall: torch.Tensor) -> torch.Tensor:
    if portrait.matte is None:
        raise ValueError("A new background needs the portrait's matte.")
    matte = portrait.matte[None]
    untouched = ComposeOptions(light_wrap=0, shadow=0, match_light=0, match_colour=0)
    return compose(foreground_colours(photo[None], matte), matte, wall[None], untouched)[0][0]


def _bricks(x: torch.Tensor, y: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    tall = rng.uniform(0.35, 0.6)
    row = (y / tall).floor()
    along = x / (3 * tall) + 0.5 * (row % 2)
    joint = ((y / tall % 1) < 0.12) | ((along % 1) < 0.04)
    shade = torch.sin(row * 12.9898 + along.floor() * 78.233).abs() * 0.25 + 0.75
    brick = torch.tensor((0.62, 0.35, 0.28)) * shade[..., None]
    return torch.where(joint[..., None], torch.tensor((0.78, 0.75, 0.7)), brick)


def _lights(x: torch.Tensor, y: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    result = (torch.ones(*x.shape, 3) * 0.18) * _colour(rng, 0.9)
    for _ in range(60):
        cx, cy = rng.uniform(0, float(x.max())), rng.uniform(0, float(y.max()))
        radius = rng.uniform(0.15, 0.5)
        disc = ((radius - torch.hypot(x - cx, y - cy)) / 0.05).clamp(0, 1)
        result = result + disc[..., None] * _colour(rng, 0.8) * rng.uniform(0.15, 0.5)
    return result.clamp(0, 1)


def _colour(rng: np.random.Generator, lightness: float) -> torch.Tensor:
    return torch.tensor(np.clip(lightness + rng.uniform(-0.25, 0.25, 3), 0, 1), dtype=torch.float32)


def _convolved(photo: torch.Tensor, kernel: np.ndarray) -> torch.Tensor:
    """In linear light, as a lens mixes it; by Fourier transform, with the edges repeated."""
    reach = kernel.shape[0] // 2
    planes = F.pad(to_linear(photo).permute(2, 0, 1)[None], 4 * [reach], mode="replicate")
    size = (planes.shape[-2] + 2 * reach, planes.shape[-1] + 2 * reach)
    weights = torch.from_numpy(kernel / kernel.sum()).float()
    product = torch.fft.rfft2(planes, size) * torch.fft.rfft2(weights, size)
    mixed = torch.fft.irfft2(product, size)[0, :, 2 * reach :, 2 * reach :]
    return _display(mixed[:, : photo.shape[0], : photo.shape[1]].permute(1, 2, 0))


def _display(linear: torch.Tensor) -> torch.Tensor:
    return _bytes(to_display(linear.clamp(0, 1)))


def _bytes(photo: torch.Tensor) -> torch.Tensor:
    return (photo.clamp(0, 1) * 255).round() / 255


def _image(photo: torch.Tensor) -> Image.Image:
    return Image.fromarray((photo.clamp(0, 1) * 255).round().to(torch.uint8).numpy())


def _tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image.convert("RGB"), np.float32) / 255)
