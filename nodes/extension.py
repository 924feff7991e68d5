"""The node classes of the pack, listed once, in the order of the Add Node menu."""

from __future__ import annotations

from .schema import ComfyExtension, io


def node_classes() -> list[type[io.ComfyNode]]:
    """Every node of the pack."""
    from . import compare, id_photo, identity, lora, portrait, prompting, provenance

    packages = (identity, portrait, id_photo, prompting, lora, compare, provenance)
    return [node for package in packages for node in package.NODES]


class LikenessExtension(ComfyExtension):
    """What ComfyUI asks for the pack's nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Every node of the pack."""
        return node_classes()
