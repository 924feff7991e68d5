"""A picture's making as an XMP packet: what other programs understand, this pack's own statements, and their record."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..errors.formats import MetadataUnreadable
from .source_types import normalised


class Generative(StrEnum):
    """Whether generation had a part in a picture."""

    NONE = "none"
    """No step of the graph generates, and no input photo says that it was generated."""
    SOME = "some"
    """At least one step generates, or an input photo says that it was generated."""
    UNKNOWN = "unknown"
    """A step, or where an input comes from, is not known: nothing is claimed."""


STATEMENTS = {
    Generative.NONE: "No generative step was used in the workflow that made this file.",
    Generative.SOME: "Generative steps were used, or the input photo says that it was generated.",
    Generative.UNKNOWN: "Not every step of the workflow is known, so nothing is claimed about generation.",
}
"""The words for each."""


@dataclass(frozen=True)
class Record:
    """What is written beside a picture. `source_type` is an IPTC identifier; None where nothing is claimed.

    `steps` are class names of nodes with what each does, `reasons` say why `generative` is what it is, `models` are
    name and licence. `document` is the id of an ID document, `edits` what was done for it beyond cutting. Nothing here
    names a file or a folder of the user's.
    """

    generative: Generative = Generative.UNKNOWN
    source_type: str | None = None
    steps: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    workflow_hash: str = ""
    document: str = ""
    edits: tuple[str, ...] | None = None
    creator: str = ""
    tool: str = ""

    @property
    def statement(self) -> str:
        """The sentence for `generative`."""
        return STATEMENTS[self.generative]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "generative": self.generative.value,
            "statement": self.statement,
            "digital_source_type": self.source_type,
            "steps": list(self.steps),
            "reasons": list(self.reasons),
            "models": [{"name": name, "licence": licence} for name, licence in self.models],
            "workflow_hash": self.workflow_hash,
            "document": self.document,
            "edits": None if self.edits is None else list(self.edits),
            "creator": self.creator,
            "tool": self.tool,
        }


@dataclass(frozen=True)
class Claims:
    """What an XMP packet says. `record` is None where it is not one of ours; `source_type` may come from anybody.
    `credentials_at`: the address of content credentials that are kept outside of the file. `credit`: who is named."""

    source_type: str | None = None
    tool: str = ""
    credit: str = ""
    creator: str = ""
    credentials_at: str = ""
    record: Record | None = field(default=None)


MAX_BYTES = 1_000_000
"""The longest packet that is read."""

X, RDF = "adobe:ns:meta/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC, XMP = "http://purl.org/dc/elements/1.1/", "http://ns.adobe.com/xap/1.0/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
DCTERMS = "http://purl.org/dc/terms/"
OWN = "https://github.com/likeness-studio/likeness-studio/ns/provenance/1.0/"
"""This pack's namespace: a name, not an address to be fetched."""

PREFIXES = {"x": X, "rdf": RDF, "dc": DC, "xmp": XMP, "Iptc4xmpExt": IPTC_EXT, "likeness": OWN}

