"""Graphs for the fault tests, and a second client that talks to a server in plain HTTP."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from likeness_studio.core.interrupt import Stopped, never
from likeness_studio.runner.backends import Folders, OnEvent, RunResult, ignore
from likeness_studio.runner.backends.comfy.backend import ServerBackend
from likeness_studio.runner.workflow import Workflow

Graph = dict[str, dict[str, Any]]

_colours = itertools.count(0x203040, 0x010203)


def colour() -> int:
    """A colour that no test has used: the server has nothing of such a graph in its cache."""
    return next(_colours) & 0xFFFFFF


def node(class_type: str, title: str | None = None, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs} | ({"_meta": {"title": title}} if title else {})


def picture(rgb: int, prefix: str = "fault") -> Graph:
    """A small picture of one colour, saved."""
    return {
        "1": node("EmptyImage", "Blank", width=16, height=8, batch_size=1, color=rgb),
        "2": node("SaveImage", "Save", images=["1", 0], filename_prefix=prefix),
    }


def through(graph: Graph, class_type: str, **inputs: Any) -> Graph:
    """The same graph with a node between the picture and its Save."""
    graph["9"] = node(class_type, "Between", image=["1", 0], **inputs)
    graph["2"]["inputs"]["images"] = ["9", 0]
    return graph


def waiting(seconds: float, rgb: int | None = None, prefix: str = "fault") -> Graph:
    """A job that takes `seconds` and computes nothing."""
    return through(picture(colour() if rgb is None else rgb, prefix), "FaultWait", seconds=seconds)


def workflow(graph: Graph) -> Workflow:
    return Workflow.from_api("fault", graph)


def run_on(
    url: str,
    graph: Graph,
    folders: Folders,
    on_event: OnEvent = ignore,
    stopped: Stopped = never,
    **options: Any,
) -> RunResult:
    """Run `graph` with our client and let go of the server."""
    backend = ServerBackend(url, **options)
    try:
        return backend.run(workflow(graph), folders, on_event, stopped)
    finally:
        backend.close()


def colour_of(path: Path) -> int:
    """The colour of a picture that has only one."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert (pixels == pixels[0]).all(), f"{path} has more than one colour"
    red, green, blue = (int(value) for value in pixels[0])
    return red << 16 | green << 8 | blue


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The first true answer; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < end, f"nothing after {seconds} s"
        time.sleep(0.02)


class SecondClient:
    """Somebody else on the same server; shares no code with ours."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=10)

    def submit(self, graph: Graph) -> str:
        request = {"prompt": graph, "prompt_id": str(uuid.uuid4()), "client_id": "second"}
        answer = self.http.post("/prompt", json=request).raise_for_status().json()
        return answer["prompt_id"]

    def running(self) -> list[str]:
        return [entry[1] for entry in self.http.get("/queue").json()["queue_running"]]

    def pending(self) -> list[str]:
        return [entry[1] for entry in self.http.get("/queue").json()["queue_pending"]]

    def history(self) -> dict[str, Any]:
        return self.http.get("/history").json()

    def status_of(self, prompt_id: str) -> str | None:
        return self.history().get(prompt_id, {}).get("status", {}).get("status_str")

    def interrupt(self, prompt_id: str) -> None:
        self.http.post("/interrupt", json={"prompt_id": prompt_id}).raise_for_status()
