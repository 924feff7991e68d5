"""The node that writes professional portrait prompts."""

from __future__ import annotations

from typing import Any

from ..core.prompting import preset_files
from ..core.prompting.brief import PERSON, SUITS_THE_ROLE, UNSPECIFIED, Brief, Dialect, Kind, lines, phrases
from ..core.prompting.description import Description
from ..core.prompting.prompt import counter, write
from .prompting_sockets import CATEGORY, DescriptionType, clip_input
from .schema import io

_DEFAULTS = {
    Kind.ROLE: "professional (any field)",
    Kind.SETTING: "seamless light grey",
    Kind.ATTIRE: SUITS_THE_ROLE,
    Kind.LIGHT: "soft loop",
    Kind.FRAMING: "head and shoulders, 85 mm",
    Kind.EXPRESSION: "slight smile",
}
_FROM_DESCRIPTION = {
    Kind.ATTIRE.value: "attire",
    Kind.EXPRESSION.value: "expression",
    Kind.LIGHT.value: "light",
    Kind.SETTING.value: "background",
    Kind.FRAMING.value: "framing",
    "pose": "pose",
}


def _choice(kind: Kind, tooltip: str, *more: str) -> Any:
    return io.Combo.Input(
        kind.value,
        options=[UNSPECIFIED, *more, *preset_files.names(kind)],
        default=_DEFAULTS[kind],
        tooltip=tooltip,
    )


class ProfessionalPrompt(io.ComfyNode):
    """Write a portrait prompt from choices, in the dialect of the generator."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessProfessionalPrompt",
            display_name="Write Professional Prompt",
            category=CATEGORY,
            description=(
                "Writes a prompt for a professional portrait from role, setting, attire, light, framing and "
                "expression, in the dialect that the generator understands, and shows what its text encoder would "
                "cut off."
            ),
            inputs=[
                io.Combo.Input(
                    "dialect",
                    options=[dialect.value for dialect in Dialect],
                    default=Dialect.TAGS.value,
                    tooltip="How the generator wants to be spoken to. The last two have no negative prompt.",
                ),
                _choice(Kind.ROLE, "What the person does. Nothing is assumed about gender, age or ethnicity."),
                _choice(
                    Kind.SETTING,
                    "What is behind the person. Unspecified: from the description, or as the generator likes; an edit "
                    "keeps the photo's.",
                    SUITS_THE_ROLE,
                ),
                io.String.Input(
                    "colour",
                    default="",
                    tooltip="The colour of the setting 'brand colour', in words or as #rrggbb.",
                ),
                _choice(Kind.ATTIRE, "What the person wears. Unspecified is as for the setting.", SUITS_THE_ROLE),
                _choice(Kind.LIGHT, "The lighting pattern or the light that is there."),
                _choice(Kind.FRAMING, "How much of the person is in the picture, and the lens."),
                _choice(Kind.EXPRESSION, "The expression. An edit without one keeps the photo's."),
                io.String.Input(
                    "subject",
                    default=PERSON,
                    tooltip="Who is in the picture: 'person', a phrase from Make Subject Token, or words of your own.",
                ),
                io.String.Input(
                    "additions",
                    default="",
                    multiline=True,
                    tooltip="More to say, in your own words: tags by commas, or one sentence a line.",
                ),
                io.String.Input(
                    "avoid",
                    default="",
                    multiline=True,
                    tooltip="What must not be in the picture, separated by commas or lines.",
                ),
                io.Int.Input(
                    "variation",
                    default=0,
                    min=0,
                    max=2**32 - 1,
                    tooltip="0 takes the first wording of each choice; any other number a seeded choice of wordings.",
                ),
                io.String.Input(
                    "traits",
                    optional=True,
                    force_input=True,
                    tooltip="What the person looks like and must go on looking like, from Keep These Traits.",
                ),
                io.String.Input(
                    "avoid_traits",
                    optional=True,
                    force_input=True,
                    tooltip="What the person does not have, from Keep These Traits.",
                ),
                DescriptionType.Input(
                    "description",
                    optional=True,
                    tooltip="From Describe Photo. It fills what is unspecified here.",
                ),
                clip_input(),
            ],
            outputs=[
                io.String.Output("positive", display_name="positive", tooltip="The prompt, for a text encoder."),
                io.String.Output(
                    "negative",
                    display_name="negative",
                    tooltip="The negative prompt; empty for dialects whose generators read none.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: what was chosen, what was left out and why, tokens and chunks of both prompts.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **_: Any) -> list[tuple[str, int, int]]:
        """A user's preset file that changed changes the prompt."""
        return preset_files.stamp()

    @classmethod
    def execute(
        cls,
        dialect: str,
        role: str,
        setting: str,
        colour: str,
        attire: str,
        light: str,
        framing: str,
        expression: str,
        subject: str,
        additions: str,
        avoid: str,
        variation: int,
        traits: str | None = None,
        avoid_traits: str | None = None,
        description: Description | None = None,
        clip: Any | None = None,
    ) -> io.NodeOutput:
        """Write."""
        chosen = Dialect(dialect)
        choices = (role, setting, framing, light, expression, attire)
        brief = Brief(
            choices=dict(zip(Kind, choices, strict=True)),
            subject=subject,
            colour=colour,
            traits=phrases(traits or ""),
            additions=phrases(additions) if chosen is Dialect.TAGS else lines(additions),
            avoid=phrases(avoid),
            avoid_traits=phrases(avoid_traits or ""),
            described=_words_of(description),
            variation=variation,
        )
        count, uncounted = counter(chosen, clip)
        prompt = write(brief, chosen, preset_files.load(), count, uncounted)
        return io.NodeOutput(
            prompt.positive, prompt.negative, prompt.report(variation), ui={"text": [prompt.summary()]}
        )


def _words_of(description: Description | None) -> dict[str, str]:
    """What a photo's description says about the kinds that a prompt can fill from it."""
    if description is None:
        return {}
    return {kind: description.fields.get(field, "") for kind, field in _FROM_DESCRIPTION.items()}
