"""The headless runner: workflows in this process or on ComfyUI servers, one by one or in batches.

>>> from likeness_studio.runner import Client, Workflow
>>> workflow = Workflow.load("studio_headshot")
>>> workflow.set("Backdrop.colour", "navy")
>>> with Client("http://gpu-box:8188") as client:
...     result = client.run(workflow, ["me.jpg"], output="headshots")
>>> result.verdict, result.outputs[0].path
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..nodes.errors import LikenessError
    from .client import Client, Run
    from .report import write_report
    from .result import Event, RunResult
    from .workflow import Workflow

__all__ = ["Client", "Event", "LikenessError", "Run", "RunResult", "Workflow", "write_report"]

_HOMES = {
    "Client": ".client",
    "Run": ".client",
    "Event": ".result",
    "RunResult": ".result",
    "Workflow": ".workflow",
    "write_report": ".report",
    "LikenessError": "..nodes.errors",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that the command line starts quickly."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
