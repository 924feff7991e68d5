"""The picture an official looks at: measured lines on the photo, their bands, a scale in mm; and the models used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from .. import outcome_words as outcomes
from ..faces.annotate import BAD_COLOUR, annotate
from ..imaging.chart import apart
from ..imaging.files import from_pil, to_pil
from ..imaging.text import write
from ..node_facts import MESH
from .document import HeadTop, Range
from .measures import Placement, Spot, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from ..faces.engines import FaceEngine
    from ..quality.usable_photo import Usability
    from .document import Document
    from .head import Head
    from .judge import Compliance

FINE = 2
"""Drawn so many times larger and scaled down, so that lines are smooth."""

TALL, WIDE = 960, 1400
"""The photo is shown as large as fits into so many pixels."""

SCALE_WIDTH, LABEL_WIDTH, EDGE = 84, 236, 34
"""Margins: for the scale at the left, the labels at the right, above and below."""

LEAST_HEIGHT = 420
"""A lower picture, such as a panorama, gets paper below it, so that the labels have room."""

PAPER, INK, SOFT, RULE = "#ffffff", "#1d1f23", "#5c6068", "#b9bcc2"
GOOD, BAD, UNSURE, FREE = outcomes.GOOD.line, outcomes.BAD.line, outcomes.UNSURE.line, "#1c5d99"
"""Lines that lie within their band, outside, within but for their error, and those without a rule."""

NAME, FIGURE = 21, 17
"""Sizes of letters."""

LABEL_GAP = 72


@dataclass(frozen=True)
class Line:
    """One measured height. `level`: its y in the head's level frame. `band`: where it may lie, as y of the photo."""

    name: str
    words: tuple[str, ...]
    level: float
    sigma: float
    colour: str
    band: tuple[float, float] | None = None
    dashed: bool = False


