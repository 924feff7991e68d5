"""What stands between a workflow and the local engine."""

from __future__ import annotations

from ..catalog import Catalog, local_catalog
from ..errors import NeedsServer
from ..validate import refuse_unknown
from ..workflow import Workflow
from .check import Findings, examine


def findings_here(workflow: Workflow, catalog: Catalog | None = None) -> Findings:
    """What is wrong with `workflow` in this process; nodes that are not carried here are one NeedsServer.

    `catalog` has other node classes than those that this process always has.
    """
    catalog = local_catalog() if catalog is None else catalog
    try:
        refuse_unknown(workflow, catalog)
    except NeedsServer as problem:
        return Findings([problem])
    return examine(workflow, catalog, strict=True)
