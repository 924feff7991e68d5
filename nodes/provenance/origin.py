"""What an input photo says of where it comes from, so that a generated picture stays one when it is fed in again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LikenessError
from ..photo_files import opened
from . import xmp
from .container import MARK, credentials_of
from .errors import MetadataUnreadable
from .record import Claims, Generative
from .source_types import GENERATED, GENERATIVE, TERMS, UNDECIDED, VOCABULARY, short

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 256 * 2**20
"""Larger files are not searched for content credentials."""

MAX_NODES = 2000
"""Larger workflows in a file are not traced."""

_EXIF_FIELDS = range(0x0100, 0x0111)
_USER_COMMENT, _EXIF_IFD = 0x9286, 0x8769
_SAMPLER_SETTINGS = re.compile(r"\bSteps: \d+.*\bSampler:", re.DOTALL)
_WRITES = re.compile("save|preview", re.IGNORECASE)
_TERM = re.compile(rf"digitalsourcetype/({'|'.join(sorted(TERMS, key=len, reverse=True))})".encode())
"""Longest first: what follows a term in a manifest is no separator but the head of the next value."""


@dataclass(frozen=True)
class Origin:
    """Where a photo comes from, as far as it says. `generative` UNKNOWN: it says something that cannot be read, or
    leaves it open. A photo that says nothing is NONE without a `source_type`: silence is not counted against it."""

    generative: Generative
    source_type: str | None = None
    reason: str = ""


SILENT = Origin(Generative.NONE)


def origin_of(path: Path) -> Origin:
    """Look for a DigitalSourceType in XMP and in content credentials (unverified: a claim that it was generated is
    believed from anybody), this pack's own record, and, where there is none, the graph or the sampler settings that
    programs leave in a file. Only a PNG is decoded: its texts may stand behind its pixels.
    """
    try:
        with opened(path) as image:
            if image.format == "PNG":
                image.load()
            origin, claims = _from_xmp(image)
            found = [origin] if claims.record is not None else [origin, _from_settings(image)]
        found.append(_from_credentials(path, claims))
    except (LikenessError, OSError) as error:
        why = error.code if isinstance(error, LikenessError) else "file_unreadable"
        return Origin(Generative.UNKNOWN, None, f"it cannot be looked at ({why})")
    return combined(found)


def combined(origins: list[Origin]) -> Origin:
    """The first that speaks of generation, or the first that leaves it open, or the first with a source type."""
    for wanted in (Generative.SOME, Generative.UNKNOWN):
        for origin in origins:
            if origin.generative is wanted:
                return origin
    return next((origin for origin in origins if origin.source_type), SILENT)


def packet_of(image: Image.Image) -> bytes:
    """The XMP packet of an opened and loaded picture; empty where there is none."""
    for key in ("xmp", "XML:com.adobe.xmp", "Raw profile type xmp"):
        value = image.info.get(key)
        if value:
            return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
    return b""


def _from_xmp(image: Image.Image) -> tuple[Origin, Claims]:
    """What the packet says, judged and as it stands there."""
    packet = packet_of(image)
    if not packet:
        return SILENT, Claims()
    try:
        claims = xmp.read(packet)
    except MetadataUnreadable as error:
        return Origin(Generative.UNKNOWN, None, f"its XMP cannot be read ({error.code})"), Claims()
    return _claimed(claims), claims


def _claimed(claims: Claims) -> Origin:
    source, record = claims.source_type, claims.record
    if source in GENERATIVE:
        return Origin(Generative.SOME, source, f"it says that it was generated ({short(source)})")
    if record is not None and record.generative is Generative.SOME:
        return Origin(Generative.SOME, GENERATED, "its record says that generative steps were used")
    if record is not None and record.generative is Generative.UNKNOWN:
        return Origin(Generative.UNKNOWN, source, "its record claims nothing about generation")
    if record is None and source in UNDECIDED:
        return Origin(Generative.UNKNOWN, source, f"it leaves open whether it was generated ({short(source)})")
    return Origin(Generative.NONE, source)


def _from_credentials(path: Path, claims: Claims) -> Origin:
    """Terms in a manifest store stand there as plain text, unless the store is compressed (a brob box).

    A record of this pack among the `claims` says what a vague term leaves open.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        return Origin(Generative.UNKNOWN, None, "it is too large to be searched for content credentials")
    boxes = credentials_of(path.read_bytes())
    if MARK not in boxes:
        if claims.record is None and claims.credentials_at:
            return Origin(Generative.UNKNOWN, None, "its content credentials are kept on a server, which is not asked")
        return SILENT
    terms = [VOCABULARY + term.decode() for term in _TERM.findall(boxes)]
    for term in terms:
        if term in GENERATIVE:
            return Origin(Generative.SOME, term, f"its content credentials say that it was generated ({short(term)})")
    if b"brob" in boxes:
        return Origin(Generative.UNKNOWN, None, "its content credentials are compressed and were not searched")
    term = terms[-1] if terms else None
    if term in UNDECIDED and claims.record is None:
        return Origin(Generative.UNKNOWN, term, "its content credentials leave open whether it was generated")
    return Origin(Generative.NONE, term)


def _from_settings(image: Image.Image) -> Origin:
    """ComfyUI leaves its graph in a file, other programs the settings of their sampler."""
    texts = _texts(image)
    for text in texts:
        graph = _graph(text)
        if graph is not None:
            return _from_graph(graph)
    if any(_SAMPLER_SETTINGS.search(text) for text in texts):
        return Origin(Generative.SOME, GENERATED, "it carries the settings of a sampler")
    return SILENT


def _texts(image: Image.Image) -> list[str]:
    texts = [str(image.info[key]) for key in ("prompt", "parameters") if key in image.info]
    exif = image.getexif()
    texts += [
        str(exif[tag]).removeprefix("prompt:") for tag in _EXIF_FIELDS if str(exif.get(tag)).startswith("prompt:")
    ]
    comment = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    if isinstance(comment, bytes):
        texts.append(comment[8:].replace(b"\0", b"").decode("utf-8", "replace"))
    return texts


def _graph(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_graph = isinstance(found, dict) and any(
        isinstance(node, dict) and "class_type" in node for node in found.values()
    )
    return found if is_graph else None


def _from_graph(graph: dict[str, Any]) -> Origin:
    """Which of a graph's pictures this one is, the file does not say: what is true of all of them is believed."""
    from .made_by import trace

    if len(graph) > MAX_NODES:
        return Origin(Generative.UNKNOWN, None, f"the workflow in it has {len(graph)} nodes and was not looked at")
    nodes = {key: _orderly(node) for key, node in graph.items() if isinstance(node, dict)}
    writers = [key for key, node in nodes.items() if _WRITES.search(str(node.get("class_type", "")))]
    makings = [trace(nodes, [key], look=lambda _: SILENT) for key in writers or nodes]
    first = next((making for making in makings if making.generative is not Generative.NONE), None)
    if first is None:
        return SILENT
    if {making.generative for making in makings} == {Generative.SOME} or not writers:
        return Origin(first.generative, first.source_type, f"the workflow in it tells: {first.reasons[0]}")
    return Origin(Generative.UNKNOWN, None, f"of one picture of the workflow in it, {first.reasons[0]}")


def _orderly(node: dict[str, Any]) -> dict[str, Any]:
    return node if isinstance(node.get("inputs"), dict) else node | {"inputs": {}}
