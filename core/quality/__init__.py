"""How good a photo of a face is: light, sharpness, colour, pose, eyes, mouth, as numbers with a definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .aligned_face import EYE_DISTANCE, SIDE, TEMPLATE, Portrait, cut, look_at
    from .all_measures import measure_face, measure_portrait
    from .background import measure_background
    from .checks import Bound, Limit, Measure, Outcome, Verdict, judge_measure, read_limits, verdict_of
    from .close_up import Skin
    from .face_parsing import CLASSES, BiSeNet, Parsing
    from .light import measure_light
    from .picture_verdict import PictureOutcome, PictureVerdict, judge_picture
    from .sharpness import face_quality, saved_quality
    from .usable_photo import upright, usable

__getattr__ = lazy(
    __name__,
    {
        ".aligned_face": "cut EYE_DISTANCE look_at Portrait SIDE TEMPLATE",
        ".all_measures": "measure_face measure_portrait",
        ".background": "measure_background",
        ".checks": "Bound judge_measure Limit Measure Outcome read_limits Verdict verdict_of",
        ".close_up": "Skin",
        ".face_parsing": "BiSeNet CLASSES Parsing",
        ".light": "measure_light",
        ".picture_verdict": "judge_picture PictureOutcome PictureVerdict",
        ".sharpness": "face_quality saved_quality",
        ".usable_photo": "upright usable",
    },
)
