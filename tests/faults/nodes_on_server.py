"""Nodes that fail on demand inside a real ComfyUI: the tests' server loads this file as a custom node pack."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import comfy.model_management  # pyright: ignore[reportMissingImports]
import folder_paths  # pyright: ignore[reportMissingImports]
import torch
from PIL import Image

_failures: Counter[str] = Counter()

_WORDS = {
    "illegal memory access": "CUDA error: an illegal memory access was encountered\n"
    "CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be "
    "incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1",
    "device-side assert": "CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA` to enable "
    "device-side assertions.",
    "unspecified launch failure": "CUDA error: unspecified launch failure",
}


class _OnImage:
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "execute"
    CATEGORY = "likeness faults"


class FaultWait(_OnImage):
    """Waits instead of computing; can be interrupted."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("IMAGE",), "seconds": ("FLOAT", {"default": 1.0})}}

    def execute(self, image: torch.Tensor, seconds: float) -> tuple[torch.Tensor]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            comfy.model_management.throw_exception_if_processing_interrupted()
            time.sleep(0.01)
        return (image,)


class FaultOutOfMemory(_OnImage):
    """Runs out of memory the first `times` times for each `key`."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("IMAGE",), "key": ("STRING", {}), "times": ("INT", {"default": 1})}}

    def execute(self, image: torch.Tensor, key: str, times: int) -> tuple[torch.Tensor]:
        if _failures[key] < times:
            _failures[key] += 1
            raise torch.OutOfMemoryError(
                "Allocation on device 0 would exceed allowed memory. (out of memory)\nCurrently allocated : 7.20 GiB"
            )
        return (image,)


class FaultPoisoned(_OnImage):
    """Fails as every node does once the CUDA context is broken."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("IMAGE",), "error": (list(_WORDS),)}}

    def execute(self, image: torch.Tensor, error: str) -> tuple[torch.Tensor]:
        raise getattr(torch, "AcceleratorError", RuntimeError)(_WORDS[error])


class FaultNotANumber(_OnImage):
    """What a model in half precision gives when it overflows: NaN in every pixel."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("IMAGE",)}}

    def execute(self, image: torch.Tensor) -> tuple[torch.Tensor]:
        return (torch.full_like(image, float("nan")),)


class FaultSave:
    """Saves under a fixed name, without a filename_prefix: the same graph is fully cached the second time."""

    RETURN_TYPES: ClassVar[tuple[str, ...]] = ()
    FUNCTION = "execute"
    CATEGORY = "likeness faults"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"images": ("IMAGE",), "name": ("STRING", {})}}

    def execute(self, images: torch.Tensor, name: str) -> dict[str, Any]:
        pixels = (images[0].clamp(0, 1) * 255).round().byte().cpu().numpy()
        Image.fromarray(pixels).save(Path(folder_paths.get_output_directory()) / name)
        return {"ui": {"images": [{"filename": name, "subfolder": "", "type": "output"}]}}


class FaultPicky:
    """An output that the server's own validation refuses, and nobody can foresee it from /object_info."""

    RETURN_TYPES: ClassVar[tuple[str, ...]] = ()
    FUNCTION = "execute"
    CATEGORY = "likeness faults"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"word": ("STRING", {})}}

    @classmethod
    def VALIDATE_INPUTS(cls, word: str) -> bool | str:
        return True if word == "please" else f"{word!r} is not polite"

    def execute(self, word: str) -> dict[str, Any]:
        return {"ui": {"text": [word]}}


NODE_CLASS_MAPPINGS = {
    cls.__name__: cls for cls in (FaultPicky, FaultWait, FaultOutOfMemory, FaultPoisoned, FaultNotANumber, FaultSave)
}
