"""Content credentials (C2PA): sign with the user's own certificate, find them in a file's bytes, see if intact.

Nothing here reaches the network unless a timestamp authority was named: manifests that are kept elsewhere and
certificates' revocation lists are not fetched.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DependencyMissing
from ..errors.formats import CredentialsNotSetUp, CredentialsRefused
from .source_types import GENERATIVE

if TYPE_CHECKING:
    from ..imaging.encode import Form

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
        return b"".join(content for name, content in png_chunks(data) if name == b"caBX")
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


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG, name and content, also behind its end; none of other data."""
    if not data.startswith(_PNG):
        return
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


CERTIFICATE, KEY, ALGORITHM, TIMESTAMPS, TRUST = (
    f"LIKENESS_C2PA_{name}" for name in ("CERT", "KEY", "ALG", "TSA", "TRUST")
)
"""Environment variables: a PEM file with the certificate chain (the signing one first), a PEM file with its key or the
key itself, the algorithm (default es256), the address of a timestamp authority (default none), and a PEM file with the
authorities that are trusted when files are verified."""

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")
MIME: Mapping[str, str] = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

INSTALL = "pip install c2pa-python"
_MAX_PEM = 1_000_000


@dataclass(frozen=True)
class Signing:
    """A certificate chain and its key, PEM; never part of a graph. `timestamps`: a timestamp authority's address."""

    chain: bytes
    key: bytes = field(repr=False)
    algorithm: str = "es256"
    timestamps: str | None = None

    @classmethod
    def from_files(cls, chain: Path, key: Path, algorithm: str = "es256", timestamps: str | None = None) -> Signing:
        """Read the files. Raises CredentialsNotSetUp."""
        return cls(
            read_pem(chain, "certificate for signing"),
            read_pem(key, "key for signing"),
            _algorithm(algorithm),
            timestamps,
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Signing:
        """What the environment names. Raises CredentialsNotSetUp."""
        chain, key = environment.get(CERTIFICATE, ""), environment.get(KEY, "")
        if not chain or not key:
            missing = CERTIFICATE if not chain else KEY
            raise CredentialsNotSetUp(
                f"The picture was to be signed and {missing} is not set; give your PEM file there, or turn sign off."
            )
        return cls(
            read_pem(Path(chain).expanduser(), "certificate for signing"),
            key.encode()
            if key.lstrip().startswith("-----BEGIN")
            else read_pem(Path(key).expanduser(), "key for signing"),
            _algorithm(environment.get(ALGORITHM) or "es256"),
            environment.get(TIMESTAMPS) or None,
        )


def read_pem(path: Path, what: str) -> bytes:
    """A PEM file; `what` it is, for the message. Raises CredentialsNotSetUp."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_PEM)
    except OSError as error:
        raise CredentialsNotSetUp(f"The {what} cannot be read ({error.strerror or error}).") from error
    if b"-----BEGIN" not in content:
        raise CredentialsNotSetUp(f"The file given as the {what} is not PEM; convert it with openssl.")
    if b"ENCRYPTED" in content:
        raise CredentialsNotSetUp(f"The {what} is locked with a password; give it unlocked, readable by you alone.")
    return content


def _algorithm(name: str) -> str:
    if name.lower() not in ALGORITHMS:
        raise CredentialsNotSetUp(f"{name!r} is no algorithm for signing; choose one of {', '.join(ALGORITHMS)}.")
    return name.lower()


@dataclass(frozen=True)
class Ingredient:
    """A picture that went into the one that is signed: its bytes and its MIME type. Its name is not kept."""

    data: bytes
    mime: str


@dataclass(frozen=True)
class Action:
    """Something that was done, in C2PA's words (``c2pa.cropped``), and in ours."""

    action: str
    description: str = ""
    source_type: str | None = None


def c2pa() -> Any:
    """The library. Raises DependencyMissing."""
    try:
        import c2pa as library
    except (ImportError, OSError) as error:
        raise DependencyMissing(
            f"Content credentials need the package c2pa-python, which is not installed; get it with: {INSTALL}"
        ) from error
    return library


def available() -> bool:
    """Whether the library can be imported."""
    try:
        c2pa()
    except DependencyMissing:
        return False
    return True


def context(library: Any, trust: bytes | None = None, *, timestamps: bool = False) -> Any:
    """Settings without thumbnails and without network; `trust` are certificates of trusted authorities, PEM.

    Identity assertions (CAWG) are not looked into: to check one, the library would ask a server that the file names.
    `timestamps`: the timestamp authority may be asked.
    """
    settings: dict[str, Any] = {
        "version": 1,
        "core": {"decode_identity_assertions": False} | ({} if timestamps else {"allowed_network_hosts": []}),
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if trust:
        settings["trust"] = {"trust_anchors": trust.decode("ascii", "replace")}
    return library.Context.from_dict(settings)


def sign(
    data: bytes,
    form: Form,
    signing: Signing,
    *,
    tool: tuple[str, str],
    actions: Sequence[Action] = (),
    ingredients: Sequence[Ingredient] = (),
    source_type: str | None = None,
) -> bytes:
    """The same picture file with a signed manifest: one action that says where it began, then `actions`.

    One ingredient is the picture that was opened (``c2pa.opened``, its parent), with `source_type` where that says that
    generation had a part; none or several make it a picture that
    was created (``c2pa.created`` with `source_type`), and the ingredients were placed into it. An ingredient brings the
    content credentials that it has, so that they stay readable. Every byte outside the manifest is covered by the
    signature, the XMP packet too. Raises CredentialsRefused and DependencyMissing.
    """
    library = c2pa()
    mime = MIME[form]
    manifest = {
        "claim_generator_info": [{"name": tool[0], "version": tool[1]}],
        "format": mime,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": _actions(actions, len(ingredients), source_type)}}
        ],
    }
    relation = "parentOf" if len(ingredients) == 1 else "componentOf"
    signed = io.BytesIO()
    try:
        info = library.C2paSignerInfo(signing.algorithm, signing.chain, signing.key, signing.timestamps)
        with (
            context(library, timestamps=signing.timestamps is not None) as settings,
            library.Signer.from_info(info) as signer,
            library.Builder(json.dumps(manifest), context=settings) as builder,
        ):
            for index, ingredient in enumerate(ingredients):
                about = {"title": f"input photo {index + 1}", "relationship": relation, "label": _label(index)}
                builder.add_ingredient(about, ingredient.mime, io.BytesIO(ingredient.data))
            builder.sign(signer, mime, io.BytesIO(data), signed)
    except library.C2paError as error:
        raise CredentialsRefused(f"The picture could not be signed ({_plain(error)}).") from error
    return signed.getvalue()


def _label(index: int) -> str:
    return f"input{index + 1}"


def _actions(actions: Sequence[Action], count: int, source_type: str | None) -> list[dict[str, Any]]:
    if count == 1:
        opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [_label(0)]}}
        first = [opened | ({"digitalSourceType": source_type} if source_type in GENERATIVE else {})]
    else:
        first = [{"action": "c2pa.created"} | ({"digitalSourceType": source_type} if source_type else {})]
        first += [{"action": "c2pa.placed", "parameters": {"ingredientIds": [_label(index)]}} for index in range(count)]
    rest = [
        {"action": each.action}
        | ({"description": each.description} if each.description else {})
        | ({"digitalSourceType": each.source_type} if each.source_type else {})
        for each in actions
    ]
    return first + rest


def _plain(error: Exception) -> str:
    """The library's words on one line, without a full stop."""
    return " ".join(str(error).split()).rstrip(".")[:300] or type(error).__name__
