"""The most memory in use between two moments: the GPU's own count, or this process seen twenty times a second."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import torch

SAMPLE_SECONDS = 0.05


def process_memory() -> int | None:
    """Resident memory of this process in bytes; None where this machine does not say.

    psutil, which ComfyUI has, knows it everywhere; Linux says it in a file.
    """
    try:
        import psutil
    except ImportError:
        pass
    else:
        return int(psutil.Process().memory_info().rss)
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * resource.getpagesize()
    except (ImportError, OSError, ValueError, IndexError):
        return None


class ProcessMemory:
    """The highest resident memory of this process from now on, in bytes.

    A thread looks; it ends when `over` says so, or when nobody holds this object any more: a graph that fails before
    its Stop Measuring leaves no thread behind.
    """

    def __init__(self, over: Callable[[], bool]) -> None:
        self._highest = process_memory()
        if self._highest is not None:
            watch = threading.Thread(target=_watch, args=(weakref.ref(self), over), name="likeness-memory", daemon=True)
            watch.start()

    def look(self) -> None:
        """Take note of the memory now."""
        now = process_memory()
        if now is not None:
            self._highest = max(now, self._highest or 0)

    def peak(self) -> int | None:
        """The highest so far; None where this machine does not say."""
        self.look()
        return self._highest


def _watch(memory: weakref.ref[ProcessMemory], over: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not over():
        held = memory()
        if held is None:
            return
        held.look()
        del held
        pause.wait(SAMPLE_SECONDS)


class CudaMemory:
    """The most memory that torch's allocator handed out on a CUDA device from now on, in bytes.

    Torch keeps one count for a device. Whoever begins sets it back, and those that began earlier take note before.
    """

    _others: ClassVar[weakref.WeakSet[CudaMemory]] = weakref.WeakSet()

    def __init__(self, device: torch.device) -> None:
        import torch

        self._device, self._highest = device, 0
        for other in list(self._others):
            other.peak()
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        self._others.add(self)

    def peak(self) -> int:
        """The highest so far."""
        import torch

        torch.cuda.synchronize(self._device)
        self._highest = max(self._highest, torch.cuda.max_memory_allocated(self._device))
        return self._highest


def device_name(device: torch.device) -> str:
    """What the memory is of, for people: the GPU's name, or this process on the processor."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return f"{device.type} (whole process)"


def memory_of(device: torch.device, over: Callable[[], bool]) -> CudaMemory | ProcessMemory:
    """The watch that fits the device."""
    return CudaMemory(device) if device.type == "cuda" else ProcessMemory(over)
