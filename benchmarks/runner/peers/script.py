"""comfy-script: the graph is built by calling its nodes in Python. It hands out PIL pictures, which are saved."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapter import Run, serve


def start(url: str) -> Run:
    from comfy_script import runtime

    runtime.load(url)
    from comfy_script.runtime import nodes

    def run(graph: Path, output: Path) -> list[Path]:
        description: dict[str, Any] = json.loads(graph.read_bytes())
        made: dict[str, Any] = {}
        saved: dict[str, Any] = {}
        with runtime.Workflow(wait=True):
            for name, node in description.items():
                inputs = {
                    key: made[value[0]] if isinstance(value, list) else value for key, value in node["inputs"].items()
                }
                made[name] = getattr(nodes, node["class_type"])(**inputs)
                if node["class_type"] == "SaveImage":
                    saved[name] = made[name]
        written = []
        for name, node in saved.items():
            result = node.wait()
            if result is None:
                raise OSError(f"comfy-script has no result for {name}")
            for index, picture in enumerate(result.wait()):
                written.append(output / f"{graph.stem}_{name}_{index}.png")
                picture.save(written[-1])
        return written

    return run


if __name__ == "__main__":
    serve(start)
