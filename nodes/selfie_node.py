"""Check Selfie: the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .id_photo_sockets import CATEGORY
from .portrait_sockets import engine_input
from .schema import io, ui

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine


class CheckSelfie(io.ComfyNode):
    """A photo judged as a reference photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessCheckSelfie",
            display_name="Check Selfie",
            category=CATEGORY,
            description="Says before anything is generated or trained whether a photo is of use as a reference photo, "
            "and what to change: too small, blurred, dark, turned away, eyes closed, sunglasses, mask, several faces.",
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="Photos of one person, as they come from the camera."),
                io.Boolean.Input(
                    "parsing",
                    default=False,
                    tooltip="Use the optional face parser for glasses and hats; `likeness models get face_parsing` "
                    "fetches it. Its weights are from research data.",
                ),
                engine_input(),
            ],
            outputs=[
                io.Boolean.Output(
                    display_name="usable", tooltip="True when nothing speaks against any of the photos for certain."
                ),
                io.Image.Output(display_name="overlay", tooltip="The photos with the face and the verdict."),
                io.String.Output(display_name="report", tooltip="The verdict and what to change, for people."),
            ],
        )

    @classmethod
    def execute(cls, image: torch.Tensor, parsing: bool, engine: FaceEngine | None = None) -> io.NodeOutput:
        """Judge one after the other."""
        from ..core.faces.annotate import batch_of
        from ..core.faces.engines import load_engine
        from ..core.host import Progress
        from ..core.id_photo.checking import marked, told, used_models
        from ..core.imaging.tensors import check_image
        from ..core.quality.usable_photo import usable

        image = check_image(image)
        engine = engine or load_engine()
        progress = Progress(image.shape[0])
        found, overlays = [], []
        for picture in image:
            found.append(usable(picture, engine, parsing=parsing))
            overlays.append(marked(picture, found[-1]))
            progress.step()
        reports = [{"index": index, **each.as_dict()} for index, each in enumerate(found)]
        text = told(found)
        sheet = batch_of(overlays)
        return io.NodeOutput(
            all(each.usable for each in found),
            sheet,
            text,
            ui={
                "images": ui.PreviewImage(sheet, cls=cls).as_dict()["images"],
                "models": used_models(engine, None, parsing=parsing),
                "compliance": reports,
                "text": [text],
            },
        )
