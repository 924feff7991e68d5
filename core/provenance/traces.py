"""What generating programs leave in a picture's file besides XMP and credentials: graphs, settings, their names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .origin import SILENT, Origin
from .record import Generative
from .source_types import GENERATED

if TYPE_CHECKING:
    from PIL import Image

MAX_NODES = 2000
"""Larger workflows in a file are not traced."""

MAX_TEXT = 4_000_000
"""Characters of a text that are looked at."""

SETTING_KEYS = (
    "sampler",
    "sampler_name",
    "cfg_scale",
    "guidance_scale",
    "negative_prompt",
    "num_inference_steps",
    "generation_mode",
    "generation_data",
    "sui_image_params",
    "fooocus_scheme",
    "invokeai_metadata",
    "invokeai_graph",
    "sd-metadata",
    "Dream",
)
"""What Stable Diffusion's programs call their settings, as the names of texts in a PNG and as keys in JSON: InvokeAI,
SwarmUI, Fooocus, NovelAI, Easy Diffusion, TensorArt, Draw Things and those made with diffusers."""

GENERATORS = ("NovelAI", "Midjourney", "Stable Diffusion", "InvokeAI", "Fooocus", "Firefly", "DALL-E", "DALL·E")
"""Programs and services that only generate, by the names that they give themselves."""

CANVAS_ONLY = frozenset({"Note", "MarkdownNote", "Reroute", "PrimitiveNode"})
"""Node types of the canvas that never reach a server."""

NEVER, BYPASS = 2, 4
"""Modes of a node on the canvas that keep it from working."""

_IMAGE_DESCRIPTION, _MAKE, _SOFTWARE, _USER_COMMENT, _EXIF_IFD = 0x010E, 0x010F, 0x0131, 0x9286, 0x8769
_EXIF_FIELDS = range(0x0100, 0x0111)
_ABOUT = ("Software", "Title", "Source", "Author", "Description", "Comment", "comment")
_SETTINGS = re.compile(r"\bSteps: \d+.*\b(?:Sampler|CFG scale|Model hash):", re.DOTALL)
_KEYS = re.compile(rf'"(?:{"|".join(map(re.escape, SETTING_KEYS))})"\s*:')
_JOB = re.compile(r"\bJob ID: [0-9a-f-]{8,}|\s--(?:v|niji|ar) \d")
_NAMES = re.compile(rf"\b(?:{'|'.join(map(re.escape, GENERATORS))})\b", re.IGNORECASE)
_WRITES = re.compile("save|preview", re.IGNORECASE)


def from_traces(image: Image.Image) -> Origin:
    """What a picture that is open, and loaded if it is a PNG, tells of its making by texts and EXIF."""
    texts = dict(_texts(image))
    for text in texts.values():
        graph = _graph(text)
        if graph is not None:
            return _from_graph(graph)
    if any(key in texts for key in SETTING_KEYS) or any(map(_is_settings, texts.values())):
        return Origin(Generative.SOME, GENERATED, "it carries the settings of a sampler")
    for key in _ABOUT:
        if _NAMES.search(texts.get(key, "")) or _JOB.search(texts.get(key, "")):
            return Origin(Generative.SOME, GENERATED, "it names a program that generates")
    return next((found for found in map(_from_canvas, texts.values()) if found is not None), SILENT)


def _is_settings(text: str) -> bool:
    return bool(_SETTINGS.search(text) or _KEYS.search(text))


def _texts(image: Image.Image) -> Iterator[tuple[str, str]]:
    """Texts by name: those of a PNG, a comment, and EXIF's under the names of a PNG's."""
    for key, value in image.info.items():
        if isinstance(value, bytes) and key == "comment":
            value = value.decode("utf-8", "replace")
        if isinstance(key, str) and isinstance(value, str):
            yield key, value[:MAX_TEXT]
    exif = image.getexif()
    for name, tag in (("Description", _IMAGE_DESCRIPTION), ("Source", _MAKE), ("Software", _SOFTWARE)):
        if isinstance(exif.get(tag), str):
            yield name, exif[tag]
    for tag in _EXIF_FIELDS:
        name, _, text = str(exif.get(tag, "")).partition(":")
        if name in ("prompt", "workflow"):
            yield name, text[:MAX_TEXT]
    comment = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    if isinstance(comment, bytes):
        yield "Comment", comment[8:].replace(b"\0", b"").decode("utf-8", "replace")[:MAX_TEXT]


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _graph(text: str) -> dict[str, Any] | None:
    """A graph in API format."""
    found = _parsed(text)
    nodes = found.values() if found else ()
    return found if any(isinstance(node, dict) and "class_type" in node for node in nodes) else None


def _from_graph(graph: dict[str, Any]) -> Origin:
    """Which of a graph's pictures this one is, the file does not say: what is true of all of them is believed."""
    from .trace import trace

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


def _from_canvas(text: str) -> Origin | None:
    """A canvas without its graph: links are not followed, so any node that generates or is not known leaves it open."""
    from .steps import Effect, effect

    found = _parsed(text)
    if found is None or not isinstance(found.get("nodes"), list):
        return None
    parts = [found, *_subgraphs(found)]
    passed = CANVAS_ONLY | {str(part.get("id")) for part in parts}
    for node in (node for part in parts for node in part.get("nodes") or () if isinstance(node, dict)):
        kind = str(node.get("type", ""))
        if kind in passed or node.get("mode") in (NEVER, BYPASS):
            continue
        does = effect({"class_type": kind})
        if does in (Effect.GENERATES, Effect.UNKNOWN):
            what = "generates pixels" if does is Effect.GENERATES else "is not known"
            return Origin(Generative.UNKNOWN, None, f"the canvas in it has {kind[:80]}, which {what}")
    return SILENT


def _subgraphs(canvas: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The definitions of a canvas; a node whose type is the id of one stands for it."""
    definitions = canvas.get("definitions")
    found = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
