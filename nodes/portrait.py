"""The portrait nodes that cut the person out and frame the head: matte, refine, frame."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from ..core.choices import CROPS, PERSON_MATTE
from ..core.node_facts import CROPPED, ENGINE, RESIZED, TURNED, Effect, NodeFacts
from .schema import io, newer
from .sockets import LARGEST_SIDE, PORTRAIT, portrait_engine_input, portrait_several_input

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine

DEVICES = ("auto", "cpu", "gpu")

GIVEN = "another node's mask"


class MattePerson(io.ComfyNode):
    """A mask of the person, from a network or from another node."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..core.models import store

        return io.Schema(
            node_id="LikenessMattePerson",
            display_name="Matte Person",
            category=PORTRAIT,
            **newer(cls.FACTS, "remove background", "cut out", "segment person", "person mask", "rembg"),
            description="Cuts the person out: a mask that is 1 on the person and 0 on the background, and how sure "
            "it is. Connect a mask from another node to use that one instead of a model.",
            inputs=[
                io.Image.Input("image", tooltip="Photos of a person."),
                io.Combo.Input(
                    "model",
                    options=[PERSON_MATTE, *store.names("matte")],
                    default=PERSON_MATTE,
                    tooltip="u2net + modnet: two networks and the face that says who is meant; it tells doubt. "
                    "Single networks: u2net loses dark suits and keeps flags, modnet has the finest hair and loses "
                    "faces, u2netp is small and quick. "
                    "Own ONNX files in the model folder's matte folder are listed too.",
                ),
                io.Combo.Input(
                    "device", options=list(DEVICES), default="auto", tooltip="auto takes a GPU where there is one."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="A mask from another node, 1 = person, such as core's background removal. "
                    "With it no model makes the mask.",
                ),
                io.Boolean.Input(
                    "check",
                    default=True,
                    optional=True,
                    tooltip="The two networks of the default also look at a mask from another node or a single "
                    "network, which says no doubt of its own, and tell what they see otherwise. Off saves their time.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="1 = person, 0 = background, coarse at the edges."),
                io.String.Output(
                    display_name="report",
                    tooltip="For each picture as JSON: how much of the cut-out is in doubt, 0 to 1, whether a person "
                    "should look at it, and why.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, image: torch.Tensor, model: str, device: str, mask: torch.Tensor | None = None, check: bool = True
    ) -> io.NodeOutput:
        """Run the network on every picture, or take the given mask; look at what says no doubt of its own."""
        from ..core.choices import models_behind
        from ..core.host import Progress
        from ..core.imaging.tensors import check_image, joined
        from ..core.models import store
        from ..core.portrait.person_matte import PersonFinder

        image = check_image(image)
        given = None if mask is None else cls.given(mask, image)
        finder = PersonFinder(model, device)
        progress = Progress(image.shape[0])
        found = []
        for index, picture in enumerate(image):
            one = None if given is None else given[index]
            found.append(finder.find(picture, one, check=check))
            progress.step()
        source = GIVEN if given is not None else model
        reports = [{"picture": index, "model": source, **each.as_dict()} for index, each in enumerate(found)]
        told = [f"Picture {index}: {reason}" for index, each in enumerate(found) for reason in each.reasons]
        return io.NodeOutput(
            joined([each.mask[None] for each in found]),
            json.dumps(reports, indent=2),
            ui={
                "models": store.used(*(() if given is not None else models_behind(model))),
                "matte": reports,
                "text": ["\n".join(told)] if told else [],
                "look": [reason for each in found if each.look for reason in each.reasons],
            },
        )

    @classmethod
    def given(cls, mask: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """A mask from another node at the size of `image`, one for each picture."""
        from ..core.imaging.tensors import check_mask, match_batch, planes, resize

        matched = match_batch(check_mask(mask), image.shape[0], "masks")
        return resize(planes(matched), image.shape[1], image.shape[2])[:, 0]


class RefineMatte(io.ComfyNode):
    """Hair-sharp mask and fringe-free colours."""

    FACTS: ClassVar = NodeFacts(Effect.ADJUSTS)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRefineMatte",
            display_name="Refine Matte",
            category=PORTRAIT,
            **newer(cls.FACTS, "alpha matting", "hair mask", "defringe", "refine mask"),
            description="Makes a coarse mask sharp at every hair, and finds the person's own colours at the edge, "
            "so that no fringe of the old background is left.",
            inputs=[
                io.Image.Input("image", tooltip="The photos."),
                io.Mask.Input("mask", tooltip="A coarse mask of any size, 1 = person."),
                io.Int.Input(
                    "hair_width",
                    default=9,
                    min=2,
                    max=24,
                    tooltip="How far from the outline single hairs are looked for, as 320ths of the longer side. "
                    "More for wild hair, less where the background has the person's colours.",
                ),
                io.Boolean.Input(
                    "clean_colours",
                    default=True,
                    tooltip="Take the old background's colour out of half-covered pixels.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="foreground", tooltip="The person's own colours, to compose with the mask."
                ),
                io.Mask.Output(display_name="mask", tooltip="The sharp mask, of the photo's size."),
            ],
        )

    @classmethod
    def execute(cls, image: torch.Tensor, mask: torch.Tensor, hair_width: int, clean_colours: bool) -> io.NodeOutput:
        """Refine picture by picture, so that memory does not grow with the batch."""
        from ..core.host import Progress
        from ..core.imaging.tensors import check_image, check_mask, joined, match_batch
        from ..core.portrait.compose import foreground_colours
        from ..core.portrait.matte import Band, refine_alpha

        image = check_image(image)
        mask = match_batch(check_mask(mask), image.shape[0], "masks")
        progress = Progress(image.shape[0])
        colours, covers = [], []
        for picture, coarse in zip(image.split(1), mask.split(1), strict=True):
            alpha = refine_alpha(picture, coarse, Band(reach=hair_width))
            covers.append(alpha)
            colours.append(foreground_colours(picture, alpha) if clean_colours else picture)
            progress.step()
        return io.NodeOutput(joined(colours), joined(covers))


class FrameHeadshot(io.ComfyNode):
    """Level, cropped to head and shoulders."""

    FACTS: ClassVar = NodeFacts(Effect.CUTS, loads=ENGINE, actions=(TURNED, CROPPED, RESIZED), shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFrameHeadshot",
            display_name="Frame Headshot",
            category=PORTRAIT,
            **newer(cls.FACTS, "crop to face", "headshot crop", "align face", "straighten"),
            description="Levels the eyes and crops to the proportions of a professional headshot. It never invents "
            "pixels without saying so and never cuts a body off in mid-air.",
            inputs=[
                io.Image.Input("image", tooltip="Photos with one face, or the foreground of Refine Matte."),
                io.Combo.Input(
                    "crop",
                    options=list(CROPS),
                    default=CROPS[0],
                    tooltip="How much of the person is in the frame.",
                ),
                io.Int.Input(
                    "width",
                    default=800,
                    min=0,
                    max=LARGEST_SIDE,
                    tooltip="Width of the result in pixels. 0 follows the height and the crop's proportions.",
                ),
                io.Int.Input(
                    "height",
                    default=0,
                    min=0,
                    max=LARGEST_SIDE,
                    tooltip="Height of the result in pixels. 0 follows the width and the crop's proportions.",
                ),
                io.Boolean.Input("straighten", default=True, tooltip="Turn the picture until the eyes are level."),
                io.Combo.Input(
                    "outside",
                    options=["stay inside", "extend the edge"],
                    default="stay inside",
                    tooltip="Without a mask: make the frame smaller where the photo ends, or repeat its edge pixels "
                    "and report how many. With a mask it has no effect: the area outside the photo is background.",
                ),
                portrait_several_input(),
                io.Mask.Input("mask", optional=True, tooltip="The person's mask, cut in the same way."),
                portrait_engine_input(),
                io.Image.Input(
                    "photo",
                    optional=True,
                    tooltip="The photo that image was cut out of: the face is looked for there. What Refine Matte "
                    "makes up behind the person can look like a second face.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The framed pictures."),
                io.Mask.Output(
                    display_name="mask", tooltip="The framed mask; without one, 1 where the pixels come from the photo."
                ),
                io.String.Output(display_name="report", tooltip="What was done to each picture, as JSON."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        crop: str,
        width: int,
        height: int,
        straighten: bool,
        outside: str,
        several_faces: str,
        mask: torch.Tensor | None = None,
        engine: FaceEngine | None = None,
        photo: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        from ..core.choices import FacePolicy
        from ..core.faces.choose import choose_face, detect_faces, steady_landmarks
        from ..core.faces.engines import detection_models, load_engine
        from ..core.host import Progress
        from ..core.imaging.tensors import check_image, check_mask, check_same_size, joined, match_batch
        from ..core.portrait.framing import FrameOptions, Outside, frame_headshot, look_at

        image = check_image(image)
        if mask is not None:
            mask = match_batch(check_mask(mask), image.shape[0], "masks")
            check_same_size(mask, image, "mask")
        seen = image
        if photo is not None:
            seen = match_batch(check_image(photo, "photo"), image.shape[0], "photos")
            check_same_size(seen, image, "photo")
        engine = engine or load_engine()
        options = FrameOptions(crop, width, height, straighten, Outside(outside))
        policy = FacePolicy(several_faces)
        progress = Progress(image.shape[0])
        framed, not_counted = [], []
        for index in range(image.shape[0]):
            choice = choose_face(detect_faces(engine, seen[index]), image.shape[1:3], policy)
            face = choice.require(picture=index)
            cover = mask[index : index + 1] if mask is not None else None
            landmarks = steady_landmarks(engine, seen[index : index + 1], face)
            result = frame_headshot(image[index : index + 1], cover, landmarks, options)
            result.report["notes"] = choice.notes + result.report["notes"]
            framed.append(result)
            not_counted += choice.not_counted
            progress.step()
        reports = [{"picture": index, **result.report} for index, result in enumerate(framed)]
        look = [text for result in framed for text in look_at(result.report)]
        return io.NodeOutput(
            joined([result.image for result in framed]),
            joined([result.mask for result in framed]),
            json.dumps(reports, indent=2),
            ui={
                "models": detection_models(engine),
                "text": ["\n".join(not_counted)] if not_counted else [],
                "look": look,
            },
        )
