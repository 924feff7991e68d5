"""Likeness Studio: a photo of you goes in, a professional picture comes out, proven to be still you.

ComfyUI loads this file. It imports nothing of weight, so that it can be imported with or without ComfyUI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .core.node_facts import NodeFacts, set_facts_of_our_nodes

if TYPE_CHECKING:
    from .nodes.extension import LikenessExtension

WEB_DIRECTORY = "./web"
__version__ = "0.1.0"


def _facts_of_our_nodes() -> Mapping[str, NodeFacts]:
    from .nodes.extension import node_facts

    return node_facts()


set_facts_of_our_nodes(_facts_of_our_nodes)


async def comfy_entrypoint() -> LikenessExtension:
    """ComfyUI's V3 entry: called once at start."""
    from .nodes.extension import LikenessExtension

    return LikenessExtension()


__all__ = ["WEB_DIRECTORY", "__version__", "comfy_entrypoint"]
