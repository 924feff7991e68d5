"""The headless runner: workflows in this process or on ComfyUI servers, one by one or in batches.

>>> from likeness_studio.runner import Client, Workflow
>>> workflow = Workflow.load("studio_headshot")
>>> workflow.set("Backdrop.colour", "navy")
>>> with Client("http://gpu-box:8188") as client:
...     result = client.run(workflow, ["me.jpg"], output="headshots")
>>> result.verdict, result.outputs[0].path
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.lazy import lazy
from .workflow.object_info import set_object_info_here

if TYPE_CHECKING:
    from ..core.errors import LikenessError
    from .backends.base import Event
    from .backends.result import RunResult
    from .client import Client, Run
    from .report import write_report
    from .workflow.graph import Workflow

__all__ = ["Client", "Event", "LikenessError", "Run", "RunResult", "Workflow", "write_report"]

__getattr__ = lazy(
    __name__,
    {
        "..core.errors": "LikenessError",
        ".backends.base": "Event RunResult",
        ".client": "Client Run",
        ".report": "write_report",
        ".workflow.graph": "Workflow",
    },
)


def _describe_local_nodes() -> Mapping[str, Any]:
    from .backends.local_nodes import local_object_info

    return local_object_info()


set_object_info_here(_describe_local_nodes)
