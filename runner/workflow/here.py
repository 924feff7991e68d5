"""What stands between a workflow and the local engine."""

from __future__ import annotations

from ..errors import NeedsServer
from .graph import Workflow
from .object_info import Catalog, local_catalog
from .preflight import Findings, examine
from .validate import refuse_unknown


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
