"""The part of ComfyUI's `comfy_api.latest.ui` that this pack uses: pictures and text shown on a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .io import ComfyNode


class UIOutput:
    """What the canvas shows on a node."""

    def as_dict(self) -> dict[str, Any]:
        """The `ui` entry of the node's history."""
        return {}


class PreviewImage(UIOutput):
    """Pictures shown on the node. `image` is IMAGE [B,H,W,3]; the local engine decides where they are written."""

    def __init__(self, image: Any, animated: bool = False, cls: type[ComfyNode] | None = None) -> None:
        from ...core.imaging.encode import save_preview
        from ...core.provenance.save import stated_of_this_run

        self.values = save_preview(image, stated_of_this_run())
        self.animated = animated

    def as_dict(self) -> dict[str, Any]:
        """File names as a server reports them."""
        return {"images": self.values, "animated": (self.animated,)}


class PreviewText(UIOutput):
    """Text shown on the node."""

    def __init__(self, value: str) -> None:
        self.value = value

    def as_dict(self) -> dict[str, Any]:
        """The text as a server reports it."""
        return {"text": (self.value,)}
