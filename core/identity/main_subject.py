"""Whose face was compared: the main subject's, or a small one beside a person whose own face cannot be used?

A recogniser sees one crop and knows nothing of the rest. Where the main person's face is hidden, melted or blurred, the
detector gives only a small second face, in a picture on the wall or pasted there, and that one is compared.

`python benchmarks/identity/hidden_faces.py`: of 56 composed faults (8 official portraits, a face of 90 pixels in a
corner) 53 are seen. Of 17 public photos of people whose largest face was small, 2 were refused: a back in front of the
camera, and a lorry that was the larger subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..choices import PERSON_MATTE, models_behind
from ..errors import DownloadFailed, ModelMissing
from ..faces.choose import Outcome
from ..imaging.tensors import planes, resize
from ..models import store

if TYPE_CHECKING:
    from ..faces.face import Face
    from .verdict import Verdict

SMALL = 0.25
"""A face below this share of the picture's shorter side may be somebody else's than the main subject's."""

LARGER = 1.5
"""So many times larger than the face that was compared is another one that counts."""

DOUBTFUL = 0.3
"""The detector's confidence from which something that is no usable face is still taken for a person's head."""

GRID = 256
"""Pixels on the longer side of the grid on which bodies are looked at."""

LEFT_OVER = 0.2
"""Share of the picture that is a person and belongs to no face, from which that person is the main subject."""

BODY = (1.75, 0.8, 9.0)
"""What may belong to a face: so many of its widths to each side of its middle, heights above and below it."""

STANDS = 0.6
"""A face stands on a body of its own where so much of the three face heights below it is person; then U-2-Net, which
sees whatever stands out (a lorry, too), has no say in what else there is."""

FLOATS = 0.33
"""A lone face below which hardly so much is person, half a face width to each side, belongs to no body."""

BROAD, FINE = models_behind(PERSON_MATTE)[:2]

WHOSE = (
    "The face like that of the person is {size:.0f} pixels wide and not the main subject's: {why}. "
    "Crop to the person who is meant, or use a picture that shows their face."
)
UNSEEN = "Whether a larger person whose face cannot be seen is in the picture was not looked at: {why}"


@dataclass(frozen=True, eq=False)
class Bodies:
    """What two networks take for a person, [h,w] bool each: `fine` people, `broad` whatever stands out."""

    fine: np.ndarray
    broad: np.ndarray


def of_main_subject(verdict: Verdict, image: torch.Tensor) -> Verdict:
    """A verdict that passed on picture [H,W,3], or another where its face is small beside a person without one.

    Nothing is looked at where the face is large, or where a larger one is to be seen: a person in a group is compared
    as before. Without the networks of the matte only the detector has a say, and a note says so.
    """
    face = verdict.subject.face
    if face is None or face.size >= SMALL * min(image.shape[:2]):
        return verdict
    seen = _all_faces(image)
    if any(each.size > LARGER * face.size and each.score >= _usable_score() for each in seen):
        return verdict
    why, note = "", ""
    doubtful = [each for each in seen if each.size > LARGER * face.size and _apart(each, face) > 0.5 * each.size]
    if doubtful:
        size = max(each.size for each in doubtful)
        why = f"beside it is a larger one, of {size:.0f} pixels, that cannot be made out"
    else:
        try:
            why = nobody_behind(face, [each for each in seen if each.score >= _usable_score()], _bodies(image), image)
        except (ModelMissing, DownloadFailed) as error:
            note = UNSEEN.format(why=str(error))
    if note:
        return replace(verdict, subject=replace(verdict.subject, notes=[*verdict.subject.notes, note]))
    if not why:
        return verdict
    reason = WHOSE.format(size=face.size, why=why)
    return replace(verdict, outcome=Outcome.MAIN_FACE_HIDDEN, reason=reason, cosine=None, score=None)


def nobody_behind(face: Face, faces: Sequence[Face], bodies: Bodies, image: torch.Tensor) -> str:
    """Why `face`, the largest of `faces`, is not the main subject's; "" where nothing speaks against it."""
    scale = bodies.fine.shape[0] / image.shape[0]
    either = bodies.fine | bodies.broad
    stands = _below(bodies.fine, face, scale, 3.0) >= STANDS
    left = (bodies.fine if stands else either).copy()
    for each in (*faces, face):
        left[_part(each, scale, *BODY)] = False
    share = float(left.mean())
    if share >= LEFT_OVER:
        return f"{share:.0%} of the picture is a person, or something that stands out, without a face that can be used"
    alone = all(_apart(each, face) < 0.5 * face.size for each in faces)
    if alone and _below(either, face, scale, 1.5) < FLOATS:
        return "no body belongs to it"
    return ""


def _apart(one: Face, other: Face) -> float:
    return float(np.hypot(*np.subtract(one.centre, other.centre)))


def _part(face: Face, scale: float, beside: float, above: float, below: float) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (scale * side for side in face.box)
    middle, wide, high = (x0 + x1) / 2, x1 - x0, y1 - y0
    rows = slice(max(0, int(y0 - above * high)), max(0, int(y1 + below * high)) + 1)
    return rows, slice(max(0, int(middle - beside * wide)), max(0, int(middle + beside * wide)) + 1)


def _below(body: np.ndarray, face: Face, scale: float, heights: float) -> float:
    """How much of the part below a face, as wide as it and so many heights long, is body; outside the picture none."""
    x0, y0, x1, y1 = (scale * side for side in face.box)
    rows = int(y1 + 0.15 * (y1 - y0)), int(y1 + heights * (y1 - y0)) + 1
    columns = max(0, int(x0)), int(x1) + 1
    wanted = (rows[1] - rows[0]) * (columns[1] - columns[0])
    return float(body[slice(*rows), slice(*columns)].sum()) / max(1, wanted)


def _usable_score() -> float:
    from ..faces.yunet_sface import MIN_SCORE

    return MIN_SCORE


def _all_faces(image: torch.Tensor) -> list[Face]:
    """Faces by the default detector whatever engine compares, also those of which it is not sure."""
    from ..faces.yunet_sface import YuNet

    return YuNet("cpu").detect(image, DOUBTFUL)


def _bodies(image: torch.Tensor) -> Bodies:
    """Raises ModelMissing and DownloadFailed."""
    from ..models import runtimes
    from ..portrait.matte import look_once, normalisation_for

    height, width = image.shape[:2]
    factor = GRID / max(height, width)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    picture = planes(image[None].detach().cpu().float())

    def look(name: str, path: object) -> np.ndarray:
        alpha = look_once(picture, runtimes.session(path, "cpu"), normalisation_for(name))  # type: ignore[arg-type]
        return resize(torch.from_numpy(alpha)[None, None], *size)[0, 0].numpy() > 0.5

    fine, broad = store.paths(FINE, BROAD)
    return Bodies(look(FINE, fine), look(BROAD, broad))
