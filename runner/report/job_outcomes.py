"""What a job of a batch has come to, in words and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["passed", "not_confirmed", "unchecked", "refused", "failed", "pending"]


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


JOBS: dict[Kind, JobShown] = {
    "passed": JobShown("same person", "Same person", "green", "rules met", "Meets the rules"),
    "not_confirmed": JobShown("not confirmed", "Not confirmed", "red", "rules not met", "Rules not met"),
    "unchecked": JobShown("not checked", "Not checked", "cyan"),
    "refused": JobShown("refused", "Refused", "yellow"),
    "failed": JobShown("failed", "Failed", "magenta"),
    "pending": JobShown("pending", "Pending", "dim"),
}
"""In the order in which they are counted on a page."""
