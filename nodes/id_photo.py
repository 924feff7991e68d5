"""The ID photo nodes: make one, check one, check a selfie."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ..core.choices import PERSON_MATTE, Background, HeadSize, Size
from ..core.id_photo.documents import names
from ..core.node_facts import CROPPED, ENGINE, MESH, RESIZED, TURNED, Effect, NodeFacts
from .schema import io, newer, ui
from .sockets import ID_PHOTO, IDPhotoType, portrait_engine_input, portrait_several_input

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine
    from ..core.id_photo.make import Made
    from ..core.id_photo.measures import IDPhoto

DEFAULT_DOCUMENT = "us-passport"


class MakeIDPhoto(io.ComfyNode):
    """A photo cut to the rules of a document."""

    FACTS: ClassVar = NodeFacts(
        Effect.COMBINES,
        effect_when=("background", ("keep",), Effect.CUTS),
        pictures=(0, 2),
        loads=(*ENGINE, *MESH),
        judges="rules",
        actions=(TURNED, CROPPED, RESIZED),
        shows=True,
    )

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessMakeIDPhoto",
            display_name="Make ID Photo",
            category=ID_PHOTO,
            **newer(cls.FACTS, "passport photo", "visa photo", "biometric photo", "crop to face"),
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
                portrait_several_input(),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="The person's mask, from Matte Person. Shows where the hair ends, and a background can be "
                    "replaced only with it.",
                ),
                portrait_engine_input(),
                io.String.Input(
                    "background_colour",
                    default="",
                    optional=True,
                    tooltip="Which of the colours that the document takes a plain background gets, by its name or as "
                    "#rrggbb; empty takes the usual one. No effect where the background is kept.",
                ),
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
        background_colour: str = "",
    ) -> io.NodeOutput:
        from ..core.errors import FaceNotUsable
        from ..core.errors.formats import AlterationForbidden, PhotoTooTight
        from ..core.faces.engines import detection_models, load_engine
        from ..core.host import Progress
        from ..core.id_photo.documents import document as by_id
        from ..core.id_photo.head_in_photo import TensorSource
        from ..core.id_photo.make import MakeOptions, make_id_photo
        from ..core.id_photo.measures import refuse_retouch
        from ..core.id_photo.overlay import draw_overlay
        from ..core.imaging.tensors import check_image, check_mask, joined, match_batch
        from ..core.models import store
        from ..core.provenance.retouched import retouches_of_this_run

        image = check_image(image)
        count = image.shape[0]
        mattes = [None] * count if mask is None else list(match_batch(check_mask(mask), count, "masks"))
        engine = engine or load_engine()
        rules = by_id(document)
        if refused := refuse_retouch(retouches_of_this_run(), rules):
            raise AlterationForbidden(refused)
        behind = Background(background)
        colour = "" if behind is Background.KEEP else background_colour.strip()
        options = MakeOptions(rules, behind, Size(size), HeadSize(head_size), several_faces == "largest", colour)
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
        used = detection_models(engine)
        told = [
            line for each in made for line in [*each.report["broken"], *each.report["to_do"], *each.report["warnings"]]
        ]
        said = ["\n".join(told)] if told else []
        shown = {"models": [*used, *store.used(*MESH)], "id_photo": titled, "text": said}
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


AS_MADE = "as made"
GENERAL = "icao"
"""The document that is meant by `AS_MADE` where no ID photo is connected."""

NO_MATTE = "none"

FINISHED, UNCUT = "finished photo", "still to be cut"


class CheckIDPhoto(io.ComfyNode):
    """A photo judged by the rules of a document."""

    FACTS: ClassVar = NodeFacts(Effect.COMBINES, pictures=(1,), loads=(*ENGINE, *MESH), judges="rules")

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..core.models import store

        return io.Schema(
            node_id="LikenessCheckIDPhoto",
            display_name="Check ID Photo",
            category=ID_PHOTO,
            **newer(cls.FACTS, "passport photo check", "ICAO", "ISO 29794-5", "biometric photo"),
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
                    options=[PERSON_MATTE, *store.names("matte"), NO_MATTE],
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
                portrait_engine_input(),
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
        from ..core.faces.annotate import batch_of
        from ..core.faces.engines import load_engine
        from ..core.host import Progress
        from ..core.id_photo.documents import document as by_id
        from ..core.id_photo.judge import About, check_id_photo
        from ..core.id_photo.measures import History
        from ..core.id_photo.overlay import matte_of, overlay_of, told, used_models
        from ..core.imaging.tensors import check_image, check_mask, match_batch
        from ..core.provenance.retouched import retouches_of_this_run

        image = check_image(image)
        count = image.shape[0]
        given = [None] * count if mask is None else list(match_batch(check_mask(mask), count, "masks"))
        engine = engine or load_engine()
        made_for = id_photo.document if id_photo is not None else by_id(GENERAL)
        rules = made_for if document == AS_MADE else by_id(document)
        retouched = tuple(retouches_of_this_run())
        told_of = History(retouched=retouched) if retouched else None
        about = About(made=id_photo, uncut=stage == UNCUT, parsing=parsing, told=told_of)
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


class CheckSelfie(io.ComfyNode):
    """A photo judged as a reference photo."""

    FACTS: ClassVar = NodeFacts(Effect.COMBINES, pictures=(1,), loads=(*ENGINE, *MESH), judges="rules")

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessCheckSelfie",
            display_name="Check Selfie",
            category=ID_PHOTO,
            **newer(cls.FACTS, "photo quality", "reference photo check", "blur check"),
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
                portrait_engine_input(),
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
        from ..core.faces.annotate import batch_of
        from ..core.faces.engines import load_engine
        from ..core.host import Progress
        from ..core.id_photo.overlay import marked, told, used_models
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
