"""The processor time of the pack's import in ComfyUI's Python, beside compiling modules of the standard library.

    COMFYUI_PYTHON tests/comfyui/import_cost.py COMFYUI_PATH THE_PACK

Both are measured in one process, one after the other, so that a slow or busy machine is slow for both.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

STANDARD = ("argparse", "inspect", "typing")
THERE_ALREADY = ("comfy.model_management", "comfy_api.latest", "folder_paths", "aiohttp")


def load_pack(folder: str) -> None:
    """What ComfyUI does with a pack at its start: import it and describe its nodes."""
    spec = importlib.util.spec_from_file_location(
        "pack", Path(folder) / "__init__.py", submodule_search_locations=[folder]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"no pack in {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)

    async def describe() -> None:
        for node in await (await module.comfy_entrypoint()).get_node_list():
            node.GET_SCHEMA()

    asyncio.run(describe())


def compile_standard_modules() -> None:
    """Compile the source of some large modules of the standard library: a fixed piece of Python's own work."""
    for name in STANDARD:
        source = inspect.getsource(importlib.import_module(name))
        compile(source, name, "exec")


def processor_seconds(work: Callable[[], None]) -> float:
    """How long this process was busy with it."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Print both costs as JSON."""
    comfyui, pack = sys.argv[1:]
    sys.path.insert(0, comfyui)
    sys.argv = ["main.py", "--cpu"]
    importlib.import_module("comfy.options").enable_args_parsing()
    for name in THERE_ALREADY:
        importlib.import_module(name)
    ours = processor_seconds(lambda: load_pack(pack))
    print(json.dumps({"pack": ours, "standard": processor_seconds(compile_standard_modules)}))


if __name__ == "__main__":
    main()
