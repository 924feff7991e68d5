"""What a ComfyUI server says on its WebSocket, as far as it is about a prompt. Anything else is passed over."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TERMINAL = frozenset({"execution_success", "execution_error", "execution_interrupted"})

HELLO = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
"""The first thing to say: previews then come with the prompt and the node they belong to."""

PREVIEW_WITH_METADATA = 4
"""The kind of binary frame that says which prompt it belongs to: a big-endian number at its beginning."""

MIMES = ("image/jpeg", "image/png")


@dataclass(frozen=True)
class Message:
    """A message about the prompt `prompt_id`. `kind` is the server's word for it."""

    kind: str
    prompt_id: str
    data: Mapping[str, Any]

    @property
    def node(self) -> str | None:
        """The id of the node that it is about."""
        node = self.data.get("node")
        return str(node) if isinstance(node, str | int) else None

    @property
    def ends(self) -> bool:
        """Whether the prompt is over: its result is there, or will be in a moment."""
        return self.kind in TERMINAL or (self.kind == "executing" and self.data.get("node", "") is None)


@dataclass(frozen=True)
class Preview:
    """A picture of a node's work so far, as the server encoded it."""

    prompt_id: str
    node: str | None
    mime: str
    picture: bytes


def parse(frame: str | bytes) -> Message | Preview | None:
    """Read one frame; None for what is not about a prompt, of a kind not known here, or damaged."""
    return _text(frame) if isinstance(frame, str) else _binary(frame)


def _text(frame: str) -> Message | None:
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("prompt_id"), str):
        return None
    return Message(str(message.get("type")), data["prompt_id"], data)


def _binary(frame: bytes) -> Preview | None:
    if len(frame) < 8:
        return None
    kind, second = struct.unpack(">II", frame[:8])
    if kind != PREVIEW_WITH_METADATA or len(frame) < 8 + second:
        return None
    try:
        metadata = json.loads(frame[8 : 8 + second])
    except (ValueError, RecursionError):
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("prompt_id"), str):
        return None
    node, mime = metadata.get("node_id"), metadata.get("image_type")
    return Preview(
        metadata["prompt_id"],
        str(node) if isinstance(node, str | int) else None,
        mime if mime in MIMES else MIMES[0],
        frame[8 + second :],
    )
