"""Check ID Photo: the node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..core.id_photo.documents import names
from .id_photo_sockets import CATEGORY, IDPhotoType
from .portrait_sockets import engine_input
from .schema import io, ui

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine
    from ..core.id_photo.photo import IDPhoto

AS_MADE = "as made"
GENERAL = "icao"
"""The document that is meant by `AS_MADE` where no ID photo is connected."""

NO_MATTE = "none"

FINISHED, UNCUT = "finished photo", "still to be cut"


class CheckIDPhoto(io.ComfyNode):
    """A photo judged by the rules of a document."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        from ..core.models import store

        return io.Schema(
            node_id="LikenessCheckIDPhoto",
            display_name="Check ID Photo",
            category=CATEGORY,
            description="Measures a photo and judges it by the rules of a document: head and eyes, pose, expression, "
            "light, sharpness, background. Each rule passes, fails, or is left to a person where nobody can be sure.",
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="Photos to judge, such as those of Make ID Photo."),
                io.Combo.Input(
                    "document",
                    options=[AS_MADE, *names()],
                    default=AS_MADE,
                    tooltip="The document whose rules count. as made: that of the connected ID photo, else the "
                    "general rules of ICAO.",
                ),
                io.Combo.Input(
                    "stage",
                    options=[FINISHED, UNCUT],
                    default=FINISHED,
                    tooltip="still to be cut: size and position are not judged, because cutting decides them.",
                ),
                io.Combo.Input(
                    "matte_model",
                    options=[*store.names("matte"), NO_MATTE],
                    default="u2net",
                    tooltip="The network that tells person and background apart where no mask is connected. none: the "
                    "background is not judged.",
                ),
                io.Boolean.Input(
                    "parsing",
                    default=False,
                    tooltip="Use the optional face parser for glasses and hats; `likeness models get face_parsing` "
                    "fetches it. Its weights are from research data.",
                ),
                IDPhotoType.Input(
                    "id_photo", optional=True, tooltip="From Make ID Photo: tells the document and what was changed."
                ),
                io.Mask.Input("mask", optional=True, tooltip="The person's mask in the photo, 1 = person."),
                engine_input(),
            ],
            outputs=[
                io.Boolean.Output(
                    display_name="passed",
                    tooltip="True when every rule that can be measured is met for certain, in all photos.",
                ),
                io.Image.Output(
                    display_name="overlay", tooltip="The photos with the measured lines and the allowed bands."
                ),
                io.String.Output(display_name="report", tooltip="What is wrong and what to do, for people."),
                io.String.Output(display_name="json", tooltip="Every check with value, limit and outcome, as JSON."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        document: str,
        stage: str,
        matte_model: str,
        parsing: bool,
        id_photo: IDPhoto | None = None,
        mask: torch.Tensor | None = None,
        engine: FaceEngine | None = None,
    ) -> io.NodeOutput:
        """Judge one after the other."""
        from ..core.faces.annotate import batch_of
        from ..core.faces.engines import load_engine
        from ..core.host import Progress
        from ..core.id_photo.checking import matte_of, overlay_of, told, used_models
        from ..core.id_photo.documents import document as by_id
        from ..core.id_photo.judge import About, check_id_photo
        from ..core.imaging.tensors import check_image, check_mask, match_batch

        image = check_image(image)
        count = image.shape[0]
        given = [None] * count if mask is None else list(match_batch(check_mask(mask), count, "masks"))
        engine = engine or load_engine()
        made_for = id_photo.document if id_photo is not None else by_id(GENERAL)
        rules = made_for if document == AS_MADE else by_id(document)
        about = About(made=id_photo, uncut=stage == UNCUT, parsing=parsing)
        model = None if mask is not None or matte_model == NO_MATTE else matte_model
        progress = Progress(count)
        found, overlays = [], []
        for picture, matte in zip(image, given, strict=True):
            person = matte_of(picture, matte, model)
            found.append(check_id_photo(picture, engine, rules, person, about))
            overlays.append(overlay_of(picture, found[-1]))
            progress.step()
        if rules.id != made_for.id and id_photo is not None:
            note = f"The photo was made for {made_for.title} and judged by the rules of {rules.title}."
            for each in found:
                each.notes.append(note)
        reports = [{"index": index, **each.as_dict()} for index, each in enumerate(found)]
        sheet = batch_of(overlays)
        text = told(found)
        return io.NodeOutput(
            all(each.passed for each in found),
            sheet,
            text,
            json.dumps(reports, indent=2, ensure_ascii=False),
            ui={
                "images": ui.PreviewImage(sheet, cls=cls).as_dict()["images"],
                "models": used_models(engine, model, parsing=parsing),
                "compliance": reports,
                "text": [text],
            },
        )
