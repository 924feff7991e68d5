"""Retouches of the light: exposure by the face's highlights, white balance by the whites of the eyes.

Neither knows a mean skin. Highlights (shine, eye whites, teeth) are as bright in every well-lit face, and the whites of
the eyes tell the light's colour whatever the skin: in 68 official portraits their a* and b* hardly go with the
lightness of the cheeks (correlation -0.2 and 0.0).
"""

from __future__ import annotations

import math

import torch

from ..imaging.colour import LUMINANCE, from_lab, to_display, to_lab, to_linear
from ..imaging.filters import smooth
from ..quality.aligned_face import Portrait
from ..quality.light import CLIPPED, GREY, HIGHLIGHT, eye_white
from .retouch_step import Step, nothing_done

HIGHLIGHTS = 0.65
"""Linear light, 0..1, of the 99th percentile of a well-lit face: the median of 72 official portraits."""

DARK, BRIGHT = 0.45, 0.92
"""Highlights below or above these are a fault: 5 to 95 % of these portraits lie within 0.48 to 0.89."""

BURNT = 0.02
"""From this share of white on, nobody can say how much brighter than white the face was."""

MOST_STOPS = 2.0

KNEE, KNEE_OF_DARKER = 0.6, 0.9
"""Where the curve that lets white stay white begins to bend: in the brightened light, and where light is taken away."""

WHITE = (8.7, 8.5)
SPREAD = (4.6, 6.4)
"""CIELAB a* and b* of the whites of the eyes, mean and standard deviation of 68 official portraits: lids shade them,
veins make them red."""

CAST = 2.4
"""How many standard deviations from the mean are a fault of the light: 3 of these 68 portraits lie further."""

MOST_GAIN = 0.45
"""The largest gain of red or blue against green, as a natural logarithm."""

WALL_LIGHT, WALL_CHROMA, WALL_SHARE = 85.0, 4.0, 0.1
"""A background of which so much is at least so light and has at most so much chroma is a white wall in white light."""


def correct_exposure(portrait: Portrait, strength: float) -> Step:
    """Bring the face's highlights to `HIGHLIGHTS`; nothing that was not white becomes white, and white stays white."""
    before = _highlights(portrait)
    measured = {"face_highlights": before, "unit": "share of white's light"}
    if DARK <= before <= BRIGHT:
        return nothing_done("exposure", portrait.photo, "The face is neither too dark nor too bright.", measured)
    burnt = float((portrait.aligned.tones >= CLIPPED).mean())
    if before > BRIGHT and burnt > BURNT:
        why = f"The face is burnt out by {100 * burnt:.0f} %: what is white cannot be brought back."
        return nothing_done("exposure", portrait.photo, why, measured | {"burnt_out": burnt})
    wanted = math.log2(HIGHLIGHTS / max(before, 1e-4))
    stops = max(-MOST_STOPS, min(MOST_STOPS, wanted)) * strength
    photo = expose(portrait.photo, stops)
    bound = " That is as far as it goes." if abs(wanted) > MOST_STOPS else ""
    return Step("exposure", photo, measured, {"stops": round(stops, 3)}, f"{stops:+.1f} stops.{bound}")


def measure_exposure(portrait: Portrait) -> dict[str, float]:
    """The measure that `correct_exposure` goes by."""
    return {"face_highlights": _highlights(portrait)}


def expose(display: torch.Tensor, stops: float) -> torch.Tensor:
    """Display values [...,3] with `stops` more light, the ratio of the channels in linear light kept."""
    linear = to_linear(display)
    brightest = linear.amax(-1, keepdim=True)
    return to_display(linear * (_curve(brightest, 2.0**stops) / brightest.clamp_min(1e-6))).clamp(0, 1)


def _curve(light: torch.Tensor, gain: float) -> torch.Tensor:
    """`gain` times the light up to the knee, then bent so that 1 stays 1, rising all the way."""
    knee = KNEE / gain if gain > 1 else KNEE_OF_DARKER
    # A curve through (knee, gain * knee) with that slope, and through (1, 1): rational, so that it never turns back.
    part = ((light - knee) / (1 - knee)).clamp(0, 1)
    rise, slope = 1 - gain * knee, gain * (1 - knee)
    bent = gain * knee + slope * part / (1 + (slope / rise - 1) * part)
    return torch.where(light > knee, bent, gain * light)


