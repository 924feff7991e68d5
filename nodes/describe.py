"""The node Describe Photo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..core import host
from ..core.node_facts import Effect, NodeFacts
from ..core.prompting.captioner import folders, load_captioner, stamp
from .schema import io, newer
from .sockets import PROMPTING, DescriptionType, FaceEngineType

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine

MEASURED_ONLY = "measured only"


class DescribePhoto(io.ComfyNode):
    """Say what a photo of a person shows: measured, and read from a caption if a captioning model is chosen."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessDescribePhoto",
            display_name="Describe Photo",
            category=PROMPTING,
            **newer(cls.FACTS, "caption", "image to text", "face attributes", "describe image"),
            description=(
                "Describes a portrait: pose, framing, light, background and sharpness are measured without a model; "
                "clothes, glasses, hair and expression are read from the caption of a local captioning model. "
                "Gender, age and ethnicity are never said."
            ),
            inputs=[
                io.Image.Input("image", tooltip="A photo of one person. Of a batch, the first picture is described."),
                io.Combo.Input(
                    "model",
                    options=[MEASURED_ONLY, *folders()],
                    default=MEASURED_ONLY,
                    tooltip="A captioning model (BLIP, Florence-2, a chat model) from the folder captioning, or none.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="The person's mask, from Refine Matte. With it the whole background is measured.",
                ),
                FaceEngineType.Input(
                    "engine",
                    optional=True,
                    tooltip="The face engine that finds the face. Without one: yunet-sface.",
                ),
            ],
            outputs=[
                DescriptionType.Output(
                    "description",
                    display_name="description",
                    tooltip="For Write Professional Prompt and Keep These Traits.",
                ),
                io.String.Output(
                    "text",
                    display_name="text",
                    tooltip="Everything that is known, in one or two plain sentences.",
                ),
                io.String.Output(
                    "fields",
                    display_name="fields",
                    tooltip="JSON: each field's value, its source (measured or caption), and the numbers behind it.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str | None = None, **_: Any) -> tuple[str, int] | None:
        """Describe again when a file of the captioning model changed. A linked name is not known yet: None."""
        return None if model in (None, MEASURED_ONLY) else stamp(model)

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        model: str = MEASURED_ONLY,
        mask: torch.Tensor | None = None,
        engine: FaceEngine | None = None,
    ) -> io.NodeOutput:
        """Measure, caption if asked to, and put it together."""
        from ..core.faces.engines import load_engine
        from ..core.imaging.files import to_pil
        from ..core.imaging.tensors import check_image, check_mask, check_same_size
        from ..core.prompting.measure_photo import measure
        from ..core.prompting.read_caption import describe

        photo = check_image(image)[:1].nan_to_num().clamp(0, 1)
        matte = None
        if mask is not None:
            matte = check_mask(mask)[:1]
            check_same_size(matte, photo, "mask")
        captioner = None if model == MEASURED_ONLY else load_captioner(model)
        progress = host.Progress(1 + (captioner.steps if captioner else 0))
        chosen = engine or load_engine()
        measured = measure(photo, matte, chosen)
        progress.step()
        sentences = captioner.sentences(to_pil(photo[0]), progress.step) if captioner else None
        found = describe(measured, sentences, model if captioner else "")
        said = "\n".join([found.text, *measured.notes])
        shown: dict[str, Any] = {"text": [said], "models": _models(chosen, model if captioner else "")}
        return io.NodeOutput(found, found.text, found.to_json(), ui=shown)


def _models(engine: FaceEngine, captioner: str) -> list[dict[str, str]]:
    used = [entry for entry in engine.models if "detection" in entry.get("use", "")]
    if captioner:
        used.append(
            {"name": captioner, "licence": "as its publisher says", "commercial": "unknown", "use": "captioning"}
        )
    return used
