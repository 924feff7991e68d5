"""Socket types, and the inputs that several nodes share: engine, several faces, strictness, text encoder, LoRA rows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core import host
from ..core.choices import DEFAULT_STRICTNESS, EVEN_STRICTNESS, MIN_FACE, STRICTNESS, FacePolicy
from .schema import io

IDENTITY = "Likeness Studio/identity"
CUSTOM = "custom threshold"

FaceEngineType = io.Custom("LIKENESS_FACE_ENGINE")
IdentityType = io.Custom("LIKENESS_IDENTITY")


def engine_input() -> Any:
    """The optional engine socket."""
    return FaceEngineType.Input(
        "engine",
        optional=True,
        tooltip="The face engine to use. Without one: the engine of the identity, or else the commercial-safe default.",
    )


def several_input(*, person_known: bool = False) -> Any:
    """What to do with a picture of several people; `person_known`: the node compares them with somebody."""
    choices = [FacePolicy.REFUSE, FacePolicy.LARGEST, FacePolicy.CENTRAL]
    likest = " Most like the person looks at every face; a stranger among many passes more easily."
    return io.Combo.Input(
        "several_faces",
        options=[choice.value for choice in (*choices, *([FacePolicy.LIKEST] if person_known else []))],
        default=FacePolicy.REFUSE.value,
        tooltip="What to do with a picture of several people. Small background faces are not counted."
        + (likest if person_known else ""),
    )


def min_face_input() -> Any:
    """The smallest usable face."""
    return io.Int.Input(
        "min_face",
        default=MIN_FACE,
        min=16,
        max=2048,
        tooltip="Smallest usable face, as the shorter side of its box in pixels.",
    )


def strictness_inputs() -> list[Any]:
    """The likeness threshold: measured, or typed."""
    return [
        io.Combo.Input(
            "strictness",
            options=[*STRICTNESS, *EVEN_STRICTNESS, CUSTOM],
            default=DEFAULT_STRICTNESS,
            tooltip="How many strangers may pass. The threshold comes from false match rates measured for the engine; "
            "'even across groups' is stricter: the rate then holds for each group of people that was measured, and of "
            "the right people it refuses more (of official beside press photos 10 and 22 %).",
        ),
        io.Float.Input(
            "custom_threshold",
            default=0.4,
            min=-1.0,
            max=1.0,
            step=0.01,
            tooltip="Lowest cosine that passes. Used only when strictness is 'custom threshold'.",
        ),
    ]


PORTRAIT = "Likeness Studio/portrait"

LARGEST_SIDE = 8192
"""Of a picture that a node is asked to make, in pixels."""


def portrait_several_input() -> io.Input:
    """What to do with several people."""
    return io.Combo.Input(
        "several_faces",
        options=[choice.value for choice in (FacePolicy.REFUSE, FacePolicy.LARGEST)],
        default=FacePolicy.REFUSE.value,
        tooltip="What to do with a picture of several people. Small background faces are not counted.",
    )


def portrait_engine_input(
    tooltip: str = "The face engine that finds the face. Default: yunet-sface.", lazy: bool | None = None
) -> io.Input:
    """The optional engine socket."""
    return FaceEngineType.Input("engine", optional=True, lazy=lazy, tooltip=tooltip)


ID_PHOTO = "Likeness Studio/ID photo"

IDPhotoType = io.Custom("LIKENESS_ID_PHOTO")


COMPARE = "Likeness Studio/compare"

StopwatchType = io.Custom("LIKENESS_STOPWATCH")


PROMPTING = "Likeness Studio/prompting"

DescriptionType = io.Custom("LIKENESS_DESCRIPTION")


def clip_input() -> Any:
    """The optional text encoder that counts tokens."""
    return io.Clip.Input(
        "clip",
        optional=True,
        tooltip="The text encoder that will read the words: its tokenizer counts. Without one, CLIP's vocabulary does.",
    )


LORA = "Likeness Studio/lora"
NONE = "none"
ROWS = 8
LorasType = io.Custom("LIKENESS_LORAS")


@dataclass(frozen=True)
class Row:
    """One LoRA of a stack, by its name in the loras folder, with its two strengths."""

    lora: str
    model: float
    clip: float


@dataclass(frozen=True)
class Stack:
    """The active rows of one run of a node, which `token` names, and those of the nodes `before`."""

    rows: tuple[Row, ...] = ()
    before: Stack | None = None
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    def all_rows(self) -> tuple[Row, ...]:
        """The rows of the nodes before, then its own."""
        return (*(self.before.all_rows() if self.before else ()), *self.rows)

    def chain(self) -> list[Stack]:
        """The stacks of the nodes before, then this one."""
        return [*(self.before.chain() if self.before else []), self]


def row_inputs(two_strengths: bool) -> list[Any]:
    """Widgets of all rows. Only the first row must be given in a graph."""
    names = [NONE, *host.model_files("loras")]
    inputs = []
    for number in range(1, ROWS + 1):
        later = number > 1
        inputs.append(
            io.Boolean.Input(
                f"on_{number}", default=True, optional=later, tooltip="Off: the row costs nothing and changes nothing."
            )
        )
        inputs.append(
            io.Combo.Input(
                f"lora_{number}",
                options=names,
                default=NONE,
                optional=later,
                tooltip="A file of the loras folder. Pickles are refused: safetensors only.",
            )
        )
        strengths = ("strength_model", "strength_clip") if two_strengths else ("strength",)
        inputs += [_strength(f"{kind}_{number}", kind, later) for kind in strengths]
    return inputs


_TOOLTIPS = {
    "strength_model": "How strongly the diffusion model is changed. 0 changes nothing, negative values turn it round.",
    "strength_clip": "How strongly the text encoder is changed. 0 changes nothing.",
    "strength": "The weight of this LoRA in the sum. Negative values take it away.",
}


def _strength(name: str, kind: str, later: bool) -> Any:
    return io.Float.Input(name, default=1.0, min=-20.0, max=20.0, step=0.01, optional=later, tooltip=_TOOLTIPS[kind])


def rows_of(widgets: Mapping[str, Any]) -> tuple[Row, ...]:
    """The rows that do something: on, with a LoRA, and with a strength other than 0.

    A widget that is missing or None has its default; in `fingerprint_inputs` the value of a linked one is None.
    """

    def given(name: str, default: Any) -> Any:
        value = widgets.get(name)
        return default if value is None else value

    found = []
    for number in range(1, ROWS + 1):
        lora = given(f"lora_{number}", NONE)
        one = given(f"strength_{number}", 1.0)
        model = float(given(f"strength_model_{number}", one))
        clip = float(given(f"strength_clip_{number}", one))
        if given(f"on_{number}", True) and lora != NONE and (model != 0 or clip != 0):
            found.append(Row(lora, model, clip))
    return tuple(found)


def first_given(values: Sequence[Any] | None) -> Any | None:
    """The first of the values that a node which takes lists was given for an input; None where it was given none."""
    return values[0] if values else None
