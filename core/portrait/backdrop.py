"""Procedural studio backdrops: seamless paper, gradient, blurred office and library. Any size, seeded, no bands.

The light is computed in linear light and then shown as sRGB. Before the picture is cut to 8 bits, seeded triangular
noise of plus or minus one 8-bit step is added (TPDF dither: Lipshitz, Wannamaker and Vanderkooy 1992). ComfyUI's
SaveImage truncates instead of rounding, so the noise is centred on half a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..choices import GRADIENT, OFFICE, ROOMS, SEAMLESS_PAPER
from ..imaging.colour import parse_colour, to_display, to_linear
from ..imaging.filters import soft_blur

MARGIN = 0.12
"""How much more of the room than is seen is drawn on each side, so that the blur has something to take from."""


class _Canvas:
    """Rectangles and lamps on [H,W,3] in linear light; coordinates are shares of the seen picture's height."""

    def __init__(self, height: int, width: int, random: torch.Generator) -> None:
        self.unit = float(height)
        self.aspect = width / height
        self.pad = int(MARGIN * self.unit)
        self.seen = (height, width)
        self.light = torch.zeros(self.seen[0] + 2 * self.pad, self.seen[1] + 2 * self.pad, 3)
        self.random = random

    def any(self, low: float, high: float) -> float:
        """A random number."""
        return low + (high - low) * float(torch.rand((), generator=self.random))

    def tone(self, colour: tuple[float, float, float], spread: float = 0.1) -> torch.Tensor:
        """A colour with a random brightness."""
        return torch.tensor(colour) * (1 + self.any(-spread, spread))

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: torch.Tensor, cover: float = 1.0) -> None:
        """A rectangle, brighter towards its top."""
        left, right = (int(value * self.unit) + self.pad for value in (x0, x1))
        top, bottom = (int(value * self.unit) + self.pad for value in (y0, y1))
        part = self.light[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        if part.numel():
            fade = torch.linspace(1.06, 0.92, part.shape[0])[:, None, None]
            part.mul_(1 - cover).add_(colour * fade * cover)

    def lamp(self, x: float, y: float, radius: float, colour: torch.Tensor) -> None:
        """A small bright disc: the lens makes a soft circle of it."""
        height, width = self.light.shape[:2]
        across = (torch.arange(width) - self.pad) / self.unit - x
        down = (torch.arange(height) - self.pad) / self.unit - y
        inside = (across[None, :] ** 2 + down[:, None] ** 2) < radius**2
        self.light[inside] = colour


def render_room(style: str, tint: torch.Tensor, height: int, width: int, random: torch.Generator) -> torch.Tensor:
    """A room [height,width,3] in linear light. `tint` is the walls' colour in linear light."""
    canvas = _Canvas(height, width, random)
    (_office if style == OFFICE else _library)(canvas, tint)
    blurred = _lens(canvas.light, 0.042 * canvas.unit)
    blurred = blurred[canvas.pad : canvas.pad + canvas.seen[0], canvas.pad : canvas.pad + canvas.seen[1]]
    return blurred / (1 + 0.18 * blurred)


def _lens(light: torch.Tensor, radius: float) -> torch.Tensor:
    """Convolve [H,W,3] with a disc with a soft rim, by FFT: what a wide aperture does to points far behind."""
    height, width = light.shape[:2]
    reach = int(radius) + 2
    across = torch.arange(-reach, reach + 1).float()
    distance = (across[None, :] ** 2 + across[:, None] ** 2).sqrt()
    disc = (radius + 0.5 - distance).clamp(0, 1) * (0.85 + 0.15 * (distance / radius).clamp(0, 1))
    disc = disc / disc.sum()
    padded = F.pad(light.permute(2, 0, 1)[None], (reach,) * 4, mode="replicate")[0]
    size = (height + 4 * reach, width + 4 * reach)
    spectrum = torch.fft.rfft2(padded, s=size) * torch.fft.rfft2(disc, s=size)
    blurred = torch.fft.irfft2(spectrum, s=size)
    return blurred[:, 2 * reach : 2 * reach + height, 2 * reach : 2 * reach + width].permute(1, 2, 0).clamp_min(0)


def _office(canvas: _Canvas, tint: torch.Tensor) -> None:
    """A corner of an open-plan office: a window wall on one side, a wall with a shelf, ceiling lamps, desks, plants."""
    wide = canvas.aspect
    wall = 0.45 * tint + 0.55 * torch.tensor([0.30, 0.31, 0.32])
    canvas.box(-1, -1, wide + 1, 2, wall * 0.9)
    flip = canvas.any(0, 1) < 0.5
    split = canvas.any(0.50, 0.60) * wide

    def place(x0: float, x1: float) -> tuple[float, float]:
        return (wide - x1, wide - x0) if flip else (x0, x1)

    _windows(canvas, place, -0.2, split, 0.08, 0.70)
    canvas.box(-1, -1, wide + 1, 0.07, wall * 1.15)
    _shelf(canvas, place, split + 0.10 * wide, wide + 0.2, 0.30, 0.66, wall)
    x0, x1 = place(split + 0.01, split + 0.045)
    canvas.box(x0, -1, x1, 2, wall * 0.55)
    floor = canvas.tone((0.115, 0.108, 0.10))
    canvas.box(-1, 0.80, wide + 1, 2, floor)
    for _ in range(3):
        x = canvas.any(-0.1, wide)
        canvas.box(x, canvas.any(0.70, 0.74), x + canvas.any(0.25, 0.45), 0.84, canvas.tone((0.16, 0.14, 0.12), 0.4))
    for number in range(4):
        x = (number + canvas.any(0.2, 0.8)) / 4 * wide
        canvas.lamp(x, canvas.any(0.02, 0.16), canvas.any(0.008, 0.013), canvas.tone((9.0, 7.6, 5.6), 0.3))
    for _ in range(2):
        _plant(canvas, place, canvas.any(0.02, 0.95) * wide, canvas.any(0.70, 0.78))


def _windows(canvas: _Canvas, place: object, x0: float, x1: float, top: float, bottom: float) -> None:
    panes = 4
    step = (x1 - x0) / panes
    for pane in range(panes):
        left, right = place(x0 + pane * step + 0.014, x0 + (pane + 1) * step - 0.014)  # type: ignore[operator]
        canvas.box(left, top, right, bottom, canvas.tone((0.86, 0.95, 1.05), 0.08))
        middle = top + (bottom - top) * canvas.any(0.55, 0.75)
        canvas.box(left, middle, right, bottom, canvas.tone((0.52, 0.60, 0.66), 0.15))
        for _ in range(2):
            x = canvas.any(left, right)
            canvas.box(x, middle - canvas.any(0, 0.14), x + 0.06, bottom, canvas.tone((0.42, 0.47, 0.52), 0.2))


def _shelf(canvas: _Canvas, place: object, x0: float, x1: float, top: float, bottom: float, wall: torch.Tensor) -> None:
    left, right = place(x0, x1)  # type: ignore[operator]
    canvas.box(left, top, right, bottom, wall * 0.5)
    rows = 3
    pitch = (bottom - top) / rows
    for row in range(rows):
        y1 = top + (row + 1) * pitch - 0.012
        canvas.box(left, y1, right, y1 + 0.012, wall * 1.2)
        x = left + 0.01
        while x < right - 0.02:
            width = canvas.any(0.012, 0.035)
            if canvas.any(0, 1) < 0.72:
                colour = torch.tensor([canvas.any(0.04, 0.42) for _ in range(3)])
                colour = 0.35 * colour + 0.65 * colour.mean()
                canvas.box(x, y1 - canvas.any(0.5, 0.85) * pitch, x + width, y1, colour)
            x += width + 0.004


def _plant(canvas: _Canvas, place: object, x: float, y: float) -> None:
    centre, _ = place(x, x)  # type: ignore[operator]
    for _ in range(26):
        leaf = canvas.tone((0.045, 0.10, 0.05), 0.6)
        canvas.lamp(centre + canvas.any(-0.07, 0.07), y - canvas.any(0.0, 0.22), canvas.any(0.01, 0.025), leaf)


def _library(canvas: _Canvas, tint: torch.Tensor) -> None:
    """Shelves of books with warm lamps between them."""
    wide = canvas.aspect
    wood = 0.3 * tint + 0.7 * torch.tensor([0.115, 0.066, 0.040])
    canvas.box(-1, -1, wide + 1, 2, wood * 0.35)
    bay = canvas.any(0.36, 0.44)
    start = -0.2 - canvas.any(0, bay)
    while start < wide + 0.2:
        for row in range(6):
            _books(canvas, start + 0.02, start + bay - 0.02, -0.12 + 0.215 * row, 0.195, wood)
        canvas.box(start - 0.02, -1, start + 0.02, 2, wood * 1.1)
        canvas.lamp(start, canvas.any(0.10, 0.16), 0.012, canvas.tone((10.0, 6.6, 3.4), 0.2))
        start += bay


def _books(canvas: _Canvas, x0: float, x1: float, top: float, tall: float, wood: torch.Tensor) -> None:
    canvas.box(x0, top + tall, x1, top + tall + 0.02, wood * 1.3)
    palette = ((0.20, 0.05, 0.04), (0.05, 0.08, 0.13), (0.06, 0.10, 0.06), (0.30, 0.22, 0.13), (0.13, 0.08, 0.05))
    x = x0
    while x < x1 - 0.012:
        width = canvas.any(0.012, 0.028)
        spine = palette[int(canvas.any(0, len(palette) - 1e-6))]
        canvas.box(x, top + tall * canvas.any(0.12, 0.35), min(x + width, x1), top + tall, canvas.tone(spine, 0.5))
        x += width + 0.002


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

    `colour` is a name of `PAPER_COLOURS` or #rrggbb: of the paper, of the gradient's bright end, or the tint of the
    walls of a room. Raises BadColour. Everything is smooth, so it is drawn small and enlarged before the dither.
    """
    light = light or Light()
    base = to_linear(torch.tensor(parse_colour(colour)))
    random = torch.Generator().manual_seed(seed)
    scale = min(1.0, CANVAS / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    if style == SEAMLESS_PAPER:
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
