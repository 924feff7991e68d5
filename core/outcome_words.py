"""How outcomes are shown: one word and one colour for each, on pictures, on pages, in terminals and in tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Tone:
    """The colour of an outcome wherever it is shown; the colours of tones differ in lightness too.

    label: behind white words on a picture. line: a thin line on a photo, or letters on paper; both as #rrggbb.
    terminal: rich's words for it. tag, seal: the classes of a tag and of the seal on a page.
    """

    label: str
    line: str
    terminal: str
    tag: str
    seal: str


GOOD = Tone("#1a9850", "#157347", "bold green", "ok", "pass")
BAD = Tone("#d73027", "#c02a1b", "bold red", "low", "fail")
UNSURE = Tone("#f0a30a", "#b26a00", "bold yellow", "unclear", "unsure")


@dataclass(frozen=True)
class Shown:
    """An outcome for people: `word` inside a sentence or on a picture, `heading` on a page, and its colour."""

    word: str
    heading: str
    tone: Tone


LIKENESS = {
    "pass": Shown("same person", "Same person", GOOD),
    "fail": Shown("not confirmed", "Not confirmed", BAD),
    "no_face": Shown("no face", "No face found", UNSURE),
    "several_faces": Shown("several faces", "Several faces", UNSURE),
    "face_too_small": Shown("face too small", "Face too small", UNSURE),
    "poor_photo": Shown("poor photo", "Poor photo", UNSURE),
    "main_face_hidden": Shown("main face hidden", "Main face hidden", UNSURE),
}
"""What became of a picture that was compared with a person, by its outcome."""

RULES = {
    "pass": Shown("pass", "Meets the rules", GOOD),
    "fail": Shown("fail", "Does not meet the rules", BAD),
    "uncertain": Shown("uncertain", "A person must look", UNSURE),
}
"""What became of a photo, and of each rule, by the verdict: judged by a document's rules."""

SELFIE = {
    "pass": Shown("usable", "Usable", GOOD),
    "fail": Shown("not usable", "Not usable", BAD),
    "uncertain": Shown("usable, could be better", "Usable, could be better", UNSURE),
}
"""What became of a photo by the verdict: judged as a reference photo."""


PICTURE = {
    "pass": Shown("good picture", "Good picture", GOOD),
    "not seen": Shown("picture not looked at", "Not looked at", UNSURE),
    "look": Shown("look at it", "Look at it", UNSURE),
    "fail": Shown("poor picture", "Poor picture", BAD),
}
"""What became of a finished picture itself, from the best outcome to the worst: light, sharpness, cut-out and frame."""


def worst_picture(outcomes: Iterable[str]) -> str | None:
    """The outcome of `PICTURE` that matters most; None without any. One that is not known counts as not seen."""
    order = list(PICTURE)
    return max((each if each in PICTURE else "not seen" for each in outcomes), key=order.index, default=None)


def heading_of(shown: dict[str, Shown], outcome: object) -> str:
    """The heading of an outcome; one that is not known stands for itself."""
    known = shown.get(str(outcome))
    return str(outcome) if known is None else known.heading


JobOutcome = Literal["passed", "not_confirmed", "unchecked", "refused", "failed", "pending"]


@dataclass(frozen=True)
class JobShown:
    """An end of a job for people: in a line, as a heading, both also where it judged by rules; its terminal colour."""

    word: str
    heading: str
    colour: str
    rules_word: str = ""
    rules_heading: str = ""

    def said(self, *, by_rules: bool) -> str:
        """The word in a line."""
        return (by_rules and self.rules_word) or self.word

    def headed(self, *, by_rules: bool) -> str:
        """The heading."""
        return (by_rules and self.rules_heading) or self.heading


JOBS: dict[JobOutcome, JobShown] = {
    "passed": JobShown("same person", "Same person", "green", "rules met", "Meets the rules"),
    "not_confirmed": JobShown("not confirmed", "Not confirmed", "red", "rules not met", "Rules not met"),
    "unchecked": JobShown("not checked", "Not checked", "cyan"),
    "refused": JobShown("refused", "Refused", "yellow"),
    "failed": JobShown("failed", "Failed", "magenta"),
    "pending": JobShown("pending", "Pending", "dim"),
}
"""In the order in which they are counted on a page."""
