"""The identity nodes: load an engine, load photos, enroll a person, save and load an identity."""

from __future__ import annotations

import filecmp
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..core import host
from ..core.choices import DEFAULT_ENGINE, ENGINES, POOR_PHOTOS, FacePolicy
from ..core.errors import EnrollmentRefused, IdentityAmbiguous, PhotoMissing
from ..core.node_facts import ENGINE, Effect, NodeFacts
from .schema import io, newer, ui
from .sockets import IDENTITY, FaceEngineType, IdentityType, engine_input, first_given, min_face_input, several_input

if TYPE_CHECKING:
    import torch

    from ..core.faces.engines import FaceEngine
    from ..core.identity.enrollment import Identity, Reference


class LoadPhotos(io.ComfyNode):
    """Read all photos of a folder."""

    FACTS: ClassVar = NodeFacts(Effect.READS, reads=("folder", "folder"), shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadPhotos",
            display_name="Load Photos",
            category=IDENTITY,
            **newer(cls.FACTS, "load images", "image folder", "load directory", "batch load"),
            description="Reads all photos of a folder inside the input folder, upright and in order of their names. "
            "One that is damaged is left out and named, as long as another can be read.",
            inputs=[
                io.String.Input(
                    "folder",
                    default="",
                    tooltip="A folder inside the input folder. Empty: the input folder itself.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "photos",
                    display_name="photos",
                    tooltip="The photos, each in its own size.",
                    is_output_list=True,
                ),
                io.String.Output(
                    "names",
                    display_name="names",
                    tooltip="Their file names, in the same order.",
                    is_output_list=True,
                ),
            ],
        )

    @classmethod
    def execute(cls, folder: str) -> io.NodeOutput:
        from ..core.errors import PhotoError
        from ..core.imaging.files import load_photo

        files = _photo_files(folder)
        progress = host.Progress(len(files))
        photos, damaged = {}, {}
        for file in files:
            try:
                photos[file.name] = load_photo(file, first=True)[0]
            except PhotoError as error:
                damaged[file.name] = error
            progress.step()
        if not photos:
            raise next(iter(damaged.values()))
        left_out = [{"name": name, "reason": str(error)} for name, error in damaged.items()]
        told = [f"Left out: {each['reason']}" for each in left_out]
        return io.NodeOutput(list(photos.values()), list(photos), ui={"left_out": left_out, "text": told})

    @classmethod
    def fingerprint_inputs(cls, folder: str) -> list[tuple[str, int, int]]:
        """Read again when a file was added, removed or changed."""
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in _photo_files(folder)]


def _photo_files(folder: str) -> list[Path]:
    from ..core.imaging.files import SUFFIXES

    path = host.inside(host.input_dir(), folder)
    files = sorted(file for file in path.glob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
    if not files:
        raise PhotoMissing(
            f"The folder {folder!r} holds no photos; put some into {host.shown(path)} or name another folder."
        )
    return files


class SaveIdentity(io.ComfyNode):
    """Write an identity into the output folder."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveIdentity",
            display_name="Save Identity",
            category=IDENTITY,
            **newer(cls.FACTS, "save face embedding", "save face model"),
            description=(
                "Writes an identity as safetensors into the output folder. A face embedding is biometric data: it is "
                "written only here, only where you say, readable by you alone."
            ),
            is_output_node=True,
            inputs=[
                IdentityType.Input("identity", tooltip="The person to save."),
                io.String.Input(
                    "filename",
                    default="identities/person",
                    tooltip="Name inside the output folder; .safetensors is added. Another person's file of that name "
                    "is never written over: name_2 is taken then.",
                ),
            ],
            outputs=[io.String.Output("path", display_name="path", tooltip="The file that was written.")],
        )

    @classmethod
    def execute(cls, identity: Identity, filename: str) -> io.NodeOutput:
        from ..core.identity.enrollment import save_identity

        path = save_identity(identity, host.file_inside(host.output_dir(), filename))
        return io.NodeOutput(str(path), ui={"text": [str(path)], "saved": [str(path)]})


class LoadIdentity(io.ComfyNode):
    """Read a saved identity."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES, reads=("filename", "identity"))

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadIdentity",
            display_name="Load Identity",
            category=IDENTITY,
            **newer(cls.FACTS, "load face embedding", "load face model"),
            description=(
                "Reads an identity that Save Identity wrote, from the output or the input folder. Where both have one "
                "of that name and they differ, the name must say which: `name [output]` or `name [input]`."
            ),
            inputs=[
                io.String.Input(
                    "filename",
                    default="identities/person.safetensors",
                    tooltip="Name inside the output or the input folder; [output] or [input] behind it: only there.",
                ),
            ],
            outputs=[
                IdentityType.Output(
                    "identity", display_name="identity", tooltip="The person, to check pictures against."
                )
            ],
        )

    @classmethod
    def execute(cls, filename: str) -> io.NodeOutput:
        from ..core.identity.enrollment import load_identity

        return io.NodeOutput(load_identity(_identity_file(filename)))

    @classmethod
    def fingerprint_inputs(cls, filename: str) -> list[int]:
        """Load again when the file changed, or there is another one of the name."""
        return [file.stat().st_mtime_ns for file in _identity_files(filename) if file.is_file()]


