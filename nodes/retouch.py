"""The node Retouch Photo: faults of light and lens, taken away where they are measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.node_facts import COLOURED, EDITED, ENGINE, MESH, Effect, NodeFacts
from .schema import io, newer
from .sockets import PORTRAIT, portrait_engine_input, portrait_several_input

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine

SWITCHES = ("exposure", "white_balance", "red_eye", "shine", "lens_distortion")


class RetouchPhoto(io.ComfyNode):
    """Light, colour, red eyes, shine and a close lens, where there is a fault."""

    FACTS: ClassVar = NodeFacts(
        Effect.ADJUSTS,
        loads=(*ENGINE, *MESH),
        actions=(COLOURED, EDITED),
        pictures=(0,),
        retouches=SWITCHES,
        shows=True,
    )

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRetouchPhoto",
            display_name="Retouch Photo",
            category=PORTRAIT,
            **newer(cls.FACTS, "skin retouch", "photo correction", "white balance", "red eye", "beauty"),
            description="Takes faults of light and lens away where they are measured, and nothing where they are not. "
            "Everything is off by default. The face is compared with itself before; a retouch that makes it less alike "
            "is refused. Not for ID photos. No network makes pixels.",
            inputs=[
                io.Image.Input("image", tooltip="Photos of one person."),
                _strength("exposure", "Bring a face that is too dark or too bright to good light, by up to 2 stops."),
                _strength("white_balance", "Take a cast away that the whites of the eyes show; skin has no say."),
                io.Boolean.Input("red_eye", default=False, tooltip="Take the red of a flash out of the pupils."),
                _strength("shine", "Compress shine on the skin. Its texture stays: nothing is smoothed."),
                _strength(
                    "lens_distortion",
                    "Draw the face of a close selfie as from 1.5 m. Needs the camera's distance or the focal length.",
                ),
                io.Float.Input(
                    "camera_distance",
                    default=0.0,
                    min=0.0,
                    max=500.0,
                    step=1.0,
                    tooltip="For lens distortion: from the camera to the eyes, in cm; about 30 to 50 for a selfie. "
                    "0 is not known.",
                ),
                io.Float.Input(
                    "focal_length",
                    default=0.0,
                    min=0.0,
                    max=500.0,
                    step=0.5,
                    tooltip="For lens distortion, where the distance is not known and the photo was not cropped: the "
                    "focal length in mm, equivalent to 36 x 24 mm, as EXIF has it. 0 is not known.",
                ),
                portrait_several_input(),
                portrait_engine_input(),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The photos, retouched where there was a fault."),
                io.String.Output(
                    display_name="report",
                    tooltip="For each photo as JSON: what was measured before and after each retouch, how many pixels "
                    "changed and by how much at most, and the likeness of the face after beside before.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        exposure: float,
        white_balance: float,
        red_eye: bool,
        shine: float,
        lens_distortion: float,
        camera_distance: float,
        focal_length: float,
        several_faces: str,
        engine: FaceEngine | None = None,
    ) -> io.NodeOutput:
        """Retouch picture by picture; with all off the photos are passed on as they are, and nothing is loaded."""
        from ..core.choices import FacePolicy
        from ..core.errors import FaceNotUsable
        from ..core.faces.engines import load_engine
        from ..core.host import Progress
        from ..core.imaging.tensors import check_image, joined
        from ..core.models import store
        from ..core.portrait.retouch import Retouches, retouch

        wanted = Retouches(exposure, white_balance, red_eye, shine, lens_distortion, camera_distance, focal_length)
        if not wanted.any:
            return io.NodeOutput(image, "[]", ui={"text": ["Nothing is on: the photos are passed on as they are."]})
        image = check_image(image)
        engine = engine or load_engine()
        progress = Progress(image.shape[0])
        found = []
        for index, picture in enumerate(image):
            try:
                found.append(retouch(picture, engine, wanted, FacePolicy(several_faces), least_likeness(engine)))
            except FaceNotUsable as error:
                raise FaceNotUsable(str(error) if len(image) == 1 else f"Picture {index}: {error}") from error
            progress.step()
        reports = [{"picture": index, **each.report} for index, each in enumerate(found)]
        told = [line for index, each in enumerate(found) for line in _lines(index, each.said, len(found))]
        look = [line for index, each in enumerate(found) for line in _lines(index, list(each.look), len(found))]
        return io.NodeOutput(
            joined([each.photo[None] for each in found]),
            json.dumps(reports, indent=2),
            ui={"models": [*engine.models, *store.used(*MESH)], "retouch": reports, "text": ["\n".join(told)]}
            | {"look": look},
        )


def least_likeness(engine: FaceEngine) -> float:
    """The cosine below which a retouch is refused: never below the engine's own strictest threshold."""
    from ..core.choices import STRICTNESS
    from ..core.errors import LikenessError
    from ..core.identity.calibration import calibration_of
    from ..core.portrait.retouch import LEAST_LIKENESS

    try:
        calibration = calibration_of(engine.key)
        return max(LEAST_LIKENESS, calibration.threshold(min(STRICTNESS.values())))
    except LikenessError:
        return LEAST_LIKENESS


def _lines(index: int, lines: list[str], count: int) -> list[str]:
    return lines if count == 1 else [f"Picture {index}: {line}" for line in lines]


def _strength(name: str, what: str) -> Any:
    return io.Float.Input(name, default=0.0, min=0.0, max=1.0, step=0.05, tooltip=f"{what} 0 is off, 1 the whole way.")
