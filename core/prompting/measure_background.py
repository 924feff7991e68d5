"""What can be said of a background without a model: its colour by name, how bright and how uniform it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..imaging.colour import to_lab
from ..imaging.tensors import planes

GRID = 160
"""Longer side of the grid on which a background is measured, in pixels: texture and noise are averaged."""

FEWEST, FEWEST_BESIDE = 0.03, 0.08
"""With less than this share of the picture, with a matte and without one, nothing is said of the background."""

OUTSIDE = 0.05
"""Matte below which a pixel is background; its neighbours on the grid must be, too."""

BESIDE, ABOVE = 2.2, 0.6
"""Without a matte: what lies this many eye distances beside the face's middle and above the shoulders, or this many
above the crown. A head is 2.5 eye distances wide, so most hair stays outside."""

UNIFORM = 5.0
"""CIELAB difference (root mean square) up to which a background is one colour, or one smooth gradient."""

SMOOTH = 0.25
"""A strong gradient may leave more than that unexplained, up to this share of its own spread."""

ONE_COLOUR = 20.0
"""A background that varies by more than this (CIELAB, root mean square) has no colour to name."""

BLURRED = 1.0
"""Mean difference of L* between neighbours of the grid below which a varied background is out of focus."""

GREY, TINTED = 6.0, 14.0
"""CIELAB chroma below which a colour is grey, and below which it is a tinted grey."""

_GREYS = ((12, "black"), (32, "charcoal"), (48, "dark grey"), (68, "grey"), (88, "light grey"), (101, "white"))
_HUES = (
    (18, "pink"), (50, "red"), (76, "orange"), (95, "yellow"), (112, "lime"), (170, "green"), (220, "teal"),
    (308, "blue"), (340, "purple"), (361, "pink"),
)  # fmt: skip
_DARK, _LIGHT = 35.0, 72.0


@dataclass(frozen=True)
class Background:
    """`lab`: median CIELAB. `spread` and `residual`: difference from one colour and from a smooth gradient, root mean
    square in CIELAB. `detail`: mean step of L* between neighbours. `share`: of the picture. `from_mask`: whether a
    matte said what is background."""

    lab: tuple[float, float, float]
    spread: float
    residual: float
    detail: float
    share: float
    from_mask: bool

    @property
    def uniformity(self) -> str:
        """plain, gradient, blurred or busy."""
        if self.spread <= UNIFORM:
            return "plain"
        if self.residual <= max(UNIFORM, SMOOTH * self.spread):
            return "gradient"
        return "blurred" if self.detail < BLURRED else "busy"

    @property
    def brightness(self) -> str:
        """dark, medium or bright."""
        return "dark" if self.lab[0] < _DARK else "bright" if self.lab[0] > _LIGHT else "medium"

    def words(self) -> str:
        """A phrase such as "plain light grey background"; one of many colours is given none."""
        if self.uniformity == "busy" or (self.uniformity == "blurred" and self.spread > ONE_COLOUR):
            shade = "" if self.brightness == "medium" else f"{self.brightness} "
            return f"{self.uniformity} {shade}background"
        return f"{self.uniformity} {colour_name(*self.lab)} background"

    def numbers(self) -> dict[str, Any]:
        """The measures for a report."""
        return {
            "colour": colour_name(*self.lab),
            "uniformity": self.uniformity,
            "brightness": self.brightness,
            "lab": [round(value, 1) for value in self.lab],
            "spread": round(self.spread, 2),
            "residual_of_gradient": round(self.residual, 2),
            "detail": round(self.detail, 2),
            "share_of_picture": round(self.share, 3),
            "from_mask": self.from_mask,
        }


def colour_name(lightness: float, a: float, b: float) -> str:
    """An everyday name of a CIELAB colour: greys by lightness, others by hue with dark or light before them."""
    chroma, hue = math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360
    grey = next(name for most, name in _GREYS if lightness < most)
    if chroma < GREY or lightness < 6:
        return grey
    if chroma < TINTED:
        if grey in ("black", "white"):
            return grey if grey == "black" else ("off-white" if 20 <= hue < 120 else grey)
        shade = "light " if grey == "light grey" else "" if grey == "grey" else "dark "
        return f"{shade}{_tint(hue)} grey"
    name = next(name for most, name in _HUES if hue < most)
    return _shade(name, lightness, chroma)


def _tint(hue: float) -> str:
    return "warm" if hue < 105 or hue >= 320 else "greenish" if hue < 190 else "bluish"


def _shade(name: str, lightness: float, chroma: float) -> str:
    """The hue's name with dark or light before it, or the name that a dark or pale one of that hue has."""
    warm = name in ("red", "orange", "yellow", "lime")
    if lightness < _DARK and (name == "pink" or (name == "red" and chroma < 45)):
        return "burgundy" if name == "pink" else "dark brown"
    if warm and lightness < 60 and chroma < 45:
        return "olive" if name == "lime" else "dark brown" if lightness < _DARK else "brown"
    if warm and chroma < 35:
        return "light brown" if name == "red" else "beige"
    if name == "blue" and lightness < 25:
        return "navy"
    plain = "yellow" if name == "lime" else name
    if plain == "yellow":
        return plain
    return f"dark {plain}" if lightness < _DARK else f"light {plain}" if lightness > _LIGHT else plain


