"""Finds the content credentials (a C2PA manifest store) in a file's bytes, without the C2PA library."""

from __future__ import annotations

import re
from collections.abc import Iterator

MARK = b"c2pa"
"""What the description of a C2PA manifest store is called; every store contains it (C2PA specification 2.2, 11)."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_START_OF_SCAN, _END = 0xDA, 0xD9
_PADDING = re.compile(rb"(?:cpad|dpad2)(?:([\x40-\x57])|\x58(.)|\x59(..))", re.DOTALL)


def credentials_of(data: bytes) -> bytes:
    """The bytes of the JUMBF boxes in a JPEG (APP11), PNG (caBX) or WebP (C2PA) file; empty where there are none.

    Works on damaged files too, as far as their structure can be followed. Of another format it is the whole file, where
    that has a box and names C2PA.
    """
    if data.startswith(_JPEG):
        parts = [content for marker, content in _segments(data) if marker == 0xEB and content[:2] == b"JP"]
        return b"".join(part[8 if index == 0 else 16 :] for index, part in enumerate(parts))
    if data.startswith(_PNG):
        return b"".join(content for name, content in _png_chunks(data) if name == b"caBX")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return b"".join(content for name, content in _riff_chunks(data) if name == b"C2PA")
    return data if b"jumb" in data and MARK in data else b""


def padding_is_clean(boxes: bytes) -> bool:
    """Whether each padding is of one byte throughout, zero or a blank: no signature covers that of a signature.

    C2PA demands zeros (2.2, 13.2.3); some programs write blanks into that of hashes.
    """
    for found in _PADDING.finditer(boxes):
        short, one, two = found.groups()
        length = short[0] - 0x40 if short else int.from_bytes(one or two, "big")
        padding = boxes[found.end() : found.end() + length]
        if padding.strip(b"\0") and padding.strip(b" "):
            return False
    return True


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The segments before a JPEG's first scan: marker and content."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (_START_OF_SCAN, _END) or length < 2:
            return
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
