"""The provenance nodes a user can drag: save a picture with what is known of its making."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .provenance import SaveWithProvenance

if TYPE_CHECKING:
    from .schema import io

NODES: list[type[io.ComfyNode]] = [SaveWithProvenance]
