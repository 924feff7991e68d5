"""A finished ID photo's data beside its pixels: which document, which size on paper, and what was done to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .document import Document


@dataclass(frozen=True)
class IDPhoto:
    """What travels beside the picture on a LIKENESS_ID_PHOTO socket.

    Sizes in pixels and millimetres; `dpi` is pixels per inch, so that width_px / dpi * 25.4 = width_mm. `edits_made`:
    what was changed beyond cutting, turning and resizing, in words; empty where nothing was. `enlarged`: pixels on a
    side for each pixel of the photo, where there are more of them; 1 where the photo has as many or more.
    """

    document: Document
    width_px: int
    height_px: int
    dpi: float
    width_mm: float
    height_mm: float
    edits_made: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    enlarged: float = 1.0

    @property
    def source_dpi(self) -> float:
        """The photo's own pixels per inch of the print."""
        return self.dpi / self.enlarged
