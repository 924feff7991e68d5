"""What can go wrong with a ComfyUI server, with what it lacks, with one that is kept here, and with a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.errors import registry
from .workflow import RunnerError


class NoServer(RunnerError):
    """None of a batch's servers can take jobs."""

    code = "no_server"
    meaning = "None of the servers of a batch answers, or none can run the workflow."
    hint = "Run `likeness doctor --server URL WORKFLOW` for each server, then the batch's command again to go on."


class BadServerAddress(RunnerError):
    """The server's address is not an http or https URL."""

    code = "bad_server_address"
    meaning = "A server's address must be an http or https URL."
    hint = "Write scheme, host and port, as in http://127.0.0.1:8188, or @NAME for a managed server."


class ServerUnreachable(RunnerError):
    """The server does not answer."""

    code = "server_unreachable"
    meaning = "The ComfyUI server does not answer at that address."
    hint = "Open the address in a browser; elsewhere, ComfyUI needs --listen and a firewall that lets you through."

    def __init__(self, message: str, *, sent: bool = True) -> None:
        self.sent = sent
        """Whether the request may have reached the server before the connection failed."""
        super().__init__(message)


class ServerRefused(RunnerError):
    """The server answered with an error that is not about the workflow."""

    code = "server_refused"
    meaning = "The server answered a request with an error."
    hint = "Check that ComfyUI and no other program is at that address, and give a proxy's token with --header."

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class WorkflowRejected(RunnerError):
    """The server's own validation found the workflow wrong."""

    code = "workflow_rejected"
    meaning = "The ComfyUI server did not accept the workflow."
    hint = "Mend what `node_errors` says; `likeness doctor --server URL WORKFLOW` finds such problems beforehand."

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
    hint = "Read the traceback in the server's log, and see whether the workflow fails in ComfyUI's own page too."

    def __init__(self, title: str, node_id: str, kind: str, reason: str) -> None:
        self.title, self.node_id, self.kind = title, node_id, kind
        self.cause = {cls.__name__: cls for cls in registry().values()}.get(kind)
        words = reason.strip() if self.cause else f"{kind}: {reason.strip()}"
        super().__init__(f"{title} (node {node_id}) failed on the server: {words}")

    def as_dict(self) -> dict[str, Any]:
        """The error with the node and the type of the exception there; one of ours keeps its code, meaning and hint."""
        known = {name: getattr(self.cause, name) for name in ("code", "meaning", "hint")} if self.cause else {}
        return super().as_dict() | known | {"node": self.node_id, "title": self.title, "exception": self.kind}


class ServerOutOfMemory(RunnerError):
    """The server has not enough memory for the job, not even after it was told to free it."""

    code = "server_out_of_memory"
    meaning = "The server ran out of memory, also after it was told to free it."
    hint = (
        "Use smaller pictures or batches, close what else is on the GPU, or start ComfyUI with --lowvram or --novram."
    )


class ServerBroken(RunnerError):
    """The server's GPU is in a state that only a restart ends."""

    code = "server_broken"
    meaning = "The server's GPU context is unusable until ComfyUI is restarted."
    hint = "Restart ComfyUI (`likeness server restart` for a managed one), and the machine if the error comes back."


class TooLargeForServer(RunnerError):
    """A file or a workflow is larger than the server takes."""

    code = "too_large_for_server"
    meaning = "A file or a workflow is larger than the server accepts."
    hint = "Scale the photo down, or raise ComfyUI's --max-upload-size and the body limit of any proxy before it."


class InterruptedOnServer(RunnerError):
    """Somebody stopped the run on the server."""

    code = "interrupted_on_server"
    meaning = "The run was stopped on the ComfyUI server."
    hint = "Ask who else uses the server, since anybody at its page can stop a run, and then run it again."


class JobLost(RunnerError):
    """The server no longer knows the job: it was restarted or its queue was cleared."""

    code = "job_lost"
    meaning = "The server no longer knows the job; it was restarted or its queue was cleared."
    hint = "Look in the server's log for why it went down, often for want of memory, and then run the job again."


class NodeClassMissing(RunnerError):
    """The server does not have a node class. `pack` is what is known of where it comes from."""

    code = "node_class_missing"
    meaning = "The ComfyUI server lacks a node class that the workflow uses; install the pack that has it."
    hint = "Restart ComfyUI after installing it, and look in its log for a failed import if the pack is there already."

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
    hint = (
        "Compare the name with the files on the server, subfolder included, and set the input to the one that is meant."
    )

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
    hint = "Run `pip install comfy-cli` in this Python, or use 'Export (API)' in ComfyUI, which needs no conversion."


