"""Many jobs of one workflow: what they are, what became of each, and where they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.lazy import lazy

if TYPE_CHECKING:
    from .job_records import BatchEvent, BatchOptions, BatchResult, BatchView, Counts, JobRow
    from .ledger import Ledger
    from .run import resume, run_batch

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

__getattr__ = lazy(
    __name__,
    {
        ".job_records": "BatchEvent BatchOptions BatchResult BatchView Counts JobRow",
        ".ledger": "Ledger",
        ".run": "resume run_batch",
    },
)
