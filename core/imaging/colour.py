"""Colour: names and #rrggbb, display values and linear light, CIELAB."""

from __future__ import annotations

import re

import torch

from ..errors import BadColour

PAPER = {
    "studio grey": "#8d9399",
    "light grey": "#c9cdd1",
    "white": "#f3f3f1",
    "charcoal": "#3d4146",
    "navy": "#22324d",
    "corporate blue": "#4a6a8c",
    "slate": "#5b6b78",
    "teal": "#3f6f73",
    "forest": "#35513f",
    "burgundy": "#5a2a35",
    "sand": "#c6b8a2",
    "warm grey": "#a39a90",
}
"""Backdrop colours by name."""

_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


def parse_colour(text: str) -> tuple[float, float, float]:
    """Red, green and blue in 0..1 of a name in `PAPER`, ``#rrggbb`` or ``#rgb``. Raises BadColour for others."""
    name = " ".join(text.strip().lower().replace("gray", "grey").replace("_", " ").split())
    match = _HEX.fullmatch(PAPER.get(name, name))
    if match is None:
        raise BadColour(f"{text!r} is not a colour; write #rrggbb or one of {', '.join(PAPER)}.")
    digits = match[1]
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    red, green, blue = (int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return red, green, blue


def to_linear(display: torch.Tensor) -> torch.Tensor:
    """sRGB display values in 0..1 to linear light (IEC 61966-2-1)."""
    return torch.where(display <= 0.04045, display / 12.92, ((display.clamp_min(0) + 0.055) / 1.055) ** 2.4)


def to_display(linear: torch.Tensor) -> torch.Tensor:
    """Linear light to sRGB display values (IEC 61966-2-1)."""
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp_min(1e-8) ** (1 / 2.4) - 0.055)


_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
_WHITE = (0.95047, 1.0, 1.08883)


def to_lab(display: torch.Tensor) -> torch.Tensor:
    """sRGB display values [...,3] in 0..1 to CIELAB (D65): L* 0..100, a*, b*."""
    linear = to_linear(display)
    matrix = torch.tensor(_XYZ, dtype=linear.dtype, device=linear.device)
    white = torch.tensor(_WHITE, dtype=linear.dtype, device=linear.device)
    xyz = linear @ matrix.T / white
    cube = torch.where(xyz > 216 / 24389, xyz.clamp_min(1e-8) ** (1 / 3), (24389 / 27 * xyz + 16) / 116)
    x, y, z = cube.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)
