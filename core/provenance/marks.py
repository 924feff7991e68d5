"""Marks of generating programs anywhere in a picture's bytes: where no text is read, and in texts that others hide."""

from __future__ import annotations

import json
import re
import zlib

from ..node_facts import Effect
from .credentials import png_chunks
from .graphs_in_texts import SIGN, Found, without_escapes
from .source_types import GENERATED, GENERATIVE, short
from .trace import effect
from .xmp import Generative, Origin, combined

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

MAX_UNPACKED = 16 << 20
"""Bytes of all packed texts together that are looked through."""

_QUOTE = r"(?:\\?[\"']|&(?:quot|apos|#0*3[49]|#x0*2[27]);)"
_GAP = r"(?:\s|\\[nrt])*"
_STEPS, _SETTINGS = re.compile(rb"Steps: \d+"), re.compile(rb"\b(?:Sampler|CFG scale|Model hash):")
_KEYS = re.compile(rf"{_QUOTE}(?:{'|'.join(map(re.escape, SETTING_KEYS))}){_QUOTE}{_GAP}:".encode())
_TYPE = re.compile(rf"type{_QUOTE}{_GAP}:{_GAP}{_QUOTE}(.{{1,100}}?){_QUOTE}".encode())
_TERMS = {short(each).lower().encode(): each for each in sorted(GENERATIVE, key=len, reverse=True)}
_BEFORE = SIGN.removesuffix("type").encode()
"""The search in megabytes of pixels begins with plain letters: that is what takes no time."""


def is_settings(text: str) -> bool:
    """Whether a text has the settings of a sampler: as lines, or as keys in JSON."""
    return _has_settings(text.encode("utf-8", "replace"))


def _has_settings(data: bytes) -> bool:
    steps = _STEPS.search(data)
    if steps and _SETTINGS.search(data, steps.end()):
        return True
    return any(key.encode() in data for key in SETTING_KEYS) and bool(_KEYS.search(data))


def hidden_in(data: bytes, found: Found) -> Origin:
    """What the bytes of a picture say of generation beside what was `found` in its texts.

    Without zeros, UTF-16 is read in either order. The terms of the vocabulary need no address here, and count in any
    case; a node counts that is in none of the graphs that were found.
    """
    marks = [_marks(stream, found) for stream in (data, data.replace(b"\0", b""))]
    left = MAX_UNPACKED
    for name, content in png_chunks(data):
        if name in (b"zTXt", b"iTXt"):
            text = _unpacked(name, content, left)
            marks.append(_marks(text, found))
            left -= len(text)
            if left <= 0:
                marks.append(Origin(Generative.UNKNOWN, None, "its packed texts are too much to be looked through"))
                break
    return combined(marks)


def _marks(text: bytes, found: Found) -> Origin:
    data = without_escapes(text)
    lower = data.lower()
    term = next((_TERMS[each] for each in _TERMS if each in lower), None)
    if term is not None:
        return Origin(Generative.SOME, term, f"a text in it says {short(term)}")
    if _has_settings(data):
        return Origin(Generative.SOME, GENERATED, "it carries the settings of a sampler")
    name = _hidden_node(data, found)
    if name:
        return Origin(Generative.UNKNOWN, None, f"a workflow in it that cannot be read has the node {name[:80]}")
    return combined([])


def _hidden_node(data: bytes, found: Found) -> str:
    """The first node that may have made the picture and is in no graph that was found; empty where there is none.

    On a canvas nodes have a type, as much else has: there only those count that are known to generate.
    """
    known = {str(node.get(SIGN)) for graph in found.graphs for node in graph.values() if isinstance(node, dict)}
    nothing_read = not (found.graphs or found.canvases)
    places = _TYPE.finditer(data)
    for of_graph, written in dict.fromkeys((data.endswith(_BEFORE, 0, place.start()), place[1]) for place in places):
        name = _read_name(written)
        does = effect({SIGN: name})
        if of_graph:
            counts = name not in known and does in (Effect.GENERATES, Effect.UNKNOWN)
        else:
            counts = nothing_read and does is Effect.GENERATES
        if counts:
            return name
    return ""


def _read_name(written: bytes) -> str:
    text = written.decode("utf-8", "replace")
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _unpacked(name: bytes, content: bytes, most: int) -> bytes:
    """The packed text of a chunk, `most` bytes of it; empty where it is not packed (PNG, third edition, 11.3.3)."""
    _, _, rest = content.partition(b"\0")
    packed = rest[1:]
    if name == b"iTXt":
        packed = rest[2:].partition(b"\0")[2].partition(b"\0")[2] if rest[:1] == b"\1" else b""
    try:
        return zlib.decompressobj().decompress(packed, most)
    except zlib.error:
        return b""
