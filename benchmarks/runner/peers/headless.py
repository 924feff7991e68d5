"""comfy-headless: queue, wait, and fetch by name. It hands out bytes."""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from pathlib import Path

from adapter import Run, serve, write


def start(url: str) -> Run:
    from comfy_headless import ComfyClient

    client = ComfyClient(url)

    def run(graph: Path, output: Path) -> list[Path]:
        prompt_id = client.queue_prompt(json.loads(graph.read_bytes()))
        if prompt_id is None:
            raise OSError("comfy-headless queued nothing")
        entry = client.wait_for_completion(prompt_id)
        if entry is None:
            raise TimeoutError("comfy-headless gave up waiting")
        if entry.get("status", {}).get("status_str") == "error":
            raise OSError(f"comfy-headless says error: {entry['status']}")
        files = [file for node in entry["outputs"].values() for file in node.get("images", ())]
        written = []
        for file in files:
            content = client.get_image(file["filename"], file["subfolder"], file["type"])
            if content is None:
                raise OSError(f"comfy-headless could not fetch {file['filename']}")
            if file["type"] == "output":
                written.append(write(output, file["filename"], content))
        return written

    return run


if __name__ == "__main__":
    serve(start)