def _highlights(portrait: Portrait) -> float:
    tones = portrait.aligned.tones
    return float(tones[int(HIGHLIGHT * (len(tones) - 1))])


def balance_white(portrait: Portrait, strength: float) -> Step:
    """Take a cast away that the whites of the eyes show, and that a white wall behind the person does not deny.

    Eyes differ, so the nearer theirs are to others', the less of the way is gone (James and Stein's shrinkage).
    """
    photo = portrait.photo
    eyes = eye_white(portrait.aligned)
    if eyes is None:
        return nothing_done("white_balance", photo, "The whites of the eyes are not seen well enough to judge by.")
    lab = to_lab(eyes)
    measured = {"eye_white_a": float(lab[1]), "eye_white_b": float(lab[2]), "deviation": cast_of(lab)}
    if measured["deviation"] <= CAST:
        return nothing_done("white_balance", photo, "The whites of the eyes have a natural colour.", measured)
    if _is_grey(portrait):
        return nothing_done("white_balance", photo, "The photo is black and white.", measured)
    if _white_wall(portrait):
        return nothing_done("white_balance", photo, "The wall behind is white, so the light is.", measured)
    wanted = from_lab(torch.stack([lab[0], torch.tensor(WHITE[0]), torch.tensor(WHITE[1])]))
    logs = torch.log(to_linear(wanted).clamp_min(1e-3) / to_linear(eyes).clamp_min(1e-3))
    sure = 1 - 1 / measured["deviation"] ** 2
    logs = (logs - logs[1]).clamp(-MOST_GAIN, MOST_GAIN) * sure * strength
    gains = torch.exp(logs)
    # Neither brighter nor darker: the eyes keep their luminance.
    light = torch.tensor(LUMINANCE) * to_linear(eyes)
    gains = gains * float(light.sum() / (light * gains).sum())
    rounded = [round(value, 4) for value in gains.tolist()]
    return Step("white_balance", apply_gains(photo, gains), measured, {"gains": rounded}, f"Gains {rounded}.")


def measure_white(portrait: Portrait) -> dict[str, float]:
    """The measure that `balance_white` goes by."""
    eyes = eye_white(portrait.aligned)
    if eyes is None:
        return {}
    lab = to_lab(eyes)
    return {"eye_white_a": float(lab[1]), "eye_white_b": float(lab[2]), "deviation": cast_of(lab)}


def cast_of(lab: torch.Tensor) -> float:
    """How many standard deviations the whites of the eyes, CIELAB [3], lie from those of other portraits."""
    return math.hypot(*((float(value) - mean) / sd for value, mean, sd in zip(lab[1:], WHITE, SPREAD, strict=True)))


def apply_gains(display: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
    """Gains [3] in linear light on display values [...,3]; white stays white, and what was not clipped is not."""
    linear = to_linear(display)
    changed = linear * gains.to(linear.device)
    top = float(gains.max())
    if top > 1:
        brightest = changed.amax(-1, keepdim=True)
        changed = changed * (_curve(brightest / top, top) / brightest.clamp_min(1e-6))
    burnt = smooth((linear.amin(-1, keepdim=True) - 0.8) / 0.19)
    return to_display(torch.lerp(changed, linear, burnt)).clamp(0, 1)


def _is_grey(portrait: Portrait) -> bool:
    face = portrait.aligned
    cheeks = torch.cat([face.image[zone].reshape(-1, 3) for zone in face.cheeks])
    return float(to_lab(cheeks.mean(0))[1:].norm()) < GREY


def _white_wall(portrait: Portrait) -> bool:
    """Whether much of what surrounds the head, above the eyes and beside it, is light and has no colour."""
    around = portrait.surroundings
    height, width = around.inside.shape
    beside = around.inside.clone()
    beside[height // 2 :] = False
    beside[:, round(0.3 * width) : round(0.7 * width)] = False
    if int(beside.sum()) < WALL_SHARE * beside.numel() / 5:
        return False
    lab = to_lab(around.image[beside])
    # A wall that is clipped in all channels is white in any light, and says nothing.
    white = (lab[:, 0] >= WALL_LIGHT) & (lab[:, 0] < 99) & (lab[:, 1:].norm(dim=-1) <= WALL_CHROMA)
    return float(white.float().mean()) >= WALL_SHARE
