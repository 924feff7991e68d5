"""Many jobs of one workflow: what they are, what became of each, and where they run."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .job import BatchEvent, BatchView, Counts, JobRow
    from .ledger import Ledger
    from .options import BatchOptions
    from .run import BatchResult, resume, run_batch

__all__ = [
    "BatchEvent",
    "BatchOptions",
    "BatchResult",
    "BatchView",
    "Counts",
    "JobRow",
    "Ledger",
    "resume",
    "run_batch",
]

_HOMES = {
    "BatchEvent": ".job",
    "BatchView": ".job",
    "Counts": ".job",
    "JobRow": ".job",
    "Ledger": ".ledger",
    "BatchOptions": ".options",
    "BatchResult": ".run",
    "resume": ".run",
    "run_batch": ".run",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that the command line starts quickly."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
