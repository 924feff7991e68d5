"""Brings the original face back into a generated picture, in its place or moved, and measures the seam."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..choices import Placement
from ..errors import ShapeMismatch
from ..imaging.colour import matched_to, to_lab
from ..imaging.filters import distance_to, smooth, soft_blur
from ..imaging.tensors import pixels, planes, resize
from ..imaging.warp import Similarity, similarity, source_places, warp
from .match_light import skin_mask

SAME_CONTENT = 20.0
"""CIELAB difference beyond which two pixels count as different things, not as one thing in two tints."""

REACH = 0.25
"""How far the correction reaches from the seam, as a share of the square root of the protected area."""

BAND = 0.12
"""How far from the seam the two pictures are compared, as a share of the same."""

FADED = 2.5
"""Where nothing is left of the correction, in reaches."""

FINE = 20
"""Pixels that the reach is worked out on: the correction is slow, so small pictures are enough."""


def seam_step(picture: torch.Tensor, keep: torch.Tensor) -> float | None:
    """Mean CIELAB difference (CIE 1976) between neighbouring pixels on the two sides of a mask's border.

    picture: [H,W,3] in 0..1. keep: boolean [H,W]. Neighbours are left and right, above and below. None without border.
    """
    total, count = 0.0, 0
    for axis in (0, 1):
        length = keep.shape[axis] - 1
        crosses = keep.narrow(axis, 0, length) ^ keep.narrow(axis, 1, length)
        step = to_lab(picture.narrow(axis, 0, length)[crosses]) - to_lab(picture.narrow(axis, 1, length)[crosses])
        total += float(step.norm(dim=-1).sum())
        count += int(crosses.sum())
    return total / count if count else None


def same_content(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """How far two pictures [H,W,3] show the same thing at each place: [H,W], 1 for equal colours, towards 0 beyond
    SAME_CONTENT."""
    unlike = (to_lab(one) - to_lab(other)).norm(dim=-1)
    return torch.exp(-((unlike / SAME_CONTENT) ** 2))


def led_to(original: torch.Tensor, generated: torch.Tensor, keep: torch.Tensor, strength: float) -> torch.Tensor:
    """`generated` [H,W,3] with its colours led to `original`'s along the border of `keep`, boolean [H,W].

    The difference of the two pictures is taken near the border on both sides and only where they show the same thing
    (see SAME_CONTENT), smoothed, and fades out with the distance and where the corrected picture still shows something
    else: texture, a new background and far surroundings stay as they were generated. It is a slow field, so it is
    worked out on small pictures.
    """
    height, width = keep.shape
    reach = REACH * math.sqrt(float(keep.sum()))
    block = max(1, round(reach / FINE))
    size = (max(1, height // block), max(1, width // block))
    small = resize(
        torch.cat([original, generated, keep[..., None].to(original.dtype)], -1).permute(2, 0, 1)[None], *size
    )
    own, new, inside = (part[0].permute(1, 2, 0) for part in small.split([3, 3, 1], 1))
    field = _colour_field(own, new, inside[..., 0] >= 0.5, max(1.0, reach / block))
    field = F.interpolate(field.permute(2, 0, 1)[None], (height, width), mode="bilinear", align_corners=False)
    field = field[0].permute(1, 2, 0)
    alike = soft_blur(same_content(original, generated + field)[None, None], max(1.0, BAND / REACH * reach / 3))[0, 0]
    return (generated + strength * alike[..., None] * field).clamp(0, 1)


def _colour_field(original: torch.Tensor, generated: torch.Tensor, keep: torch.Tensor, reach: float) -> torch.Tensor:
    """What to add to `generated` [h,w,3] so that its colours meet `original`'s along the border of `keep`."""
    limit = FADED * reach
    distance = torch.where(keep, distance_to(~keep, limit), distance_to(keep, limit))
    band = max(2.0, BAND / REACH * reach)
    trust = same_content(original, generated) * (distance <= band)
    known = torch.cat([((original - generated) * trust[..., None]).permute(2, 0, 1), trust[None]])[None]
    spread = soft_blur(known, band)[0]
    # A little weight on "no correction", so that nothing is made of the last traces of a far band.
    field = spread[:3] / (spread[3:] + 0.02)
    return (field * torch.exp(-((distance / reach) ** 2)) * (distance < limit)).permute(1, 2, 0)


