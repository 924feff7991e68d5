"""What an input photo says of where it comes from: XMP, credentials, and what generating programs leave in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host
from ..errors import LikenessError
from ..errors.formats import MetadataUnreadable
from ..graph import links
from ..imaging.files import SUFFIXES, opened
from ..node_facts import OUR_PREFIX, Effect, facts_of
from . import xmp
from .credentials import MARK, credentials_of
from .graphs_in_texts import Found, find_graphs
from .marks import SETTING_KEYS, hidden_in, is_settings
from .source_types import GENERATED, GENERATIVE, TERMS, UNDECIDED, VOCABULARY, short
from .trace import NOTHING_MORE, UNKNOWN, Making, _name, trace
from .xmp import SILENT, Claims, Generative, Origin, combined

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 256 * 2**20
"""Larger files are not searched for content credentials."""

_TERM = re.compile(rf"digitalsourcetype/({'|'.join(sorted(TERMS, key=len, reverse=True))})".encode(), re.IGNORECASE)
"""Longest first: what follows a term in a manifest is no separator but the head of the next value."""


def origin_of(path: Path) -> Origin:
    """Look for a DigitalSourceType in XMP and in content credentials (unverified: a claim that it was generated is
    believed from anybody), this pack's own record, and what generating programs leave in a file besides: anybody can
    write a record, so it hides nothing. Only a PNG is decoded: its texts may stand behind its pixels.
    """

    try:
        with opened(path) as image:
            if image.format == "PNG":
                image.load()
            origin, claims = from_xmp(image)
            inside = graphs_in(image)
            found = [origin, from_traces(image, claims, inside)]
        found.append(_from_bytes(path, claims, inside))
    except (LikenessError, OSError) as error:
        why = error.code if isinstance(error, LikenessError) else "file_unreadable"
        return Origin(Generative.UNKNOWN, None, f"it cannot be looked at ({why})")
    return combined(found)


def packet_of(image: Image.Image) -> bytes:
    """The XMP packet of an opened and loaded picture; empty where there is none."""
    for key in ("xmp", "XML:com.adobe.xmp"):
        value = image.info.get(key)
        if value:
            return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
    return _raw_profile(image.info.get("Raw profile type xmp"))


def _raw_profile(text: object) -> bytes:
    """ImageMagick's way of keeping a packet in a PNG: its kind, its length and hexadecimal digits, on lines. What is
    written in another way is given as it is."""
    if not isinstance(text, str):
        return b""
    try:
        return bytes.fromhex("".join(text.split()[2:]))
    except ValueError:
        return text.encode("utf-8", "surrogateescape")


def from_xmp(image: Image.Image) -> tuple[Origin, Claims]:
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
    if record is None and source and short(source) not in TERMS:
        return Origin(Generative.UNKNOWN, source, f"its source type {source[:80]!r} is none of the vocabulary")
    return Origin(Generative.NONE, source)


def _from_bytes(path: Path, claims: Claims, inside: Found) -> Origin:
    """What no reader of texts sees, and the terms of content credentials, each for itself."""
    if path.stat().st_size > MAX_FILE_BYTES:
        return Origin(Generative.UNKNOWN, None, "it is too large to be searched for content credentials")
    data = path.read_bytes()
    return combined([_from_terms(data, claims), hidden_in(data, inside)])


def _from_terms(data: bytes, claims: Claims) -> Origin:
    """Terms of the vocabulary, wherever they stand in a file: in a second XMP packet, in the content credentials of any
    format. There they are plain text, unless the store is compressed (a brob box) or cut into pieces (GIF).

    A record of this pack among the `claims` says what a vague term leaves open.
    """
    for term in _terms(data):
        if term in GENERATIVE:
            return Origin(Generative.SOME, term, f"a statement in it says that it was generated ({short(term)})")
    boxes = credentials_of(data)
    if MARK not in boxes:
        if claims.record is None and claims.credentials_at:
            return Origin(Generative.UNKNOWN, None, "its content credentials are kept on a server, which is not asked")
        return SILENT
    if b"brob" in boxes or data.startswith(b"GIF8"):
        return Origin(Generative.UNKNOWN, None, "its content credentials are compressed or cut up, and not searched")
    term = next(reversed(_terms(boxes)), None)
    if term in UNDECIDED and claims.record is None:
        return Origin(Generative.UNKNOWN, term, "its content credentials leave open whether it was generated")
    return Origin(Generative.NONE, term)


def _terms(data: bytes) -> list[str]:
    return [_CANONICAL[term.decode().lower()] for term in _TERM.findall(data)]


_CANONICAL = {term.lower(): VOCABULARY + term for term in TERMS}


MAX_NODES = 2000
"""Larger workflows in a file are not traced."""

MAX_WRITERS = 32
"""So many pictures of one workflow are traced each by itself."""

MAX_TEXT = 1 << 16
"""Characters at the beginning and at the end of a text in which settings and names are looked for."""

GENERATORS = ("NovelAI", "Midjourney", "Stable Diffusion", "InvokeAI", "Fooocus", "Firefly", "DALL-E", "DALL·E")
"""Programs and services that only generate, by the names that they give themselves."""

SERVICES = ("ChatGPT", "OpenAI", "Gemini", "Imagen", "Grok", "Sora", "Ideogram", "Recraft", "Google AI")
"""The same with names that people and places have too: they count only where a program names itself."""

CANVAS_ONLY = frozenset({"Note", "MarkdownNote", "Reroute", "PrimitiveNode"})
"""Node types of the canvas that never reach a server."""

NEVER, BYPASS = 2, 4
"""Modes of a node on the canvas that keep it from working."""

_IMAGE_DESCRIPTION, _MAKE, _MODEL, _SOFTWARE, _USER_COMMENT, _EXIF_IFD = 0x010E, 0x010F, 0x0110, 0x0131, 0x9286, 0x8769
_EXIF_FIELDS = range(0x0100, 0x0111)
_PROGRAMS, _MAKERS = ("Software", "CreatorTool", "Credit"), ("Source", "Author")
_CAPTIONS = ("Title", "Description", "Comment", "comment")
_JOB = re.compile(r"\bJob ID: [0-9a-f-]{8,}|\s--(?:v|niji|ar) \d")
_NAMES = re.compile(rf"\b(?:{'|'.join(map(re.escape, GENERATORS))})\b", re.IGNORECASE)
_SERVICES = re.compile(rf"\b(?:{'|'.join(map(re.escape, SERVICES))})\b", re.IGNORECASE)
_MADE_BY = re.compile(
    rf"\b(?:made|created|generated|drawn)\s+(?:with|by|in|using)\s+(?:\w+\s)?{_NAMES.pattern}", re.IGNORECASE
)
_WRITES = re.compile("save|preview", re.IGNORECASE)


def from_traces(image: Image.Image, claims: Claims, inside: Found) -> Origin:
    """What a picture that is open, and loaded if it is a PNG, tells of its making by texts, EXIF and its XMP's claims;
    `inside` are its graphs.

    A generator's name in a caption is a subject, not a statement, where a camera says that it took the photo.
    """
    texts = dict(_texts(image))
    texts |= {"CreatorTool": claims.tool, "Credit": claims.credit}
    exif = image.getexif()
    claimed = None if claims.record is None else claims.record.generative
    traced = combined([_from_graph(graph, claimed) for graph in inside.graphs])
    if traced.generative is not Generative.NONE:
        return traced
    if any(key in texts for key in SETTING_KEYS) or any(is_settings(_looked_at(text)) for text in texts.values()):
        return Origin(Generative.SOME, GENERATED, "it carries the settings of a sampler")
    of_camera = bool(exif.get(_MAKE) and exif.get(_MODEL))
    if any(_names_itself(key, text, of_camera=of_camera) for key, text in texts.items()):
        return Origin(Generative.SOME, GENERATED, "it names a program that generates")
    if not inside.doubt and any(len(text) > 2 * MAX_TEXT and not _is_json(text) for text in texts.values()):
        inside.doubt = "it carries a text that is too long to be looked through"
    if inside.doubt:
        return Origin(Generative.UNKNOWN, None, inside.doubt)
    return SILENT if inside.graphs else combined([_from_canvas(canvas) for canvas in inside.canvases])


def graphs_in(image: Image.Image) -> Found:
    """The graphs, in API and in canvas format, that an opened picture (a PNG: loaded) carries in its texts."""
    return find_graphs(text for _, text in _texts(image))


def _is_json(text: str) -> bool:
    return text.lstrip("\ufeff\0 \t\r\n")[:1] in ("{", "[", '"')


def _looked_at(text: str) -> str:
    """The part of a text in which names and settings are looked for: its beginning and its end."""
    return text if len(text) <= 2 * MAX_TEXT else f"{text[:MAX_TEXT]}\n{text[-MAX_TEXT:]}"


def _names_itself(key: str, text: str, *, of_camera: bool) -> bool:
    """Whether the text under that name says that a generating program made the picture."""
    text = _looked_at(text)
    if key in _PROGRAMS:
        return bool(_NAMES.search(text) or _SERVICES.search(text) or _JOB.search(text))
    if key in _MAKERS:
        return bool(_NAMES.search(text))
    if key not in _CAPTIONS:
        return False
    return bool(_JOB.search(text) or (_MADE_BY if of_camera else _NAMES).search(text))


def _texts(image: Image.Image) -> Iterator[tuple[str, str]]:
    """Texts by name: those of a PNG, a comment, and EXIF's under the names of a PNG's."""
    for key, value in image.info.items():
        if isinstance(value, bytes) and key == "comment":
            value = value.decode("utf-8", "replace")
        if isinstance(key, str) and isinstance(value, str):
            yield key, value
    exif = image.getexif()
    for name, tag in (("Description", _IMAGE_DESCRIPTION), ("Source", _MAKE), ("Software", _SOFTWARE)):
        if isinstance(exif.get(tag), str):
            yield name, exif[tag]
    for tag in _EXIF_FIELDS:
        name, _, text = str(exif.get(tag, "")).partition(":")
        if name in ("prompt", "workflow"):
            yield name, text
    comment = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    if isinstance(comment, str):
        yield "Comment", comment
    elif isinstance(comment, bytes):
        yield "Comment", comment[8:].replace(b"\0", b"").decode("utf-8", "replace")


def _from_graph(graph: dict[str, Any], claimed: Generative | None = None) -> Origin:
    """Which of a graph's pictures this one is, the file does not say: what is true of all of them is believed.

    Whatever ends the graph may have written it, and not only what is called so. `claimed` is what a record of ours says
    of the picture: it is believed where it is true of one that a node of ours wrote.
    """
    if len(graph) > MAX_NODES:
        return Origin(Generative.UNKNOWN, None, f"the workflow in it has {len(graph)} nodes and was not looked at")
    nodes = {key: _orderly(node) for key, node in graph.items() if isinstance(node, dict)}
    used = {str(link[0]) for node in nodes.values() for link in links(node).values()}
    writers = [key for key, node in nodes.items() if key not in used or _WRITES.search(_name(node))]
    whole = trace(nodes, writers or list(nodes), look=lambda _: SILENT)
    if whole.generative is Generative.NONE:
        return SILENT
    why = whole.reasons[0]
    if len(writers) <= 1:
        return Origin(whole.generative, whole.source_type, f"the workflow in it tells: {why}")
    each = [trace(nodes, [key], look=lambda _: SILENT) for key in writers[:MAX_WRITERS]]
    ours = [making for key, making in zip(writers, each, strict=False) if _name(nodes[key]).startswith(OUR_PREFIX)]
    if claimed is Generative.NONE and any(making.generative is claimed for making in ours):
        return SILENT
    if len(writers) <= MAX_WRITERS and {making.generative for making in each} == {Generative.SOME}:
        return Origin(Generative.SOME, each[0].source_type, f"the workflow in it tells: {each[0].reasons[0]}")
    return Origin(Generative.UNKNOWN, None, f"of one picture of the workflow in it, {why}")


def _orderly(node: dict[str, Any]) -> dict[str, Any]:
    return node if isinstance(node.get("inputs"), dict) else node | {"inputs": {}}


def _from_canvas(found: dict[str, Any]) -> Origin:
    """A canvas without its graph: links are not followed, so any node that generates or is not known leaves it open."""
    from .trace import effect

    parts = [found, *_subgraphs(found)]
    passed = CANVAS_ONLY | {str(part.get("id")) for part in parts}
    for node in (node for part in parts for node in _list(part.get("nodes")) if isinstance(node, dict)):
        kind = str(node.get("type", ""))
        if kind in passed or node.get("mode") in (NEVER, BYPASS):
            continue
        does = effect({"class_type": kind})
        if does in (Effect.GENERATES, Effect.UNKNOWN):
            what = "generates pixels" if does is Effect.GENERATES else "is not known"
            return Origin(Generative.UNKNOWN, None, f"the canvas in it has {kind[:80]}, which {what}")
    return SILENT


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _subgraphs(canvas: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The definitions of a canvas; a node whose type is the id of one stands for it."""
    definitions = canvas.get("definitions")
    found = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


