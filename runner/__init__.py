"""The headless runner: workflows in this process or on ComfyUI servers, one by one or in batches.

>>> from likeness_studio.runner import Client, Workflow
>>> workflow = Workflow.load("studio_headshot")
>>> workflow.set("Backdrop.colour", "navy")
>>> with Client("http://gpu-box:8188") as client:
...     result = client.run(workflow, ["me.jpg"], output="headshots")
>>> result.verdict, result.outputs[0].path
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy import lazy

if TYPE_CHECKING:
    from ..nodes.errors import LikenessError
    from .client import Client, Run
    from .report import write_report
    from .result import Event, RunResult
    from .workflow import Workflow

__all__ = ["Client", "Event", "LikenessError", "Run", "RunResult", "Workflow", "write_report"]

__getattr__ = lazy(
    __name__,
    {
        "Client": ".client",
        "Run": ".client",
        "Event": ".result",
        "RunResult": ".result",
        "Workflow": ".workflow",
        "write_report": ".report",
        "LikenessError": "..nodes.errors",
    },
)
