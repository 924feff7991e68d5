"""The V3 node interface: ComfyUI's own where it can be imported, else our stub with the same surface.

With ComfyUI's own, its folders, progress and device become what surrounds the work (`core.host`). Type checkers see
the stub.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comfy_stub import ComfyExtension, io, ui
else:
    try:
        from comfy_api.latest import ComfyExtension, io, ui
    except ImportError:
        from .comfy_stub import ComfyExtension, io, ui
    else:
        from ..core import host
        from .host import ComfySurroundings

        host.install(ComfySurroundings())

if TYPE_CHECKING:
    from ..core.node_facts import NodeFacts

__all__ = ["ComfyExtension", "io", "newer", "ui"]


def newer(facts: NodeFacts, *search_aliases: str) -> dict[str, Any]:
    """The fields of a schema that older versions of ComfyUI do not have, without those that this one lacks.

    `search_aliases` (0.11): other words by which a node is found. `has_intermediate_output` (0.19): what the node
    shows is told again when its result comes from the cache, without which reports would lack it. A node with an
    `essentials_category` (0.15) counts as none of a pack on the canvas, which is why ours have none.
    """
    given = {"search_aliases": list(search_aliases), "has_intermediate_output": facts.shows}
    known = {field.name for field in fields(io.Schema)}
    return {name: value for name, value in given.items() if name in known}
