"""comfy-sdk with a comfy-api-proxy of its own before the server, as its documentation sets a local server up."""
# pyright: reportMissingImports=false

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from adapter import Run, free_port, output_nodes, serve

START_SECONDS = 30


def proxy(url: str) -> str:
    """Start the proxy and wait until it answers at all; return its address."""
    port = free_port()
    command = [Path(sys.executable).with_name("comfy-api-proxy"), "run", "--comfyui", url, "--port", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    atexit.register(process.kill)
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{address}/api/v2/jobs", timeout=2).close()
        except urllib.error.HTTPError:
            return address
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return address


def start(url: str) -> Run:
    os.environ["COMFY_BASE_URL"] = proxy(url)
    from comfy_sdk import Comfy

    client = Comfy()

    def run(graph: Path, output: Path) -> list[Path]:
        workflow = client.workflows.from_file(str(graph))
        job = client.run(workflow)
        return [
            found.to_file(output / found.name)
            for node in output_nodes(workflow.json)
            for found in job.get_outputs(node)
        ]

    return run


if __name__ == "__main__":
    serve(start)
