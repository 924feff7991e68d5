"""Makes one ID photo: looks at it small, cuts the frame out at full size, replaces the background where allowed.

Nothing is generated or retouched: the picture is turned, cut and resampled once, and where the document allows it a
uniform background is put behind the person.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..choices import Background, HeadSize, Size
from ..errors import MatteMissing
from ..errors.formats import AlterationForbidden, PhotoTooTight
from ..imaging.colour import parse_colour
from ..imaging.tensors import pixels, planes
from ..imaging.warp import Cut, rotate, sample
from ..node_facts import Effect
from ..portrait.compose import foreground_colours
from ..portrait.matte import Band, border_points, refine_alpha
from ..portrait.person_matte import PersonFinder
from .background_colours import allowed_colour
from .document import MM_PER_INCH, Document, Edits
from .framing import HEAD_ADVICE, Bounds, Framing, choose_frame, picture_size
from .head_in_photo import LocatedHead, locate_head
from .make_report import FREE_KINDS, make_report, short_of
from .measures import IDPhoto

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..faces.engines import FaceEngine
    from .head import Head
    from .head_in_photo import Box, Matte, Source

PLAIN_COLOUR = "#F2F2F2"
"""The colour where a document allows a plain background and names none: a light grey, on which white hair shows."""

WIDEST_BAND = 24
"""Pixels of the coarse grid within which single hairs are looked for, at most: the limit of Refine Matte."""


def choose_background(
    document: Document, background: Background, has_matte: bool, colour: str = ""
) -> tuple[str | None, list[str]]:
    """The colour that replaces the background, or None where it stays as photographed, and notes that say why.

    `colour`: one of the document's by name, which is a plain background; else the first of them. Raises
    BackgroundNotAllowed, AlterationForbidden where "plain" is asked for and the document allows no edits, and
    MatteMissing where it is allowed and nothing says where the person is.
    """
    chosen = allowed_colour(document, colour) if colour else (document.background_colours or (PLAIN_COLOUR,))[0]
    background = Background.PLAIN if colour else background
    if background is Background.KEEP:
        return None, []
    if document.edits is Edits.NONE:
        if background is Background.PLAIN:
            raise AlterationForbidden(
                f"{document.title}: the photo must not be altered ({document.rule_on_edits}), so its background "
                f"stays as photographed; take the photo before a plain wall. '{Background.ALLOWED}' gives the crop and "
                "the report without that change."
            )
        return None, [f"The background is as photographed: no edits are allowed ({document.rule_on_edits})."]
    if background is Background.ALLOWED and document.edits is Edits.ANY:
        return None, ["The background is as photographed: there is no rule for it; choose plain to replace it."]
    if has_matte:
        return chosen, []
    if background is Background.PLAIN:
        raise MatteMissing(
            "A plain background needs the person's mask; connect the mask of Matte Person, or choose keep."
        )
    return None, ["The background is as photographed: no mask of the person was given."]


def replace_background(
    picture: torch.Tensor, coarse: torch.Tensor, known: torch.Tensor, colour: str, enlarged: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """IMAGE [1,h,w,3] before a uniform `colour` (#rrggbb), and the MASK [1,h,w] that was used.

    `coarse` is the person's mask [1,h,w], `known` is 1 where the picture comes from the photo and 0 where it lies
    beyond its border. `enlarged`: how many times larger the person is here than where the mask was made, which is how
    much further from the outline hairs are looked for. Where the mask is 1 the result equals `picture`.
    """
    reach = min(WIDEST_BAND, max(Band().reach, round(Band().reach * enlarged)))
    alpha = refine_alpha(picture, coarse * known, Band(reach=reach)) * known
    person = foreground_colours(picture, alpha)
    plain = torch.tensor(parse_colour(colour), dtype=picture.dtype).expand_as(picture)
    return torch.lerp(plain, person, alpha[..., None]), alpha


SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
"""How much of a head's tilt is taken away, the most level first."""

COARSE = 0.1
"""A head must come nearer to the advised height by so much of the picture's to be worth a tilt that is left."""


def may_tilt(document: Document) -> bool:
    """Whether the head may stay tilted: no rule says where the head is, and no identity is checked by the photo."""
    return document.kind in FREE_KINDS and document.head is None and document.eyes is None


def turned(head: Head, share: float) -> Head:
    """`head` in a frame that is turned by `share` (0..1) of its tilt; the rest of the tilt stays in the picture.

    Heights are those of the points on the head's own middle line, which leans.
    """
    if share == 1.0:
        return head
    rest = math.radians(head.roll * (1 - share))
    x, y = head.pivot

    def down(height: float) -> float:
        return y + (height - y) * math.cos(rest)

    middle = (head.chin + head.crown) / 2 - y
    return dataclasses.replace(
        head,
        roll=head.roll * share,
        centre=x + (head.centre - x) * math.cos(rest) - middle * math.sin(rest),
        eyes=down(head.eyes),
        chin=down(head.chin),
        crown=down(head.crown),
        hair=None if head.hair is None else down(head.hair),
    )


def cost(framing: Framing) -> tuple[int, int, int]:
    """How bad a frame is: rules that are broken, hair that is cut off, and how far the head is from what is advised."""
    values = {fit.name: fit.value for fit in framing.fits}
    height = values.get("head height", HEAD_ADVICE.middle)
    off = max(height - HEAD_ADVICE.high, HEAD_ADVICE.low - height, 0.0)
    return len(framing.broken), int(values.get("room above the hair", 0.0) < 0), int(off / COARSE)


GAP = 2.0
"""A photo that is shrunk by more than this is first averaged over whole blocks of pixels, so far that this is left."""

SPARE = 4
"""Pixels around the frame that resampling looks at."""


@dataclass(frozen=True)
class MakeOptions:
    """What to make of a photo. `largest`: of several faces take the largest, and do not refuse the photo.

    `colour`: a plain background in this one of the document's colours, by its name; empty leaves it to `background`.
    """

    document: Document
    background: Background = Background.ALLOWED
    size: Size = Size.AUTO
    head_size: HeadSize = HeadSize.SAFEST
    largest: bool = False
    colour: str = ""


@dataclass(frozen=True, eq=False)
class Made:
    """IMAGE [1,h,w,3], what travels with it, the head in the picture's own pixels, its MASK [1,h,w], and the report."""

    picture: torch.Tensor
    id_photo: IDPhoto
    head: Head
    matte: torch.Tensor | None
    report: dict[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Any] = field(default_factory=dict)
    """What was done, in the words of the nodes that do the same: a graph in API format that ends in `MAKE_STEP`."""

    @property
    def effect(self) -> Effect:
        """What making it did to the photo's pixels."""
        return Effect.COMBINES if self.id_photo.edits_made else Effect.CUTS

    @property
    def met(self) -> bool:
        """Whether every rule on where the head is holds."""
        return not self.report["broken"]


def make_id_photo(source: Source, engine: FaceEngine, options: MakeOptions, matte: Matte | None = None) -> Made:
    """Make the photo of a document from a photo of one person.

    `matte`: the person's MASK [h,w] of the whole photo, at any size, or what finds it in a picture [h,w,3]; with it the
    hair is seen and the background can be replaced. Raises AlterationForbidden, MatteMissing, SizeNotDefined,
    PhotoTooTight, FaceNotUsable, and what the face engine, the mesh and `matte` raise.
    """
    document = options.document
    width, height, dpi = picture_size(document, options.size)
    colour, notes = choose_background(document, options.background, matte is not None, options.colour)
    looked = locate_head(source, engine, matte, options.largest)
    head, framing, ideal = _turned_frame(source, looked, options, width / height, plain=colour is not None)
    if head.roll != looked.head.roll:
        left = f"{abs(looked.head.roll - head.roll):.0f} degrees"
        notes.append(f"The head is left tilted by {left}: levelling would cut it off, or fill the frame with it.")
    picture, known = cut_out(source, framing.cut, height, width)
    scale = height / framing.cut.height
    cover = _cut_matte(looked, framing.cut, height, width)
    cover = None if cover is None else cover * known[:, 0]
    edits = list(source.edits)
    if colour is not None and cover is not None:
        seen = max(looked.box[2] - looked.box[0], looked.box[3] - looked.box[1])
        zoom = seen / max(framing.cut.width, framing.cut.height)
        picture, cover = replace_background(picture, cover, known[:, 0], colour, zoom)
        edits.append(f"The background was replaced by plain {colour}.")
    report = make_report(document, framing, ideal, head, (width, height, dpi), notes, edits)
    if colour is not None:
        report["warnings"] += [CUT_OUT.format(why=why) for why in looked.doubts]
    id_photo = IDPhoto(
        document,
        width,
        height,
        dpi,
        width / dpi * MM_PER_INCH,
        height / dpi * MM_PER_INCH,
        tuple(edits),
        tuple(notes),
        max(1.0, scale),
    )
    steps = _steps(engine, options, matte)
    return Made(picture, id_photo, in_picture(head, framing.cut, scale), cover, report, steps)


CUT_OUT = "Look at the outline against the new background. {why}"

MAKE_ID_PHOTO = "LikenessMakeIDPhoto"
"""The node that does the same as this file, as graphs call it."""

READ_STEP, ENGINE_STEP, MATTE_STEP, MAKE_STEP = "1", "2", "3", "4"
"""Ids of the steps; with them a hash of the steps is that of the bundled workflow where that does the same."""


def _steps(engine: FaceEngine, options: MakeOptions, matte: Matte | None) -> dict[str, Any]:
    """The record of what was done."""
    made: dict[str, Any] = {
        "image": [READ_STEP, 0],
        "document": options.document.id,
        "background": options.background.value,
        "size": options.size.value,
        "head_size": options.head_size.value,
        "several_faces": "largest" if options.largest else "refuse",
        "engine": [ENGINE_STEP, 0],
        "background_colour": options.colour,
    }
    name, _, pack = engine.key.partition("/")
    steps = {
        READ_STEP: {"class_type": "LoadImage", "inputs": {"image": ""}},
        ENGINE_STEP: {
            "class_type": "LikenessLoadFaceEngine",
            "inputs": {"engine": name, "pack": pack or "buffalo_l", "device": "auto"},
        },
    }
    if isinstance(matte, PersonFinder):
        found = {"image": [READ_STEP, 0], "model": matte.model, "device": "auto", "check": True}
        steps[MATTE_STEP] = {"class_type": "LikenessMattePerson", "inputs": found}
        made["mask"] = [MATTE_STEP, 0]
    return steps | {MAKE_STEP: {"class_type": MAKE_ID_PHOTO, "inputs": made}}


def _turned_frame(
    source: Source, looked: LocatedHead, options: MakeOptions, aspect: float, *, plain: bool
) -> tuple[Head, Framing, Framing]:
    """The head as it is turned, and `_frame` for it: level, unless that cuts it off and it may stay tilted."""
    level = (looked.head, *_frame(source, looked, options, aspect, plain=plain))
    if not may_tilt(options.document) or looked.head.cut_off or not any(cost(level[1])):
        return level
    found = [level]
    for share in SHARES[1:]:
        head = turned(looked.head, share)
        tilted = dataclasses.replace(looked, head=head)
        found.append((head, *_frame(source, tilted, options, aspect, plain=plain)))
    return min(found, key=lambda each: cost(each[1]))


def _frame(
    source: Source, looked: LocatedHead, options: MakeOptions, aspect: float, *, plain: bool
) -> tuple[Framing, Framing]:
    """The frame that can be had, and the one that would be taken if the photo went on for ever.

    `plain`: a plain background takes the place of what the photo does not show, but not of the person.
    """
    cuts, matte = None, looked.portrait.matte
    if plain and matte is not None:
        left, top, right, bottom = looked.box
        cuts = np.array([left, top]) + border_points(bottom - top, right - left, matte.cpu().numpy())
    bounds = Bounds(source.width, source.height, cuts)
    about = (looked.head, options.document, aspect)
    ideal = choose_frame(*about, aim=options.head_size, width=looked.head_width)
    if ideal is not None and bounds.hold(ideal.cut):
        return ideal, ideal
    found = choose_frame(*about, bounds, options.head_size, looked.head_width)
    if ideal is not None and found is not None:
        return found, dataclasses.replace(ideal, beyond=bounds.beyond(ideal.cut))
    short = short_of(options.document, bounds.beyond(ideal.cut), ideal.cut.height) if ideal is not None else ""
    raise PhotoTooTight(
        f"No frame for the {options.document.title} fits into this photo of {source.width} x {source.height} "
        f"pixels{f', which ends {short} (in the size of the finished photo)' if short else ''}; step back, so that "
        "head and shoulders are in it with room on all sides."
    )


def cut_out(source: Source, cut: Cut, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The frame as IMAGE [1,height,width,3], and [1,1,height,width] that is 1 where it comes from the photo.

    Only the part of the photo round the frame is read, at full size or as means of blocks that are at most half as
    large as the picture's pixels; from it the picture is resampled once.
    """
    block = max(1, int(cut.height / height / GAP))
    half = np.array([cut.width, cut.height]) / 2
    corners = cut.to_photo(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + [cut.x, cut.y])
    spare = SPARE * max(1.0, cut.height / height)
    low = np.floor(np.maximum(corners.min(0) - spare, 0) / block).astype(int) * block
    high = np.ceil(np.minimum(corners.max(0) + spare, [source.width, source.height])).astype(int)
    box: Box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    pivot = np.array(cut.pivot)
    x, y = [cut.x, cut.y] - pivot + rotate((pivot - low)[None], (0.0, 0.0), -cut.angle)[0]
    inside = dataclasses.replace(cut, x=float(x), y=float(y), pivot=(0.0, 0.0))
    picture, known = sample(source.region(box, block), _scaled(inside, 1 / block), height, width)
    return pixels(picture), known


def _cut_matte(looked: LocatedHead, cut: Cut, height: int, width: int) -> torch.Tensor | None:
    """The frame of the person's mask as [1,height,width]; None where there is none."""
    matte = looked.portrait.matte
    if matte is None:
        return None
    left, top = looked.box[:2]
    pivot = (cut.pivot[0] - left, cut.pivot[1] - top)
    part = dataclasses.replace(cut, x=cut.x - left, y=cut.y - top, pivot=pivot)
    return sample(planes(matte[None]), _scaled(part, 1 / looked.block), height, width)[0][:, 0]


def _scaled(cut: Cut, factor: float) -> Cut:
    """The frame in a picture that has `factor` times as many pixels on each side."""
    pivot = (cut.pivot[0] * factor, cut.pivot[1] * factor)
    return Cut(cut.x * factor, cut.y * factor, cut.width * factor, cut.height * factor, pivot, cut.angle)


def in_picture(head: Head, cut: Cut, scale: float) -> Head:
    """The head in the pixels of the picture that was cut out, in which it is level."""
    left, top = cut.x - cut.width / 2, cut.y - cut.height / 2

    def down(y: float) -> float:
        return (y - top) * scale

    return dataclasses.replace(
        head,
        pivot=((head.pivot[0] - left) * scale, down(head.pivot[1])),
        roll=0.0,
        centre=(head.centre - left) * scale,
        eyes=down(head.eyes),
        chin=down(head.chin),
        crown=down(head.crown),
        hair=None if head.hair is None else down(head.hair),
        unit=head.unit * scale,
        chin_sigma=head.chin_sigma * scale,
        crown_sigma=head.crown_sigma * scale,
        hair_sigma=head.hair_sigma * scale,
    )
