"""How long a stage of a graph took and how much memory it needed: the GPU's own count, or this process sampled."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from .. import host
from ..graph import links, upstream

if TYPE_CHECKING:
    import torch

SAMPLE_SECONDS = 0.05


def process_memory() -> int | None:
    """Resident memory of this process in bytes; None without psutil, which ComfyUI and the runner have."""
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.Process().memory_info().rss)


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


@dataclass(frozen=True)
class Measured:
    """One stage. seconds and peak_memory_bytes are None where its beginning belongs to an earlier run."""

    name: str
    seconds: float | None
    peak_memory_bytes: int | None
    device: str
    values: int

    def as_dict(self) -> dict[str, Any]:
        """For reports."""
        return asdict(self) | {"seconds": None if self.seconds is None else round(self.seconds, 4)}


class Stopwatch:
    """Runs from the moment it is made. Several stages may end on one watch: each counts from its beginning."""

    def __init__(self, device: torch.device) -> None:
        run = host.current_run()
        self._run = None if run is None else run.id
        self._device = device
        self._memory = memory_of(device, (lambda: False) if run is None else run.over)
        self._began = time.monotonic()

    def read(self, name: str, values: int) -> Measured:
        """The stage that ends now, after `values` values have passed.

        A watch that an earlier run started, and that came here from a cache, measures nothing.
        """
        run = host.current_run()
        device = device_name(self._device)
        if (None if run is None else run.id) != self._run:
            return Measured(name, None, None, device, values)
        peak = self._memory.peak()
        return Measured(name, time.monotonic() - self._began, peak, device, values)


def stage_fingerprint() -> str | float:
    """Changes when anything changes that the Stop Measuring nodes of the Start Measuring that now runs depend on.

    So the watch starts anew exactly where its stage is computed anew; where nothing has changed, all of the stage
    stays cached. Not a number, which is equal to nothing, where the graph is not known.
    """
    run = host.current_run()
    if run is None or run.node is None:
        return float("nan")
    stops = [node_id for node_id, node in run.graph.items() if (links(node).get("stopwatch") or [None])[0] == run.node]
    found = upstream(run.graph, stops)
    words = [
        [node_id, run.graph[node_id].get("class_type"), run.graph[node_id].get("inputs")] for node_id in sorted(found)
    ]
    return hashlib.sha256(json.dumps(words, sort_keys=True, default=repr).encode()).hexdigest()