_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL = '\n<?xpacket end="w"?>'
_CONTROL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def packet(record: Record) -> bytes:
    """The packet for `record`, UTF-8 (Adobe XMP specification, part 1; IPTC Photo Metadata Standard 2024.1).

    ``Iptc4xmpExt:DigitalSourceType`` is left out where nothing is claimed. The same record gives the same bytes.
    """
    for prefix, uri in PREFIXES.items():
        ET.register_namespace(prefix, uri)
    root = ET.Element(f"{{{X}}}xmpmeta")
    about = ET.SubElement(ET.SubElement(root, f"{{{RDF}}}RDF"), f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    _text(about, XMP, "CreatorTool", record.tool)
    _array(about, DC, "creator", "Seq", (record.creator,) if record.creator else ())
    _text(about, IPTC_EXT, "DigitalSourceType", record.source_type or "")
    _text(about, OWN, "generativeSteps", record.generative.value)
    _text(about, OWN, "statement", record.statement)
    _array(about, OWN, "steps", "Seq", record.steps)
    _array(about, OWN, "reasons", "Bag", record.reasons)
    _models(about, record.models)
    _text(about, OWN, "workflowHash", record.workflow_hash)
    _text(about, OWN, "document", record.document)
    if record.edits is not None:
        _array(about, OWN, "editsMade", "Bag", record.edits or ("none",))
    ET.indent(root, " ")
    return (_HEAD + ET.tostring(root, "unicode") + _TAIL).encode()


def _text(parent: ET.Element, namespace: str, name: str, value: str) -> None:
    if value:
        ET.SubElement(parent, f"{{{namespace}}}{name}").text = _clean(value)


def _array(parent: ET.Element, namespace: str, name: str, kind: str, values: tuple[str, ...]) -> None:
    if not values:
        return
    array = ET.SubElement(ET.SubElement(parent, f"{{{namespace}}}{name}"), f"{{{RDF}}}{kind}")
    for value in values:
        ET.SubElement(array, f"{{{RDF}}}li").text = _clean(value)


def _models(parent: ET.Element, models: tuple[tuple[str, str], ...]) -> None:
    if not models:
        return
    bag = ET.SubElement(ET.SubElement(parent, f"{{{OWN}}}models"), f"{{{RDF}}}Bag")
    for name, licence in models:
        item = ET.SubElement(bag, f"{{{RDF}}}li", {f"{{{RDF}}}parseType": "Resource"})
        _text(item, OWN, "name", name)
        _text(item, OWN, "licence", licence)


def _clean(value: str) -> str:
    """Without characters that XML 1.0 cannot hold."""
    return _CONTROL.sub(" ", value)


def read(data: bytes) -> Claims:
    """What a packet says, anybody's or ours.

    Packets come from strangers: a document type (and with it every entity) is refused, as are packets over a megabyte
    and such as are not UTF-8, which JPEG, PNG and WebP demand. Raises MetadataUnreadable.
    """
    root = _parsed(data)
    source = _value(root, IPTC_EXT, "DigitalSourceType")
    tool, creators = _value(root, XMP, "CreatorTool"), _values(root, DC, "creator")
    creator, credit = ", ".join(creators), _value(root, PHOTOSHOP, "Credit")
    state, away = _value(root, OWN, "generativeSteps"), _value(root, DCTERMS, "provenance")
    away = away if away.startswith("http") else ""
    source_type = normalised(source) if source else None
    if state not in set(Generative):
        return Claims(source_type, tool, credit, creator, away)
    edits = _values(root, OWN, "editsMade")
    record = Record(
        generative=Generative(state),
        source_type=source_type,
        steps=_values(root, OWN, "steps"),
        reasons=_values(root, OWN, "reasons"),
        models=tuple((_value(item, OWN, "name"), _value(item, OWN, "licence")) for item in _items(root, OWN, "models")),
        workflow_hash=_value(root, OWN, "workflowHash"),
        document=_value(root, OWN, "document"),
        edits=None if not edits else () if edits == ("none",) else edits,
        creator=creator,
        tool=tool,
    )
    return Claims(source_type, tool, credit, creator, away, record)


def _parsed(data: bytes) -> ET.Element:
    if len(data) > MAX_BYTES:
        raise MetadataUnreadable(f"The XMP packet has {len(data)} bytes, more than the limit of {MAX_BYTES}.")
    try:
        text = data.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError as error:
        raise MetadataUnreadable("The XMP packet is not UTF-8 and is not read.") from error
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise MetadataUnreadable("The XMP packet declares a document type, which XMP must not, and is not read.")
    try:
        return ET.fromstring(text)  # noqa: S314 - no document type, so no entities; size limited above
    except ET.ParseError as error:
        raise MetadataUnreadable(f"The XMP packet is damaged ({error}).") from error


def _value(parent: ET.Element, namespace: str, name: str) -> str:
    """A simple value: XMP may write it as an element, as an attribute of its description, or as rdf:resource."""
    tag = f"{{{namespace}}}{name}"
    for element in parent.iter():
        if tag in element.attrib:
            return element.attrib[tag].strip()
        if element.tag == tag:
            return (element.text or "").strip() or element.attrib.get(f"{{{RDF}}}resource", "").strip()
    return ""


def _items(root: ET.Element, namespace: str, name: str) -> list[ET.Element]:
    """The items of the first array of that name. They never lie in one another, so that reading them all is quick."""
    found = next(root.iter(f"{{{namespace}}}{name}"), None)
    arrays = () if found is None else found
    return [item for array in arrays for item in array if item.tag == f"{{{RDF}}}li"]


def _values(root: ET.Element, namespace: str, name: str) -> tuple[str, ...]:
    return tuple((item.text or "").strip() for item in _items(root, namespace, name))


@dataclass(frozen=True)
class Origin:
    """Where a photo comes from, as far as it says. `generative` UNKNOWN: it says something that cannot be read, or
    leaves it open. A photo that says nothing is NONE without a `source_type`: silence is not counted against it."""

    generative: Generative
    source_type: str | None = None
    reason: str = ""


SILENT = Origin(Generative.NONE)


def combined(origins: list[Origin]) -> Origin:
    """The first that speaks of generation, or the first that leaves it open, or the first with a source type."""
    for wanted in (Generative.SOME, Generative.UNKNOWN):
        for origin in origins:
            if origin.generative is wanted:
                return origin
    return next((origin for origin in origins if origin.source_type), SILENT)
