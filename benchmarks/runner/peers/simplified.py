"""comfy-api-simplified: it hands out names and bytes, which its documentation writes into a file of that name."""
# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path

from adapter import Run, output_nodes, serve, write


def start(url: str) -> Run:
    from comfy_api_simplified import ComfyApiWrapper, ComfyWorkflowWrapper

    api = ComfyApiWrapper(url)

    def run(graph: Path, output: Path) -> list[Path]:
        workflow = ComfyWorkflowWrapper(str(graph))
        title = workflow[output_nodes(workflow)[-1]]["_meta"]["title"]
        pictures = api.queue_and_wait_images(workflow, title)
        return [write(output, name, content) for name, content in pictures.items()]

    return run


if __name__ == "__main__":
    serve(start)
