"""The V3 node interface: ComfyUI's own where it can be imported, else our stub with the same surface.

With ComfyUI's own, its folders, progress and device become what surrounds the work (`core.host`). Type checkers see
the stub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

__all__ = ["ComfyExtension", "io", "ui"]
