"""What a file can say of its making: written into XMP, and read back from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Generative(StrEnum):
    """Whether generation had a part in a picture."""

    NONE = "none"
    """No step of the graph generates, and no input photo says that it was generated."""
    SOME = "some"
    """At least one step generates, or an input photo says that it was generated."""
    UNKNOWN = "unknown"
    """A step, or where an input comes from, is not known: nothing is claimed."""


STATEMENTS = {
    Generative.NONE: "No generative step was used in the workflow that made this file.",
    Generative.SOME: "Generative steps were used, or the input photo says that it was generated.",
    Generative.UNKNOWN: "Not every step of the workflow is known, so nothing is claimed about generation.",
}
"""The words for each."""


@dataclass(frozen=True)
class Record:
    """What is written beside a picture. `source_type` is an IPTC identifier; None where nothing is claimed.

    `steps` are class names of nodes with what each does, `reasons` say why `generative` is what it is, `models` are
    name and licence. `document` is the id of an ID document, `edits` what was done for it beyond cutting. Nothing here
    names a file or a folder of the user's.
    """

    generative: Generative = Generative.UNKNOWN
    source_type: str | None = None
    steps: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    workflow_hash: str = ""
    document: str = ""
    edits: tuple[str, ...] | None = None
    creator: str = ""
    tool: str = ""

    @property
    def statement(self) -> str:
        """The sentence for `generative`."""
        return STATEMENTS[self.generative]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "generative": self.generative.value,
            "statement": self.statement,
            "digital_source_type": self.source_type,
            "steps": list(self.steps),
            "reasons": list(self.reasons),
            "models": [{"name": name, "licence": licence} for name, licence in self.models],
            "workflow_hash": self.workflow_hash,
            "document": self.document,
            "edits": None if self.edits is None else list(self.edits),
            "creator": self.creator,
            "tool": self.tool,
        }


@dataclass(frozen=True)
class Claims:
    """What an XMP packet says. `record` is None where it is not one of ours; `source_type` may come from anybody.
    `credentials_at`: the address of content credentials that are kept outside of the file."""

    source_type: str | None = None
    tool: str = ""
    creator: str = ""
    credentials_at: str = ""
    record: Record | None = field(default=None)
