"""comfykit: it hands out addresses, which its own `download_files` fetches."""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from adapter import Run


def starter(executor: str) -> Callable[[str], Run]:
    def start(url: str) -> Run:
        from comfykit import ComfyKit
        from comfykit.utils.file_util import download_files

        kit, runner = ComfyKit(comfyui_url=url, executor_type=executor), asyncio.Runner()

        async def job(graph: Path, output: Path) -> list[Path]:
            result = await kit.execute(str(graph))
            if result.status != "completed":
                raise OSError(f"comfykit says {result.status}: {result.msg}")
            async with download_files(list(result.images), auto_cleanup=False) as fetched:
                names = [Path(parse_qs(urlsplit(address).query)["filename"][0]).name for address in result.images]
                return [Path(shutil.move(file, output / name)) for file, name in zip(fetched, names, strict=True)]

        return lambda graph, output: runner.run(job(graph, output))

    return start
