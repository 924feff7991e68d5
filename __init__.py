"""Likeness Studio: a photo of you goes in, a professional picture comes out, proven to be still you.

ComfyUI loads this file. It imports nothing of weight, so that it can be imported with or without ComfyUI; the calls of
the library (`from likeness_studio import run, make_id_photos, …`, see docs/python.md) are imported when they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .core import __version__
from .core.lazy import lazy
from .core.node_facts import NodeFacts, set_facts_of_our_nodes

if TYPE_CHECKING:
    from .core.errors import LikenessError
    from .nodes.extension import LikenessExtension
    from .runner.api import (
        batch_status,
        caption_dataset,
        check_photos,
        collect_pictures,
        compare,
        crop_dataset,
        diagnose_machine,
        diagnose_workflow,
        get_document,
        get_models,
        inspect_workflow,
        lay_out_sheet,
        list_documents,
        list_models,
        list_workflows,
        make_dataset,
        make_headshot,
        make_headshots,
        make_id_photos,
        report_dataset,
        retry_batch,
        run,
        run_batch,
        screen_dataset,
        train_tiny_vae,
        verify_file,
        verify_files,
        verify_models,
    )
    from .runner.client import Client
    from .runner.workflow.graph import Workflow

WEB_DIRECTORY = "./web"


def _facts_of_our_nodes() -> Mapping[str, NodeFacts]:
    from .nodes.extension import node_facts

    return node_facts()


set_facts_of_our_nodes(_facts_of_our_nodes)


async def comfy_entrypoint() -> LikenessExtension:
    """ComfyUI's V3 entry: called once at start."""
    from .nodes.extension import LikenessExtension

    return LikenessExtension()


__getattr__ = lazy(
    __name__,
    {
        ".runner.api": (
            "batch_status caption_dataset check_photos collect_pictures compare crop_dataset diagnose_machine "
            "diagnose_workflow get_document get_models inspect_workflow lay_out_sheet list_documents list_models "
            "list_workflows make_dataset make_headshot make_headshots make_id_photos report_dataset retry_batch run "
            "run_batch screen_dataset train_tiny_vae verify_file verify_files verify_models"
        ),
        ".runner": "Client Workflow",
        ".core.errors": "LikenessError",
    },
)

__all__ = [
    "WEB_DIRECTORY",
    "Client",
    "LikenessError",
    "Workflow",
    "__version__",
    "batch_status",
    "caption_dataset",
    "check_photos",
    "collect_pictures",
    "comfy_entrypoint",
    "compare",
    "crop_dataset",
    "diagnose_machine",
    "diagnose_workflow",
    "get_document",
    "get_models",
    "inspect_workflow",
    "lay_out_sheet",
    "list_documents",
    "list_models",
    "list_workflows",
    "make_dataset",
    "make_headshot",
    "make_headshots",
    "make_id_photos",
    "report_dataset",
    "retry_batch",
    "run",
    "run_batch",
    "screen_dataset",
    "train_tiny_vae",
    "verify_file",
    "verify_files",
    "verify_models",
]
