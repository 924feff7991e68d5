"""A plain background behind the person, where the document allows it; the person's own pixels stay as they are."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import torch

from ..errors import MatteMissing
from ..errors.errors import AlterationForbidden
from ..imaging.colour import parse_colour
from ..portrait.foreground import foreground_colours
from ..portrait.refine import Band, refine_alpha
from .document import Document, Edits

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN_COLOUR = "#F2F2F2"
"""The colour where a document allows a plain background and names none: a light grey, on which white hair shows."""

WIDEST_BAND = 24
"""Pixels of the coarse grid within which single hairs are looked for, at most: the limit of Refine Matte."""


class Background(StrEnum):
    """What becomes of the photo's background."""

    KEEP = "keep"
    ALLOWED = "as the document allows"
    PLAIN = "plain"


BACKGROUNDS: Sequence[str] = tuple(Background)


def choose_background(document: Document, background: Background, has_matte: bool) -> tuple[str | None, list[str]]:
    """The colour that replaces the background, or None where it stays as photographed, and notes that say why.

    Raises AlterationForbidden where "plain" is asked for and the document allows no edits, and MatteMissing where it
    is allowed and nothing says where the person is.
    """
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
        return (document.background_colours or (PLAIN_COLOUR,))[0], []
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
