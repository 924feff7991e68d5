"""The nodes that keep or exchange a face: protect it, bring it back, swap it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.choices import CELL, Placement, Protect
from ..core.node_facts import ENGINE, Effect, NodeFacts
from .schema import io, newer
from .sockets import PORTRAIT, portrait_engine_input, portrait_several_input

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ..core.choices import FacePolicy
    from ..core.faces.engines import FaceEngine


class ProtectFace(io.ComfyNode):
    """Masks that keep the face while the rest is generated."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES, loads=ENGINE, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessProtectFace",
            display_name="Protect Face",
            category=PORTRAIT,
            **newer(cls.FACTS, "face mask", "inpaint mask", "keep face"),
            description="Makes the masks for inpainting round a face: what may change, soft and aligned to latent "
            "cells, and what stays, for Restore Face. Background and attire change, the face does not.",
            inputs=[
                io.Image.Input("image", tooltip="Photos with one face."),
                io.Combo.Input(
                    "protect",
                    options=[choice.value for choice in Protect],
                    default=Protect.FACE.value,
                    tooltip="What must not change. Hair and person need the mask of Matte Person.",
                ),
                io.Float.Input(
                    "grow",
                    default=0.0,
                    min=-0.5,
                    max=2.0,
                    step=0.01,
                    tooltip="How far the protected area is grown, in eye distances (pupil to pupil, seen from the "
                    "front). Negative values shrink it.",
                ),
                io.Float.Input(
                    "feather",
                    default=0.3,
                    min=0.0,
                    max=4.0,
                    step=0.01,
                    tooltip="How softly the area that may change begins, in eye distances, outside of what is "
                    "protected.",
                ),
                io.Int.Input(
                    "latent_cell",
                    default=CELL,
                    min=1,
                    max=64,
                    tooltip="Side in pixels of one latent value: 8 for SD 1.5, SDXL, SD 3 and Flux. No cell that "
                    "touches the protected area may change. 1 leaves the cells out of account.",
                ),
                portrait_several_input(),
                io.Mask.Input("mask", optional=True, tooltip="The person's matte, 1 = person, of the image's size."),
                portrait_engine_input(),
            ],
            outputs=[
                io.Mask.Output(
                    "change",
                    display_name="change",
                    tooltip="1 = may change: for Set Latent Noise Mask, VAE Encode (for Inpainting) and the like.",
                ),
                io.Mask.Output("keep", display_name="keep", tooltip="Exactly 0 or 1; 1 = protected: for Restore Face."),
                io.String.Output(
                    "report", display_name="report", tooltip="JSON: the face's box, sizes in pixels, areas in percent."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        protect: str,
        grow: float,
        feather: float,
        latent_cell: int,
        several_faces: str,
        mask: torch.Tensor | None = None,
        engine: FaceEngine | None = None,
    ) -> io.NodeOutput:
        import torch

        from ..core.choices import FacePolicy
        from ..core.faces.choose import choose_face, steady_landmarks
        from ..core.faces.engines import detection_models, load_engine
        from ..core.host import Progress
        from ..core.imaging.tensors import check_image, check_mask, check_same_size, match_batch
        from ..core.portrait.protect import ProtectOptions, protect_masks

        image = check_image(image)
        if mask is not None:
            mask = match_batch(check_mask(mask), image.shape[0], "masks")
            check_same_size(mask, image, "mask")
        engine = engine or load_engine()
        options = ProtectOptions(Protect(protect), grow, feather, latent_cell)
        progress = Progress(image.shape[0])
        changes, keeps, reports = [], [], []
        height, width = image.shape[1:3]
        for index, picture in enumerate(image.split(1)):
            choice = choose_face(engine.detect(picture[0]), (height, width), FacePolicy(several_faces))
            face = choice.require(picture=index)
            landmarks = steady_landmarks(engine, picture, face)
            matte = None if mask is None else mask[index]
            change, keep, report = protect_masks(landmarks, height, width, options, matte)
            changes.append(change)
            keeps.append(keep)
            report["notes"] = choice.notes + report["notes"]
            reports.append({"picture": index, "box": [round(value, 1) for value in face.box], **report})
            progress.step()
        text = json.dumps(reports, indent=2)
        return io.NodeOutput(torch.stack(changes), torch.stack(keeps), text, ui={"models": detection_models(engine)})


class RestoreFace(io.ComfyNode):
    """The original face, back in the generated picture."""

    FACTS: ClassVar = NodeFacts(Effect.COMBINES, loads=ENGINE, pastes_face=True, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRestoreFace",
            display_name="Restore Face",
            category=PORTRAIT,
            **newer(cls.FACTS, "paste face", "face restore", "original face"),
            description="Brings the original face back into a generated picture: in the same place pixel for pixel, "
            "with the surroundings matched to it, or moved onto the new face. The seam is measured and reported.",
            inputs=[
                io.Image.Input(
                    "generated", tooltip="The generated picture. Bypassed, the node passes it on unchanged."
                ),
                io.Image.Input("original", tooltip="The photo whose face is kept."),
                io.Combo.Input(
                    "placement",
                    options=[choice.value for choice in Placement],
                    default=Placement.SAME.value,
                    tooltip="Same place: both pictures have one size and the face has not moved. Align: the face is "
                    "turned, scaled and moved onto the generated one.",
                ),
                io.Float.Input(
                    "match_colour",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Same place: how far the generated surroundings near the seam follow the original. "
                    "Align: how far the original face follows the generated skin. 0 leaves colours alone.",
                ),
                io.Int.Input(
                    "feather",
                    default=8,
                    min=0,
                    max=512,
                    tooltip="Width of the blend in pixels. Same place: outside the protected area. Align: inside the "
                    "face's edge.",
                ),
                portrait_several_input(),
                io.Mask.Input(
                    "keep",
                    optional=True,
                    tooltip="What of the original is kept, from Protect Face. Without it: the face, found here.",
                ),
                portrait_engine_input(),
            ],
            outputs=[
                io.Image.Output(
                    "image", display_name="image", tooltip="The generated pictures with the original face."
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: whether the face was restored, the seam as CIELAB differences, how it was moved.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        original: torch.Tensor,
        generated: torch.Tensor,
        placement: str,
        match_colour: float,
        feather: int,
        several_faces: str,
        keep: torch.Tensor | None = None,
        engine: FaceEngine | None = None,
    ) -> io.NodeOutput:
        """Restore picture by picture. A generated picture without a usable face passes through: its run was long."""
        from ..core.choices import FacePolicy
        from ..core.errors import FaceNotUsable
        from ..core.host import Progress
        from ..core.imaging.tensors import check_image, check_mask, check_same_size, joined, match_batch
        from ..core.portrait.restore import check_in_place, left_alone, restore_aligned, restore_in_place

        generated = check_image(generated, "generated picture")
        count = generated.shape[0]
        original = match_batch(check_image(original, "original"), count, "originals").to(generated.device)
        aligned = Placement(placement) is Placement.ALIGN
        if not aligned:
            check_in_place(original, generated)
        if keep is not None:
            keep = match_batch(check_mask(keep, "keep mask"), count, "keep masks").to(generated.device)
            check_same_size(keep, original, "keep mask")
        finder = _Finder(engine, FacePolicy(several_faces))
        progress = Progress(count)
        restored, notes = [], []
        for index in range(count):
            own, new = original[index : index + 1], generated[index : index + 1]
            region = finder.region(own, index) if keep is None else keep[index : index + 1]
            if aligned:
                face = finder.landmarks(own, index)
                try:
                    landmarks = face, finder.landmarks(new, index)
                except FaceNotUsable as error:
                    restored.append(left_alone(new, str(error).partition(";")[0]))
                else:
                    restored.append(restore_aligned(own, new, region, landmarks, match_colour, feather))
            else:
                restored.append(restore_in_place(own, new, region, match_colour, feather))
            notes.append(finder.take_notes())
            progress.step()
        reports = [
            {"picture": index, **each.report} | ({"notes": said} if said else {})
            for index, (each, said) in enumerate(zip(restored, notes, strict=True))
        ]
        unchanged = [f"{report['reason']}: passed on as it is." for report in reports if "reason" in report]
        return io.NodeOutput(
            joined([each.image for each in restored]),
            json.dumps(reports, indent=2),
            ui={"models": finder.models, "text": ["\n".join(unchanged)] if unchanged else []},
        )


class _Finder:
    """Finds the faces of one execution. `models` are those that it used: none where nothing was looked for."""

    def __init__(self, engine: FaceEngine | None, policy: FacePolicy) -> None:
        self.engine, self.policy = engine, policy
        self.models: list[dict[str, str]] = []
        self._notes: list[str] = []

    def landmarks(self, picture: torch.Tensor, index: int) -> np.ndarray:
        """The landmarks [5,2] of the one face of IMAGE [1,H,W,3]."""
        from ..core.faces.choose import choose_face, steady_landmarks
        from ..core.faces.engines import detection_models, load_engine

        self.engine = self.engine or load_engine()
        self.models = detection_models(self.engine)
        choice = choose_face(self.engine.detect(picture[0]), picture.shape[1:3], self.policy)
        face = choice.require(picture=index)
        self._notes += choice.notes
        return steady_landmarks(self.engine, picture, face)

    def take_notes(self) -> list[str]:
        """What has to be said of the faces that were not meant, each once, since the last call."""
        notes, self._notes = list(dict.fromkeys(self._notes)), []
        return notes

    def region(self, picture: torch.Tensor, index: int) -> torch.Tensor:
        """The face as MASK [1,H,W], as Protect Face finds it without a matte."""
        from ..core.portrait.protect import face_oval

        oval = face_oval(self.landmarks(picture, index))
        return oval.inside(*picture.shape[1:3])[None].to(picture.device, picture.dtype)


class SwapFace(io.ComfyNode):
    """The source's face on the picture, when the user has the model."""

    FACTS: ClassVar = NodeFacts(
        Effect.GENERATES,
        effect_when=("enabled", (False, None), Effect.PASSES),
        swaps_by="insightface/buffalo_l",
        shows=True,
    )

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..core.models.store import NO_MODEL, swap_models

        return io.Schema(
            node_id="LikenessSwapFace",
            display_name="Swap Face",
            category=PORTRAIT,
            **newer(cls.FACTS, "face swap", "faceswap", "reactor", "inswapper"),
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
                    default=NO_MODEL,
                    tooltip="An ONNX file in the insightface folder of the model folders. Non-commercial research "
                    "only; never downloaded.",
                ),
                io.Boolean.Input(
                    "enabled", default=False, tooltip="Off: the picture passes through and nothing is loaded."
                ),
                portrait_several_input(),
                portrait_engine_input(
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
        from ..core.models.manifest import NON_COMMERCIAL

        if not enabled or source is None:
            report = {"enabled": False, "note": "Swap Face is off: the pictures are passed on as they are."}
            return io.NodeOutput(image, json.dumps(report, indent=2), ui={"models": []})
        from ..core.choices import FacePolicy
        from ..core.errors import FaceNotUsable
        from ..core.faces.choose import choose_face
        from ..core.faces.engines import load_engine
        from ..core.host import Progress
        from ..core.imaging.tensors import check_image, joined, match_batch
        from ..core.models.store import swap_model_file
        from ..core.portrait.swap import check_engine, load_swapper, swap_face

        path = swap_model_file(model)
        engine = engine or load_engine("insightface")
        warnings = check_engine(engine)
        swapper = load_swapper(path)
        image = check_image(image)
        sources = match_batch(check_image(source, "source"), image.shape[0], "sources")
        policy = FacePolicy(several_faces)
        progress = Progress(image.shape[0])
        swapped, reports = [], []
        for index, (picture, person) in enumerate(zip(image.split(1), sources.split(1), strict=True)):
            giver = choose_face(engine.detect(person[0]), person.shape[1:3], policy)
            face = engine.embed(person[0], giver.require(picture=index))
            target = choose_face(engine.detect(picture[0]), picture.shape[1:3], policy)
            try:
                taker = target.require(picture=index)
            except FaceNotUsable as error:
                result, report = picture, {"swapped": False, "reason": str(error).partition(";")[0]}
            else:
                result, report = swap_face(picture, taker, face, swapper)
                report["notes"] = [*giver.notes, *target.notes, *report["notes"]]
            swapped.append(result)
            reports.append({"picture": index, **report})
            progress.step()
        unchanged = [f"{report['reason']}: passed on as it is." for report in reports if "reason" in report]
        used = {"name": swapper.name, "licence": NON_COMMERCIAL, "commercial": "no", "use": "face swapping"}
        report = {"enabled": True, "model": used, "engine": engine.key, "warnings": warnings, "pictures": reports}
        shown = {"models": [*engine.models, used], "text": ["\n".join(unchanged)] if unchanged else []}
        return io.NodeOutput(joined(swapped), json.dumps(report, indent=2), ui=shown)
