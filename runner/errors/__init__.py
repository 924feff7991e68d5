"""What can go wrong in the runner: the same tree, codes and style as `nodes/errors.py`."""

from __future__ import annotations

from ...core.errors import LikenessError, registry
from ...core.errors import errors as _id_photo  # noqa: F401 - registers the codes
from ...core.errors import formats as _provenance  # noqa: F401 - registers the codes
from ...core.errors import lora_errors as _lora  # noqa: F401 - registers the codes
from ...core.errors import quality_errors as _quality  # noqa: F401 - registers the codes
from ...core.errors import sheet_errors as _sheet  # noqa: F401 - registers the codes
from .base import RunnerError, WorkflowInvalid, raise_all
from .batch import BatchInputsInvalid, LedgerBusy, LedgerMissing, LedgerUnreadable, UnknownJob
from .compare import BadVary, TooManyRuns
from .managed import BadServerName, ComfyUINotFound, NoManagedServer, PackNotInstalled, PortTaken, ServerStartFailed
from .output import OutputBlank, OutputMissing, OutputUnwritable
from .preflight import ComfyCliFailed, ComfyCliMissing, ModelFileMissing, NodeClassMissing
from .server import (
    BadServerAddress,
    InterruptedOnServer,
    JobLost,
    NoServer,
    ServerBroken,
    ServerExecutionError,
    ServerOutOfMemory,
    ServerRefused,
    ServerUnreachable,
    TooLargeForServer,
    WorkflowRejected,
)
from .workflow import (
    AmbiguousTitle,
    BadLink,
    GraphCycle,
    InputRefused,
    InputRequired,
    NeedsServer,
    NodeFailed,
    NotAnOption,
    NotConvertible,
    NothingToRun,
    NothingToVary,
    OutOfRange,
    PhotoNotPlaced,
    UnknownInput,
    UnknownTitle,
    WorkflowMissing,
    WorkflowUnreadable,
    WrongType,
)

__all__ = [
    "AmbiguousTitle",
    "BadLink",
    "BadServerAddress",
    "BadServerName",
    "BadVary",
    "BatchInputsInvalid",
    "ComfyCliFailed",
    "ComfyCliMissing",
    "ComfyUINotFound",
    "GraphCycle",
    "InputRefused",
    "InputRequired",
    "InterruptedOnServer",
    "JobLost",
    "LedgerBusy",
    "LedgerMissing",
    "LedgerUnreadable",
    "LikenessError",
    "ModelFileMissing",
    "NeedsServer",
    "NoManagedServer",
    "NoServer",
    "NodeClassMissing",
    "NodeFailed",
    "NotAnOption",
    "NotConvertible",
    "NothingToRun",
    "NothingToVary",
    "OutOfRange",
    "OutputBlank",
    "OutputMissing",
    "OutputUnwritable",
    "PackNotInstalled",
    "PhotoNotPlaced",
    "PortTaken",
    "RunnerError",
    "ServerBroken",
    "ServerExecutionError",
    "ServerOutOfMemory",
    "ServerRefused",
    "ServerStartFailed",
    "ServerUnreachable",
    "TooLargeForServer",
    "TooManyRuns",
    "UnknownInput",
    "UnknownJob",
    "UnknownTitle",
    "WorkflowInvalid",
    "WorkflowMissing",
    "WorkflowRejected",
    "WorkflowUnreadable",
    "WrongType",
    "raise_all",
    "registry",
]