def background(
    image: torch.Tensor, mask: torch.Tensor | None, centre: float, crown: float, chin: float, unit: float
) -> Background | None:
    """Measure the background of IMAGE [1,H,W,3], or None when too little of it is seen.

    `mask` is the person's matte [1,H,W]. Without one, the area beside and above the head is taken: `centre` is its
    middle across, `crown` and `chin` are its heights, `unit` the eye distance, all in pixels.
    """
    block = max(1, round(max(image.shape[1:3]) / GRID))
    small = F.avg_pool2d(planes(image), block)[0].permute(1, 2, 0).cpu()
    if mask is not None:
        matte = F.avg_pool2d(planes(mask), block)
        known = (F.max_pool2d(matte, 3, 1, 1)[0, 0] < OUTSIDE).cpu()
    else:
        known = _beside(small.shape[0], small.shape[1], block, centre, crown, chin, unit)
    share = float(known.float().mean())
    if share < (FEWEST_BESIDE if mask is None else FEWEST):
        return None
    lab = to_lab(small.clamp(0, 1))
    inside = lab[known]
    middle = inside.median(0).values
    spread = float((inside - inside.mean(0)).square().sum(1).mean().sqrt())
    return Background(
        (float(middle[0]), float(middle[1]), float(middle[2])),
        spread,
        _residual(inside, known),
        _detail(lab[..., 0], known),
        share,
        mask is not None,
    )


def _beside(rows: int, columns: int, block: int, centre: float, crown: float, chin: float, unit: float) -> torch.Tensor:
    y = (torch.arange(rows) + 0.5)[:, None] * block
    x = (torch.arange(columns) + 0.5)[None] * block
    beside = ((x - centre).abs() > BESIDE * unit) & (y < chin - 0.3 * unit)
    return beside | ((y < crown - ABOVE * unit) & (x > -1))


def _residual(inside: torch.Tensor, known: torch.Tensor) -> float:
    """What is left of colours [N,3] after a quadratic surface over the picture is taken off, root mean square."""
    y, x = (axis.double() / max(known.shape) for axis in known.nonzero(as_tuple=True))
    terms = torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], 1).numpy()
    colours = inside.double().numpy()
    fitted = terms @ np.linalg.lstsq(terms, colours, rcond=None)[0]
    return float(np.sqrt(np.square(colours - fitted).sum(1).mean()))


def _detail(lightness: torch.Tensor, known: torch.Tensor) -> float:
    across = (lightness[:, 1:] - lightness[:, :-1]).abs()[known[:, 1:] & known[:, :-1]]
    down = (lightness[1:] - lightness[:-1]).abs()[known[1:] & known[:-1]]
    steps = torch.cat([across, down])
    return float(steps.mean()) if len(steps) else 0.0
