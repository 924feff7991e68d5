"""comfy-catapult: a job, its history, and its own download by folder and name."""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

from adapter import Run, output_nodes, serve


def start(url: str) -> Run:
    import anyio
    from comfy_catapult.api_client import ComfyAPIClient
    from comfy_catapult.catapult import ComfyCatapult
    from comfy_catapult.comfy_schema import ComfyUIPathTriplet
    from comfy_catapult.remote_file_api_comfy import ComfySchemeRemoteFileAPI

    runner = asyncio.Runner()

    async def connect() -> tuple[Any, Any]:
        client = ComfyAPIClient(comfy_api_url=url)
        catapult = ComfyCatapult(comfy_client=client, debug_path=None)
        await catapult.__aenter__()
        return catapult, ComfySchemeRemoteFileAPI(comfy_api_urls=[url], overwrite=True)

    catapult, remote = runner.run(connect())

    async def job(graph: Path, output: Path) -> list[Path]:
        description = json.loads(graph.read_bytes())
        history = await catapult.Catapult(
            job_id=str(uuid.uuid4()), prepared_workflow=description, important=output_nodes(description)
        )
        written = []
        for node in history["outputs"].values():
            for file in node.get("images", ()):
                if file["type"] != "output":
                    continue
                triplet = ComfyUIPathTriplet(type=file["type"], subfolder=file["subfolder"], filename=file["filename"])
                target = output / Path(file["filename"]).name
                await remote.DownloadTriplet(
                    untrusted_comfy_api_url=url, untrusted_src_triplet=triplet, dst_path=anyio.Path(target)
                )
                written.append(target)
        return written

    return lambda graph, output: runner.run(job(graph, output))


if __name__ == "__main__":
    serve(start)
