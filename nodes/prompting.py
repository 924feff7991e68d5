"""The prompting nodes: write a professional prompt, keep traits, make a subject token."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from ..core.node_facts import Effect, NodeFacts
from ..core.prompting import preset_files
from ..core.prompting.brief import (
    PERSON,
    SUITS_THE_ROLE,
    UNSPECIFIED,
    Brief,
    Description,
    Dialect,
    Kind,
    lines,
    phrases,
)
from ..core.prompting.subject_token import Scheme, judge, make_token, phrase
from ..core.prompting.token_count import by_encoder, vocabulary_or_reason
from ..core.prompting.traits import NOT_SAID, TraitKind, keep_traits, kinds
from .schema import io, newer
from .sockets import PROMPTING, DescriptionType, clip_input

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

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessProfessionalPrompt",
            display_name="Write Professional Prompt",
            category=PROMPTING,
            **newer(cls.FACTS, "prompt builder", "headshot prompt", "LinkedIn"),
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
        from ..core.prompting.write_prompt import counter, write

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


def _widget(kind: TraitKind) -> Any:
    return io.Combo.Input(
        kind.name,
        options=[NOT_SAID, *kind.choices],
        default=NOT_SAID,
        tooltip=f"{kind.tooltip} What is not said is not put into the prompt.",
    )


class KeepTraits(io.ComfyNode):
    """Say what belongs to the person, so that a generator keeps it."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessKeepTraits",
            display_name="Keep These Traits",
            category=PROMPTING,
            **newer(cls.FACTS, "prompt from face", "facial attributes", "keep glasses"),
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
        kept = keep_traits(said, more, description)
        lines = [f"Keep: {kept.traits or 'nothing was said'}", *([f"Avoid: {kept.avoid}"] if kept.avoid else [])]
        return io.NodeOutput(
            kept.traits,
            kept.avoid,
            json.dumps(kept.report, indent=2, ensure_ascii=False),
            ui={"text": ["\n".join(lines + kept.report["notes"])]},
        )


class SubjectToken(io.ComfyNode):
    """Make a rare token from a name."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSubjectToken",
            display_name="Make Subject Token",
            category=PROMPTING,
            **newer(cls.FACTS, "trigger word", "instance token", "dreambooth token"),
            description=(
                "Makes the rare token that stands for a person in LoRA and DreamBooth training, and says into how many "
                "pieces CLIP splits it and how common they are."
            ),
            inputs=[
                io.String.Input("name", default="", tooltip="The person's name or other text for the person."),
                io.Combo.Input(
                    "scheme",
                    options=[scheme.value for scheme in Scheme],
                    default=Scheme.RARE_ENTRY.value,
                    tooltip="How the token is made from the name.",
                ),
                io.Int.Input(
                    "shift",
                    default=3,
                    min=-25,
                    max=25,
                    tooltip="By how many letters the Caesar cipher moves. Other schemes ignore it.",
                ),
                io.String.Input(
                    "class_noun",
                    default="person",
                    tooltip="What the token is one of: the class noun of the training captions.",
                ),
                io.String.Input("context", default="", tooltip="Words after the class noun, such as 'in a garden'."),
                clip_input(),
            ],
            outputs=[
                io.String.Output("token", display_name="token", tooltip="The token alone."),
                io.String.Output(
                    "phrase",
                    display_name="phrase",
                    tooltip="'a [token] [class noun] [context]', for captions and prompts.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: the pieces of the token, how common each is, and whether the token is good.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, name: str, scheme: str, shift: int, class_noun: str, context: str, clip: Any | None = None
    ) -> io.NodeOutput:
        token = make_token(name, Scheme(scheme), shift)
        report: dict[str, Any] = {"token": token, "scheme": scheme}
        vocabulary, reason = vocabulary_or_reason()
        if vocabulary is not None:
            report |= judge(token, name, vocabulary).as_dict() | {"judged_by": vocabulary.source}
        else:
            report["judgement"] = f"The token could not be judged: {reason}"
        words = [report["judgement"]]
        if clip is not None:
            length = by_encoder(token, clip)
            report["connected_encoder"] = {"pieces": length.tokens, "counted_by": length.counted_by}
            words.append(f"{length.counted_by[0].upper()}{length.counted_by[1:]} makes {length.tokens} of it.")
        said = phrase(token, class_noun, context)
        return io.NodeOutput(
            token, said, json.dumps(report, indent=2, ensure_ascii=False), ui={"text": ["\n".join([said, *words])]}
        )
