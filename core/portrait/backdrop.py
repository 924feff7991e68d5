"""Procedural studio backdrops: seamless paper, gradient, blurred office and library. Any size, seeded, no bands.

The light is computed in linear light and then shown as sRGB. Before the picture is cut to 8 bits, seeded triangular
noise of plus or minus one 8-bit step is added (TPDF dither: Lipshitz, Wannamaker and Vanderkooy 1992). ComfyUI's
SaveImage truncates instead of rounding, so the noise is centred on half a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..imaging.colour import parse_colour, to_display, to_linear
from ..imaging.filters import soft_blur
from .rooms import ROOMS, render_room

PAPER, GRADIENT = "seamless paper", "gradient"
STYLES = (PAPER, GRADIENT, *ROOMS)
"""Backdrop styles by name."""

CANVAS = 448
"""Pixels on the longer side on which a backdrop is drawn."""

STEP = 1 / 255
"""One 8-bit step."""

UNEVEN = 0.02
"""How uneven paper is: the share of its brightness that varies slowly from place to place (before smoothing)."""

NOISE_TILE = 256
"""Side of the square of noise that is repeated over the picture."""


@dataclass(frozen=True)
class Light:
    """The light on a backdrop.

    `strength` 0..1: how much brighter it is behind the head than at the rim. `vignette` 0..1: how much the corners
    darken. `x`, `y`: the middle of the light as shares of width and height.
    """

    strength: float = 0.5
    vignette: float = 0.3
    x: float = 0.5
    y: float = 0.4


def backdrop(
    style: str, colour: str, height: int, width: int, light: Light | None = None, seed: int = 0
) -> torch.Tensor:
    """IMAGE [1,height,width,3] in 0..1, the same for the same arguments.

    `colour` is a name of `colour.PAPER` or #rrggbb: of the paper, of the gradient's bright end, or the tint of the
    walls of a room. Raises BadColour. Everything is smooth, so it is drawn small and enlarged before the dither.
    """
    light = light or Light()
    base = to_linear(torch.tensor(parse_colour(colour)))
    random = torch.Generator().manual_seed(seed)
    scale = min(1.0, CANVAS / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    if style == PAPER:
        linear = _paper(base, *small, light, random)
    elif style == GRADIENT:
        linear = _gradient(base, *small, light)
    else:
        linear = render_room(style, base, *small, random) * _falloff(*small, light, 0.5)[..., None]
    display = to_display(linear.clamp(0, 1)).permute(2, 0, 1)[None]
    mode = "bicubic" if style in ROOMS else "bilinear"
    large = torch.nn.functional.interpolate(display, size=(height, width), mode=mode, align_corners=False)
    return dither(large[0].permute(1, 2, 0), random)[None]


def _axes(height: int, width: int, light: Light) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances from the light's middle, in units of the picture's longer side."""
    longest = max(height, width)
    y = ((torch.arange(height) + 0.5) - light.y * height) / longest
    x = ((torch.arange(width) + 0.5) - light.x * width) / longest
    return y[:, None], x[None, :]


def _falloff(height: int, width: int, light: Light, share: float = 1.0) -> torch.Tensor:
    """A spot's light on a wall [H,W]: about 1 + strength in the middle, falling softly, darker in the corners."""
    y, x = _axes(height, width, light)
    distance = y * y + x * x
    spot = 1 + share * light.strength * (1.5 / (1 + distance / 0.16) ** 1.5 - 0.6)
    corner = ((y / 0.62) ** 2 + (x / 0.62) ** 2).clamp(0, 2)
    return spot * (1 - 0.55 * light.vignette * corner.clamp(0, 1.5) ** 1.5 / 1.5**0.5).clamp_min(0.05)


def _paper(base: torch.Tensor, height: int, width: int, light: Light, random: torch.Generator) -> torch.Tensor:
    """Paper from a roll: a soft spot, a slightly uneven surface, the light a little warmer than the shade."""
    shade = _falloff(height, width, light)
    uneven = torch.randn(1, 1, max(1, height // 12), max(1, width // 12), generator=random)
    uneven = torch.nn.functional.interpolate(uneven, size=(height, width), mode="bicubic", align_corners=False)
    shade = shade * (1 + UNEVEN * soft_blur(uneven, max(height, width) / 24)[0, 0])
    warmth = torch.tensor([0.006, 0.0, -0.008]) * light.strength
    return _highlights(base * shade[..., None] * (1 + warmth * (shade[..., None] - 1)))


def _highlights(linear: torch.Tensor) -> torch.Tensor:
    """Roll off softly above 0.8 so that bright paper does not clip to a flat patch."""
    over = (linear - 0.8).clamp_min(0)
    return torch.where(linear > 0.8, 0.8 + 0.2 * (1 - torch.exp(-over / 0.2)), linear)


def _gradient(base: torch.Tensor, height: int, width: int, light: Light) -> torch.Tensor:
    """From the colour at the top to a deeper shade of it at the bottom, in even steps to the eye."""
    y = (torch.arange(height)[:, None] + 0.5) / height
    x = (torch.arange(width)[None, :] + 0.5) / width
    place = 0.88 * y + 0.12 * x
    smooth = place * place * (3 - 2 * place)
    deep = base * (1 - 0.75 * light.strength) ** 2
    display = to_display(base) * (1 - smooth[..., None]) + to_display(deep) * smooth[..., None]
    flat = Light(0.0, light.vignette, light.x, light.y)
    return to_linear(display) * _falloff(height, width, flat)[..., None]


def dither(display: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Add triangular noise of one 8-bit step to [H,W,3], centred so that truncation to 8 bits keeps the mean."""
    tile = torch.rand((2, NOISE_TILE, NOISE_TILE, 3), generator=random)
    noise = STEP * (tile[0] - tile[1] + 0.5)
    height, width = display.shape[:2]
    repeated = noise.repeat(-(-height // NOISE_TILE), -(-width // NOISE_TILE), 1)
    return (display + repeated[:height, :width]).clamp_(0, 1)
