"""Puts the person in front of the backdrop: matched light, shadow on a near wall, light that wraps round the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ..imaging.filters import soft_blur
from ..imaging.tensors import pixels, planes, resize
from .match_light import match_person

WRAP_WIDTH = 1 / 90
"""How far the backdrop's light reaches over the edge, as a share of the shorter side."""

SHADOW_BLUR = 1 / 22
SHADOW_SHIFT = (1 / 28, 1 / 36)
"""Softness of the shadow on a near wall and its shift down and to the side, as shares of the shorter side."""

SHADOW_DEPTH = 0.55
"""How much light a shadow of strength 1 takes away."""


@dataclass(frozen=True)
class ComposeOptions:
    """Strengths in 0..1. `hue_limit` is the largest change of the skin's mean hue, in degrees of CIELAB hue."""

    light_wrap: float = 0.25
    shadow: float = 0.0
    match_light: float = 0.3
    match_colour: float = 0.25
    hue_limit: float = 2.0


def compose(
    foreground: torch.Tensor, mask: torch.Tensor, background: torch.Tensor, options: ComposeOptions | None = None
) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """Compose IMAGEs [B,H,W,3] with MASK [B,H,W]; all of one size and number.

    Returns IMAGE [B,H,W,3] in 0..1 and, for each picture, what the match of light and colour measured and did.
    The mix is done on display values, as the mattes are estimated on them. With all strengths 0 the result is
    exactly alpha * foreground + (1 - alpha) * background.
    """
    options = options or ComposeOptions()
    person, reports = match_person(
        foreground, mask, background, options.match_light, options.match_colour, options.hue_limit
    )
    front, cover, back = planes(person).contiguous(), planes(mask), planes(background).contiguous()
    if options.shadow > 0:
        back = back * (1 - options.shadow * SHADOW_DEPTH * _shadow(cover))
    if options.light_wrap > 0:
        front = _wrap(front, cover, back, options.light_wrap)
    return pixels(torch.lerp(back, front, cover).clamp_(0, 1)), reports


def _shadow(cover: torch.Tensor) -> torch.Tensor:
    """The person's soft shadow on a wall close behind, [B,1,H,W] in 0..1."""
    height, width = cover.shape[-2:]
    shorter = min(height, width)
    down, side = (round(shift * shorter) for shift in SHADOW_SHIFT)
    blurred = soft_blur(cover, max(1.0, SHADOW_BLUR * shorter)).clamp(0, 1)
    shifted = F.pad(blurred, (side, 0, down, 0), mode="replicate")
    return shifted[..., :height, :width]


def _wrap(front: torch.Tensor, cover: torch.Tensor, back: torch.Tensor, strength: float) -> torch.Tensor:
    """Let the backdrop's blurred light spill over the person's rim, by screen: it only brightens.

    The rim is where the blurred outside reaches into the matte. Light that falls on the backdrop is what arrives, so
    a dark backdrop adds next to nothing.
    """
    height, width = cover.shape[-2:]
    sigma = max(1.0, WRAP_WIDTH * min(height, width))
    step = max(1, int(sigma / 3))
    rest = 1 - cover[..., ::step, ::step]
    light = soft_blur(back[..., ::step, ::step] * rest, 3 * sigma / step)
    rim = soft_blur(rest, sigma / step).clamp_(0, 1)
    spill = resize((strength * rim.square_() * light).clamp_(0, 1), height, width).mul_(cover)
    return (front + spill).addcmul_(spill, front, value=-1)