class ComfyCliFailed(RunnerError):
    """comfy-cli could not convert a canvas file, or cannot reach the server."""

    code = "comfy_cli_failed"
    meaning = "comfy-cli could not convert the canvas-format workflow."
    hint = "Update comfy-cli and the server's node packs, or use 'Export (API)' in ComfyUI, which needs no conversion."


class BadServerName(RunnerError):
    """A managed server cannot have that name."""

    code = "bad_server_name"
    meaning = "A managed server's name must be one plain word."
    hint = "Choose a short name such as gpu-1, and write the same after the @ in --server."


class NoManagedServer(RunnerError):
    """No server of that name runs under our care."""

    code = "no_managed_server"
    meaning = "No managed server of that name is running."
    hint = "Run `likeness server status` for the names of those that run, or start one with --name NAME."


class ServerStateDamaged(RunnerError):
    """A managed server runs, and what is known about it cannot be read."""

    code = "server_state_damaged"
    meaning = "The state file of a managed server that still runs is damaged, and its supervisor does not mend it."
    hint = "End the process that the message names, then start the server again with `likeness server start`."


class ComfyUINotFound(RunnerError):
    """There is no ComfyUI, or no Python for it, where one was looked for."""

    code = "comfyui_not_found"
    meaning = "ComfyUI or its Python was not found on this machine."
    hint = (
        "Set COMFYUI_PATH to the folder with ComfyUI's main.py, and COMFYUI_PYTHON to its Python if that is elsewhere."
    )


class PackNotInstalled(RunnerError):
    """This pack cannot be put into ComfyUI's custom_nodes, or is there twice."""

    code = "pack_not_installed"
    meaning = "The pack is not in ComfyUI's custom_nodes exactly once and could not be put there."
    hint = "Leave exactly one copy or link of the pack in custom_nodes, and check that you may write to that folder."


class PortTaken(RunnerError):
    """The port that a managed server should listen on is in use."""

    code = "port_taken"
    meaning = "The port for a managed server is in use by another program."
    hint = (
        "Leave --port out to get the next free one, or look for it in `likeness server status`, which lists your own."
    )


class ServerStartFailed(RunnerError):
    """ComfyUI ended, or did not answer in time, when it was started; `log` has its last lines."""

    code = "server_start_failed"
    meaning = "ComfyUI did not come up when it was started."
    hint = "Read more with `likeness server logs`, and try `likeness server start --cpu` to rule the GPU out."

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        self.log = list(log)
        lines = "".join(f"\n  | {line}" for line in self.log)
        super().__init__(message + (f" The last lines of its log:{lines}" if lines else ""))

    def as_dict(self) -> dict[str, Any]:
        """The error with the last lines of the log."""
        return super().as_dict() | {"log": self.log}


class LedgerBusy(RunnerError):
    """Another runner, or another program, has the batch's ledger."""

    code = "ledger_busy"
    meaning = "Another runner is at work on this batch, or another program has locked its ledger."
    hint = "Watch the other runner with `likeness status FOLDER`, and give the command again when it has ended."


class LedgerMissing(RunnerError):
    """There is no batch in that folder."""

    code = "ledger_missing"
    meaning = "The folder has no ledger: no batch was started there."
    hint = "Give the folder that was the --output of `likeness batch`, the one with ledger.sqlite in it."


class LedgerUnreadable(RunnerError):
    """The ledger is damaged, of a newer version, or another kind of file."""

    code = "ledger_unreadable"
    meaning = "The batch's ledger is damaged, was made by a newer version, or is another kind of file."
    hint = "Update Likeness Studio if the ledger is newer, else move ledger.sqlite away and start again; pictures stay."


class UnknownJob(RunnerError):
    """No job of the batch has that name."""

    code = "unknown_job"
    meaning = "The batch has no job of that name."
    hint = "Take the name from the contact sheet, or for a failed job from `likeness status --failed FOLDER`."


class BatchInputsInvalid(RunnerError):
    """The folder or table of a batch's inputs cannot be read."""

    code = "batch_inputs_invalid"
    meaning = "The folder, CSV or JSONL with a batch's inputs cannot be read as jobs."
    hint = "Give a folder of photos, or a table with the columns name and photo, and Title.input for what shall differ."
