"""Which models a graph names or loads unasked: what is recorded of a workflow without the workflow itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, get_args

from .. import host
from ..choices import PERSON_MATTE, models_behind
from ..errors.formats import FileSizeOutOfReach
from ..graph import file_input, hash_graph, links, upstream
from ..imaging.encode import Encoded, Form, Stated, encode_picture
from ..imaging.files import opened
from ..models.manifest import NON_COMMERCIAL, models
from ..node_facts import ENGINE, facts_of
from . import xmp
from .credentials import Action, Ingredient, Signing, sign
from .origin import from_xmp, graphs_in, origin_of, packet_of, this_run
from .source_types import COMPOSITE
from .verify_file import MIME as MIME_OF_FORMAT
from .xmp import SILENT, Record, combined

if TYPE_CHECKING:
    from torch import Tensor

    from ..id_photo.document import Document
    from ..id_photo.measures import IDPhoto
    from .trace import Making

UNKNOWN_LICENCE = "its publisher's: not known here"
"""The words of the runner's report for the same."""

MODEL_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".sft", ".onnx", ".tflite")
"""Endings of model files."""

_ROW = re.compile(r"_(\d+)$")


def models_used(graph: Mapping[str, Any], nodes: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Name and licence of the models that `nodes` and what they depend on name in their inputs, or load unasked.

    Of a file's name only the last part is given: no folder. Rows of a LoRA stack that are off are left out.
    """
    found: dict[str, str] = {}
    living = upstream(graph, nodes)
    for node_id in (each for each in graph if each in living):
        node = graph[node_id]
        for name in _named(node):
            found.setdefault(name, _licence(name))
    return tuple(found.items())


def _licence(name: str) -> str:
    if name in models():
        return models()[name].licence
    return NON_COMMERCIAL if name.startswith(("insightface/", "inswapper")) else UNKNOWN_LICENCE


def _named(node: Mapping[str, Any]) -> list[str]:
    inputs = _inputs(node)
    given = ENGINE if "engine" in links(node) else ()
    facts = facts_of(node.get("class_type", ""))
    names = [name for name in (facts.loads if facts is not None else ()) if name not in given]
    if node.get("class_type") == "LikenessLoadFaceEngine":
        packs = {"insightface": (f"insightface/{inputs.get('pack', 'buffalo_l')}",)}
        names += packs.get(str(inputs.get("engine")), ENGINE)
    for key, value in inputs.items():
        if not isinstance(value, str) or key == file_input(node) or key.startswith("filename") or _is_off(key, inputs):
            continue
        if key in ("model", "matte") and (value in models() or value == PERSON_MATTE):
            names += models_behind(value)
        elif value.lower().endswith(MODEL_SUFFIXES):
            names.append(PureWindowsPath(value).name)
    return [name for name in names if name in models() or "/" in name or name.lower().endswith(MODEL_SUFFIXES)]


def _is_off(key: str, inputs: Mapping[str, Any]) -> bool:
    row = _ROW.search(key)
    return row is not None and inputs.get(f"on_{row[1]}") is False


def _inputs(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return node.get("inputs") or {}


SUFFIXES: Mapping[Form, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
FORMS: tuple[Form, ...] = get_args(Form)

MOST_INGREDIENTS = 8
"""A picture made from more photos than this names none of them in its manifest."""

_ROUND = 64
"""Bytes by which two manifests of one picture may differ."""


@dataclass(frozen=True)
class Target:
    """The file that is wanted. `dpi`: pixels per inch; sizes in bytes."""

    form: Form = "jpeg"
    quality: int = 95
    dpi: float | None = None
    max_bytes: int | None = None
    min_bytes: int | None = None


@dataclass(frozen=True)
class Signature:
    """By whom, and what the manifest says besides."""

    signing: Signing
    actions: Sequence[Action] = ()
    ingredients: Sequence[Ingredient] = ()


def tool() -> tuple[str, str]:
    """The program's name and version."""
    try:
        return "Likeness Studio", version("likeness-studio")
    except PackageNotFoundError:
        return "Likeness Studio", ""


def record_of(
    making: Making, graph: Mapping[str, Any], node: str | None, id_photo: IDPhoto | None = None, creator: str = ""
) -> Record:
    """What is written of a picture that the node `node` of an API-format graph saves."""
    return Record(
        generative=making.generative,
        source_type=making.source_type,
        steps=tuple(str(step) for step in reversed(making.steps)),
        reasons=making.reasons,
        models=models_used(graph, [node]) if node is not None else (),
        workflow_hash=hash_graph(graph) if graph else "",
        document=id_photo.document.id if id_photo is not None else "",
        edits=id_photo.edits_made if id_photo is not None else None,
        creator=creator,
        tool=" ".join(tool()).strip(),
    )


def stated_of_this_run(id_photo: IDPhoto | None = None) -> Stated:
    """What the files of the node that is at work now say of their making; that nothing is known outside of a run."""
    run = host.current_run()
    return stated(record_of(this_run(), run.graph if run else {}, run.node if run else None, id_photo))


def stated(record: Record) -> Stated:
    """A record as a print sheet states it."""
    return Stated(xmp.packet(record), record.statement)


def stated_of_photos(photos: Sequence[Path]) -> Stated:
    """What is known of the making of these photos' files, for what shows them and does nothing else to them."""
    origins = [origin_of(path) for path in photos]
    found = combined(origins)
    source = found.source_type if len({origin.source_type for origin in origins}) == 1 else None
    reasons = (found.reason,) if found.reason else ()
    return stated(Record(found.generative, source, reasons=reasons, tool=" ".join(tool()).strip()))


def packet_to_keep(photo: Path) -> bytes:
    """The XMP packet that a copy of a photo in another format or size needs so as to say of its making what the photo
    says, by whatever means; empty where that says nothing. Raises what opening it raises."""
    with opened(photo) as image:
        if image.format == "PNG":
            image.load()
        packet, (said, _), traced = packet_of(image), from_xmp(image), graphs_in(image)
    origin = origin_of(photo)
    if packet and said.generative is origin.generative:
        return packet
    return stated_of_photos([photo]).packet if packet or traced.graphs or origin != SILENT else b""


def target_for(document: Document, form: Form, quality: int, dpi: float) -> Target:
    """What a document asks of a file: its own format where it does not take `form`, its limits of size."""
    allowed = [each for each in document.formats if each in FORMS]
    chosen = form if form in allowed or not allowed else allowed[0]
    limits = document.file_bytes
    return Target(
        form=next(each for each in FORMS if each == chosen),
        quality=quality,
        dpi=dpi,
        max_bytes=int(limits.high) if limits is not None else None,
        min_bytes=int(limits.low) if limits is not None and limits.low > 0 else None,
    )


def picture_file(
    picture: Tensor,
    target: Target,
    record: Record,
    *,
    text: Mapping[str, str] | None = None,
    signature: Signature | None = None,
) -> Encoded:
    """The file of `picture` [H,W,3]. The manifest of a signature counts in the file's size.

    Raises what `encode_picture` and `sign` raise.
    """
    packet = xmp.packet(record)

    def encoded(max_bytes: int | None) -> Encoded:
        return encode_picture(
            picture,
            target.form,
            dpi=target.dpi,
            quality=target.quality,
            max_bytes=max_bytes,
            min_bytes=target.min_bytes,
            xmp=packet,
            text=text,
        )

    plain = encoded(target.max_bytes)
    if signature is None:
        return plain
    signed = _signed(plain, target, record, signature)
    if target.max_bytes is not None and len(signed.data) > target.max_bytes:
        room = target.max_bytes - (len(signed.data) - len(plain.data)) - _ROUND
        if room <= 0:
            raise FileSizeOutOfReach(
                f"The signature alone takes {len(signed.data) - len(plain.data)} bytes and the file may have "
                f"{target.max_bytes}; save it without a signature."
            )
        signed = _signed(encoded(room), target, record, signature)
    return signed


def _signed(plain: Encoded, target: Target, record: Record, signature: Signature) -> Encoded:
    """IPTC's vaguest term stands in a created picture's manifest, which must have one, where nothing is claimed."""
    data = sign(
        plain.data,
        target.form,
        signature.signing,
        tool=tool(),
        actions=signature.actions,
        ingredients=signature.ingredients,
        source_type=record.source_type or COMPOSITE,
    )
    return Encoded(data, plain.quality)


def ingredients_from(files: Sequence[Path]) -> list[Ingredient]:
    """The photos as ingredients; none where there are too many, or where one is of a kind that C2PA does not know."""
    if len(files) > MOST_INGREDIENTS:
        return []
    found = []
    for file in files:
        with opened(file) as image:
            mime = MIME_OF_FORMAT.get(image.format or "")
        if mime is None:
            return []
        found.append(Ingredient(file.read_bytes(), mime))
    return found
