"""The report on one ID photo: its checks, the verdict they come to, and what no program can tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..quality.limits import Check, Outcome, Verdict, faults, titles, verdict_of

if TYPE_CHECKING:
    from ..faces.face import Face
    from .document import Document
    from .head import Head

BEYOND = (
    "whether it was taken recently",
    "whether it looks like you today",
    "whether you are allowed glasses or a head covering",
    "the quality of the paper and the print",
)
"""What no look at the pixels can tell, and every authority asks."""


@dataclass(frozen=True, eq=False)
class Compliance:
    """The report on one photo of `width` x `height` pixels.

    faces: those that were found; head: that of the face that was looked at, in the photo's pixels, None without one.
    uncut: it was judged as a photo that is still to be cut.
    """

    document: Document
    checks: list[Check]
    width: int
    height: int
    faces: list[Face] = field(default_factory=list)
    head: Head | None = None
    notes: list[str] = field(default_factory=list)
    name: str = ""
    uncut: bool = False

    @property
    def verdict(self) -> Verdict:
        """Pass only where nothing failed and nothing is uncertain."""
        return verdict_of(self.checks)

    @property
    def passed(self) -> bool:
        """Whether every rule that can be measured is met for certain."""
        return self.verdict is Verdict.PASS

    def of(self, *outcomes: Outcome) -> list[Check]:
        """The checks that ended so."""
        return [check for check in self.checks if check.outcome in outcomes]

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        title = self.document.title
        failed, unsure = self.of(Outcome.FAIL), self.of(Outcome.UNCERTAIN)
        missing = self.of(Outcome.NOT_MEASURED)
        if failed:
            return f"{_count(len(failed), 'rule')} not met for the {title}: {faults(failed)}."
        if unsure:
            return f"No rule is broken for the {title}, but a person must look at: {titles(unsure)}."
        if missing:
            return f"The photo meets every rule for the {title} that was measured; not known: {titles(missing)}."
        return f"The photo meets every rule for the {title} that can be measured."

    def as_dict(self) -> dict[str, Any]:
        """The report as data."""
        document = self.document
        return {
            "kind": "id_photo",
            "name": self.name,
            "document": document.id,
            "document_title": document.title,
            "country": document.country,
            "verdict": str(self.verdict),
            "passed": self.passed,
            "headline": self.headline,
            "width": self.width,
            "height": self.height,
            "faces": [[round(value, 1) for value in face.box] for face in self.faces],
            "checks": [check.as_dict() for check in self.checks],
            "notes": list(self.notes),
            "not_measurable": list(BEYOND),
            "sources": [{"url": source.url, "checked": source.checked} for source in document.sources],
            "confidence": document.confidence,
        }

    def text(self) -> str:
        """The report for people: what is wrong first, what to do, and what cannot be told."""
        lines = [self.headline]
        for check in self.of(Outcome.FAIL):
            lines.append(f"FAIL       {_line(check)}")
        for check in self.of(Outcome.UNCERTAIN):
            lines.append(f"uncertain  {_line(check, why=True)}")
        passed = self.of(Outcome.PASS)
        if passed:
            lines.append(f"pass       {titles(passed)}.")
        for why, checks in _by_reason(self.of(Outcome.NOT_MEASURED)).items():
            lines.append(f"not known  {titles(checks)}. {why}".rstrip())
        lines += self.notes
        lines.append(f"No program can tell: {'; '.join(BEYOND)}.")
        return "\n".join(lines)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"


def _by_reason(checks: list[Check]) -> dict[str, list[Check]]:
    """The checks by what was seen instead of a value."""
    found: dict[str, list[Check]] = {}
    for check in checks:
        found.setdefault(check.detail, []).append(check)
    return found


LONG_UNIT = 6
"""Letters of a unit from which on it is said once: 8.0 ± 0.8, asked: at most 4.5 % of the eye-chin distance."""


def _line(check: Check, *, why: bool = False) -> str:
    """A check as one line; `why`: with what was seen, which a person needs who must decide."""
    figures = f"{check.shown}, asked: {check.limit}" if check.shown and check.limit else check.shown or check.detail
    value, _, unit = check.shown.partition(" % of ")
    if len(unit) >= LONG_UNIT and check.limit.partition(";")[0].endswith(f" % of {unit}"):
        figures = f"{value}, asked: {check.limit}"
    seen = check.detail if (why or check.group == "Pose") and check.shown else ""
    return " ".join(part for part in (f"{check.title} ({figures.rstrip('.')}).", seen, check.advice) if part)