STEP = 1.5
"""Width in pixels over which the stair steps of a cut are softened."""

CROPPED = 32
"""A generated picture that is smaller by fewer pixels was probably cropped by a VAE."""

FEWEST_SKIN = 64
"""With fewer skin pixels than this in the face, all its pixels are measured."""


@dataclass(frozen=True)
class Restored:
    """IMAGE [1,H,W,3] and what was measured."""

    image: torch.Tensor
    report: dict[str, Any]


def check_in_place(original: torch.Tensor, generated: torch.Tensor) -> None:
    """Raise ShapeMismatch unless both IMAGEs have one height and width."""
    if original.shape[1:3] != generated.shape[1:3]:
        missing = [own - new for own, new in zip(original.shape[1:3], generated.shape[1:3], strict=True)]
        advice = f"give both in one size or choose '{Placement.ALIGN}'"
        if all(0 <= rest < CROPPED for rest in missing):
            advice += "; a VAE crops what it cannot divide, so bring the photo to a multiple of 8 or 16 pixels first"
        raise ShapeMismatch(
            f"The original is {original.shape[2]} x {original.shape[1]} pixels and the generated picture "
            f"{generated.shape[2]} x {generated.shape[1]}; {advice}."
        )


def left_alone(generated: torch.Tensor, reason: str) -> Restored:
    """`generated` [1,H,W,3] as it is, because it has no face that the original's could be moved onto."""
    return Restored(generated, {"placement": Placement.ALIGN.value, "restored": False, "reason": reason})


def restore_in_place(
    original: torch.Tensor, generated: torch.Tensor, keep: torch.Tensor, match_colour: float, feather: float
) -> Restored:
    """`original` exactly where `keep` is, `generated` elsewhere, blended over `feather` pixels outside of keep.

    original, generated: IMAGE [1,H,W,3]; keep: MASK [1,H,W], protected from 0.5 on. The generated surroundings are
    matched to the original along the seam by `match_colour` (0..1), never the other way round.
    Raises ShapeMismatch when the two pictures differ in size.
    """
    check_in_place(original, generated)
    own, new, inside = original[0], generated[0], keep[0] >= 0.5
    matched = led_to(own, new, inside, match_colour) if match_colour > 0 and bool(inside.any()) else new
    outside = distance_to(inside, max(feather + 1, STEP))
    result = torch.lerp(matched, own, _blend(own, matched, outside, feather)[..., None])
    cut = inside[..., None]
    result = torch.where(cut, own, result)
    report = {
        "placement": Placement.SAME.value,
        "restored": bool(inside.any()),
        "kept_percent": round(100 * float(inside.float().mean()), 2),
        "feather_pixels": round(feather, 1),
        "largest_difference_inside": _largest_difference(result[inside], own[inside]),
        "seam": _seam(inside, own, torch.where(cut, own, new), torch.where(cut, own, matched), result),
    }
    return Restored(result[None], report)


def _largest_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.where(one == other, 0.0, (one - other).abs()).max()) if one.numel() else 0.0


def _blend(own: torch.Tensor, new: torch.Tensor, outside: torch.Tensor, feather: float) -> torch.Tensor:
    """How much of the original each pixel outside gets, [H,W]: over `feather` pixels where both show the same thing.

    Where they do not, as at hair before a new background, only the stair steps of the cut are softened: more would
    leave a rim of the old background.
    """
    if feather <= 0:
        return (outside <= 0).to(own.dtype)
    wide = 1 - smooth(outside / (feather + 1))
    alike = soft_blur(same_content(own, new)[None, None], 1.0)[0, 0]
    return torch.maximum(wide * alike, (1 - outside / STEP).clamp_min(0))


