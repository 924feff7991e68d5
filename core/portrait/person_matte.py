"""The cut-out of the person who is meant, and how sure it is: which networks look, how often, and at what."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from ..choices import PERSON_MATTE, FacePolicy, models_behind
from ..errors import DependencyMissing, ModelMissing
from ..faces.choose import choose_face
from ..imaging.tensors import planes, resize
from .check_matte import compare_mattes
from .fuse_mattes import FACE_LOST, LOOK_AT, SOLID, fuse, zones_of
from .matte import MODNET, coarse_alpha, look_once, matte, normalisation_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import onnxruntime

    from ..faces.choose import Choice
    from ..faces.face import Face
    from ..faces.yunet_sface import YuNet

BROAD, FINE, FACES = models_behind(PERSON_MATTE)
"""What stands out, people, and the face that says who is meant."""

GRID = 512
"""Pixels on the longer side of the grid on which the two mattes are joined: MODNet's own."""

SECOND_LOOK = 0.75
"""Where MODNet did not see the whole face it looks again at this scale: of 20 photos of LFW that brings back two of
three lost faces."""

MARGIN = 0.15
"""Where the cut-out is in doubt the networks also see the picture with so much more around it, in longer sides."""

SMALL_FACE = 150
"""Width of a face in pixels below which both networks are often wrong (the doubt is 0.05 or more on 14
of 20 photos of LFW, and on 7 of 40 official portraits of 1,024 pixels)."""

NOT_CHECKED = "The cut-out was not looked at: {why}."
SEVERAL = "{count} faces were found; the person with the largest one was cut out."
SMALL = "The face is {size:.0f} pixels wide; below {least} the cut-out is often poor, so use a larger photo."


@dataclass(frozen=True, eq=False)
class PersonMatte:
    """A person's coarse MASK [H,W], 1 = person, and what is to be said of it.

    `doubt`, 0..1, is the share of the cut-out that is in question: what one network alone sees at the person, and what
    both see beside the head. From `LOOK_AT` on a person should look at it. `reasons` are sentences; some (a small face,
    several people) raise no doubt.
    """

    mask: torch.Tensor
    doubt: float = 0.0
    reasons: list[str] = field(default_factory=list)

    @property
    def look(self) -> bool:
        """Whether a person should look at the cut-out."""
        return self.doubt >= LOOK_AT

    def as_dict(self) -> dict[str, float | bool | list[str]]:
        """For reports."""
        return {"doubt": round(self.doubt, 3), "look": self.look, "reasons": self.reasons}


@dataclass(frozen=True)
class PersonFinder:
    """Finds the person in a picture [H,W,3] by the matte of that name; gives a MASK [H,W]."""

    model: str
    device: str = "auto"

    def __call__(self, picture: torch.Tensor) -> torch.Tensor:
        """Look. Raises ModelMissing."""
        return self.find(picture).mask

    def find(self, picture: torch.Tensor, given: torch.Tensor | None = None, *, check: bool = True) -> PersonMatte:
        """The same with its doubt, or the doubt of a mask [H,W] that was `given`. Raises ModelMissing.

        A single network and a given mask know no doubt: both networks `check` them, if they can be had.
        """
        from ..models import runtimes, store

        if given is None and self.model == PERSON_MATTE:
            return Networks.load(self.device).find(picture)
        mask = given
        if mask is None:
            session = runtimes.session(store.path(self.model), self.device)
            mask = matte(picture[None], session, normalisation_for(self.model))[0]
        if not check:
            return PersonMatte(mask)
        try:
            return Networks.load(self.device).check(picture, mask)
        except (DependencyMissing, ModelMissing) as error:
            return PersonMatte(mask, reasons=[NOT_CHECKED.format(why=str(error).rstrip("."))])


@cache
def _detector(device: str) -> YuNet:
    """The default engine's detector, without its recogniser."""
    from ..faces.yunet_sface import YuNet

    return YuNet(device)


@dataclass(frozen=True, eq=False)
class Looked:
    """What two networks and the detector see in one picture.

    `broad` and `fine` are U-2-Net's and MODNet's mattes [h,w] in 0..1 on the grid, `face` is the largest one's in
    pixels of the grid, `choice` what else was found, and `small` the picture [1,3,h,w] itself.
    """

    choice: Choice
    face: Face | None
    broad: np.ndarray
    fine: np.ndarray
    small: torch.Tensor

    def warnings(self) -> list[str]:
        """What is to be said of the photo, whatever the cut-out: more people, a small face."""
        said = [SEVERAL.format(count=len(self.choice.people))] if len(self.choice.people) > 1 else []
        if self.choice.face is not None and self.choice.face.size < SMALL_FACE:
            said.append(SMALL.format(size=self.choice.face.size, least=SMALL_FACE))
        return said


