"""The studio: cut the person out, light a backdrop, compose, and frame a headshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .backdrop import Light
    from .compose import ComposeOptions, foreground_colours
    from .framing import LEAST_BODY, FrameOptions, Outside, frame_headshot
    from .match_light import hue_change, mean_hue, skin_mask
    from .matte import CENTRED, IMAGENET, Band, normalisation_for, refine_alpha, tidy
    from .measure_head import LARGEST_TURN
    from .person_matte import PersonFinder, PersonMatte
    from .protect import EYE_TO_HAIRLINE, SOLID, ProtectOptions, cells_of, face_oval, kept_region, protect_masks
    from .restore import restore_aligned, restore_in_place, seam_step

__getattr__ = lazy(
    __name__,
    {
        ".backdrop": "Light",
        ".compose": "ComposeOptions foreground_colours",
        ".framing": "frame_headshot FrameOptions LEAST_BODY Outside",
        ".measure_head": "LARGEST_TURN",
        ".match_light": "hue_change mean_hue skin_mask",
        ".matte": "Band CENTRED IMAGENET normalisation_for refine_alpha tidy",
        ".person_matte": "PersonFinder PersonMatte",
        ".protect": "cells_of EYE_TO_HAIRLINE face_oval kept_region protect_masks ProtectOptions SOLID",
        ".restore": "restore_aligned restore_in_place seam_step",
    },
)
