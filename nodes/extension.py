"""The node classes of the pack, listed once, in the order of the Add Node menu."""

from __future__ import annotations

from .schema import ComfyExtension, io


def node_classes() -> list[type[io.ComfyNode]]:
    """Every node of the pack."""
    from .compare import nodes as compare
    from .id_photo import nodes as id_photo
    from .identity import nodes as identity
    from .lora import nodes as lora
    from .portrait import nodes as portrait
    from .prompting import nodes as prompting
    from .provenance import nodes as provenance

    packages = (identity, portrait, id_photo, prompting, lora, compare, provenance)
    return [node for package in packages for node in package.NODES]


class LikenessExtension(ComfyExtension):
    """What ComfyUI asks for the pack's nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Every node of the pack."""
        return node_classes()