def restore_aligned(
    original: torch.Tensor,
    generated: torch.Tensor,
    keep: torch.Tensor,
    landmarks: tuple[np.ndarray, np.ndarray],
    match_colour: float,
    feather: float,
) -> Restored:
    """The original's face moved, turned and scaled onto the face of `generated`, in that one's light.

    original [1,H,W,3], keep [1,H,W] and the first landmarks [5,2] belong together; generated [1,h,w,3] and the second
    landmarks may be of another size. The face takes mean and spread of the generated face's colours (Reinhard et al.
    2001) by `match_colour` (0..1) and is blended over `feather` pixels inside its edge.
    """
    height, width = generated.shape[1:3]
    transform = similarity(*landmarks)
    moved = pixels(warp(planes(original), transform, height, width))[0]
    region = warp(planes(keep), transform, height, width)[0, 0] >= 0.5
    region &= _inside_source(transform, original.shape[1:3], height, width).to(region.device)
    new = generated[0]
    weight = smooth(distance_to(~region, feather + 1) / (feather + 1))
    matched = moved
    if match_colour > 0 and bool(region.any()):
        recoloured = matched_to(moved[region], _skin(moved, region), _skin(new, region))
        matched = moved.clone()
        matched[region] = torch.lerp(moved[region], recoloured, match_colour)
    result = torch.lerp(new, matched, weight[..., None])
    cut = region[..., None]
    report = {
        "placement": Placement.ALIGN.value,
        "restored": bool(region.any()),
        "scale": round(abs(transform[0]), 4),
        "turned_degrees": round(math.degrees(cmath.phase(transform[0])), 2),
        "shift_pixels": [round(transform[1].real, 1), round(transform[1].imag, 1)],
        "landmark_error_pixels": round(_misfit(transform, landmarks), 2),
        "kept_percent": round(100 * float(region.float().mean()), 2),
        "feather_pixels": round(feather, 1),
        "seam": _seam(region, new, torch.where(cut, moved, new), torch.where(cut, matched, new), result),
    }
    return Restored(result[None], report)


def _seam(
    inside: torch.Tensor, own: torch.Tensor, before: torch.Tensor, after: torch.Tensor, result: torch.Tensor
) -> dict[str, Any]:
    """Steps of colour across the border of the protected area `inside`, as mean CIELAB differences.

    `own` is the step that the unchanged picture has there anyway; `before` and `after` are those of a hard cut
    without and with the colour match; `result` is what is left after blending. None where there is no border, or
    where a picture has values that are no numbers.
    """
    steps = {"own": own, "before": before, "after": after, "result": result}
    measured = {name: seam_step(picture, inside) for name, picture in steps.items()}
    return {
        name: round(value, 2) if value is not None and math.isfinite(value) else None
        for name, value in measured.items()
    }


def _skin(picture: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """The colours [N,3] of the skin inside a boolean mask [H,W], or all of its colours where there is hardly any."""
    colours = picture[region]
    skin = colours[skin_mask(colours, torch.ones(len(colours), device=colours.device))]
    return skin if len(skin) >= FEWEST_SKIN else colours


def _inside_source(transform: Similarity, size: Sequence[int], height: int, width: int) -> torch.Tensor:
    """Which pixels of the target [height,width] come from inside a source of `size` (height, width)."""
    across, down = source_places(transform, height, width)
    return (across >= 0) & (across <= size[1] - 1) & (down >= 0) & (down <= size[0] - 1)


def _misfit(transform: Similarity, landmarks: tuple[np.ndarray, np.ndarray]) -> float:
    """Root mean square distance of the moved landmarks from the others, in pixels."""
    source, target = (points[:, 0] + 1j * points[:, 1] for points in landmarks)
    return float(np.sqrt(np.mean(np.abs(transform[0] * source + transform[1] - target) ** 2)))
