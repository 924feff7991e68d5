"""Is it still that person? One verdict for each picture, the report that says why, and the best of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from ..choices import MIN_FACE, FacePolicy, OnNone
from ..errors import EngineMismatch, NoneLikeEnough
from ..faces.choose import Outcome, Subject, find_subjects
from ..faces.engines import FaceEngine
from ..quality.sharpness import face_quality
from .calibration import Calibration, calibration_of
from .enrollment import Identity, embedding_of


@dataclass(frozen=True)
class Gate:
    """A threshold on the cosine, and where it comes from. every_group: its rate holds for each measured group."""

    threshold: float
    fmr: float | None
    source: str
    every_group: bool = False

    @classmethod
    def measured(cls, calibration: Calibration, fmr: float) -> Gate:
        """The threshold at which a fraction `fmr` of strangers passed in our benchmark."""
        point = calibration.point(fmr)
        source = (
            f"{calibration.source}, {calibration.date}: {fmr:.3%} of strangers and {point.tar:.1%} of genuine pairs "
            f"pass (95 % interval of the threshold {point.low:.3f} to {point.high:.3f})"
        )
        return cls(point.threshold, fmr, source)

    @classmethod
    def even(cls, calibration: Calibration, fmr: float) -> Gate:
        """The threshold at which, of every group of people that could be measured, at most a fraction `fmr` passes."""
        point = calibration.even_point(fmr)
        source = (
            f"{calibration.even_source}, {calibration.even_date}: at most {fmr:.3%} of strangers of any group of 30 "
            f"people and more pass, by the upper 95 % bound of the worst group ({point.group}, {point.how}), and "
            f"{point.fnmr:.1%} of genuine pairs fail"
        )
        return cls(point.threshold, fmr, source, every_group=True)

    @classmethod
    def custom(cls, threshold: float) -> Gate:
        """A threshold that the user typed; nobody measured what it means."""
        return cls(threshold, None, "typed by the user, not measured")


@dataclass(frozen=True)
class Verdict:
    """The judgement on one picture.

    cosine: raw similarity to the identity, -1..1, None without a usable face. score: the calibrated probability
    0..1 that it is the same person. reason: one sentence for people.
    """

    index: int
    outcome: Outcome
    reason: str
    subject: Subject
    cosine: float | None = None
    score: float | None = None

    @property
    def passed(self) -> bool:
        """Whether this is the person."""
        return self.outcome is Outcome.PASS

    def as_dict(self) -> dict[str, Any]:
        """For reports: everything but the embedding."""
        face = self.subject.face
        return {
            "index": self.index,
            "outcome": str(self.outcome),
            "passed": self.passed,
            "cosine": None if self.cosine is None else round(self.cosine, 4),
            "score": None if self.score is None else round(self.score, 6),
            "reason": self.reason,
            "box": None if face is None else [round(value, 1) for value in face.box],
            "face_size": None if face is None else round(face.size, 1),
            "notes": list(self.subject.notes),
        }


@dataclass(frozen=True)
class Judgement:
    """The verdicts on a batch, the gate they were judged by, and what else the reader should know.

    `doubts` are those of the warnings that say why the verdict proves little; `told` is what the reader should know
    with it, without a doubt.
    """

    verdicts: list[Verdict]
    gate: Gate
    identity: Identity
    warnings: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def all_passed(self) -> bool:
        """Whether there is at least one picture and every one is the person."""
        return bool(self.verdicts) and all(verdict.passed for verdict in self.verdicts)

    @property
    def best(self) -> float | None:
        """The highest cosine of the batch, or None when no picture has a usable face."""
        return max((each.cosine for each in self.verdicts if each.cosine is not None), default=None)

    def as_dict(self) -> dict[str, Any]:
        """The report."""
        own = self.identity
        baseline = None
        if own.baseline is not None:
            baseline = {"median": round(own.baseline, 4), "low": round(min(own.agreement), 4), "photos": own.photos}
        return {
            "engine": own.engine,
            "person": own.name,
            "reference_photos": own.photos,
            "threshold": round(self.gate.threshold, 4),
            "threshold_source": self.gate.source,
            "fmr": self.gate.fmr,
            "every_group": self.gate.every_group,
            "baseline": baseline,
            "all_passed": self.all_passed,
            "best": None if self.best is None else round(self.best, 4),
            "independent": not self.doubts,
            "doubts": list(self.doubts),
            "told": list(self.told),
            "warnings": list(self.warnings),
            "images": [verdict.as_dict() for verdict in self.verdicts],
        }


def check_likeness(
    engine: FaceEngine,
    identity: Identity,
    images: Sequence[torch.Tensor],
    gate: Gate,
    several: FacePolicy = FacePolicy.REFUSE,
    min_face: int = MIN_FACE,
) -> Judgement:
    """Judge pictures [H,W,3] in 0..1 against a person. EngineMismatch when the recognisers differ."""
    if engine.key != identity.engine:
        raise EngineMismatch(
            f"The identity was enrolled with {identity.engine} and {engine.key} was given to compare it; "
            "use the same engine, or enroll the person again."
        )
    calibration = calibration_of(engine.key)
    subjects = find_subjects(engine, images, several, min_face, identity.embedding)
    verdicts = [_judge(index, subject, identity, gate, calibration) for index, subject in enumerate(subjects)]
    verdicts = [_looked_over(each, engine, images[each.index]) for each in verdicts]
    warnings = []
    if calibration.borrowed and gate.fmr is not None:
        warnings.append(f"The threshold is {calibration.source}.")
    if identity.photos == 1:
        warnings.append("Only one reference photo: there is no baseline of the person's own photos to compare with.")
    return Judgement(verdicts, gate, identity, warnings)


def _judge(index: int, subject: Subject, identity: Identity, gate: Gate, calibration: Calibration) -> Verdict:
    if subject.problem is not None:
        return Verdict(index, subject.problem, subject.reason, subject)
    cosine = identity.cosine(embedding_of(subject))
    passed = cosine >= gate.threshold
    relation = "reaches" if passed else "is below"
    digits = 2 if passed or f"{cosine:.2f}" != f"{gate.threshold:.2f}" else 4
    reason = f"Likeness {cosine:.{digits}f} {relation} the threshold {gate.threshold:.{digits}f}"
    if identity.baseline is not None:
        reason += f"; the person's own photos agree by {identity.baseline:.2f}"
    outcome = Outcome.PASS if passed else Outcome.FAIL
    return Verdict(index, outcome, f"{reason}.", subject, cosine, calibration.score(cosine))


def _looked_over(verdict: Verdict, engine: FaceEngine, image: torch.Tensor) -> Verdict:
    """The verdict with what the whole picture says of it, beside the one face that was compared."""
    from .main_subject import of_main_subject
    from .why_not import explained

    return of_main_subject(verdict, image) if verdict.passed else explained(verdict, engine, image)


TIE = 0.02
"""Cosines closer than this count as equally like; the difference is below what two photos of one moment show."""


@dataclass(frozen=True)
class Ranked:
    """A picture's place: index in the batch, cosine (None without a usable face), sharpness, exposure."""

    index: int
    passed: bool
    cosine: float | None
    sharpness: float
    exposure: float

    def as_dict(self) -> dict[str, object]:
        """For reports."""
        cosine = None if self.cosine is None else round(self.cosine, 4)
        rounded = {"cosine": cosine, "sharpness": round(self.sharpness, 6), "exposure": round(self.exposure, 4)}
        return asdict(self) | rounded


