"""Brings the person's light and colour nearer to the backdrop's, by a small step that leaves the skin its hue.

One gain per channel in linear light (exposure times white balance). The skin's mean hue is measured in CIELAB before
and after, and the step is shortened until the change is within the stated limit.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from ..imaging.colour import luminance, to_display, to_lab, to_linear
from ..imaging.tensors import joined

GRID = 192
"""Pixels on the longer side on which colours are measured."""

FULL_EXPOSURE = 0.35
"""Strength 1 moves the exposure by this share of the way, in stops, and never by more than `MOST_STOPS`."""

MOST_STOPS = 0.35

FULL_BALANCE = 0.3
"""Strength 1 moves the white balance by this share of the way to the backdrop's tint, limited to `MOST_BALANCE`."""

MOST_BALANCE = 0.06
"""The largest gain of red or blue against green, as a natural logarithm."""

SKIN_HUE = (20.0, 85.0)
SKIN_CHROMA = (8.0, 60.0)
SKIN_LIGHTNESS = (15.0, 95.0)
"""CIELAB hue in degrees, chroma and L* of skin of all tones, with room for photographic light; measured skin lies
within hue 35 to 75 and chroma 10 to 30 (Xiao et al., "Characterising the variations in ethnic skin colours", 2017)."""

FEWEST_SKIN = 12
"""With fewer skin pixels than this on the grid nothing can be measured, and colour is left alone."""

TABLE = 16384
"""Entries of the table of a tone curve: its steps are a hundredth of an 8-bit step."""

_STEPS = 12


def match_person(
    foreground: torch.Tensor,
    mask: torch.Tensor,
    background: torch.Tensor,
    light: float,
    colour: float,
    hue_limit: float,
) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """IMAGE [B,H,W,3] with its light and colour nearer to `background`'s, and a report for each picture.

    `light` and `colour` are strengths in 0..1, `hue_limit` is in degrees.
    """
    if light <= 0 and colour <= 0:
        return foreground, [{"exposure_stops": 0.0, "gains": [1.0, 1.0, 1.0]} for _ in foreground]
    matched, reports = [], []
    for picture, cover, back in zip(foreground.split(1), mask.split(1), background.split(1), strict=True):
        gains, report = _gains(picture, cover, back, light, colour, hue_limit)
        matched.append(_apply(picture, gains))
        reports.append(report)
    return joined(matched), reports


def skin_mask(display: torch.Tensor, cover: torch.Tensor) -> torch.Tensor:
    """Where the solid person has the colour of skin: display [...,3], cover [...] -> bool [...]."""
    lightness, a, b = to_lab(display).unbind(-1)
    hue = torch.rad2deg(torch.atan2(b, a))
    chroma = torch.hypot(a, b)
    inside = cover > 0.98
    for value, (low, high) in ((hue, SKIN_HUE), (chroma, SKIN_CHROMA), (lightness, SKIN_LIGHTNESS)):
        inside &= (value >= low) & (value <= high)
    return inside


def mean_hue(display: torch.Tensor) -> float:
    """Hue in degrees of the mean a*, b* of colours [N,3]."""
    _, a, b = to_lab(display).mean(0).tolist()
    return math.degrees(math.atan2(b, a))


def hue_change(before: float, after: float) -> float:
    """The difference of two hues in degrees, -180..180."""
    return (after - before + 180) % 360 - 180


def _gains(
    picture: torch.Tensor, cover: torch.Tensor, back: torch.Tensor, light: float, colour: float, limit: float
) -> tuple[torch.Tensor, dict[str, Any]]:
    small, alpha, wall = (_measured(tensor) for tensor in (picture, cover, back))
    solid = alpha > 0.98
    if not bool(solid.any()):
        return torch.ones(3), {"exposure_stops": 0.0, "gains": [1.0, 1.0, 1.0], "note": "The mask is empty."}
    person = to_linear(small[solid]).mean(0)
    behind = to_linear(wall).reshape(-1, 3).mean(0)
    stops = light * _exposure(person, behind)
    skin = small[skin_mask(small, alpha)]
    balance = colour * _balance(behind) if len(skin) >= FEWEST_SKIN else torch.zeros(3)
    gains, share, change = _within_limit(skin, stops, balance, limit)
    report = {
        "exposure_stops": round(stops * share, 3),
        "gains": [round(value, 4) for value in gains.tolist()],
        "skin_pixels_measured": len(skin),
        "hue_limit_degrees": limit,
        "skin_hue_change_degrees": None if change is None else round(change, 3),
        "share_of_match_applied": round(share, 3),
    }
    return gains, report


def _measured(tensor: torch.Tensor) -> torch.Tensor:
    """Every n-th pixel of one IMAGE [1,H,W,3] or MASK [1,H,W], as [h,w,3] or [h,w]: enough for averages."""
    step = max(1, round(max(tensor.shape[1:3]) / GRID))
    return tensor[0, step // 2 :: step, step // 2 :: step].float().cpu()


def _luminance(linear: torch.Tensor) -> float:
    return float(luminance(linear)) + 1e-4


def _exposure(person: torch.Tensor, behind: torch.Tensor) -> float:
    """Stops at strength 1: towards the backdrop, as light bounces off it, but only a fraction of the way."""
    stops = FULL_EXPOSURE * math.log2(_luminance(behind) / _luminance(person))
    return max(-MOST_STOPS, min(MOST_STOPS, stops))


def _balance(behind: torch.Tensor) -> torch.Tensor:
    """Natural logarithms of the channel gains at strength 1, with no change of luminance: the backdrop's tint."""
    tint = torch.log(behind / _luminance(behind) + 1e-3) * FULL_BALANCE
    tint = tint - tint[1]
    return tint.clamp(-MOST_BALANCE, MOST_BALANCE)


def _within_limit(
    skin: torch.Tensor, stops: float, balance: torch.Tensor, limit: float
) -> tuple[torch.Tensor, float, float | None]:
    """The gains, what share of the wish they are, and the measured change of hue in degrees (None without skin)."""
    share = 1.0
    measurable = len(skin) >= FEWEST_SKIN
    before = mean_hue(skin) if measurable else 0.0
    for _ in range(_STEPS):
        gains = torch.exp(balance * share) * 2.0 ** (stops * share)
        if not measurable:
            return gains, share, None
        change = hue_change(before, mean_hue(_apply(skin, gains)))
        if abs(change) <= limit:
            return gains, share, change
        share *= min(0.9, 0.95 * limit / abs(change))
    return torch.ones(3), 0.0, 0.0


def _apply(display: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
    """Multiply display values [...,3] by gains in linear light, with a shoulder that keeps highlights from clipping.

    The curve of each channel depends on one number only, so it is looked up in a table.
    """
    table = torch.linspace(0, 1, TABLE)
    places = (display * (TABLE - 1)).add_(0.5).clamp_(0, TABLE - 1).to(torch.int32)
    channels = []
    for channel, gain in enumerate(gains.tolist()):
        curve = to_display(_shoulder(to_linear(table) * gain, gain)).clamp(0, 1).to(display.device)
        channels.append(curve[places[..., channel]])
    return torch.stack(channels).movedim(0, -1)


def _shoulder(linear: torch.Tensor, gain: float) -> torch.Tensor:
    """Bend brightened values between 0.6 * gain and gain so that white stays white."""
    if gain <= 1:
        return linear
    knee = 0.6
    over = ((linear - knee) / (gain - knee)).clamp(0, 1)
    rise = (1 - knee) * over + (gain - knee - (1 - knee)) * over * (1 - over)
    return torch.where(linear > knee, knee + rise, linear)
