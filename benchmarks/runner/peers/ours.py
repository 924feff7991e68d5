"""Likeness Studio's own client, as a warm process like the others."""

from __future__ import annotations

from pathlib import Path

from adapter import Run, serve

from likeness_studio.runner import Client, Workflow


def start(url: str) -> Run:
    client = Client(url, keep_history=True)

    def run(graph: Path, output: Path) -> list[Path]:
        return [saved.path for saved in client.run(Workflow.load(str(graph)), output=output).outputs]

    return run


if __name__ == "__main__":
    serve(start)