def draw_overlay(photo: torch.Tensor, head: Head, document: Document | None) -> torch.Tensor:
    """A drawing [h,w,3] in 0..1 of `photo` [H,W,3] with what was measured on it and what `document` allows.

    `head` is in the photo's coordinates. The drawing has its own size: the photo shown at most TALL high and WIDE
    wide, a small one enlarged, with a scale at its left and labels at its right.
    """
    picture = to_pil(photo)
    scale = FINE * min(TALL / picture.height, WIDE / picture.width)
    shown = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    layer = picture.resize(shown, Image.Resampling.LANCZOS)
    lines = _lines(head, picture.width, picture.height, document)
    _bands(layer, lines, scale)
    _draw_lines(layer, head, lines, scale)
    middle = place(head, picture.width, picture.height).middle
    told = _colour(middle, MIDDLE if document is not None else None)
    _middle(layer, head, told, scale)

    tall = max(shown[1], LEAST_HEIGHT * FINE) + 2 * EDGE * FINE
    canvas = Image.new("RGB", (shown[0] + (SCALE_WIDTH + LABEL_WIDTH) * FINE, tall), PAPER)
    canvas.paste(layer, (SCALE_WIDTH * FINE, EDGE * FINE))
    draw = ImageDraw.Draw(canvas)
    _ruler(draw, shown[1], document)
    _labels(draw, head, lines, scale, shown)
    _captions(draw, middle, told, document, shown)
    return from_pil(canvas.resize((canvas.width // FINE, canvas.height // FINE), Image.Resampling.LANCZOS))[0]


def _lines(head: Head, width: int, height: int, document: Document | None) -> list[Line]:
    """The lines from top to bottom."""
    head_top = document.head_top if document else HeadTop.CROWN
    placed = place(head, width, height, head_top)
    top, sigma = head.top(head_top)
    factor, unit = (document.height_mm, "mm") if document and document.height_mm else (100.0, "%")

    def said(spot: Spot, rule: Range | None, what: str) -> tuple[str, ...]:
        error = f" ± {spot.sigma * factor:.1f}" if spot.sigma * factor >= 0.1 else ""
        asked = (f"asked: {rule.low * factor:.1f} to {rule.high * factor:.1f} {unit}",) if rule else ()
        return (f"{what} {spot.value * factor:.1f}{error} {unit}", *asked)

    lines = []
    if head.hair is not None and not placed.top_is_hair and head.hair < head.crown - 0.03 * head.unit:
        lines.append(Line("Top of the hair", ("not counted",), head.hair, head.hair_sigma, FREE, dashed=True))
    rules = document or _NO_RULES
    head_rule, room_rule = rules.head, rules.room
    name = "Top of the hair" if placed.top_is_hair else "Crown"
    words = said(placed.head, head_rule, "head") if head_rule or not room_rule else said(placed.room, room_rule, "room")
    colour = worst(_colour(placed.head, head_rule), _colour(placed.room, room_rule))
    lines.append(Line(name, words, top, sigma, colour, _top_band(placed, head_rule, room_rule, height)))
    eyes = _colour(placed.eyes, rules.eyes)
    band = _above(rules.eyes, height)
    lines.append(Line("Eye line", said(placed.eyes, rules.eyes, "at"), head.eyes, 0.0, eyes, band))
    chin = _colour(placed.chin, rules.chin)
    band = _above(rules.chin, height)
    lines.append(Line("Chin", said(placed.chin, rules.chin, "at"), head.chin, head.chin_sigma, chin, band))
    return lines


@dataclass(frozen=True)
class _Rules:
    head: Range | None = None
    room: Range | None = None
    eyes: Range | None = None
    chin: Range | None = None


_NO_RULES = _Rules()


def worst(*colours: str) -> str:
    """The colour that asks for most attention."""
    return min(colours, key=(BAD, UNSURE, GOOD, FREE).index)


def _colour(spot: Spot, rule: Range | None) -> str:
    if rule is None:
        return FREE
    if spot.value not in rule:
        return BAD if spot.value + spot.sigma < rule.low or spot.value - spot.sigma > rule.high else UNSURE
    return GOOD if spot.value - spot.sigma >= rule.low and spot.value + spot.sigma <= rule.high else UNSURE


def _above(rule: Range | None, height: int) -> tuple[float, float] | None:
    return None if rule is None else (height * (1 - rule.high), height * (1 - rule.low))


def _top_band(placed: Placement, head: Range | None, room: Range | None, height: int) -> tuple[float, float] | None:
    """Where the head's top may lie, as y of the photo: over this chin, and under the top edge."""
    low, high = 0.0, float(height)
    chin = height * (1 - placed.chin.value)
    if head is not None:
        low, high = max(low, chin - head.high * height), min(high, chin - head.low * height)
    if room is not None:
        low, high = max(low, room.low * height), min(high, room.high * height)
    return (low, high) if (head or room) and low < high else None


def _bands(layer: Image.Image, lines: list[Line], scale: float) -> None:
    """Tint the allowed bands, and how unsure a line is."""
    tint = Image.new("RGBA", layer.size)
    draw = ImageDraw.Draw(tint)
    for line in lines:
        if line.band is not None:
            low, high = (y * scale for y in line.band)
            draw.rectangle((0, low, layer.width, high), fill=_clear(GOOD, 40))
            for y in (low, high):
                _dashes(draw, (0, y), (layer.width, y), _clear(GOOD, 200), FINE)
    layer.paste(tint, (0, 0), tint)


def _clear(colour: str, alpha: int) -> str:
    return f"{colour}{alpha:02x}"


def _draw_lines(layer: Image.Image, head: Head, lines: list[Line], scale: float) -> None:
    tint = Image.new("RGBA", layer.size)
    draw = ImageDraw.Draw(tint)
    for line in lines:
        if line.sigma > 0 and not line.dashed:
            ends = [_ends(head, line.level + sign * line.sigma, layer.width, scale) for sign in (-1, 1)]
            draw.polygon([*ends[0], *reversed(ends[1])], fill=_clear(line.colour, 64))
        start, end = _ends(head, line.level, layer.width, scale)
        if line.dashed:
            _dashes(draw, start, end, "#ffffffcc", 5 * FINE)
            _dashes(draw, start, end, line.colour, 2 * FINE)
        else:
            draw.line((start, end), fill="#ffffffcc", width=5 * FINE)
            draw.line((start, end), fill=line.colour, width=2 * FINE)
    layer.paste(tint, (0, 0), tint)


def _ends(head: Head, level: float, width: int, scale: float) -> list[tuple[float, float]]:
    """Where a level line leaves the shown photo at the left and at the right."""
    here = head.to_photo(np.array([[head.centre - 1.0, level], [head.centre + 1.0, level]], dtype=np.float64)) * scale
    (x1, y1), (x2, y2) = here
    slope = (y2 - y1) / (x2 - x1) if abs(x2 - x1) > 1e-6 else 0.0
    return [(float(x), float(y1 + slope * (x - x1))) for x in (0.0, float(width))]


def _dashes(
    draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], colour: str, width: int
) -> None:
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    step = 12.0 * FINE
    for done in np.arange(0.0, length, 2 * step):
        first, last = done / length, min(done + step, length) / length
        points = [
            (start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])) for part in (first, last)
        ]
        draw.line(points, fill=colour, width=width)


