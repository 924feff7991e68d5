"""The node Keep These Traits."""

from __future__ import annotations

import json
from typing import Any

from ..core.prompting.description import Description
from ..core.prompting.traits import NOT_SAID, Kind, keep_traits, kinds
from .prompting_sockets import CATEGORY, DescriptionType
from .schema import io


def _widget(kind: Kind) -> Any:
    return io.Combo.Input(
        kind.name,
        options=[NOT_SAID, *kind.choices],
        default=NOT_SAID,
        tooltip=f"{kind.tooltip} What is not said is not put into the prompt.",
    )


class KeepTraits(io.ComfyNode):
    """Say what belongs to the person, so that a generator keeps it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessKeepTraits",
            display_name="Keep These Traits",
            category=CATEGORY,
            description=(
                "Puts what belongs to a person (glasses, beard, hair, head covering, age group and so on) into words "
                "that a generator keeps. Nothing is guessed: what is not said, and not described, is left out."
            ),
            inputs=[
                *[_widget(kind) for kind in kinds().values()],
                io.String.Input(
                    "more",
                    default="",
                    multiline=True,
                    tooltip="More to keep, in your own words, parted by commas or lines: mole on the left cheek.",
                ),
                DescriptionType.Input(
                    "description",
                    optional=True,
                    tooltip="From Describe Photo. Fills only what is not said here; where both speak, you count.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "traits",
                    display_name="traits",
                    tooltip="Phrases to keep, parted by commas, for Write Professional Prompt.",
                ),
                io.String.Output(
                    "avoid",
                    display_name="avoid",
                    tooltip="What must not appear, for a negative prompt.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: each trait, its value and who said it; what was not said, and what was overruled.",
                ),
            ],
        )

    @classmethod
    def execute(cls, more: str = "", description: Description | None = None, **said: str) -> io.NodeOutput:
        """Collect the phrases."""
        kept = keep_traits(said, more, description)
        lines = [f"Keep: {kept.traits or 'nothing was said'}", *([f"Avoid: {kept.avoid}"] if kept.avoid else [])]
        return io.NodeOutput(
            kept.traits,
            kept.avoid,
            json.dumps(kept.report, indent=2, ensure_ascii=False),
            ui={"text": ["\n".join(lines + kept.report["notes"])]},
        )
