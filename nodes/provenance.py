"""Save with Provenance: pictures as files that say how they were made, as a document asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ..core import host
from ..core.node_facts import Effect, NodeFacts
from .schema import io, newer
from .sockets import IDPhotoType

if TYPE_CHECKING:
    import torch

    from ..core.id_photo.measures import IDPhoto
    from ..core.imaging.encode import Form
    from ..core.provenance.save import Signature, Target
    from ..core.provenance.trace import Making
    from ..core.provenance.xmp import Record

CATEGORY = "Likeness Studio/provenance"

SHOWN, NO_GENERATION = "what the graph shows", "no generative step (refuse otherwise)"
DECLARATIONS = (SHOWN, NO_GENERATION)


class SaveWithProvenance(io.ComfyNode):
    """Pictures into the output folder, with what is known of their making."""

    FACTS: ClassVar = NodeFacts(Effect.PASSES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveWithProvenance",
            display_name="Save with Provenance",
            category=CATEGORY,
            **newer(cls.FACTS, "save image", "content credentials", "C2PA", "IPTC", "metadata"),
            description="Saves pictures that say how they were made: the IPTC digital source type, whether a step of "
            "this very graph generated pixels, the models and their licences, and, if you wish, content credentials "
            "(C2PA) signed with your certificate. For an ID photo in the exact resolution, format and file size.",
            inputs=[
                io.Image.Input(
                    "images", tooltip="The pictures to save. PNG and WebP keep what Join Image with Alpha made clear."
                ),
                io.String.Input(
                    "filename_prefix",
                    default="likeness",
                    tooltip="Name and folder inside the output folder, with %width%, %date:yyyy-MM-dd% and so on, as "
                    "in Save Image.",
                ),
                io.Combo.Input(
                    "format",
                    options=["jpeg", "png", "webp"],
                    default="jpeg",
                    tooltip="The file format. An ID photo's document wins where it does not take this one.",
                ),
                io.Int.Input(
                    "quality",
                    default=95,
                    min=1,
                    max=100,
                    tooltip="Quality of JPEG and WebP. With id_photo it is lowered, or raised, until the file has a "
                    "size that the document takes.",
                ),
                io.Combo.Input(
                    "declare",
                    options=list(DECLARATIONS),
                    default=SHOWN,
                    tooltip="What the graph shows: generative or not, or that nothing can be claimed. The other "
                    "choice saves only pictures of which it can be stated that no generative step was used.",
                ),
                io.String.Input(
                    "creator",
                    default="",
                    tooltip="Who made the picture, written into the file (dc:creator). Empty: nobody is named.",
                ),
                io.Boolean.Input(
                    "include_workflow",
                    default=False,
                    tooltip="Keep the whole workflow in the file, as Save Image does. It holds prompts and the names "
                    "of your files.",
                ),
                io.Boolean.Input(
                    "sign",
                    default=False,
                    tooltip="Sign content credentials (C2PA) with the certificate that the environment variables "
                    "LIKENESS_C2PA_CERT and LIKENESS_C2PA_KEY name. Needs the package c2pa-python.",
                ),
                IDPhotoType.Input(
                    "id_photo",
                    optional=True,
                    tooltip="From Make ID Photo: the document's resolution, format and file size, and what was edited.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="report",
                    tooltip="What was written: names, sizes, what the files state of their making, and why.",
                )
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        images: torch.Tensor,
        filename_prefix: str,
        format: str,  # noqa: A002 - the name on the canvas
        quality: int,
        declare: str,
        creator: str,
        include_workflow: bool,
        sign: bool,
        id_photo: IDPhoto | None = None,
    ) -> io.NodeOutput:
        """Look at the graph, then write picture by picture."""
        from ..core.imaging.tensors import check_image
        from ..core.provenance.save import Target, picture_file, record_of, target_for

        clear = images.shape[-1] == 4 and format != "jpeg" and id_photo is None
        images = images.float() if clear else check_image(images)
        making = _making(id_photo)
        if declare == NO_GENERATION:
            making.refuse_generation()
        form = cast("Form", format)
        target = Target(form, quality)
        if id_photo is not None:
            target = target_for(id_photo.document, form, quality, id_photo.dpi)
        run = host.current_run()
        graph, node = (run.graph, run.node) if run is not None else ({}, None)
        record = record_of(making, graph, node, id_photo, creator.strip())
        signature = _signature(making, id_photo) if sign else None
        text = cls._text() if include_workflow else None
        progress = host.Progress(len(images))
        files = []
        for image in images:
            files.append(picture_file(image, target, record, text=text, signature=signature))
            progress.step()
        saved = _write([file.data for file in files], target, filename_prefix, images)
        lines = [
            _line(entry["filename"], len(file.data), file.quality, target)
            for entry, file in zip(saved, files, strict=True)
        ]
        report = "\n".join([*lines, *_notes(format, target, record, sign)])
        shown = {"images": saved, "text": [report], "provenance": [record.as_dict()]}
        return io.NodeOutput(report, ui=shown)

    @classmethod
    def _text(cls) -> dict[str, str]:
        """What Save Image writes: the graph, and the canvas where the server was given one."""
        hidden: Any = cls.hidden
        kept = {"prompt": hidden.prompt} | (hidden.extra_pnginfo or {})
        return {key: json.dumps(value) for key, value in kept.items() if value is not None}


def _making(id_photo: IDPhoto | None) -> Making:
    from ..core.provenance.origin import this_run
    from .id_photo import MakeIDPhoto

    if id_photo is None:
        return this_run()
    return this_run({MakeIDPhoto.GET_SCHEMA().node_id: Effect.COMBINES if id_photo.edits_made else Effect.CUTS})


def _signature(making: Making, id_photo: IDPhoto | None) -> Signature:
    from ..core.node_facts import Effect
    from ..core.provenance.credentials import Signing, c2pa
    from ..core.provenance.origin import photo_files
    from ..core.provenance.save import Signature, ingredients_from
    from ..core.provenance.trace import actions_of

    c2pa()
    signing = Signing.from_environment()
    run = host.current_run()
    graph = run.graph if run is not None else {}
    readers = [step for step in making.steps if step.effect is Effect.READS and step.seen]
    files = list(dict.fromkeys(file for step in readers for file in photo_files(graph[step.id])))
    edits = id_photo.edits_made if id_photo is not None else ()
    return Signature(signing, actions_of(making.steps, edits), ingredients_from(files))


def _write(files: list[bytes], target: Target, prefix: str, images: torch.Tensor) -> list[dict[str, str]]:
    """Numbered files in the output folder, announced as a server reports them."""
    from ..core.errors.formats import PictureNotSaved
    from ..core.files import write_new
    from ..core.imaging import files as file_names
    from ..core.provenance.save import SUFFIXES

    root = host.output_dir()
    folder, stem = file_names.place_saved_picture(root, prefix, images.shape[2], images.shape[1])
    try:
        host.make_result_folder(folder)
        counter = file_names.next_counter(folder, stem)
        saved = []
        for index, data in enumerate(files):
            name = f"{stem.replace('%batch_num%', str(index))}_{counter + index:05}_{SUFFIXES[target.form]}"
            name = write_new(Path(folder, name), data, private=host.results_are_private()).name
            saved.append({"filename": name, "subfolder": file_names.relative_subfolder(folder, root), "type": "output"})
    except OSError as error:
        raise PictureNotSaved(
            f"The pictures cannot be written as {stem[:80]!r} ({error.strerror or error}); make room for it or "
            "give another name."
        ) from error
    return saved


def _line(name: str, size: int, quality: int | None, target: Target) -> str:
    words = [f"{name}: {size} bytes"]
    if quality is not None:
        words.append(f"quality {quality}")
    if target.dpi is not None:
        words.append(f"{target.dpi:g} dpi")
    return ", ".join(words)


def _notes(asked: str, target: Target, record: Record, signed: bool) -> list[str]:
    from ..core.provenance.source_types import short

    notes = [record.statement]
    notes += [f"- {reason}" for reason in record.reasons]
    kind = short(record.source_type) if record.source_type else "nothing is claimed"
    notes.append(f"IPTC digital source type: {kind}.")
    if asked != target.form:
        notes.append(f"Saved as {target.form}: the document does not take {asked}.")
    if target.max_bytes is not None:
        notes.append(f"The document takes files of {target.min_bytes or 0} to {target.max_bytes} bytes.")
    notes.append("Content credentials: signed." if signed else "Content credentials: none were asked for.")
    return notes
