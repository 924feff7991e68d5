"""Everything that the `likeness` command does, as one typed call each; the commands parse, call and show.

>>> from likeness_studio import run
>>> finished = run("studio_headshot", ["me.jpg"], "headshots", settings={"Backdrop.colour": "navy"})
>>> finished.report.verdict, finished.report.outputs[0].file

Every call takes `on_event`, which is told what happens, and most take `stopped`, which is asked often whether to end;
without it, in the main thread, Ctrl-C and SIGTERM end the call with Interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.lazy import lazy

if TYPE_CHECKING:
    from ..errors import Misuse
    from .bundled import BundledWorkflow, NeededModel, list_workflows
    from .check import CheckedPhoto, CheckResult, UncheckedPhoto, check_photos
    from .dataset_photos import (
        CaptionedDataset,
        CroppedDataset,
        ScreenedDataset,
        caption_dataset,
        crop_dataset,
        screen_dataset,
    )
    from .datasets import DatasetReport, MadeManifest, make_dataset, report_dataset
    from .headshots import Headshot, Headshots, RefusedHeadshot, make_headshot, make_headshots
    from .id_photos import IDPhotoFile, IDPhotos, RefusedPhoto, make_id_photos
    from .inspect import (
        InspectedWorkflow,
        MachineFacts,
        WorkflowFindings,
        diagnose_machine,
        diagnose_workflow,
        inspect_workflow,
    )
    from .lookups import (
        ModelFiles,
        ModelInfo,
        VerifiedFile,
        VerifiedFiles,
        get_document,
        get_models,
        list_documents,
        list_models,
        verify_file,
        verify_files,
        verify_models,
    )
    from .sheet import PrintedSheet, lay_out_sheet
    from .training import PhotoRead, TrainedNetwork, TrainingBegun, train_tiny_vae
    from .workflows import BatchStatus, Finished, batch_status, collect_pictures, compare, retry_batch, run, run_batch

__all__ = [
    "BatchStatus",
    "BundledWorkflow",
    "CaptionedDataset",
    "CheckResult",
    "CheckedPhoto",
    "CroppedDataset",
    "DatasetReport",
    "Finished",
    "Headshot",
    "Headshots",
    "IDPhotoFile",
    "IDPhotos",
    "InspectedWorkflow",
    "MachineFacts",
    "MadeManifest",
    "Misuse",
    "ModelFiles",
    "ModelInfo",
    "NeededModel",
    "PhotoRead",
    "PrintedSheet",
    "RefusedHeadshot",
    "RefusedPhoto",
    "ScreenedDataset",
    "TrainedNetwork",
    "TrainingBegun",
    "UncheckedPhoto",
    "VerifiedFile",
    "VerifiedFiles",
    "WorkflowFindings",
    "batch_status",
    "caption_dataset",
    "check_photos",
    "collect_pictures",
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

HOMES = {
    "..errors": "Misuse",
    ".bundled": "BundledWorkflow NeededModel list_workflows",
    ".check": "CheckedPhoto CheckResult UncheckedPhoto check_photos",
    ".dataset_photos": "CaptionedDataset CroppedDataset ScreenedDataset caption_dataset crop_dataset screen_dataset",
    ".datasets": "DatasetReport MadeManifest make_dataset report_dataset",
    ".headshots": "Headshot Headshots RefusedHeadshot make_headshot make_headshots",
    ".id_photos": "IDPhotoFile IDPhotos RefusedPhoto make_id_photos",
    ".inspect": "InspectedWorkflow MachineFacts WorkflowFindings diagnose_machine diagnose_workflow inspect_workflow",
    ".lookups": "ModelFiles ModelInfo VerifiedFile VerifiedFiles get_document get_models list_documents list_models "
    "verify_file verify_files verify_models",
    ".sheet": "PrintedSheet lay_out_sheet",
    ".training": "PhotoRead TrainedNetwork TrainingBegun train_tiny_vae",
    ".workflows": "BatchStatus Finished batch_status collect_pictures compare retry_batch run run_batch",
}
"""Which names are in which file."""

__getattr__ = lazy(__name__, HOMES)