@dataclass(frozen=True, eq=False)
class Networks:
    """U-2-Net `broad`, MODNet `fine`, and a detector that gives the faces of a picture [H,W,3]."""

    broad: onnxruntime.InferenceSession
    fine: onnxruntime.InferenceSession
    detect: Callable[[torch.Tensor], Sequence[Face]]

    @classmethod
    def load(cls, device: str = "auto") -> Networks:
        """Those that the default matte is made of. Raises ModelMissing, DependencyMissing."""
        from ..models import runtimes, store

        broad, fine, _ = (runtimes.session(path, device) for path in store.paths(BROAD, FINE, FACES))
        return cls(broad, fine, _detector(device).detect)

    def look(self, picture: torch.Tensor) -> Looked:
        """Look at a picture [H,W,3] in 0..1."""
        seen = picture.detach().cpu().float()
        height, width = seen.shape[:2]
        factor = min(1.0, GRID / max(height, width))
        size = max(1, round(height * factor)), max(1, round(width * factor))
        choice = choose_face(self.detect(seen), (height, width), FacePolicy.LARGEST)
        face = None if choice.face is None else _scaled(choice.face, factor)
        image = planes(seen[None])
        broad = _on_grid(coarse_alpha(image, self.broad, normalisation_for(BROAD)), size)
        return Looked(choice, face, broad, _fine_alpha(image, self.fine, face, size), resize(image, *size))

    def find(self, picture: torch.Tensor) -> PersonMatte:
        """The person of the largest face in a picture [H,W,3] in 0..1; the mask has its size and device."""
        looked = self.look(picture)
        joined = fuse(looked.broad, looked.fine, looked.face)
        if looked.face is not None and joined.doubt >= LOOK_AT:
            others = [fuse(*mattes, looked.face) for mattes in _look_again(looked.small, self.broad, self.fine)]
            joined = joined.seen_again(others, looked.face)
        mask = resize(torch.from_numpy(joined.alpha)[None, None], *picture.shape[:2])[0, 0]
        return PersonMatte(mask.to(picture.device), joined.doubt, [*joined.reasons, *looked.warnings()])

    def check(self, picture: torch.Tensor, mask: torch.Tensor) -> PersonMatte:
        """`mask` [H,W] of a picture [H,W,3], made elsewhere, with how much of it these networks see otherwise."""
        looked = self.look(picture)
        given = _on_grid(mask.detach().cpu().float().numpy(), looked.fine.shape)
        both = np.minimum(looked.broad, looked.fine) > SOLID
        other = compare_mattes(given, fuse(looked.broad, looked.fine, looked.face), both, looked.face)
        return PersonMatte(mask, other.doubt, [*other.reasons, *looked.warnings()])


def _fine_alpha(
    image: torch.Tensor, session: onnxruntime.InferenceSession, face: Face | None, size: tuple[int, int]
) -> np.ndarray:
    """MODNet's matte on the grid of `size`; seen again at another scale where it lost the face."""
    first = _on_grid(look_once(image, session, MODNET), size)
    if face is None:
        return first
    core = zones_of(face, *size).core

    def covered(alpha: np.ndarray) -> float:
        return float((alpha[core] > SOLID).mean()) if core.any() else 1.0

    if covered(first) >= FACE_LOST:
        return first
    second = _on_grid(look_once(image, session, MODNET, SECOND_LOOK), size)
    return second if covered(second) > covered(first) else first


def _look_again(
    image: torch.Tensor, broad: onnxruntime.InferenceSession, fine: onnxruntime.InferenceSession
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Both mattes [h,w] of `image` [1,3,h,w], which has the grid's size, in a mirror and with a margin around it."""
    height, width = image.shape[-2:]
    margin = round(MARGIN * max(height, width))
    wider = F.pad(image, (margin, margin, margin, 0), mode="replicate")
    rows, columns = slice(margin, margin + height), slice(margin, margin + width)

    def looks(seen: torch.Tensor) -> list[np.ndarray]:
        size = int(seen.shape[-2]), int(seen.shape[-1])
        alphas = look_once(seen, broad, normalisation_for(BROAD)), look_once(seen, fine, MODNET)
        return [_on_grid(alpha, size) for alpha in alphas]

    mirrored, moved = looks(image.flip(-1)), looks(wider)
    yield mirrored[0][:, ::-1], mirrored[1][:, ::-1]
    yield moved[0][rows, columns], moved[1][rows, columns]


def _on_grid(alpha: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return resize(torch.from_numpy(alpha)[None, None], *size)[0, 0].numpy()


def _scaled(face: Face, factor: float) -> Face:
    """The face in a picture with `factor` times as many pixels on each side."""
    x0, y0, x1, y1 = (factor * side for side in face.box)
    return dataclasses.replace(face, box=(x0, y0, x1, y1), landmarks=face.landmarks * factor)