def _middle(layer: Image.Image, head: Head, colour: str, scale: float) -> None:
    """The face's middle line, and the picture's."""
    tint = Image.new("RGBA", layer.size)
    draw = ImageDraw.Draw(tint)
    half = layer.width / 2
    _dashes(draw, (half, 0), (half, layer.height), _clear(INK, 110), FINE)
    over = head.unit * 0.35
    spots = head.to_photo(
        np.array([[head.centre, head.top(HeadTop.HAIR)[0] - over], [head.centre, head.chin + over]], dtype=np.float64)
    )
    ends = [(float(x) * scale, float(y) * scale) for x, y in spots]
    draw.line(ends, fill="#ffffffcc", width=4 * FINE)
    draw.line(ends, fill=colour, width=2 * FINE)
    layer.paste(tint, (0, 0), tint)


MIDDLE = Range(0.45, 0.55)
"""Where the face's middle line may be, as a share of the width: ISO/IEC 39794-5, D.1.4.3.2."""


def _ruler(draw: ImageDraw.ImageDraw, height: int, document: Document | None) -> None:
    """From the bottom edge upwards: millimetres of the print, or percent of the height."""
    in_mm = document is not None and document.height_mm is not None
    whole = document.height_mm if in_mm and document is not None and document.height_mm else 100.0
    step, numbers = (1, 5) if whole <= 70 else (5, 10)
    right, bottom = (SCALE_WIDTH - 10) * FINE, EDGE * FINE + height
    draw.line((right, bottom - height, right, bottom), fill=SOFT, width=FINE)
    for tick in range(0, int(whole) + 1, step):
        y = bottom - tick / whole * height
        labelled = tick % numbers == 0
        draw.line((right - (14 if labelled else 7) * FINE, y, right, y), fill=SOFT, width=FINE)
        if labelled:
            write(draw, (right - 20 * FINE, y), str(tick), FIGURE * FINE, SOFT, "rm")
    write(draw, (right, bottom - height - 8 * FINE), "mm" if in_mm else "%", FIGURE * FINE, SOFT, "rs")


