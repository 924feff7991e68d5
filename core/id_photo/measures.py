"""What an ID photo's file, size and head geometry say, as measures; enlarged pixels count as those of the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..imaging.files import opened
from ..quality.checks import Measure
from ..quality.sharpness import saved_quality
from .document import MM_PER_INCH, HeadTop

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .document import Document
    from .head import Head


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


@dataclass(frozen=True)
class History:
    """What the file says. `edits`: what was done beyond cutting, None where nothing is said of it.

    `changed`: statements that it was generated or edited; `composed`: that it was put together from several pictures,
    as a photo with another background is. Both in words that go on from "The file says: ". `retouched`: what
    changed how the person looks, by the file or by the workflow that the photo comes out of.
    """

    edits: tuple[str, ...] | None = None
    changed: tuple[str, ...] = ()
    composed: tuple[str, ...] = ()
    retouched: tuple[str, ...] = ()


EYE_SIGMA = 0.02
"""How far the eye centres are off, in eye distances: lids found on one photo at several sizes differ by so much."""

SOURCE = "ISO/IEC 39794-5"

THROUGH_HAIR = "; the crown is estimated through the hair, and the error of that is judged with it"

ESTIMATED = ("head_height", "room_above")
"""Measures that need the top of the head."""


@dataclass(frozen=True)
class Spot:
    """A length or place as a share of the picture's side, and its standard error."""

    value: float
    sigma: float = 0.0


@dataclass(frozen=True)
class Placement:
    """A head in its picture.

    `head` is chin to top along the head, `eyes` and `chin` are above the bottom edge, `room` is from the top of the
    head to the top edge (negative: cut off), all as shares of the height. `middle` is the face's middle line at eye
    level, from the left edge, as a share of the width. `top_is_hair`: the top is that of the hair, not of the skull.
    """

    head: Spot
    eyes: Spot
    room: Spot
    chin: Spot
    middle: Spot
    top_is_hair: bool


def place(head: Head, width: int, height: int, head_top: HeadTop = HeadTop.CROWN) -> Placement:
    """Where `head`, in coordinates of a picture of that size in pixels, stands in it."""
    top, top_sigma = head.top(head_top)
    spots = head.to_photo(np.array([[head.centre, y] for y in (top, head.eyes, head.chin)], dtype=np.float64))
    top_y, eyes_y, chin_y = (float(y) for y in spots[:, 1])
    eye_sigma = EYE_SIGMA * head.unit
    return Placement(
        head=Spot((head.chin - top) / height, float(np.hypot(top_sigma, head.chin_sigma)) / height),
        eyes=Spot((height - eyes_y) / height, eye_sigma / height),
        room=Spot(top_y / height, top_sigma / height),
        chin=Spot((height - chin_y) / height, head.chin_sigma / height),
        middle=Spot(float(spots[1, 0]) / width, eye_sigma / width),
        top_is_hair=head_top is HeadTop.HAIR and head.hair is not None,
    )


def measure_geometry(head: Head, width: int, height: int, document: Document | None) -> list[Measure]:
    """head_height, eye_line, room_above and chin_height in mm of a print, else % of the height; centring in % of width.

    `head` is in coordinates of the picture, which is `width` x `height` pixels; sizes in mm are those of `document`.
    """
    placed = place(head, width, height, document.head_top if document else HeadTop.CROWN)
    top = "top of the hair" if placed.top_is_hair else "crown"
    off = placed.middle.value - 0.5
    side = "right" if off > 0 else "left"
    lengths: Iterable[tuple[str, Spot, str]] = (
        ("head_height", placed.head, f"Chin to {top}."),
        ("eye_line", placed.eyes, "Eye line above the bottom edge."),
        ("room_above", placed.room, f"From the {top} to the top edge."),
        ("chin_height", placed.chin, "Chin above the bottom edge."),
    )
    factor, unit = scale_of(document)
    measures = [
        Measure(
            name,
            spot.value * factor,
            unit,
            spot.sigma * factor,
            detail,
            SOURCE + (THROUGH_HAIR if name in ESTIMATED else ""),
        )
        for name, spot, detail in lengths
    ]
    where = f"The face's middle is {100 * abs(off):.1f} % of the width {side} of the picture's."
    measures.append(Measure("centring", 100 * abs(off), "%", 100 * placed.middle.sigma, where, SOURCE))
    return measures


def scale_of(document: Document | None) -> tuple[float, str]:
    """What turns a share of the height into a length for people, and its unit: mm of a print, else percent."""
    if document is not None and document.height_mm is not None:
        return document.height_mm, "mm"
    return 100.0, "% of the height"


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
        density = height / document.height_mm * MM_PER_INCH
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
    across = width / facts.dpi * MM_PER_INCH
    off = 100 * abs(across / document.width_mm - 1)
    return Measure("print_size", off, "% off", detail=f"By the file {across:.1f} mm wide; asked {document.width_mm:g}.")


def measure_edits(made: IDPhoto | None, document: Document, told: History | None = None) -> Measure:
    """Whether the photo was changed in a way that the document forbids; 1: it was not.

    By what is known of its making (`made`), and by what its own file says (`told`).
    """
    if told is not None and (refused := refuse_retouch(told.retouched, document)):
        return Measure("unaltered", 0.0, detail=refused, source="the steps of its making")
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


def refuse_retouch(retouched: Iterable[str], document: Document) -> str:
    """Why a retouched photo is none for the document; empty where it is not retouched, or no rule speaks against it."""
    steps = tuple(retouched)
    if not steps or document.edits == "any":
        return ""
    return f"{document.title}: the photo was retouched before ({'; '.join(steps)}); take one that was not."


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