ANNOTATED = re.compile(r"^(?P<name>.*\S)\s*\[(?P<folder>input|output)\]$", re.DOTALL)
"""A name with its folder, as core's Load Image takes it."""


def _identity_files(filename: str) -> list[Path]:
    """Where the file may lie: in the input folder, where everybody may upload, or the output folder, where it was
    saved; in one of them where the name says which. Raises UnsafePath."""
    named = ANNOTATED.match(filename)
    name, folder = (named["name"], named["folder"]) if named else (filename, None)
    folders = {"input": host.input_dir, "output": host.output_dir}
    return [host.inside(place(), name) for each, place in folders.items() if folder in (None, each)]


def _identity_file(filename: str) -> Path:
    """The one file of that name. Raises UnsafePath, and IdentityAmbiguous for two that differ: none hides the other."""
    files = _identity_files(filename)
    there = [file for file in files if file.is_file()]
    if len(there) > 1 and not filecmp.cmp(*there, shallow=False):
        raise IdentityAmbiguous(
            f"{filename[:80]} is in the input and in the output folder, and these are two identities; write [output] "
            "behind the name for the one that Save Identity wrote, or [input] for the one that was uploaded."
        )
    return (there or files)[-1]


EXTRA_PHOTOS = tuple(f"photos_{number}" for number in range(2, 9))


class LoadFaceEngine(io.ComfyNode):
    """Choose the networks that find and recognise faces."""

    FACTS: ClassVar = NodeFacts(Effect.ANALYSES, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceEngine",
            display_name="Load Face Engine",
            category=IDENTITY,
            **newer(cls.FACTS, "insightface", "face recognition model", "face detector", "SFace", "YuNet"),
            description=(
                "Chooses the networks that find and recognise faces. yunet-sface: MIT and Apache-2.0 weights, may be "
                "used commercially. yunet-dlib: another recogniser, a second judge that shares nothing with SFace. "
                "yunet-sface+dlib: both together, which err less often than either; they need `pip install dlib-bin`. "
                "insightface: more packs, weights for NON-COMMERCIAL research only."
            ),
            inputs=[
                io.Combo.Input(
                    "engine",
                    options=list(ENGINES),
                    default=DEFAULT_ENGINE,
                    tooltip="yunet-sface, yunet-dlib and both together (yunet-sface+dlib, the surest) may be used "
                    "commercially. The insightface packs are for research only.",
                ),
                io.String.Input(
                    "pack",
                    default="buffalo_l",
                    tooltip="Name of the insightface pack. Used by insightface only.",
                ),
                io.Combo.Input(
                    "device",
                    options=["auto", "cpu", "gpu"],
                    default="auto",
                    tooltip="Where the networks run. auto takes a GPU when onnxruntime has one.",
                ),
            ],
            outputs=[
                FaceEngineType.Output(
                    "face_engine",
                    display_name="face engine",
                    tooltip="The engine, for the other identity and portrait nodes.",
                ),
                io.String.Output(
                    "licence",
                    display_name="licence",
                    tooltip="The weights' licences, and whether they may be used commercially.",
                ),
            ],
        )

    @classmethod
    def execute(cls, engine: str, pack: str, device: str) -> io.NodeOutput:
        from ..core.faces.engines import load_engine

        loaded = load_engine(engine, pack, device)
        licence = "\n".join(
            f"{model['name']}: {model['licence']}; commercial use: {model['commercial']}" for model in loaded.models
        )
        return io.NodeOutput(loaded, licence, ui={"models": loaded.models, "text": [licence]})


