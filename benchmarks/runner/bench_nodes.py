"""Nodes that only the benchmarks need; `servers.py` copies this file into a server's own custom_nodes folder."""
# pyright: reportMissingImports=false

import time
from typing import Any

import comfy.model_management
import torch

STEP_SECONDS = 0.02


class BenchWait:
    """Hands the picture on after a while, computing nothing; an interrupt is noticed at once."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "wait"
    CATEGORY = "benchmark"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        seconds = ("FLOAT", {"default": 0.2, "min": 0.0, "max": 600.0})
        return {
            "required": {"image": ("IMAGE",), "seconds": seconds},
            "optional": {"note": ("STRING", {"default": ""})},
        }

    def wait(self, image: torch.Tensor, seconds: float, note: str = "") -> tuple[torch.Tensor]:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            comfy.model_management.throw_exception_if_processing_interrupted()
            time.sleep(min(left, STEP_SECONDS))
        return (image,)


class BenchNaN:
    """A picture of NaN, as a broken VAE makes it: ComfyUI saves it black and reports success."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "spoil"
    CATEGORY = "benchmark"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"image": ("IMAGE",)}}

    def spoil(self, image: torch.Tensor) -> tuple[torch.Tensor]:
        return (torch.full_like(image, float("nan")),)


NODE_CLASS_MAPPINGS = {"BenchWait": BenchWait, "BenchNaN": BenchNaN}
