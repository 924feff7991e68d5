"""Honest retouching: each fault is measured, taken away only where it is there, and measured again.

Nothing is off its measure: a photo without the fault keeps its pixels. At the end the face is compared with itself
before; where it is less alike than the bound, the photo is given back as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from ..choices import FacePolicy
from ..quality.aligned_face import Portrait, look_at
from . import retouch_light as light
from . import retouch_skin as skin
from .retouch_lens import undo_perspective
from .retouch_step import Step, change_between

if TYPE_CHECKING:
    from ..faces.engines import FaceEngine
    from ..faces.face import Face

LEAST_LIKENESS = 0.9
"""Cosine between the face after and before, of the default engine, under which the photo is given back."""

REFUSED = "The face after the retouch is less like the face before than it may be, so the photo is given back unchanged"


@dataclass(frozen=True)
class Retouches:
    """What to retouch: strengths in 0..1, 0 is off. `camera_distance` in cm and `focal_length` in mm (equivalent to
    36 x 24 mm) are for the lens only, 0 where they are not known."""

    exposure: float = 0.0
    white_balance: float = 0.0
    red_eye: bool = False
    shine: float = 0.0
    lens_distortion: float = 0.0
    camera_distance: float = 0.0
    focal_length: float = 0.0

    @property
    def any(self) -> bool:
        """Whether anything is on."""
        return bool(self.exposure or self.white_balance or self.red_eye or self.shine or self.lens_distortion)


@dataclass(frozen=True, eq=False)
class Retouched:
    """The photo [H,W,3] after all steps, the report on them, and what a person should look at."""

    photo: torch.Tensor
    report: dict[str, Any] = field(default_factory=dict)
    look: tuple[str, ...] = ()

    @property
    def said(self) -> list[str]:
        """A line for each retouch, and for the likeness."""
        lines = [f"{each['name'].replace('_', ' ')}: {each['said']}" for each in self.report["retouches"]]
        return [*lines, self.report["likeness"]["said"]] if lines else ["Nothing was asked for."]


def retouch(
    photo: torch.Tensor,
    engine: FaceEngine,
    wanted: Retouches,
    policy: FacePolicy = FacePolicy.REFUSE,
    least: float = LEAST_LIKENESS,
) -> Retouched:
    """Retouch `photo` [H,W,3] in 0..1 as `wanted`; refuse what makes the face less alike than the cosine `least`.

    With nothing wanted nothing is looked at. Raises FaceNotUsable, ModelMissing and DependencyMissing.
    """
    if not wanted.any:
        return Retouched(photo, {"retouched": False, "retouches": [], "likeness": {}})
    first = look_at(photo, engine, policy=policy)
    portrait, reports, done = first, [], False
    for step_of, measure in _steps(wanted):
        step = step_of(portrait)
        after = replace(portrait, photo=step.photo) if step.done else portrait
        reports.append(_report(portrait, step, after, measure))
        portrait, done = after, done or step.done
    likeness = _likeness(engine, first, portrait.photo, least) if done else _untouched(least)
    refused = likeness["refused"]
    result = photo if refused else portrait.photo
    report = {"retouched": done and not refused, "retouches": reports, "likeness": likeness}
    report |= {"in_all": change_between(photo, result)}
    return Retouched(result, report, (likeness["said"],) if refused else ())


Measured = Callable[[Portrait], dict[str, Any]]


def _steps(wanted: Retouches) -> list[tuple[Callable[[Portrait], Step], Measured | None]]:
    """The steps that are on, in their order: light, then spots that are judged in it, then the shape."""
    lens = wanted.lens_distortion, wanted.camera_distance, wanted.focal_length
    steps: list[tuple[object, Callable[[Portrait], Step], Measured | None]] = [
        (wanted.exposure, lambda seen: light.correct_exposure(seen, wanted.exposure), light.measure_exposure),
        (wanted.white_balance, lambda seen: light.balance_white(seen, wanted.white_balance), light.measure_white),
        (wanted.red_eye, skin.remove_red_eye, skin.measure_red),
        (wanted.shine, lambda seen: skin.reduce_shine(seen, wanted.shine), skin.measure_shine),
        (wanted.lens_distortion, lambda seen: undo_perspective(seen, *lens), None),
    ]
    return [(step, measure) for on, step, measure in steps if on]


def _report(before: Portrait, step: Step, after: Portrait, measure: Measured | None) -> dict[str, Any]:
    told = {"name": step.name, "done": step.done, "said": step.said, "before": _rounded(step.measured)}
    if step.done and measure is not None:
        told["after"] = _rounded(measure(after))
    return told | {"settings": step.settings, **change_between(before.photo, step.photo)}


def _rounded(measured: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in measured.items()}


def _untouched(least: float) -> dict[str, Any]:
    said = "Nothing was changed: it is the same photo."
    return {"cosine": 1.0, "least": least, "refused": False, "said": said}


def _likeness(engine: FaceEngine, before: Portrait, after: torch.Tensor, least: float) -> dict[str, Any]:
    """The face after beside the face before; a face that is not found any more is refused."""
    face = _same_face(engine.detect(after), before.face)
    if face is None:
        return {"cosine": None, "least": least, "refused": True, "said": f"{REFUSED}: no face is found any more."}
    first, second = (engine.embed(*each).embedding for each in ((before.photo, before.face), (after, face)))
    assert first is not None
    assert second is not None
    cosine = float(first @ second)
    refused = cosine < least
    said = f"Likeness after beside before: cosine {cosine:.3f}, at least {least:.3f} is asked for."
    said = f"{REFUSED}: cosine {cosine:.3f}, at least {least:.3f} is asked for." if refused else said
    return {"cosine": round(cosine, 4), "least": round(least, 4), "refused": refused, "said": said}


def _same_face(faces: list[Face], before: Face) -> Face | None:
    """The face that lies where the one before lay."""
    x, y = before.centre
    near = [each for each in faces if abs(each.centre[0] - x) + abs(each.centre[1] - y) < before.size / 2]
    return max(near, key=lambda face: face.score, default=None)