class EnrollIdentity(io.ComfyNode):
    """Learn what one person looks like."""

    FACTS: ClassVar = NodeFacts(Effect.PASSES, pictures=(1,), loads=ENGINE, shows=True)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEnrollIdentity",
            display_name="Enroll Identity",
            category=IDENTITY,
            **newer(cls.FACTS, "face embedding", "reference photos", "face recognition", "who is it"),
            description=(
                "Makes an identity from photos of one person. Photos without a face, with several faces, with a face "
                "that is too small, or of somebody else are refused by number, with the reason."
            ),
            is_input_list=True,
            inputs=[
                io.Image.Input(
                    "photos", tooltip="One or more photos of the person; three to ten give a good baseline."
                ),
                several_input(),
                min_face_input(),
                io.Combo.Input(
                    "on_refused",
                    options=["stop", "leave out"],
                    default="stop",
                    tooltip="Whether one bad photo stops the graph or is left out. At least one must remain.",
                ),
                io.String.Input(
                    "name",
                    default="",
                    tooltip="A name for reports. It is stored only if you save the identity.",
                ),
                engine_input(),
                *(
                    io.Image.Input(socket, optional=True, tooltip="More photos of the same person.")
                    for socket in EXTRA_PHOTOS
                ),
                io.Combo.Input(
                    "poor_photos",
                    options=list(POOR_PHOTOS),
                    default=POOR_PHOTOS[0],
                    optional=True,
                    tooltip="Photos that are blurred, dark, turned away, with closed eyes or sunglasses: mention it in "
                    "the report, or refuse them too.",
                ),
            ],
            outputs=[
                IdentityType.Output(
                    "identity", display_name="identity", tooltip="The person, to check pictures against."
                ),
                io.Image.Output(
                    "contact_sheet",
                    display_name="contact sheet",
                    tooltip="The photos with face boxes and agreement scores.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="JSON: each photo's outcome, reason and agreement with the others.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        photos: list[torch.Tensor],
        several_faces: list[str],
        min_face: list[int],
        on_refused: list[str],
        name: list[str],
        engine: list[FaceEngine] | None = None,
        poor_photos: list[str] | None = None,
        **more: list[torch.Tensor],
    ) -> io.NodeOutput:
        from ..core.faces.annotate import contact_sheet
        from ..core.faces.engines import load_engine
        from ..core.identity.enrollment import check_reference_photos, enroll
        from .judging import pictures_of

        chosen = first_given(engine) or load_engine()
        pictures = pictures_of(photos)
        for socket in EXTRA_PHOTOS:
            pictures += pictures_of(more.get(socket) or [])
        if not pictures:
            raise EnrollmentRefused("No reference photo was given; connect at least one photo of the person.")
        several, refuse = FacePolicy(several_faces[0]), first_given(poor_photos) == "refuse"
        looked = check_reference_photos(chosen, pictures, several, must=refuse)
        poor = looked.poor if refuse else None
        leave_out = on_refused[0] == "leave out"
        identity, references = enroll(chosen, pictures, several, min_face[0], leave_out, name[0], poor)
        sheet = contact_sheet([_reference_picture(pictures[each.index], each) for each in references])
        report = {
            "engine": chosen.key,
            "accepted": identity.photos,
            "baseline": identity.baseline,
            "photos": [reference.as_dict() | looked.of(reference.index) for reference in references],
            "quality": looked.note,
        }
        shown = ui.PreviewImage(sheet, cls=cls).as_dict()
        return io.NodeOutput(
            identity,
            sheet,
            json.dumps(report, indent=2),
            ui={"images": shown["images"], "models": chosen.models, "enrollment": [report]},
        )


def _reference_picture(photo: torch.Tensor, reference: Reference) -> Any:
    from ..core.faces.annotate import BAD_COLOUR, GOOD_COLOUR, annotate

    if not reference.accepted:
        return annotate(photo, reference.subject.face, f"refused: {reference.outcome}".replace("_", " "), BAD_COLOUR)
    label = "accepted" if reference.agreement is None else f"agrees {reference.agreement:.2f}"
    return annotate(photo, reference.subject.face, label, GOOD_COLOUR)
