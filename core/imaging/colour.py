"""Colour: names and #rrggbb, display values and linear light, CIELAB."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..choices import PAPER_COLOURS
from ..errors import BadColour

if TYPE_CHECKING:
    import torch

_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


def parse_colour(text: str) -> tuple[float, float, float]:
    """Red, green and blue in 0..1 of a name of `PAPER_COLOURS`, ``#rrggbb`` or ``#rgb``. Raises BadColour."""
    name = " ".join(text.strip().lower().replace("gray", "grey").replace("_", " ").split())
    match = _HEX.fullmatch(PAPER_COLOURS.get(name, name))
    if match is None:
        raise BadColour(f"{text!r} is not a colour; write #rrggbb or one of {', '.join(PAPER_COLOURS)}.")
    digits = match[1]
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    red, green, blue = (int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return red, green, blue


def to_linear(display: torch.Tensor) -> torch.Tensor:
    """sRGB display values in 0..1 to linear light (IEC 61966-2-1)."""
    import torch

    return torch.where(display <= 0.04045, display / 12.92, ((display.clamp_min(0) + 0.055) / 1.055) ** 2.4)


def to_display(linear: torch.Tensor) -> torch.Tensor:
    """Linear light to sRGB display values (IEC 61966-2-1)."""
    import torch

    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp_min(1e-8) ** (1 / 2.4) - 0.055)


LUMINANCE = (0.2126, 0.7152, 0.0722)
"""How much red, green and blue add to what the eye sees as brightness: Rec. 709 (ITU-R BT.709). On linear light the
sum is luminance, on display values luma."""


def luminance(colours: torch.Tensor) -> torch.Tensor:
    """Luminance or luma [...] of colours [...,3]."""
    import torch

    return colours @ torch.tensor(LUMINANCE, dtype=colours.dtype, device=colours.device)


def plane_luminance(planes: torch.Tensor) -> torch.Tensor:
    """Luminance or luma [H,W] of planes [3,H,W]."""
    import torch

    return (planes * torch.tensor(LUMINANCE, dtype=planes.dtype, device=planes.device)[:, None, None]).sum(0)


_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
_WHITE = (0.95047, 1.0, 1.08883)


def to_lab(display: torch.Tensor) -> torch.Tensor:
    """sRGB display values [...,3] in 0..1 to CIELAB (D65): L* 0..100, a*, b*."""
    import torch

    linear = to_linear(display)
    matrix = torch.tensor(_XYZ, dtype=linear.dtype, device=linear.device)
    white = torch.tensor(_WHITE, dtype=linear.dtype, device=linear.device)
    xyz = linear @ matrix.T / white
    cube = torch.where(xyz > 216 / 24389, xyz.clamp_min(1e-8) ** (1 / 3), (24389 / 27 * xyz + 16) / 116)
    x, y, z = cube.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


_RGB = ((3.2404542, -1.5371385, -0.4985314), (-0.9692660, 1.8760108, 0.0415560), (0.0556434, -0.2040259, 1.0572252))

SPREAD = (0.7, 1.4)
"""Limits of the change of contrast: beyond them texture is lost or noise is made."""


def from_lab(lab: torch.Tensor) -> torch.Tensor:
    """CIELAB (D65) [...,3] to sRGB display values, clamped to 0..1: the inverse of `to_lab`."""
    import torch

    lightness, a, b = lab.unbind(-1)
    y = (lightness + 16) / 116
    cube = torch.stack([y + a / 500, y, y - b / 200], -1)
    white = torch.tensor(_WHITE, dtype=lab.dtype, device=lab.device)
    matrix = torch.tensor(_RGB, dtype=lab.dtype, device=lab.device)
    xyz = torch.where(cube > 6 / 29, cube**3, (116 * cube - 16) * 27 / 24389) * white
    return to_display(xyz @ matrix.T).clamp(0, 1)


def matched_to(colours: torch.Tensor, own: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Colours [...,3] changed as it takes to give the sample `own` [N,3] the mean and the spread of `wanted` [M,3]."""
    sample, goal = to_lab(own), to_lab(wanted)
    scale = (goal.std(0, correction=0) / sample.std(0, correction=0).clamp_min(1e-3)).clamp(*SPREAD)
    return from_lab((to_lab(colours) - sample.mean(0)) * scale + goal.mean(0))
