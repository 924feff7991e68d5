"""Reads a picture file back: what it claims, and whether its content credentials are intact and trusted."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..errors import PhotoTooLarge
from ..errors.formats import MetadataUnreadable
from ..imaging.files import opened
from . import xmp
from .credentials import available, c2pa, context, credentials_of, padding_is_clean
from .origin import MAX_FILE_BYTES, origin_of, packet_of
from .source_types import GENERATIVE, normalised
from .xmp import SILENT, Claims, Generative, Origin

MIME = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
}
"""Formats that can hold credentials, as Pillow and as MIME call them."""

_OF_TRUST = ".untrusted"
_OF_TIME = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})


class State(StrEnum):
    """What became of a file's content credentials."""

    NONE = "none"
    """There are none: never signed, or saved again by a program that drops them."""
    INTACT = "intact"
    """The signature fits every byte that it covers."""
    EXPIRED = "expired"
    """The bytes fit, and the certificate was not valid when it signed, or has expired and no timestamp was taken."""
    ALTERED = "altered"
    """The file was changed after it was signed, or its credentials are damaged."""
    ELSEWHERE = "elsewhere"
    """The file points to credentials that are kept on a server, which is not asked."""
    NOT_CHECKED = "not checked"
    """There are some, and c2pa-python is not installed."""


@dataclass(frozen=True)
class Credentials:
    """A file's content credentials. `trusted`: the certificate leads to an authority that was given as trusted; a
    certificate that one made oneself is intact and not trusted. `problems` are C2PA's own codes."""

    state: State = State.NONE
    trusted: bool = False
    signer: str = ""
    issuer: str = ""
    signed_at: str = ""
    generator: str = ""
    actions: tuple[str, ...] = ()
    source_types: tuple[str, ...] = ()
    ingredients: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What is known of a picture file. `unreadable`: why its XMP is not read, empty where it is or there is none.
    `origin`: what this pack takes it for when it is an input photo."""

    width: int
    height: int
    format: str
    claims: Claims | None
    credentials: Credentials
    unreadable: str = ""
    origin: Origin = SILENT

    @property
    def known(self) -> bool:
        """Whether the file says anything of its making."""
        told = self.claims is not None or bool(self.unreadable) or bool(self.traces)
        return told or self.credentials.state is not State.NONE

    @property
    def traces(self) -> str:
        """What speaks of generation beside the claims: a graph, a sampler's settings, a second packet. Empty where
        nothing does, or the claims say it themselves."""
        claims = self.claims or Claims()
        said = {claims.source_type, *self.credentials.source_types} & GENERATIVE
        quiet = self.origin.generative is Generative.NONE or claims.record is not None or bool(self.unreadable)
        return "" if said or quiet else self.origin.reason

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        claims = self.claims
        return {
            "width": self.width,
            "height": self.height,
            "format": self.format,
            "known": self.known,
            "xmp": None
            if claims is None
            else {
                "digital_source_type": claims.source_type,
                "tool": claims.tool,
                "creator": claims.creator,
                "record": None if claims.record is None else claims.record.as_dict(),
            },
            "xmp_unreadable": self.unreadable or None,
            "traces": self.traces or None,
            "credentials": asdict(self.credentials) | {"state": self.credentials.state.value},
        }


def check_file(path: Path, trust: bytes | None = None) -> Checked:
    """Decode the whole picture, read its XMP, and check its credentials; `trust`: authorities that are trusted, PEM.

    Raises PhotoMissing, PhotoTooLarge and PhotoUnreadable.
    """
    if path.is_file() and path.stat().st_size > MAX_FILE_BYTES:
        raise PhotoTooLarge(
            f"{path.name} has {path.stat().st_size} bytes, more than the limit of {MAX_FILE_BYTES}; it is not read."
        )
    with opened(path) as image:
        image.load()
        form, packet = image.format or "", packet_of(image)
        width, height = image.size
    claims, unreadable = None, ""
    if packet:
        try:
            claims = xmp.read(packet)
        except MetadataUnreadable as error:
            unreadable = str(error)
    if claims == Claims():
        claims = None
    found = Credentials()
    if form in MIME:
        found = check_credentials(path.read_bytes(), MIME[form], trust)
    return Checked(width, height, form, claims, found, unreadable, origin_of(path))


def check_credentials(data: bytes, mime: str, trust: bytes | None = None) -> Credentials:
    """The content credentials of a file's bytes. The network is never asked."""
    boxes = credentials_of(data)
    if not available():
        return Credentials(State.NOT_CHECKED if boxes else State.NONE)
    library = c2pa()
    try:
        with context(library, trust) as settings:
            reader = library.Reader.try_create(mime, io.BytesIO(data), context=settings)
            if reader is None:
                return Credentials(State.ALTERED, problems=("damaged",)) if boxes else Credentials()
            with reader:
                return _read(json.loads(reader.json()), boxes is data or padding_is_clean(boxes))
    except (library.C2paError, ValueError, KeyError) as error:
        if not boxes:
            return Credentials(State.ELSEWHERE if "remote" in str(error).lower() else State.NONE)
        return Credentials(State.ALTERED, problems=(f"damaged: {' '.join(str(error).split())[:200]}",))


def _read(store: dict[str, Any], padding_clean: bool) -> Credentials:
    manifest = store["manifests"][store["active_manifest"]]
    results = store.get("validation_results") or {}
    failures = [entry["code"] for entry in (results.get("activeManifest") or {}).get("failure", [])]
    failures += [
        entry["code"]
        for delta in results.get("ingredientDeltas") or []
        for entry in (delta.get("validationDeltas") or {}).get("failure", [])
    ]
    problems = [code for code in dict.fromkeys(failures) if not code.endswith(_OF_TRUST)]
    if not padding_clean:
        problems.append("padding.altered")
    state = State.INTACT
    if problems:
        state = State.EXPIRED if set(problems) <= _OF_TIME else State.ALTERED
    elif store.get("validation_state") == "Invalid":
        state, problems = State.ALTERED, ["invalid"]
    signature = manifest.get("signature_info") or {}
    actions = _actions(manifest)
    generators = manifest.get("claim_generator_info") or [{}]
    return Credentials(
        state=state,
        trusted=store.get("validation_state") == "Trusted" and state is State.INTACT,
        signer=str(signature.get("common_name") or ""),
        issuer=str(signature.get("issuer") or ""),
        signed_at=str(signature.get("time") or ""),
        generator=" ".join(str(generators[0].get(key) or "") for key in ("name", "version")).strip(),
        actions=tuple(str(action.get("action")) for action in actions),
        source_types=tuple(
            dict.fromkeys(normalised(str(a["digitalSourceType"])) for a in actions if a.get("digitalSourceType"))
        ),
        ingredients=len(manifest.get("ingredients") or ()),
        problems=tuple(problems),
    )


def _actions(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        action
        for assertion in manifest.get("assertions") or ()
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in (assertion.get("data") or {}).get("actions") or ()
    ]
