"""What can go wrong in the runner: the same tree, codes and style as `nodes/errors.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..nodes.errors import LikenessError, registry


class RunnerError(LikenessError):
    """A workflow cannot be read, set up or run."""


class WorkflowMissing(RunnerError):
    """There is neither a file nor a bundled workflow of that name."""

    code = "workflow_missing"
    meaning = "There is no workflow file and no bundled workflow of that name."


class WorkflowUnreadable(RunnerError):
    """The file is not JSON, or is JSON but not a workflow."""

    code = "workflow_unreadable"
    meaning = "The file is not a ComfyUI workflow."


class NotConvertible(RunnerError):
    """A canvas export has nodes whose widgets are not known here."""

    code = "not_convertible"
    meaning = "A canvas-format workflow cannot be turned into API format here; export it in API format."


class UnknownTitle(RunnerError):
    """No node has that title or id."""

    code = "unknown_title"
    meaning = "The workflow has no node with that title or id."


class AmbiguousTitle(RunnerError):
    """Several nodes have that title."""

    code = "ambiguous_title"
    meaning = "Several nodes share that title; use the node's id."


class UnknownInput(RunnerError):
    """The node has no such input, or it takes a link and no value."""

    code = "unknown_input"
    meaning = "The node has no settable input of that name."


class PhotoNotPlaced(RunnerError):
    """A photo was given and no node is left that could take it."""

    code = "photo_not_placed"
    meaning = "A photo was given that no node of the workflow can take."


class WrongType(RunnerError):
    """A value cannot be read as the input's type, or a link carries another type."""

    code = "wrong_type"
    meaning = "A value or a link does not have the type that the input takes."


class OutOfRange(RunnerError):
    """A number is below the input's minimum or above its maximum."""

    code = "out_of_range"
    meaning = "A number is outside of the limits of its input."


class NotAnOption(RunnerError):
    """The value is not in the input's list."""

    code = "not_an_option"
    meaning = "A value is not in the list that the input offers."


class InputRequired(RunnerError):
    """A required input has neither a value nor a link."""

    code = "input_required"
    meaning = "A required input has neither a value nor a link."


class BadLink(RunnerError):
    """A link leads to a node or an output that does not exist."""

    code = "bad_link"
    meaning = "A link leads to a node or an output that is not there."


class InputRefused(RunnerError):
    """The node's own check refused its inputs."""

    code = "input_refused"
    meaning = "A node's own check refused the value of an input."


class GraphCycle(RunnerError):
    """The graph feeds itself."""

    code = "graph_cycle"
    meaning = "The nodes of the workflow are linked in a circle."


class NothingToRun(RunnerError):
    """No node of the graph produces a result."""

    code = "nothing_to_run"
    meaning = "The workflow has no output node, so that nothing would be produced."


class NeedsServer(RunnerError):
    """The graph has nodes that only a ComfyUI server can run."""

    code = "needs_server"
    meaning = "The workflow has nodes that the local engine does not carry; give a server."


class WorkflowInvalid(RunnerError):
    """Several problems were found before anything ran; `problems` lists them."""

    code = "workflow_invalid"
    meaning = "The workflow has several problems; each is listed with its own code."

    def __init__(self, problems: Sequence[LikenessError]) -> None:
        self.problems = list(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"The workflow cannot run; {len(self.problems)} problems must be mended:{lines}")

    def as_dict(self) -> dict[str, Any]:
        """The error with all its problems."""
        return super().as_dict() | {"problems": [problem.as_dict() for problem in self.problems]}


class NodeFailed(RunnerError):
    """A node raised an error while it ran. `as_dict` carries the code of the cause where it has one."""

    code = "node_failed"
    meaning = "A node of the workflow failed while it ran."

    def __init__(self, title: str, node_id: str, cause: BaseException) -> None:
        self.title, self.node_id, self.cause = title, node_id, cause
        reason = str(cause) or type(cause).__name__
        if not isinstance(cause, LikenessError) and str(cause):
            reason = f"{type(cause).__name__}: {cause}"
        super().__init__(f"{title} (node {node_id}) failed: {reason}")

    def as_dict(self) -> dict[str, Any]:
        """The error with the node, and the cause's own code and meaning."""
        known = self.cause.as_dict() if isinstance(self.cause, LikenessError) else super().as_dict()
        return known | {"message": str(self), "node": self.node_id, "title": self.title}


