"""Is the finished picture good enough to hand on? Sharp, well lit, not enlarged beyond its detail: said in plain words.

It stands beside the likeness: a cut-out of a dark, shaken photo is as like its person as one of a good photo. What is
only known where the picture is made, such as a doubtful cut-out or a cut head, is said by those nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DependencyMissing, ModelMissing
from ..faces.mesh import find_mesh
from .aligned_face import Portrait
from .checks import Check, Limit, Measure, Outcome, judge_measure, read_limits
from .light import dynamic_range, natural_colour, over_exposure, under_exposure
from .sharpness import compression, inter_eye_distance, noise, resolution, sharpness

if TYPE_CHECKING:
    import torch

    from ..faces.face import Face

FILE = Path(__file__).with_name("picture.toml")

NO_FACE = "No face to judge the picture by was found."
NOT_LOOKED_AT = "Light and sharpness were not looked at: {why}."


class PictureOutcome(StrEnum):
    """What became of a picture. NOT_SEEN: nothing is known, which is never as good as `PASS`."""

    PASS = "pass"  # noqa: S105 - not a password
    NOT_SEEN = "not seen"
    LOOK = "look"
    FAIL = "fail"


@dataclass(frozen=True)
class PictureVerdict:
    """The verdict on one picture, and why, in sentences; a picture that passes has none."""

    outcome: PictureOutcome
    reasons: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For reports."""
        measured = {check.name: round(check.value, 4) for check in self.checks if check.value is not None}
        return {"verdict": str(self.outcome), "reasons": list(self.reasons), "measured": measured}


@cache
def picture_limits() -> dict[str, Limit]:
    """The limits of a finished picture, picture.toml. Raises LimitsInvalid."""
    return read_limits(FILE)


def judge_picture(picture: torch.Tensor, face: Face | None) -> PictureVerdict:
    """Judge a finished `picture` [H,W,3] in 0..1 by the `face` that it is about, in its pixels.

    Where the networks or their runtime cannot be had, the picture is not seen, and the reason says why.
    """
    if face is None:
        return PictureVerdict(PictureOutcome.NOT_SEEN, [NO_FACE])
    try:
        portrait = Portrait(picture, face, find_mesh(picture, face))
    except (DependencyMissing, ModelMissing) as error:
        return PictureVerdict(PictureOutcome.NOT_SEEN, [NOT_LOOKED_AT.format(why=str(error).rstrip("."))])
    measures = {each.name: each for each in measure_picture(portrait)}
    checks = [judge_measure(measures[name], limit) for name, limit in picture_limits().items()]
    failed = [check for check in checks if check.outcome is Outcome.FAIL]
    doubtful = [check for check in checks if check.outcome is Outcome.UNCERTAIN]
    outcome = PictureOutcome.FAIL if failed else PictureOutcome.LOOK if doubtful else PictureOutcome.PASS
    return PictureVerdict(outcome, [check.advice for check in (*failed, *doubtful) if check.advice], checks)


def measure_picture(portrait: Portrait) -> list[Measure]:
    """The measures that picture.toml has limits for."""
    return [
        sharpness(portrait),
        own_detail(portrait),
        under_exposure(portrait),
        over_exposure(portrait),
        burnt_out(portrait),
        dynamic_range(portrait),
        natural_colour(portrait),
        compression(portrait),
        noise(portrait),
    ]


HIGHLIGHT, PLATEAU = 0.998, 0.975
"""The share of the face that is darker than its highlights; from which share of their light a pixel is as light."""


def burnt_out(portrait: Portrait) -> Measure:
    """The share of the face, 0..1, that is as light as its highlights, whatever white has become since.

    Skin has few highlights; beyond white they run together, and a picture that was darkened afterwards, to match a
    backdrop, has no white left that `over_exposure` could count.
    """
    tones = portrait.aligned.tones
    value = float((tones > PLATEAU * tones[int(HIGHLIGHT * (len(tones) - 1))]).mean())
    detail = f"{100 * value:.1f} % of the face is as light as its highlights."
    return Measure("burnt_out", value, detail=detail, source="own")


def own_detail(portrait: Portrait) -> Measure:
    """The share of the pixels between the eyes, 0..1, that show detail of their own: an enlarged picture has few.

    `resolution` divided by `inter_eye_distance`. It does not tell a picture that was made small from a large one.
    """
    filled, distance = resolution(portrait).value, inter_eye_distance(portrait).value
    if filled is None or not distance:
        return Measure("own_detail", None, detail="The eyes are too small or not in the picture.", source="own")
    detail = f"Of 100 pixels between the eyes, {100 * filled / distance:.0f} show detail of their own."
    return Measure("own_detail", filled / distance, detail=detail, source="own")
