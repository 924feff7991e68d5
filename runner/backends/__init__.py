"""The places where a workflow runs, all alike to those who use them: see `base.Backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.lazy import lazy

if TYPE_CHECKING:
    from .backoff import OutageWait
    from .base import (
        Backend,
        Event,
        Fact,
        Folders,
        OnEvent,
        ignore,
    )
    from .core_nodes import CORE_NODES
    from .execute import BackendOptions, connect
    from .local import LocalEngine
    from .local_nodes import describe, local_catalog, local_classes, local_object_info, plan
    from .pool import Fleet, Place, ServerView
    from .result import NodeTime, RunResult, SavedFile, judged_images, report_passed

__getattr__ = lazy(
    __name__,
    {
        ".backoff": "OutageWait",
        ".base": "Backend Event Fact Folders ignore OnEvent",
        ".core_nodes": "CORE_NODES",
        ".execute": "BackendOptions connect",
        ".local": "LocalEngine",
        ".local_nodes": "describe local_catalog local_classes local_object_info plan",
        ".pool": "Fleet Place ServerView",
        ".result": "judged_images NodeTime report_passed RunResult SavedFile",
    },
)
