"""What an input photo says of where it comes from, so that a generated picture stays one when it is fed in again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LikenessError
from ..errors.formats import MetadataUnreadable
from ..imaging.files import opened
from . import xmp
from .container import MARK, credentials_of
from .record import Claims, Generative
from .source_types import GENERATED, GENERATIVE, TERMS, UNDECIDED, VOCABULARY, short

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 256 * 2**20
"""Larger files are not searched for content credentials."""

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
    believed from anybody), this pack's own record, and, where there is none, what generating programs leave in a file
    besides. Only a PNG is decoded: its texts may stand behind its pixels.
    """
    from .traces import from_traces

    try:
        with opened(path) as image:
            if image.format == "PNG":
                image.load()
            origin, claims = _from_xmp(image)
            found = [origin] if claims.record is not None else [origin, from_traces(image)]
        found.append(_from_bytes(path, claims))
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


def _from_bytes(path: Path, claims: Claims) -> Origin:
    """Terms of the vocabulary, wherever they stand in a file: in a second XMP packet, in the content credentials of any
    format. There they are plain text, unless the store is compressed (a brob box) or cut into pieces (GIF).

    A record of this pack among the `claims` says what a vague term leaves open.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        return Origin(Generative.UNKNOWN, None, "it is too large to be searched for content credentials")
    data = path.read_bytes()
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
    return [VOCABULARY + term.decode() for term in _TERM.findall(data)]
