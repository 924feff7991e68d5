"""A person, enrolled from photos: looked over, one embedding to compare with, saved and loaded as safetensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .. import host
from ..choices import MIN_FACE, FacePolicy
from ..errors import DependencyMissing, EngineMismatch, EnrollmentRefused, IdentityFileInvalid, ModelMissing
from ..faces.choose import Outcome, Subject, find_subjects
from ..faces.engines import FaceEngine
from ..files import numbered_paths, written_whole
from ..models import store
from ..node_facts import MESH
from .calibration import calibration_of

if TYPE_CHECKING:
    from ..quality.usable_photo import Usability


@dataclass(frozen=True)
class ReferenceQuality:
    """What was found, one for each photo; empty where nothing was looked at, and then `note` says why."""

    found: list[Usability] = field(default_factory=list)
    note: str = ""

    @property
    def poor(self) -> dict[int, str]:
        """The photos by index that are not usable, and why, with what to do."""
        return {
            index: " ".join([each.headline, *(check.advice for check in each.problems)])
            for index, each in enumerate(self.found)
            if not each.usable
        }

    def of(self, index: int) -> dict[str, Any]:
        """What a report says of one photo."""
        if index >= len(self.found):
            return {}
        found = self.found[index]
        return {"quality": {"verdict": str(found.verdict), "says": found.headline, "advice": found.advice()}}


def check_reference_photos(
    engine: FaceEngine, pictures: Sequence[torch.Tensor], several: FacePolicy, *, must: bool = False
) -> ReferenceQuality:
    """Judge pictures [H,W,3] as reference photos.

    Without the networks, or without their runtime, nothing is looked at and the note says so; with `must` the
    networks are fetched, and ModelMissing or DependencyMissing is raised where they cannot be had.
    """
    if not must and any(store.locate(name) is None for name in MESH):
        return ReferenceQuality(note=_unseen(f"the networks {' and '.join(MESH)} are not on this machine"))
    from ..host import Progress
    from ..quality.usable_photo import usable

    progress = Progress(len(pictures))
    found = []
    try:
        for picture in pictures:
            found.append(usable(picture, engine, policy=several))
            progress.step()
    except (DependencyMissing, ModelMissing) as error:
        if must:
            raise
        return ReferenceQuality(note=_unseen(str(error).rstrip(".")))
    return ReferenceQuality(found)


def _unseen(why: str) -> str:
    return f"How good the photos are was not looked at: {why}."


DISAGREES = "disagrees"
"""Outcome of a reference photo whose face is not the person on the others."""

AGREEMENT_FMR = 1e-3
"""A reference photo disagrees when a stranger would match the others as well as it does once in a thousand times."""

COPY = 0.026
"""Two photos are one, copies of a file in another size or saved again, when their cosine is nearer to 1 than this share
of what 1 is away from the threshold for 1 in 10,000: 0.985 with SFace, 0.9985 with dlib's ResNet, whose cosines of two
photos of one person are above 0.985 once in a hundred times."""

TWO_PEOPLE_FMR = 1e-2
"""Two groups of photos are two people when a stranger would match as well as they do between them, on the mean of all
pairs, once in a hundred times. `python benchmarks/identity/enrollment.py` measures what that accepts and refuses."""

CLEAR_MAJORITY = 2.0
"""So many times more photos of one person than of another say who is meant; with fewer, nobody is."""


@dataclass(frozen=True, eq=False)
class Identity:
    """An enrolled person.

    embedding: the unit mean [D] of the accepted photos' unit embeddings. agreement: for each accepted photo the
    cosine of its embedding with the mean of the others, -1..1, empty for a single photo. engine: the
    `FaceEngine.key` that made it. name: only what the user typed.
    """

    embedding: np.ndarray
    agreement: tuple[float, ...]
    photos: int
    engine: str
    name: str = ""

    @property
    def baseline(self) -> float | None:
        """The person's own photo-to-photo likeness: the median agreement, or None for a single photo."""
        return float(np.median(self.agreement)) if self.agreement else None

    @property
    def sha256(self) -> str:
        """The hash of the engine and the embedding to five decimals: the same before it is saved and afterwards."""
        numbers = np.round(self.embedding, 5).astype("<f4") + np.float32(0)  # no -0
        return hashlib.sha256(self.engine.encode() + numbers.tobytes()).hexdigest()

    def cosine(self, embedding: np.ndarray) -> float:
        """Cosine of a unit embedding [D] with this person, -1..1. EngineMismatch for an embedding of another length."""
        if embedding.shape != self.embedding.shape:
            raise EngineMismatch(
                f"The identity has an embedding of {len(self.embedding)} numbers, and those of the engine "
                f"{self.engine[:40]} have {len(embedding)}; enroll the person again."
            )
        return float(self.embedding @ embedding)


