"""The portrait nodes that put the person before a background: backdrop, compose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from ..core.choices import BACKDROP_STYLES, PAPER_COLOURS
from ..core.node_facts import Effect, NodeFacts
from .schema import io, newer
from .sockets import LARGEST_SIDE, PORTRAIT

if TYPE_CHECKING:
    import torch


def _strength(name: str, default: float, tooltip: str) -> io.Input:
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.05, tooltip=tooltip)


class StudioBackdrop(io.ComfyNode):
    """A procedural backdrop."""

    FACTS: ClassVar = NodeFacts(Effect.DRAWS, seeds_face=False)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessStudioBackdrop",
            display_name="Studio Backdrop",
            category=PORTRAIT,
            **newer(cls.FACTS, "studio background", "paper background", "gradient background", "blurred office"),
            description="Draws a studio background of any size: paper, gradient, blurred office or library. "
            "The same seed gives the same picture; no bands in 8 bits.",
            inputs=[
                io.Combo.Input(
                    "style",
                    options=list(BACKDROP_STYLES),
                    default=BACKDROP_STYLES[0],
                    tooltip="What stands behind the person.",
                ),
                io.String.Input(
                    "colour",
                    default="studio grey",
                    tooltip=f"#rrggbb or a name: {', '.join(PAPER_COLOURS)}. In rooms it tints the walls.",
                ),
                io.Int.Input(
                    "width", default=800, min=16, max=LARGEST_SIDE, tooltip="Width in pixels, without size_like."
                ),
                io.Int.Input(
                    "height", default=1000, min=16, max=LARGEST_SIDE, tooltip="Height in pixels, without size_like."
                ),
                _strength("light", 0.5, "How much brighter it is behind the head than further out."),
                _strength("vignette", 0.3, "How much the corners darken."),
                io.Int.Input(
                    "seed", default=0, min=0, max=2**32 - 1, tooltip="Another number gives another room or grain."
                ),
                io.Image.Input(
                    "size_like", optional=True, tooltip="Take the size from this picture, and one backdrop for each."
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The backdrop.")],
        )

    @classmethod
    def execute(
        cls,
        style: str,
        colour: str,
        width: int,
        height: int,
        light: float,
        vignette: float,
        seed: int,
        size_like: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        """Draw it once and give it to every picture of the batch."""
        from ..core.imaging.tensors import check_image
        from ..core.portrait.backdrop import Light, backdrop

        count = 1
        if size_like is not None:
            count, height, width = check_image(size_like, "size_like").shape[:3]
        drawn = backdrop(style, colour, height, width, Light(light, vignette), seed)
        return io.NodeOutput(drawn.repeat(count, 1, 1, 1))


class ComposePortrait(io.ComfyNode):
    """The person in front of the backdrop."""

    FACTS: ClassVar = NodeFacts(Effect.COMBINES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessComposePortrait",
            display_name="Compose Portrait",
            category=PORTRAIT,
            **newer(cls.FACTS, "composite", "replace background", "put on background", "background swap"),
            description="Puts the person in front of a background, with a little of its light round the edge and a "
            "gentle match of exposure and colour that keeps the skin's hue within the stated limit.",
            inputs=[
                io.Image.Input("foreground", tooltip="The person's own colours, from Refine Matte or Frame Headshot."),
                io.Mask.Input("mask", tooltip="The person's mask, of the same size."),
                io.Image.Input("background", tooltip="The backdrop, of the same size."),
                _strength("light_wrap", 0.25, "How much of the backdrop's light reaches over the person's edge."),
                _strength(
                    "contact_shadow", 0.0, "A soft shadow on a wall close behind. 0 for a backdrop far away, as usual."
                ),
                _strength("match_light", 0.3, "How far the person's exposure follows the backdrop; 1 is 0.35 stops."),
                _strength("match_colour", 0.25, "How far the person's white balance follows the backdrop."),
                io.Float.Input(
                    "hue_limit",
                    default=2.0,
                    min=0.0,
                    max=10.0,
                    step=0.5,
                    tooltip="Largest change of the skin's mean hue, in degrees of CIELAB hue. The match is made "
                    "weaker until it holds; the report says what was measured.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The composed pictures."),
                io.String.Output(display_name="report", tooltip="Exposure, gains and measured hue change, as JSON."),
            ],
        )

    @classmethod
    def execute(
        cls,
        foreground: torch.Tensor,
        mask: torch.Tensor,
        background: torch.Tensor,
        light_wrap: float,
        contact_shadow: float,
        match_light: float,
        match_colour: float,
        hue_limit: float,
    ) -> io.NodeOutput:
        """Compose every picture with its mask and background."""
        from ..core.imaging.tensors import check_image, check_mask, check_same_size, match_batch
        from ..core.portrait.compose import ComposeOptions, compose

        foreground = check_image(foreground, "foreground")
        count = foreground.shape[0]
        cover = match_batch(check_mask(mask), count, "masks").to(foreground.device)
        back = match_batch(check_image(background, "background"), count, "backgrounds").to(foreground.device)
        check_same_size(cover, foreground, "mask")
        check_same_size(back, foreground, "background")
        options = ComposeOptions(light_wrap, contact_shadow, match_light, match_colour, hue_limit)
        composed, reports = compose(foreground, cover, back, options)
        report = [{"picture": index, **entry} for index, entry in enumerate(reports)]
        return io.NodeOutput(composed, json.dumps(report, indent=2))
