"""Training engines, free of ComfyUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .tiny_vae import psnr
    from .tiny_vae_data import middle_square
    from .tiny_vae_train import draw

__getattr__ = lazy(__name__, {".tiny_vae": "psnr", ".tiny_vae_data": "middle_square", ".tiny_vae_train": "draw"})