@dataclass(frozen=True)
class Reference:
    """What became of one reference photo."""

    index: int
    outcome: str
    reason: str
    subject: Subject
    agreement: float | None = None
    copy_of: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether the photo became part of the identity."""
        return self.outcome == Outcome.PASS

    def as_dict(self) -> dict[str, object]:
        """For reports: everything but the embedding."""
        face = self.subject.face
        return {
            "index": self.index,
            "outcome": str(self.outcome),
            "reason": self.reason,
            "agreement": None if self.agreement is None else round(self.agreement, 4),
            "box": None if face is None else [round(value, 1) for value in face.box],
            "notes": [*self.subject.notes, *self._copied()],
        }

    def _copied(self) -> list[str]:
        return [] if self.copy_of is None else [f"It is the same photo as photo {self.copy_of + 1}, and counts once."]


def unit_mean(embeddings: np.ndarray) -> np.ndarray:
    """The mean of unit embeddings [N,D], scaled back to length 1."""
    mean = embeddings.mean(axis=0)
    return mean / np.linalg.norm(mean)


def agreement(embeddings: np.ndarray) -> np.ndarray:
    """For each of [N,D] unit embeddings, N >= 2, the cosine with the unit mean of the others: [N]."""
    others = embeddings.sum(axis=0) - embeddings
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    return (embeddings * others).sum(axis=1)


def enroll(
    engine: FaceEngine,
    photos: Sequence[torch.Tensor],
    several: FacePolicy = FacePolicy.REFUSE,
    min_face: int = MIN_FACE,
    leave_out: bool = False,
    name: str = "",
    poor: Mapping[int, str] | None = None,
) -> tuple[Identity, list[Reference]]:
    """Make an Identity from 1..N photos [H,W,3] of one person, in 0..1.

    A photo without a usable face, or one that disagrees with the others, stops the enrollment with
    EnrollmentRefused that names every such photo; with `leave_out` it is left out instead, as long as one is left.
    `poor`: photos by index that are refused as well, and why.
    """
    subjects = find_subjects(engine, photos, several, min_face)
    for index, reason in (poor or {}).items():
        if subjects[index].problem is None:
            subjects[index] = replace(subjects[index], problem=Outcome.POOR_PHOTO, reason=reason)
    references = judge_references(engine, subjects)
    refused = [reference for reference in references if not reference.accepted]
    accepted = [reference for reference in references if reference.accepted]
    if refused and (not leave_out or not accepted):
        problems = " ".join(f"Photo {each.index + 1}: {each.reason}" for each in refused)
        raise EnrollmentRefused(f"{len(refused)} of {len(references)} reference photos cannot be used. {problems}")
    embeddings = np.stack([embedding_of(reference.subject) for reference in accepted if reference.copy_of is None])
    scores = agreement(embeddings) if len(embeddings) > 1 else np.empty(0)
    identity = Identity(unit_mean(embeddings), tuple(map(float, scores)), len(embeddings), engine.key, name)
    return identity, references


def embedding_of(subject: Subject) -> np.ndarray:
    """The embedding of a subject that has one."""
    if subject.face is None or subject.face.embedding is None:
        raise EnrollmentRefused(subject.reason)
    return subject.face.embedding


def judge_references(engine: FaceEngine, subjects: Sequence[Subject]) -> list[Reference]:
    """Accept or refuse each photo; copies of one photo count once.

    Photos of two people are told apart first: those of the second are refused, or all of them where neither has a clear
    majority. Then the worst outlier is taken out, and the rest are compared again. Of two photos that disagree,
    neither can be called the right one: both are refused.
    """
    found = {index: embedding_of(subject) for index, subject in enumerate(subjects) if subject.problem is None}
    calibration = calibration_of(engine.key)
    copies = find_copies(found, 1 - COPY * (1 - calibration.threshold(1e-4)))
    usable = [index for index in found if index not in copies]
    limit = calibration.threshold(AGREEMENT_FMR)
    outliers: dict[int, float] = {}
    scores: dict[int, float] = {}
    refused = others_than_the_person([found[index] for index in usable], calibration.threshold(TWO_PEOPLE_FMR))
    outliers |= {usable[place]: cosine for place, cosine in refused.items()}
    usable = [index for index in usable if index not in outliers]
    while len(usable) > 1:
        values = agreement(np.stack([found[index] for index in usable]))
        scores = dict(zip(usable, map(float, values), strict=True))
        worst = min(usable, key=lambda index: scores[index])
        if scores[worst] >= limit:
            break
        dropped = usable if len(usable) == 2 else [worst]
        outliers |= {index: scores[index] for index in dropped}
        usable = [index for index in usable if index not in dropped]
    references = [_reference(index, subject, scores, outliers, limit) for index, subject in enumerate(subjects)]
    return [
        replace(references[copies[each.index]], index=each.index, subject=each.subject, copy_of=copies[each.index])
        if each.index in copies
        else each
        for each in references
    ]


def find_copies(embeddings: Mapping[int, np.ndarray], limit: float) -> dict[int, int]:
    """The photos by index that are the same as an earlier one, by a cosine of at least `limit`, and which."""
    originals: list[int] = []
    copies: dict[int, int] = {}
    for index, embedding in embeddings.items():
        same = next((each for each in originals if float(embeddings[each] @ embedding) >= limit), None)
        if same is None:
            originals.append(index)
        else:
            copies[index] = same
    return copies


def others_than_the_person(embeddings: Sequence[np.ndarray], limit: float) -> dict[int, float]:
    """The places among unit embeddings [D] that show somebody else than most do, with the cosine between both.

    The photos are split in two by average linkage (Sokal and Michener 1958). Where the mean cosine between both groups
    is below `limit` they are two people, and without a clear majority all places are returned.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(embeddings) < 3:
        return {}
    tree = linkage(np.stack(embeddings), "average", metric="cosine")
    between = 1.0 - float(tree[-1, 2])
    if between >= limit:
        return {}
    groups = fcluster(tree, 2, "maxclust")
    first, second = (np.flatnonzero(groups == number) for number in (1, 2))
    fewer, more = sorted((first, second), key=len)
    refused = fewer if len(more) >= CLEAR_MAJORITY * len(fewer) else np.concatenate([first, second])
    return dict.fromkeys(map(int, refused), between)