MAX_PHOTOS = 256
"""A folder with more photos than this is not looked through."""


def this_run(known: Mapping[str, Effect] = NOTHING_MORE) -> Making:
    """The making of what the node that is at work now was given, inside ComfyUI and in the local engine.

    `known`: see `trace`. A class of another pack that has a known name is not known for that.
    """
    run = host.current_run()
    if run is None or run.node is None or run.node not in run.graph:
        return UNKNOWN
    return trace(run.graph, [run.node], origin_of_node, {**known, **_not_ours(run.graph)})


def _not_ours(graph: Mapping[str, Any]) -> dict[str, Effect]:
    names = {_name(node) for node in graph.values()}
    return {name: Effect.UNKNOWN for name in names if facts_of(name) is not None and host.given_by_another_pack(name)}


def origin_of_node(node: Mapping[str, Any]) -> Origin:
    """Where the photos of a node come from that reads files of ComfyUI's folders; SILENT if they do not say."""
    try:
        files = photo_files(node)
    except LikenessError as error:
        return Origin(Generative.UNKNOWN, None, f"it cannot be looked at ({error.code})")
    if not 0 < len(files) <= MAX_PHOTOS:
        return Origin(Generative.UNKNOWN, None, f"{len(files)} files were not looked at")
    found = [origin_of(file) for file in files]
    joined = combined(found)
    same = len({origin.source_type for origin in found}) == 1
    return joined if joined.generative is not Generative.NONE or same else SILENT


def photo_files(node: Mapping[str, Any]) -> list[Path]:
    """The files that LoadImage and its like, or Load Photos, read; none where an input comes from another node."""
    inputs = node.get("inputs") or {}
    facts = facts_of(node.get("class_type", ""))
    if facts is not None and facts.reads is not None and facts.reads[1] == "folder":
        folder = inputs.get(facts.reads[0])
        if not isinstance(folder, str):
            return []
        place = host.inside(host.input_dir(), folder)
        return sorted(file for file in place.glob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    name = inputs.get("image")
    if not isinstance(name, str):
        return []
    kept = "output" if node.get("class_type") == "LoadImageOutput" else "input"
    folders = {"input": host.input_dir, "output": host.output_dir, "temp": host.temp_dir}
    for kind in folders:
        if name.endswith(f"[{kind}]"):
            name, kept = name[: -len(kind) - 2].rstrip(), kind
            break
    return [host.inside(folders[kept](), name)]
