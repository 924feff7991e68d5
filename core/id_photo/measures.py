"""What an ID photo's file and size say: proportions, pixels, size on paper, format, bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..imaging.files import opened
from ..quality.compression import saved_quality
from ..quality.measure import Measure

if TYPE_CHECKING:
    from pathlib import Path

    from .document import Document
    from .history import History
    from .photo import IDPhoto

INCH = 25.4
"""Millimetres."""

LOSSLESS = ("png", "tiff", "bmp", "gif")
"""Formats that keep every pixel, or nearly always do."""


@dataclass(frozen=True)
class FileFacts:
    """What was read from a photo's file. `form`: "jpeg", "png" and so on. `dpi`: across, None where it is not said.

    `quality`: of the JPEG file, 1..100 on libjpeg's scale, the lower one where it was made from another; None without.
    """

    name: str
    size: int
    form: str
    dpi: float | None = None
    quality: float | None = None


def read_facts(path: Path) -> FileFacts:
    """Facts of the file at `path`. Raises PhotoMissing, PhotoTooLarge or PhotoUnreadable."""
    with opened(path) as photo:
        told = photo.info.get("dpi")
        across = float(told[0]) if isinstance(told, tuple) and told else 0.0
        form = "jpeg" if photo.format == "MPO" else str(photo.format or "").lower()
        density = across if across > 1 else None
        return FileFacts(path.name, path.stat().st_size, form, density, saved_quality(photo))


def measure_size(width: int, height: int, document: Document) -> list[Measure]:
    """Aspect (difference in percent), pixels and, for a print, the density in pixels per inch."""
    measures = [_aspect(width, height, document), _pixels(width, height, document)]
    if document.height_mm is not None:
        density = height / document.height_mm * INCH
        detail = f"{height} pixels on {document.height_mm:g} mm."
        measures.append(Measure("print_density", density, "pixels per inch", detail=detail))
    return measures


def _aspect(width: int, height: int, document: Document) -> Measure:
    across, down = (document.width_mm, document.height_mm) if document.height_mm else (document.pixels or (1, 1))
    wanted = (across or 1) / (down or 1)
    detail = f"{width} x {height} pixels; the document is {across:g} x {down:g}{' mm' if document.height_mm else ''}."
    return Measure("aspect", 100 * abs(width / height / wanted - 1), "% off", detail=detail)


def _pixels(width: int, height: int, document: Document) -> Measure:
    """The width in pixels held against the document's; the words say both sides."""
    return Measure("pixels", float(width), "pixels wide", detail=f"{width} x {height} pixels.")


def measure_file(facts: FileFacts | None, width: int, document: Document) -> list[Measure]:
    """Size on paper, format, bytes and JPEG quality; without a file, why they were not measured."""
    if facts is None:
        missing = "Only the picture was given, not its file."
        names = ("print_size", "file_format", "file_size", "file_compression")
        return [Measure(name, None, detail=missing) for name in names]
    right = facts.form in document.formats
    return [
        _print_size(facts, width, document),
        Measure("file_format", float(right), detail=f"The file is {facts.form.upper() or 'of an unknown format'}."),
        Measure("file_size", facts.size / 1000, "kB"),
        _saved(facts),
    ]


def _saved(facts: FileFacts) -> Measure:
    """The quality in which the photo was saved: by a JPEG file's own table; formats without loss have all of it."""
    source = "ITU-T T.81, annex K, on libjpeg's scale"
    if facts.quality is not None:
        words = f"Saved as JPEG of quality {facts.quality:.0f}."
        return Measure("file_compression", facts.quality, detail=words, source=source)
    value = 100.0 if facts.form in LOSSLESS else None
    words = f"A {facts.form.upper()} file {'loses nothing' if value else 'does not say in which quality it was saved'}."
    return Measure("file_compression", value, detail=words, source=source)


def _print_size(facts: FileFacts, width: int, document: Document) -> Measure:
    if facts.dpi is None or document.width_mm is None:
        return Measure("print_size", None, detail="The file does not say how large it is on paper.")
    across = width / facts.dpi * INCH
    off = 100 * abs(across / document.width_mm - 1)
    return Measure("print_size", off, "% off", detail=f"By the file {across:.1f} mm wide; asked {document.width_mm:g}.")


def measure_edits(made: IDPhoto | None, document: Document, told: History | None = None) -> Measure:
    """Whether the photo was changed in a way that the document forbids; 1: it was not.

    By what is known of its making (`made`), and by what its own file says (`told`).
    """
    words = _said_against(told, document) if told is not None else ()
    if words:
        return Measure("unaltered", 0.0, detail=f"The file says: {'; '.join(words)}.", source="the file itself")
    edits = made.edits_made if made is not None else told.edits if told is not None else None
    if edits is None:
        open_ = told is not None and bool(told.composed)
        missing = "A picture alone does not show how it was made."
        return Measure("unaltered", None, detail=_COMPOSED if open_ else missing)
    forbidden = forbidden_edits(edits, document)
    words = "Nothing was changed but the cut, the turn, the size."
    if forbidden:
        words = f"Changed: {', '.join(edit.rstrip('.') for edit in forbidden)}."
    if made is None:
        words = f"The file says: {words[0].lower()}{words[1:]}"
    return Measure("unaltered", float(not forbidden), detail=words)


_COMPOSED = (
    "The file says that it was put together from several pictures, not whether only the background was replaced."
)


def _said_against(told: History, document: Document) -> tuple[str, ...]:
    """The statements of the file that speak against the photo, unless its edits are named and judged one by one."""
    composed = told.composed if document.edits == "none" and not told.edits else ()
    return (*told.changed, *composed)


def forbidden_edits(edits: tuple[str, ...], document: Document) -> tuple[str, ...]:
    """Those of the edits that the document does not allow."""
    if document.edits == "any":
        return ()
    allowed = ("background",) if document.edits == "background" else ()
    return tuple(edit for edit in edits if not any(word in edit for word in allowed))
