"""What a try's result or error means for its job: the verdict, the score, and whether trying again can help."""

from __future__ import annotations

from typing import Literal

from ...core.errors import IdentityError, LikenessError, PhotoError
from ...core.node_facts import facts_of
from ..backends.result import RunResult
from ..errors import (
    InterruptedOnServer,
    JobLost,
    LedgerBusy,
    LedgerUnreadable,
    ModelFileMissing,
    NodeClassMissing,
    NodeFailed,
    OutputBlank,
    OutputDamaged,
    OutputMissing,
    OutputUnwritable,
    PhotoNotPlaced,
    ServerBroken,
    ServerExecutionError,
    ServerOutOfMemory,
    ServerRefused,
    ServerUnreachable,
    TooLargeForServer,
    WorkflowInvalid,
    WorkflowRejected,
)
from ..workflow.graph import Workflow
from .job_records import Verdict

Blame = Literal["photo", "job", "chance", "server", "unsuited", "disk"]
"""Whose fault an error is: the photo's or the job's, which will not get better; chance, so that another try may help;
the server's, which another server may not have; the server's for this workflow; or the disk's (of the results or of
the ledger), which ends the batch."""

DISK = (OutputUnwritable, LedgerBusy, LedgerUnreadable)
SERVER_FAULTS = (ServerUnreachable, ServerBroken, ServerOutOfMemory, JobLost)
UNSUITED = (NodeClassMissing, ModelFileMissing)
CHANCE = (OutputBlank, OutputDamaged, OutputMissing, ServerExecutionError, NodeFailed)
BAD_PHOTO = (PhotoError, IdentityError, PhotoNotPlaced, TooLargeForServer)

READING_ERRORS = frozenset(
    {
        "UnidentifiedImageError",
        "DecompressionBombError",
        "OSError",
        "FileNotFoundError",
        "SyntaxError",
        "IsADirectoryError",
    }
)
"""What ComfyUI's own nodes raise when a picture cannot be read."""

SERVER_SIDE = 500
"""Answers from this number on are the server's fault, not the request's."""

REFUSES_ALL = frozenset({401, 403, 404, 407, 408, 429})
"""Answers that every other request would get as well: the login ended, the way to the server has changed."""


def verdict_of(result: RunResult) -> Verdict:
    """What the likeness checks of a finished run say."""
    if result.verdict is None:
        return "unchecked"
    return "passed" if result.verdict else "not_confirmed"


def judges_by_rules(workflow: Workflow) -> bool:
    """Whether a workflow judges photos by rules and nobody's identity."""
    judges = {facts.judges for node in workflow if (facts := facts_of(node.class_type)) is not None}
    return "rules" in judges and "identity" not in judges


def score_of(result: RunResult) -> float | None:
    """The similarity of a run: the lowest of its checks, each with its best picture; None without one."""
    scores = [report.get("best") for report in result.likeness]
    numbers = [float(score) for score in scores if isinstance(score, int | float)]
    return min(numbers) if numbers and len(numbers) == len(scores) else None


def blame(error: LikenessError, workflow: Workflow | None = None) -> Blame:
    """Whose fault an error of a try is."""
    cause = error.cause if isinstance(error, NodeFailed) else error
    if isinstance(cause, DISK):
        return "disk"
    if isinstance(cause, BAD_PHOTO) or _names_bad_photo(error, workflow):
        return "photo"
    if isinstance(error, SERVER_FAULTS) or (isinstance(error, ServerRefused) and _refuses_all(error)):
        return "server"
    if isinstance(error, UNSUITED) or (
        isinstance(error, WorkflowInvalid) and any(isinstance(problem, UNSUITED) for problem in error.problems)
    ):
        return "unsuited"
    return "chance" if isinstance(error, CHANCE) and not isinstance(error, InterruptedOnServer) else "job"


def _refuses_all(error: ServerRefused) -> bool:
    """Whether other jobs would fare no better: also where the answer was not ComfyUI's at all."""
    return error.status is None or error.status >= SERVER_SIDE or error.status in REFUSES_ALL


def _names_bad_photo(error: LikenessError, workflow: Workflow | None) -> bool:
    """Whether a server's own words mean that a photo cannot be used."""
    if isinstance(error, ServerExecutionError):
        if error.cause is not None and issubclass(error.cause, PhotoError | IdentityError):
            return True
        node = workflow.nodes.get(error.node_id) if workflow else None
        return node is not None and node.file_input is not None and error.kind in READING_ERRORS
    if isinstance(error, WorkflowRejected) and error.node_errors and workflow is not None:
        nodes = [workflow.nodes.get(str(node_id)) for node_id in error.node_errors]
        return all(node is not None and node.file_input is not None for node in nodes)
    return False