class NodeClassMissing(RunnerError):
    """The server does not have a node class. `pack` is what is known of where it comes from."""

    code = "node_class_missing"
    meaning = "The ComfyUI server lacks a node class that the workflow uses; install the pack that has it."

    def __init__(self, message: str, class_type: str, titles: Sequence[str], pack: dict[str, str]) -> None:
        self.class_type, self.titles, self.pack = class_type, list(titles), pack
        super().__init__(message)

    def as_dict(self) -> dict[str, Any]:
        """The error with the class, the titles of the nodes, and the pack (`id`, `version`, `url`, `install`)."""
        return super().as_dict() | {"class_type": self.class_type, "titles": self.titles, "pack": self.pack}


class ModelFileMissing(RunnerError):
    """The server does not have a model file. `model` is what is known of it."""

    code = "model_file_missing"
    meaning = "The ComfyUI server lacks a model file that the workflow names; fetch it into the folder named."

    def __init__(self, message: str, inputs: Sequence[str], model: dict[str, str]) -> None:
        self.inputs, self.model = list(inputs), model
        super().__init__(message)

    def as_dict(self) -> dict[str, Any]:
        """The error with the inputs that name the file, and the model (`name`, `directory`, `url`, `hash`)."""
        return super().as_dict() | {"inputs": self.inputs, "model": self.model}


class ComfyCliMissing(RunnerError):
    """A canvas file needs comfy-cli to be converted, and it is not installed."""

    code = "comfy_cli_missing"
    meaning = "This canvas-format workflow needs comfy-cli to be converted, and comfy-cli is not installed."


class ComfyCliFailed(RunnerError):
    """comfy-cli could not convert a canvas file, or cannot reach the server."""

    code = "comfy_cli_failed"
    meaning = "comfy-cli could not convert the canvas-format workflow."


class NothingToVary(RunnerError):
    """Another try was asked for and the workflow has no seed."""

    code = "nothing_to_vary"
    meaning = "The workflow has no seed, so that every try gives the same picture."


class NoServer(RunnerError):
    """None of a batch's servers can take jobs."""

    code = "no_server"
    meaning = "None of the servers of a batch answers, or none can run the workflow."


class BadServerAddress(RunnerError):
    """The server's address is not an http or https URL."""

    code = "bad_server_address"
    meaning = "A server's address must be an http or https URL."


class ServerUnreachable(RunnerError):
    """The server does not answer."""

    code = "server_unreachable"
    meaning = "The ComfyUI server does not answer at that address."

    def __init__(self, message: str, *, sent: bool = True) -> None:
        self.sent = sent
        """Whether the request may have reached the server before the connection failed."""
        super().__init__(message)


class ServerRefused(RunnerError):
    """The server answered with an error that is not about the workflow."""

    code = "server_refused"
    meaning = "The server answered a request with an error."

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class WorkflowRejected(RunnerError):
    """The server's own validation found the workflow wrong."""

    code = "workflow_rejected"
    meaning = "The ComfyUI server did not accept the workflow."

    def __init__(self, message: str, node_errors: dict[str, Any] | None = None) -> None:
        self.node_errors = node_errors or {}
        super().__init__(message)

    def as_dict(self) -> dict[str, Any]:
        """The error with the server's own words about each node."""
        return super().as_dict() | {"node_errors": self.node_errors}


class ServerExecutionError(RunnerError):
    """A node failed on the server."""

    code = "server_execution_error"
    meaning = "A node failed on the ComfyUI server."

    def __init__(self, title: str, node_id: str, kind: str, reason: str) -> None:
        self.title, self.node_id, self.kind = title, node_id, kind
        self.cause = {cls.__name__: cls for cls in registry().values()}.get(kind)
        words = reason.strip() if self.cause else f"{kind}: {reason.strip()}"
        super().__init__(f"{title} (node {node_id}) failed on the server: {words}")

    def as_dict(self) -> dict[str, Any]:
        """The error with the node and the type of the exception there; one of ours keeps its own code and meaning."""
        known = {"code": self.cause.code, "meaning": self.cause.meaning} if self.cause else {}
        return super().as_dict() | known | {"node": self.node_id, "title": self.title, "exception": self.kind}