def _labels(draw: ImageDraw.ImageDraw, head: Head, lines: list[Line], scale: float, shown: tuple[int, int]) -> None:
    """Each line's name and figures, moved apart where lines are near each other, with a leader to its line."""
    edge = SCALE_WIDTH * FINE + shown[0]
    places = [
        min(max(_ends(head, line.level, shown[0], scale)[1][1], 0.0), float(shown[1])) + EDGE * FINE for line in lines
    ]
    spread = apart(places, LABEL_GAP * FINE)
    inside = max(0.0, (NAME + 2) * FINE - min(spread, default=0.0))
    for line, at, y in zip(lines, places, (each + inside for each in spread), strict=True):
        x = edge + 34 * FINE
        draw.line((edge, at, edge + 12 * FINE, at, x - 8 * FINE, y), fill=line.colour, width=FINE)
        write(draw, (x, y - 1 * FINE), line.name, NAME * FINE, line.colour, "ls")
        for row, words in enumerate(line.words):
            write(draw, (x, y + (2 + row * 20) * FINE), words, FIGURE * FINE, INK if row == 0 else SOFT, "la")


def _captions(
    draw: ImageDraw.ImageDraw, middle: Spot, colour: str, document: Document | None, shown: tuple[int, int]
) -> None:
    left, bottom = SCALE_WIDTH * FINE, EDGE * FINE + shown[1]
    if document is not None:
        write(draw, (left, (EDGE - 9) * FINE), document.title, NAME * FINE, INK, "ls")
    off = 100 * (middle.value - 0.5)
    side = "to the right" if off > 0 else "to the left"
    words = "in the middle" if abs(off) < 0.05 else f"{abs(off):.1f} % of the width {side} of the middle"
    write(draw, (left, bottom + 9 * FINE), f"Face {words}", FIGURE * FINE, colour, "la")


def matte_of(photo: torch.Tensor, given: torch.Tensor | None, model: str | None) -> torch.Tensor | None:
    """The person's MASK [H,W] for `photo` [H,W,3]: the given one in the photo's size, else that of the network `model`.

    None where neither is to be had. Raises ModelMissing.
    """
    from ..imaging.tensors import planes, resize

    if given is not None:
        return resize(planes(given[None]), *photo.shape[:2])[0, 0]
    from ..portrait.person_matte import PersonFinder

    return None if model is None else PersonFinder(model)(photo)


def overlay_of(photo: torch.Tensor, found: Compliance) -> Image.Image:
    """The measured lines on the photo; where there is no head to measure, the faces that were found.

    A photo that is still to be cut has its lines and no bands: where they lie says nothing yet.
    """
    if found.head is not None and len(found.faces) == 1:
        return to_pil(draw_overlay(photo, found.head, None if found.uncut else found.document))
    words = "no face" if not found.faces else "turned" if len(found.faces) == 1 else f"{len(found.faces)} faces"
    picture = photo
    for face in found.faces:
        picture = from_pil(annotate(picture, face, words, BAD_COLOUR))[0]
    return to_pil(picture) if found.faces else annotate(photo, None, words, BAD_COLOUR)


def marked(picture: torch.Tensor, found: Usability) -> Image.Image:
    """The photo with its faces and a word of the verdict."""
    if not found.faces:
        return annotate(picture, None, "no face", BAD_COLOUR)
    shown = outcomes.SELFIE["fail" if not found.usable else "uncertain" if found.remarks else "pass"]
    for face in found.faces:
        picture = from_pil(annotate(picture, face, shown.word, shown.tone.label))[0]
    return to_pil(picture)


def told(found: Sequence[Compliance | Usability]) -> str:
    """The reports for people, numbered where there are several."""
    if len(found) == 1:
        return found[0].text()
    return "\n\n".join(f"Photo {index + 1}: {each.text()}" for index, each in enumerate(found))


def used_models(engine: FaceEngine, matte: str | None, *, parsing: bool) -> list[dict[str, Any]]:
    """The models behind a check, for the report."""
    from ..choices import models_behind
    from ..faces.engines import detection_models
    from ..models import store

    detection = detection_models(engine)
    names = [*MESH, *models_behind(matte or ""), *(["face_parsing"] if parsing else [])]
    known = {model["name"] for model in detection}
    return [*detection, *store.used(*(name for name in names if name not in known))]
