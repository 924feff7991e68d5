"""Make ID Photo: the node."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.id_photo.background import Background
from ..core.id_photo.documents import names
from ..core.id_photo.framing import HeadSize
from ..core.id_photo.sizes import Size
from .id_photo_sockets import CATEGORY, IDPhotoType
from .portrait_sockets import engine_input, several_faces
from .schema import io

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine
    from ..core.id_photo.make import Made
    from ..core.id_photo.photo import IDPhoto

DEFAULT_DOCUMENT = "us-passport"


class MakeIDPhoto(io.ComfyNode):
    """A photo cut to the rules of a document."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessMakeIDPhoto",
            display_name="Make ID Photo",
            category=CATEGORY,
            description="Levels the eyes and cuts the photo so that head and eyes are where the document wants them, "
            "in its exact size. Nothing is generated or retouched, and where altered photos are refused the "
            "background stays as it is.",
            inputs=[
                io.Image.Input("image", tooltip="Photos of one person, straight from the camera."),
                io.Combo.Input(
                    "document",
                    options=list(names()),
                    default=DEFAULT_DOCUMENT,
                    tooltip="The document whose rules are followed; `likeness documents` shows them.",
                ),
                io.Combo.Input(
                    "background",
                    options=[choice.value for choice in Background],
                    default=Background.ALLOWED.value,
                    tooltip="keep: as photographed. as the document allows: plain where a rule for the background "
                    "and edits allow it. plain: always, and refused where the document forbids edits.",
                ),
                io.Combo.Input(
                    "size",
                    options=[choice.value for choice in Size],
                    default=Size.AUTO.value,
                    tooltip="For paper or for an upload, where a document has both. auto takes the print.",
                ),
                io.Combo.Input(
                    "head_size",
                    options=[choice.value for choice in HeadSize],
                    default=HeadSize.SAFEST.value,
                    tooltip="How large the head is within the rule. safest: most surely inside all limits, counting "
                    "how exactly the head's top is known.",
                ),
                several_faces(),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="The person's mask, from Matte Person. Shows where the hair ends, and a background can be "
                    "replaced only with it.",
                ),
                engine_input(),
            ],
            outputs=[
                io.Image.Output(display_name="photo", tooltip="The ID photo in its exact number of pixels."),
                IDPhotoType.Output(
                    display_name="id_photo", tooltip="Document, size on paper and what was done, for saving and print."
                ),
                io.Image.Output(
                    display_name="overlay", tooltip="The photo with its measured lines and what is allowed."
                ),
                io.String.Output(display_name="report", tooltip="Measured values, limits and advice, as JSON."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        document: str,
        background: str,
        size: str,
        head_size: str,
        several_faces: str,
        mask: torch.Tensor | None = None,
        engine: FaceEngine | None = None,
    ) -> io.NodeOutput:
        """Make one after the other."""
        from ..core.errors import FaceNotUsable
        from ..core.errors.errors import PhotoTooTight
        from ..core.faces.engines import load_engine
        from ..core.host import Progress
        from ..core.id_photo.documents import document as by_id
        from ..core.id_photo.make import MakeOptions, make_id_photo
        from ..core.id_photo.overlay import draw_overlay
        from ..core.id_photo.source import TensorSource
        from ..core.imaging.tensors import check_image, check_mask, joined, match_batch
        from ..core.models import store

        image = check_image(image)
        count = image.shape[0]
        mattes = [None] * count if mask is None else list(match_batch(check_mask(mask), count, "masks"))
        engine = engine or load_engine()
        rules = by_id(document)
        options = MakeOptions(
            rules, Background(background), Size(size), HeadSize(head_size), several_faces == "largest"
        )
        progress = Progress(count)
        made: list[Made] = []
        for index, (picture, matte) in enumerate(zip(image, mattes, strict=True)):
            try:
                made.append(make_id_photo(TensorSource(picture), engine, options, matte))
            except (FaceNotUsable, PhotoTooTight) as error:
                raise type(error)(str(error) if count == 1 else f"Picture {index}: {error}") from error
            progress.step()
        reports = [{"picture": index, **each.report} for index, each in enumerate(made)]
        titled = [report | {"document_title": rules.title} for report in reports]
        used = [model for model in engine.models if model["use"] == "face detection"]
        told = [
            line for each in made for line in [*each.report["broken"], *each.report["to_do"], *each.report["warnings"]]
        ]
        shown = {"models": [*used, *store.used("face_mesh", "iris")], "id_photo": titled}
        shown |= {"text": ["\n".join(told)]} if told else {}
        return io.NodeOutput(
            joined([each.picture for each in made]),
            _common(made),
            joined([draw_overlay(each.picture[0], each.head, rules)[None] for each in made]),
            json.dumps(reports, indent=2, ensure_ascii=False),
            ui=shown,
        )


def _common(made: list[Made]) -> IDPhoto:
    """What travels beside all pictures of a batch: their size is one, what was done is said of any of them."""
    first = made[0].id_photo
    edits = tuple(dict.fromkeys(edit for each in made for edit in each.id_photo.edits_made))
    notes = tuple(dict.fromkeys(note for each in made for note in each.id_photo.notes))
    enlarged = max(each.id_photo.enlarged for each in made)
    return replace(first, edits_made=edits, notes=notes, enlarged=enlarged)