class ServerOutOfMemory(RunnerError):
    """The server has not enough memory for the job, not even after it was told to free it."""

    code = "server_out_of_memory"
    meaning = "The server ran out of memory, also after it was told to free it."


class ServerBroken(RunnerError):
    """The server's GPU is in a state that only a restart ends."""

    code = "server_broken"
    meaning = "The server's GPU context is unusable until ComfyUI is restarted."


class TooLargeForServer(RunnerError):
    """A file or a workflow is larger than the server takes."""

    code = "too_large_for_server"
    meaning = "A file or a workflow is larger than the server accepts."


class InterruptedOnServer(RunnerError):
    """Somebody stopped the run on the server."""

    code = "interrupted_on_server"
    meaning = "The run was stopped on the ComfyUI server."


class JobLost(RunnerError):
    """The server no longer knows the job: it was restarted or its queue was cleared."""

    code = "job_lost"
    meaning = "The server no longer knows the job; it was restarted or its queue was cleared."


class OutputMissing(RunnerError):
    """A result that the server or a node announced is not there."""

    code = "output_missing"
    meaning = "A result was announced and cannot be had."


class OutputBlank(RunnerError):
    """A picture is completely black."""

    code = "output_blank"
    meaning = "A result is completely black, which is what invalid numbers in a model become."


class OutputUnwritable(RunnerError):
    """The output folder cannot be written to, or the disk is full."""

    code = "output_unwritable"
    meaning = "A result cannot be written: the folder is read-only or the disk is full."


class LedgerBusy(RunnerError):
    """Another runner, or another program, has the batch's ledger."""

    code = "ledger_busy"
    meaning = "Another runner is at work on this batch, or another program has locked its ledger."


class LedgerMissing(RunnerError):
    """There is no batch in that folder."""

    code = "ledger_missing"
    meaning = "The folder has no ledger: no batch was started there."


class LedgerUnreadable(RunnerError):
    """The ledger is damaged, of a newer version, or another kind of file."""

    code = "ledger_unreadable"
    meaning = "The batch's ledger is damaged, was made by a newer version, or is another kind of file."


class UnknownJob(RunnerError):
    """No job of the batch has that name."""

    code = "unknown_job"
    meaning = "The batch has no job of that name."


class BatchInputsInvalid(RunnerError):
    """The folder or table of a batch's inputs cannot be read."""

    code = "batch_inputs_invalid"
    meaning = "The folder, CSV or JSONL with a batch's inputs cannot be read as jobs."


class BadServerName(RunnerError):
    """A managed server cannot have that name."""

    code = "bad_server_name"
    meaning = "A managed server's name must be one plain word."


class NoManagedServer(RunnerError):
    """No server of that name runs under our care."""

    code = "no_managed_server"
    meaning = "No managed server of that name is running."


class ComfyUINotFound(RunnerError):
    """There is no ComfyUI, or no Python for it, where one was looked for."""

    code = "comfyui_not_found"
    meaning = "ComfyUI or its Python was not found on this machine."


class PackNotInstalled(RunnerError):
    """This pack cannot be put into ComfyUI's custom_nodes, or is there twice."""

    code = "pack_not_installed"
    meaning = "The pack is not in ComfyUI's custom_nodes exactly once and could not be put there."


class PortTaken(RunnerError):
    """The port that a managed server should listen on is in use."""

    code = "port_taken"
    meaning = "The port for a managed server is in use by another program."


class ServerStartFailed(RunnerError):
    """ComfyUI ended, or did not answer in time, when it was started; `log` has its last lines."""

    code = "server_start_failed"
    meaning = "ComfyUI did not come up when it was started."

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        self.log = list(log)
        lines = "".join(f"\n  | {line}" for line in self.log)
        super().__init__(message + (f" The last lines of its log:{lines}" if lines else ""))

    def as_dict(self) -> dict[str, Any]:
        """The error with the last lines of the log."""
        return super().as_dict() | {"log": self.log}


def raise_all(problems: Sequence[LikenessError]) -> None:
    """Raise the one problem itself, or WorkflowInvalid for several; nothing for none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise WorkflowInvalid(problems)
