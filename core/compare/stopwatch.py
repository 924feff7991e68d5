"""How long a stage of a graph took and how much memory it needed, and what part of the graph that stage is."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import host
from ..graph import links, upstream
from .measuring import device_name, memory_of

if TYPE_CHECKING:
    import torch

STOP = "LikenessStopMeasuring"


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
        return {
            "name": self.name,
            "seconds": None if self.seconds is None else round(self.seconds, 4),
            "peak_memory_bytes": self.peak_memory_bytes,
            "device": self.device,
            "values": self.values,
        }


def _never() -> bool:
    return False


class Stopwatch:
    """Runs from the moment it is made. Several stages may end on one watch: each counts from its beginning."""

    def __init__(self, device: torch.device) -> None:
        run = host.current_run()
        self._run = None if run is None else run.id
        self._device = device
        self._memory = memory_of(device, _never if run is None else run.over)
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
    stops = [
        node_id
        for node_id, node in run.graph.items()
        if node.get("class_type") == STOP and (links(node).get("stopwatch") or [None])[0] == run.node
    ]
    found = upstream(run.graph, stops)
    words = [
        [node_id, run.graph[node_id].get("class_type"), run.graph[node_id].get("inputs")] for node_id in sorted(found)
    ]
    return hashlib.sha256(json.dumps(words, sort_keys=True, default=repr).encode()).hexdigest()
