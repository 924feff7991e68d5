"""One step of SDXL's real architecture on a real ComfyUI, on the CPU: that it runs, what memory it takes, how long.

    COMFYUI_PATH=... COMFYUI_PYTHON=... python benchmarks/generation/sdxl_step.py [--side 512] [--keep]

The checkpoint (2.6 billion parameters of network, both text encoders, an untrained tiny autoencoder) has random
weights: it is built into the cache of the tests (7 GB on disk) and removed afterwards unless `--keep` is given. The
picture is not judged, only that it is one, of that size and not of one colour. The server keeps the network in
bfloat16 (`--bf16-unet`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from likeness_studio.runner import Client, Workflow
from likeness_studio.tests.conftest import start_comfyui

ROOT = Path(__file__).parents[2]
RESULT = Path(__file__).parent / "results" / "sdxl_step.md"
NEEDED_GB = 9


def main() -> None:
    options = arguments()
    free = available_gb()
    if free < NEEDED_GB:
        sys.exit(f"{free:.0f} GB of memory are free and {NEEDED_GB} are needed; end other programs first.")
    weights = random_weights()
    folder = weights.cache_folder()
    begun = time.monotonic()
    checkpoint = weights.sdxl_checkpoint(folder)
    print(
        f"checkpoint: {checkpoint.stat().st_size / 1e9:.2f} GB, ready after {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    try:
        with tempfile.TemporaryDirectory() as temp:
            figures = measure(checkpoint, Path(temp), options.side, options.steps)
    finally:
        if not options.keep:
            checkpoint.unlink()
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(page(figures | {"file": checkpoint.name, "side": options.side, "steps": options.steps}), "utf-8")
    print(RESULT.read_text("utf-8"))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512, help="side of the picture in pixels, a multiple of 64")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the checkpoint in the cache")
    return parser.parse_args()


def random_weights() -> ModuleType:
    sys.path.insert(0, str(ROOT / "tests" / "comfyui"))
    import random_weights as module  # pyright: ignore[reportMissingImports]

    return module


def measure(checkpoint: Path, base: Path, side: int, steps: int) -> dict[str, Any]:
    """Run the graph on a server of its own and watch the server's memory."""
    models = base / "models" / "checkpoints"
    models.mkdir(parents=True)
    (models / checkpoint.name).symlink_to(checkpoint)
    process, server = start_comfyui(base, "--bf16-unet")
    watch = Watch(process.pid)
    try:
        file = base / "sdxl.json"
        file.write_text(json.dumps(graph(checkpoint.name, side, steps)), "utf-8")
        begun = time.monotonic()
        with watch, Client(server.url) as client:
            result = client.run(Workflow.load(file), [ROOT / "runner" / "demo.jpg"], output=base / "out")
        seconds = time.monotonic() - begun
        with Image.open(result.outputs[0].path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        if pixels.shape != (side, side, 3) or pixels.min() == pixels.max():
            sys.exit(f"That is no picture: shape {pixels.shape}, values {pixels.min()} to {pixels.max()}.")
        log = server.log_text()
        if "missing" in log.lower() or "unet unexpected" in log.lower():
            sys.exit(f"ComfyUI missed tensors:\n{log[-3000:]}")
        paces = re.findall(r"([\d.]+)s/it", log)
        return {
            "seconds": seconds,
            "step": paces[-1] if paces else "?",
            "peak": watch.peak,
            "anonymous": watch.anonymous,
        }
    finally:
        process.terminate()
        process.wait(30)


def graph(checkpoint: str, side: int, steps: int) -> dict[str, Any]:
    def node(class_type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs, "_meta": {"title": class_type}}

    size = {"upscale_method": "lanczos", "width": side, "height": side, "crop": "center"}
    sampling = {"seed": 1, "steps": steps, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 0.3}
    conditions = {"positive": ["3", 0], "negative": ["3", 0]}
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name=checkpoint),
        "2": node("LoadImage", image="demo.jpg"),
        "3": node("CLIPTextEncode", text="a professional portrait", clip=["1", 1]),
        "4": node("ImageScale", image=["2", 0], **size),
        "5": node("VAEEncode", pixels=["4", 0], vae=["1", 2]),
        "6": node("KSampler", model=["1", 0], latent_image=["5", 0], **conditions, **sampling),
        "7": node("VAEDecode", samples=["6", 0], vae=["1", 2]),
        "8": node("SaveImage", images=["7", 0], filename_prefix="sdxl"),
    }


class Watch:
    """The largest resident memory of a process in GB while the block runs: all of it, and without mapped files."""

    def __init__(self, pid: int) -> None:
        self.peak = self.anonymous = 0.0
        self._status = Path(f"/proc/{pid}/status")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            lines = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
            self.peak = max(self.peak, _gigabytes(lines["VmRSS"]))
            self.anonymous = max(self.anonymous, _gigabytes(lines["RssAnon"]))


def _gigabytes(words: str) -> float:
    return int(words.split()[0]) * 1024 / 1e9


def available_gb() -> float:
    """Memory that programs can still take, in GB (Linux)."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return _gigabytes(lines["MemAvailable"])


def page(figures: dict[str, Any]) -> str:
    """What was seen, for people."""
    return f"""\
# One step of SDXL's architecture on a CPU

Made by `python benchmarks/generation/sdxl_step.py --side {figures["side"]} --steps {figures["steps"]}` on
{platform.machine()} with {len(os.sched_getaffinity(0))} cores, without a graphics card.

| | |
| --- | --- |
| Network | 2.567 billion parameters, random weights, bfloat16 |
| Picture | {figures["side"]} x {figures["side"]}, image to image, {figures["steps"]} step(s), cfg 1 |
| Whole run, loading included | {figures["seconds"]:.0f} s |
| A step | {figures["step"]} s |
| Peak resident memory of the server | {figures["peak"]:.1f} GB |
| of it without mapped files | {figures["anonymous"]:.1f} GB |

ComfyUI missed no tensor of the checkpoint. The picture was checked to be one, not for its looks: the weights are
random.
"""


if __name__ == "__main__":
    main()
