"""What every adapter speaks: a graph's path comes in by a line, seconds and files go out by a line.

Standard library only, since it runs in the peer's environment. `{"graph": PATH, "output": FOLDER}` is answered with
`{"seconds": S, "files": […]}`, or with `error` in place of `files`. What the peer prints goes to the error stream.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Run = Callable[[Path, Path], list[Path]]
"""Run the graph in this file and put its pictures into this folder; what was written."""


def serve(start: Callable[[str], Run]) -> None:
    """Answer requests until the input ends. `start` gets the server's address and returns what runs a graph."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    url: str = parser.parse_args().server
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        run = start(url)
    except Exception as error:  # noqa: BLE001 - whatever the peer raises is its answer
        answers.write(json.dumps({"seconds": 0.0, "error": described(error)}) + "\n")
        return
    answers.write(json.dumps({"ready": True}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(answer(run, Path(request["graph"]), Path(request["output"]))) + "\n")


def answer(run: Run, graph: Path, output: Path) -> dict[str, Any]:
    """Run one job; the seconds end when the files are closed."""
    began = time.perf_counter()
    try:
        files = run(graph, output)
    except Exception as error:  # noqa: BLE001 - whatever the peer raises is its answer
        return {"seconds": time.perf_counter() - began, "error": described(error)}
    return {"seconds": time.perf_counter() - began, "files": [str(file) for file in files]}


def described(error: Exception) -> dict[str, str]:
    """What a user of the library would see."""
    traceback.print_exception(error)
    return {"type": type(error).__name__, "message": str(error)[:2000]}


def write(folder: Path, name: str, content: bytes) -> Path:
    """For peers that hand out bytes and leave the writing to their user: as their documentation writes it."""
    path = folder / name
    path.write_bytes(content)
    return path


def output_nodes(graph: dict[str, Any]) -> list[str]:
    """The nodes that save a picture; some peers want them named."""
    return [name for name, node in graph.items() if node["class_type"] == "SaveImage"]


def host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
