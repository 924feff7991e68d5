"""What stands between a workflow and the local engine."""

from __future__ import annotations

from ..catalog import local_catalog
from ..errors import NeedsServer
from ..validate import refuse_unknown
from ..workflow import Workflow
from .check import Findings, examine


def findings_here(workflow: Workflow) -> Findings:
    """What is wrong with `workflow` in this process; nodes that are not carried here are one NeedsServer."""
    catalog = local_catalog()
    try:
        refuse_unknown(workflow, catalog)
    except NeedsServer as problem:
        return Findings([problem])
    return examine(workflow, catalog, strict=True)
