"""The node that makes a subject token and says how a text encoder reads it."""

from __future__ import annotations

import json
from typing import Any

from ..core.prompting.clip_vocabulary import vocabulary_or_reason
from ..core.prompting.length import by_encoder
from ..core.prompting.subject_token import Scheme, judge, make_token, phrase
from .prompting_sockets import CATEGORY, clip_input
from .schema import io


class SubjectToken(io.ComfyNode):
    """Make a rare token from a name."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessSubjectToken",
            display_name="Make Subject Token",
            category=CATEGORY,
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
        """Make."""
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