def _reference(
    index: int, subject: Subject, scores: dict[int, float], outliers: dict[int, float], limit: float
) -> Reference:
    if subject.problem is not None:
        return Reference(index, subject.problem, subject.reason, subject)
    if index in outliers:
        reason = (
            f"The face agrees with the other photos by only {outliers[index]:.2f}, below {limit:.2f}; "
            "it seems to be another person, so leave this photo out."
        )
        return Reference(index, DISAGREES, reason, subject, outliers[index])
    return Reference(index, Outcome.PASS, "Accepted.", subject, scores.get(index))


FORMAT = "likeness-identity/1"
SUFFIX = ".safetensors"


def save_identity(identity: Identity, path: Path) -> Path:
    """Write an identity to `path` (the suffix .safetensors is added), whole or not at all. Returns the path.

    Another identity there is never written over: this one goes to name_2, name_3 and so on. The same one stays.
    """
    wanted = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    path = next(each for each in numbered_paths(wanted) if not each.exists() or _holds(each, identity))
    if path.exists():
        return path
    metadata = {
        "format": FORMAT,
        "engine": identity.engine,
        "photos": str(identity.photos),
        "name": identity.name,
        "agreement": json.dumps(identity.agreement),
    }
    with written_whole(path, private=True) as part:  # biometric data is for its owner only
        save_file({"embedding": torch.from_numpy(identity.embedding.astype(np.float32))}, part, metadata)
    return path


