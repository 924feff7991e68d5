"""A real ComfyUI whose queue is held by one prompt, so that graphs are validated and nothing else runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from likeness_studio.tests.conftest import REPOSITORY, ComfyUIServer, running_comfyui
from likeness_studio.tests.runner import preflight_graphs as graphs


@contextmanager
def held_server(base: Path, photos: Iterable[str], packs: Iterable[Path] = ()) -> Iterator[ComfyUIServer]:
    """Start it with the models that lie below `base`, the foreign pack, other `packs`, and `photos` in its input."""
    pack = base / "custom_nodes" / "foreign_pack"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(graphs.FOREIGN_PACK)
    for other in packs:
        (base / "custom_nodes" / other.name).symlink_to(other)
    (base / "input").mkdir()
    for name in photos:
        shutil.copy(REPOSITORY / "runner" / "demo.jpg", base / "input" / name)
    hold = base / "hold"
    hold.touch()
    with running_comfyui(base) as started:
        try:
            httpx.post(f"{started.url}/prompt", json={"prompt": {"1": graphs.node("ForeignWait", file=str(hold))}})
            yield started
            httpx.post(f"{started.url}/queue", json={"clear": True})
        finally:
            hold.unlink()
