"""ComfyUI's V3 node interface without ComfyUI, so that nodes can be described and executed anywhere.

Written from the interface's documentation. `tests/comfyui/test_pack.py` holds it against the real thing:
for every node of the pack, the description made here equals the one that ComfyUI makes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from . import io, ui


class ComfyExtension(ABC):
    """A pack: a list of node classes."""

    async def on_load(self) -> None:
        """Run once when the pack is loaded."""
        return

    @abstractmethod
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All node classes of the pack."""


__all__ = ["ComfyExtension", "io", "ui"]
