"""Which photos of a data set are of no use to train on, and why: face, sharpness, light, copies, another person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..choices import FacePolicy
from ..errors import PhotoError
from ..faces.choose import Outcome, Subject, find_subject
from ..identity.enrollment import DISAGREES, judge_references
from ..imaging.files import load_photo, to_pil
from ..quality.usable_photo import limits, usable
from .data import groups_of
from .near_duplicates import Look, look_at, same_pictures

if TYPE_CHECKING:
    import torch

    from ..faces.engines import FaceEngine
    from .data import Manifest, Photo

UNREADABLE, COPY = "unreadable", "copy"
SEEN_AS_FACES = frozenset({"faces", "inter_eye_distance"})
"""Checks of a reference photo that the choice of its face makes already, with the data set's own limits."""


@dataclass(frozen=True)
class ScreenedPhoto:
    """A photo with what speaks against it: words by code, and doubts that leave it in.

    Codes are `unreadable`, `copy`, `disagrees` (another person), those of `faces.choose.Outcome`, and the names of
    checks in quality/usable.toml. `copy_of` is the photo that is kept in its place. `face` is left, top, right, bottom.
    """

    photo: Photo
    problems: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    copy_of: str | None = None
    face: tuple[float, float, float, float] | None = None

    @property
    def kept(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.problems


def screen_photos(
    manifest: Manifest,
    engine: FaceEngine,
    *,
    min_face: int = 64,
    several: FacePolicy = FacePolicy.REFUSE,
    one_person: bool = False,
    on_photo: Callable[[int, int], None] = lambda done, total: None,
) -> list[ScreenedPhoto]:
    """Look at each photo of a data set, in its order.

    `min_face`: pixels that a face must be wide. `several`: what holds where a photo has several faces. `one_person`:
    all photos are of one person, whom the manifest does not name; else those of each named person are compared. Raises
    what loading the networks raises.
    """
    screened: list[ScreenedPhoto] = []
    subjects: dict[int, Subject] = {}
    looks: dict[int, Look] = {}
    on_photo(0, len(manifest.photos))
    for number, photo in enumerate(manifest.photos):
        try:
            pixels = load_photo(manifest.unchanged_path(photo), first=True)[0][0]
        except PhotoError as error:
            screened.append(ScreenedPhoto(photo, {UNREADABLE: str(error)}))
            continue
        looks[number] = look_at(to_pil(pixels))
        subjects[number] = find_subject(engine, pixels, several, min_face)
        screened.append(_seen(photo, pixels, engine, several, subjects[number]))
        on_photo(number + 1, len(manifest.photos))
    _name_copies(screened, looks)
    _name_others(screened, engine, subjects, one_person=one_person)
    return screened


def _seen(
    photo: Photo, pixels: torch.Tensor, engine: FaceEngine, several: FacePolicy, subject: Subject
) -> ScreenedPhoto:
    """What is wrong with a photo for itself."""
    face = None if subject.face is None else tuple(round(float(edge), 1) for edge in subject.face.box)
    if subject.problem is not None:
        return ScreenedPhoto(photo, {str(subject.problem): subject.reason}, face=face)  # type: ignore[arg-type]
    found = usable(pixels, engine, policy=several)
    problems = {check.name: check.detail or check.title for check in found.problems if check.name not in SEEN_AS_FACES}
    doubts = tuple(check.title for check in found.remarks if check.name not in SEEN_AS_FACES)
    return ScreenedPhoto(photo, problems, doubts, face=face)  # type: ignore[arg-type]


def _name_copies(screened: list[ScreenedPhoto], looks: Mapping[int, Look]) -> None:
    """Of photos that are one picture the one with the most pixels stays, of equal ones the largest file."""
    places = list(looks)
    for group in groups_of(same_pictures([looks[place] for place in places])):
        members = sorted((places[index] for index in group), key=lambda n: _worth(screened[n]))
        best = screened[members[-1]].photo.file
        for number in members[:-1]:
            words = f"It is the same picture as {best}."
            held = screened[number]
            screened[number] = replace(held, problems={**held.problems, COPY: words}, copy_of=best)


def _worth(screened: ScreenedPhoto) -> tuple[bool, int, int]:
    photo = screened.photo
    return screened.kept, photo.width * photo.height, photo.size


def _name_others(
    screened: list[ScreenedPhoto], engine: FaceEngine, subjects: Mapping[int, Subject], *, one_person: bool
) -> None:
    """The photos that show somebody else than the others of their person; of a person with one photo nobody knows."""
    of_person: dict[str, list[int]] = {}
    for number, subject in subjects.items():
        person = "" if one_person else screened[number].photo.person
        if person is not None and subject.problem is None and COPY not in screened[number].problems:
            of_person.setdefault(person, []).append(number)
    for numbers in of_person.values():
        for number, reference in zip(
            numbers, judge_references(engine, [subjects[number] for number in numbers]), strict=True
        ):
            if reference.outcome == DISAGREES:
                held = screened[number]
                screened[number] = replace(held, problems={**held.problems, DISAGREES: reference.reason})


def kept_photos(screened: list[ScreenedPhoto]) -> tuple[Photo, ...]:
    """The photos that nothing speaks against, with the face that was found: left, top, width and height."""
    kept = []
    for each in screened:
        if each.kept and each.face is not None:
            left, top, right, bottom = each.face
            box = (left, top, round(right - left, 1), round(bottom - top, 1))
            kept.append(replace(each.photo, face=box))
    return tuple(kept)


PROBLEMS = {
    UNREADABLE: "cannot be read",
    Outcome.NO_FACE: "no face",
    Outcome.SEVERAL_FACES: "several faces",
    Outcome.FACE_TOO_SMALL: "face too small",
    COPY: "the same picture as another",
    DISAGREES: "another person",
}
"""What the codes are called in an overview; those of checks have titles of their own."""


def title_of(code: str) -> str:
    """A problem's code in words."""
    return PROBLEMS.get(code) or limits()[code].failing