def rank(judgement: Judgement, images: Sequence[torch.Tensor]) -> list[Ranked]:
    """All pictures, the best first: passing before failing, then likeness in steps of TIE, then quality."""
    ranked = []
    for verdict in judgement.verdicts:
        face = verdict.subject.face
        sharpness, exposure = face_quality(images[verdict.index], face) if face is not None else (0.0, 0.0)
        ranked.append(Ranked(verdict.index, verdict.passed, verdict.cosine, sharpness, exposure))
    sharpest = max((each.sharpness for each in ranked), default=0.0) or 1.0

    def merit(each: Ranked) -> tuple[bool, int, float]:
        likeness = -(10**6) if each.cosine is None else round(each.cosine / TIE)
        return each.passed, likeness, each.sharpness / sharpest + each.exposure

    return sorted(ranked, key=merit, reverse=True)


def keep_best(ranked: Sequence[Ranked], keep: int, on_none: OnNone, threshold: float) -> list[Ranked]:
    """At most `keep` pictures that pass; when none does, the best one or NoneLikeEnough, as chosen."""
    passing = [each for each in ranked if each.passed]
    if passing:
        return passing[:keep]
    if on_none is OnNone.STOP:
        cosines = [each.cosine for each in ranked if each.cosine is not None]
        best = f"the best reached {max(cosines):.2f} of {threshold:.2f}" if cosines else "none has a usable face"
        raise NoneLikeEnough(
            f"None of {len(ranked)} pictures passed the likeness check ({best}); generate more, lower the denoise "
            "or choose to keep the best anyway."
        )
    return list(ranked[:1])
