"""Pictures: tensors, colour, filters, warps, files, text and charts. Every other room stands on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .chart import apart, chart_of, ticks
    from .colour import from_lab, matched_to, parse_colour, to_display, to_lab, to_linear
    from .encode import LOWEST_QUALITY, Form, encode_picture, srgb_profile
    from .files import SUFFIXES, check_whole, expand_prefix, from_pil, load_photo, to_pil
    from .filters import (
        EXACT,
        box,
        distance_to,
        fill_unknown,
        find_regions,
        grow,
        guided_filter,
        shrink,
        soft_blur,
        touches_border,
    )
    from .plot import COLOURS, HEIGHT, LEGEND_ROW, WIDTH
    from .tensors import check_image, check_mask, match_batch, pixels, planes, resize
    from .warp import Cut, block_mean, double, inverse, rotate, sample, similarity

__getattr__ = lazy(
    __name__,
    {
        ".chart": "apart chart_of ticks",
        ".colour": "from_lab matched_to parse_colour to_display to_lab to_linear",
        ".encode": "encode_picture Form LOWEST_QUALITY srgb_profile",
        ".files": "check_whole expand_prefix from_pil load_photo SUFFIXES to_pil",
        ".filters": (
            "box distance_to EXACT fill_unknown find_regions grow guided_filter shrink soft_blur touches_border"
        ),
        ".plot": "COLOURS HEIGHT LEGEND_ROW WIDTH",
        ".tensors": "check_image check_mask match_batch pixels planes resize",
        ".warp": "block_mean Cut double inverse rotate sample similarity",
    },
)
