"""What can go wrong with a ComfyUI server: its address, its answers, its memory, its end."""

from __future__ import annotations

from typing import Any

from ...core.errors import registry
from .base import RunnerError


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
