"""The comparing nodes a user can drag."""

from __future__ import annotations

from ..schema import io

NODES: list[type[io.ComfyNode]] = []