def _holds(path: Path, identity: Identity) -> bool:
    """Whether the file at `path` is that identity already."""
    try:
        saved = load_identity(path)
    except IdentityFileInvalid:
        return False
    same = (saved.engine, saved.photos, saved.name) == (identity.engine, identity.photos, identity.name)
    return same and np.allclose(saved.embedding, identity.embedding, atol=1e-6)


MOST_NUMBERS, MOST_PHOTOS, MOST_LETTERS = 8192, 100_000, 1000
"""What a saved identity may hold: numbers of an embedding, photos, and letters of a name."""


def load_identity(path: Path) -> Identity:
    """Read what `save_identity` wrote. IdentityFileInvalid for anything else."""
    if not path.is_file():
        raise IdentityFileInvalid(f"There is no saved identity at {host.shown(path)}; check the name.")
    try:
        embedding, metadata = _read(path)
        if metadata.get("format") != FORMAT:
            raise IdentityFileInvalid(
                f"{path.name} is not an identity that Likeness Studio saved "
                f"(its format is {metadata.get('format', 'not given')!r}); save one with Save Identity."
            )
        agreement = _agreement(metadata["agreement"])
        photos, engine, name = int(metadata["photos"]), metadata["engine"], metadata["name"]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise IdentityFileInvalid(
            f"{path.name} cannot be read as a saved identity ({host.reason_of(error)}); enroll the person again."
        ) from error
    length = float(np.linalg.norm(embedding))
    if not np.isfinite(length) or abs(length - 1) > 1e-3:
        raise IdentityFileInvalid(f"{path.name} holds no unit embedding (its length is {length:.3f}); enroll again.")
    if not 0 < photos <= MOST_PHOTOS or len(agreement) > photos or not engine or len(engine + name) > MOST_LETTERS:
        raise IdentityFileInvalid(
            f"{path.name} says that it was made of {photos} photos by the engine {engine[:40]!r}, with "
            f"{len(agreement)} agreements, which cannot be; enroll the person again."
        )
    return Identity(embedding / length, agreement, photos, engine, name)


def _read(path: Path) -> tuple[np.ndarray, dict[str, str]]:
    """The embedding [D] and what is written beside it. Raises ValueError for other shapes, before reading them."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            return np.empty(0), metadata
        shape = file.get_slice("embedding").get_shape()
        if len(shape) != 1 or not 0 < shape[0] <= MOST_NUMBERS:
            raise ValueError(f"its embedding has the shape {shape}")
        return file.get_tensor("embedding").double().numpy(), metadata


def _agreement(text: str) -> tuple[float, ...]:
    """The agreements as numbers that cosines can be. Raises ValueError, TypeError or RecursionError."""
    values = json.loads(text) if len(text) <= MOST_PHOTOS * 32 else None
    if not isinstance(values, list) or len(values) > MOST_PHOTOS:
        raise ValueError("its agreements are no list of numbers")
    numbers = tuple(float(value) for value in values)
    if not all(abs(number) <= 1.001 for number in numbers):
        raise ValueError("its agreements are no cosines")
    return numbers
