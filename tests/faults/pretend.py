"""A server that gives a real ComfyUI's recorded answers about one job, or what a test puts in their place."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from likeness_studio.tests.faults.graphs import Graph, node
from likeness_studio.tests.faults.proxy import Exchange, Proxy

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("answers.json").read_text("utf-8"))
"""What ComfyUI 0.3.64 answered about `graph()`, by the path's beginning."""

RECORDED_ID = "00000000-0000-4000-8000-000000000000"

PATHS = [*RECORDED, "/view"]


def graph() -> Graph:
    """The job of the recorded answers: a photo and a plain picture, both saved."""
    return {
        "0": node("LoadImage", "Photo", image="photo.png"),
        "1": node("EmptyImage", "Blank", width=16, height=8, batch_size=1, color=0x804020),
        "2": node("SaveImage", "Save", images=["1", 0], filename_prefix="pretend"),
        "3": node("SaveImage", "Copy", images=["0", 0], filename_prefix="pretend"),
    }


def png() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 4), (200, 100, 50)).save(data, "PNG")
    return data.getvalue()


class Pretend(Proxy):
    """Answers each request with what is in `bodies` under the longest beginning of its path; the rest is 404.

    In every body the recorded prompt id is replaced by that of the job. `statuses` has those that are not 200.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bodies: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        self.prompt_id = RECORDED_ID
        self.reset()
        self.on(None, "/", self._answer)

    def reset(self) -> None:
        """Give the recorded answers again."""
        self.bodies = {path: json.dumps(body).encode() for path, body in RECORDED.items()} | {"/view": png()}
        self.statuses = {}

    def _answer(self, exchange: Exchange) -> None:
        request = exchange.request
        if (request.method, request.path) == ("POST", "/prompt"):
            self.prompt_id = request.json()["prompt_id"]
        path = next((path for path in self.bodies if request.path.startswith(path)), None)
        if path is None:
            exchange.answer(404, b"not found", "text/plain")
        else:
            body = self.bodies[path].replace(RECORDED_ID.encode(), self.prompt_id.encode())
            exchange.answer(self.statuses.get(path, 200), body)
