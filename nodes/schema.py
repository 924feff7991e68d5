"""The V3 node interface: ComfyUI's own where it can be imported, else our stand-in with the same surface.

This file and `host.py` are the only two that know whether ComfyUI is there. Type checkers see the stand-in.
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

__all__ = ["ComfyExtension", "io", "ui"]
