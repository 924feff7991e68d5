"""Swap Face: another person's face by a network that the user brings; off unless it is turned on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..core.portrait.swap import LICENCE, NONE, swap_models
from .portrait_sockets import CATEGORY, engine_input, several_faces
from .schema import io

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine


class SwapFace(io.ComfyNode):
    """The source's face on the picture, when the user has the model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessSwapFace",
            display_name="Swap Face",
            category=CATEGORY,
            description="Puts the source's face on the picture with insightface's inswapper_128.onnx, which you bring "
            "yourself. LICENCE: its weights, and insightface's packs, are for NON-COMMERCIAL research only. Off by "
            "default: the picture then passes through untouched. Swap only with the consent of both people.",
            inputs=[
                io.Image.Input("image", tooltip="The pictures whose face is replaced."),
                io.Image.Input(
                    "source",
                    lazy=True,
                    tooltip="The person whose face is put there: one photo for all pictures, or one for each.",
                ),
                io.Combo.Input(
                    "model",
                    options=swap_models(),
                    default=NONE,
                    tooltip="An ONNX file in the insightface folder of the model folders. Non-commercial research "
                    "only; never downloaded.",
                ),
                io.Boolean.Input(
                    "enabled", default=False, tooltip="Off: the picture passes through and nothing is loaded."
                ),
                several_faces(),
                engine_input(
                    "Load Face Engine set to insightface. Without one: insightface's pack buffalo_l, which the model "
                    "was made for.",
                    lazy=True,
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The pictures, swapped where enabled."),
                io.String.Output(
                    "report", display_name="report", tooltip="JSON: model, licence, and what was done to each picture."
                ),
            ],
        )

    @classmethod
    def check_lazy_status(cls, enabled: bool, **inputs: Any) -> list[str]:
        """While it is off, neither the source nor an engine has to be made."""
        return [name for name in ("source", "engine") if name in inputs] if enabled else []

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        model: str,
        enabled: bool,
        several_faces: str,
        source: torch.Tensor | None = None,
        engine: FaceEngine | None = None,
    ) -> io.NodeOutput:
        """Swap picture by picture, or pass them on. A picture without a usable face is passed on: its run was long."""
        if not enabled or source is None:
            report = {"enabled": False, "note": "Swap Face is off: the pictures are passed on as they are."}
            return io.NodeOutput(image, json.dumps(report, indent=2), ui={"models": []})
        from ..core.errors import FaceNotUsable
        from ..core.faces.engines import load_engine
        from ..core.faces.subject import one_face
        from ..core.host import Progress
        from ..core.imaging.tensors import check_image, joined, match_batch
        from ..core.portrait.swap import check_engine, load_swapper, swap_face, swap_model_file

        path = swap_model_file(model)
        engine = engine or load_engine("insightface")
        warnings = check_engine(engine)
        swapper = load_swapper(path)
        image = check_image(image)
        sources = match_batch(check_image(source, "source"), image.shape[0], "sources")
        largest = several_faces == "largest"
        progress = Progress(image.shape[0])
        swapped, reports = [], []
        for index, (picture, person) in enumerate(zip(image.split(1), sources.split(1), strict=True)):
            face = engine.embed(person[0], one_face(engine.detect(person[0]), largest, index))
            try:
                target = one_face(engine.detect(picture[0]), largest, index)
            except FaceNotUsable as error:
                result, report = picture, {"swapped": False, "reason": str(error).partition(";")[0]}
            else:
                result, report = swap_face(picture, target, face, swapper)
            swapped.append(result)
            reports.append({"picture": index, **report})
            progress.step()
        unchanged = [f"{report['reason']}: passed on as it is." for report in reports if "reason" in report]
        used = {"name": swapper.name, "licence": LICENCE, "commercial": "no", "use": "face swapping"}
        report = {"enabled": True, "model": used, "engine": engine.key, "warnings": warnings, "pictures": reports}
        shown = {"models": [*engine.models, used]} | ({"text": ["\n".join(unchanged)]} if unchanged else {})
        return io.NodeOutput(joined(swapped), json.dumps(report, indent=2), ui=shown)
