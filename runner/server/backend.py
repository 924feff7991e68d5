"""Run a workflow on a ComfyUI server: upload, submit, watch, collect. Polling decides; the WebSocket only shows."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...nodes import host
from ...nodes.errors import Interrupted
from ..collect import announced, relative_name
from ..errors import InterruptedOnServer, JobLost, ServerExecutionError, WorkflowRejected
from ..files_in import safe_name
from ..result import Event, Folders, NodeTime, OnEvent, RunResult, SavedFile, Stopped, ignore, never
from ..workflow import Workflow
from .listener import Listener
from .transport import ComfyServer

UPLOADS = "likeness"
"""Subfolder of the server's input folder for our files."""

POLL_FIRST, POLL_GROWTH, POLL_LAST = 0.05, 1.5, 0.5
"""Seconds between two looks at the history: short at first, then longer, never more than the last."""

POLL_AT_THE_END = 0.02
"""Seconds between looks once the server has said that it is done: the history follows a moment later."""

SETTLE_SECONDS = 0.3
"""How long the last progress message is waited for once the result is there; times of nodes come from it."""

ASK_SECONDS = 1.0
"""Seconds between two looks at the queue, which may be long."""

LOST_SECONDS = 5.0
"""A job that is neither queued nor in the history for this long is lost."""


class ServerBackend:
    """Runs workflows on the server at `url`. `previews` also fetches the pictures that are only shown.

    Pictures of a node with a likeness verdict or an enrollment are always fetched: the report shows them.
    Raises ServerUnreachable, ServerRefused, WorkflowRejected, ServerExecutionError, InterruptedOnServer, JobLost,
    OutputMissing, OutputUnwritable, UnsafePath and Interrupted.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        wait_seconds: float = 10.0,
        previews: bool = False,
    ) -> None:
        self.server = ComfyServer(url, headers, wait_seconds)
        self.previews = previews

    def run(
        self, workflow: Workflow, folders: Folders, on_event: OnEvent = ignore, stopped: Stopped = never
    ) -> RunResult:
        """Run `workflow`; see `result.Backend`."""
        began = time.perf_counter()
        self.server.wait_ready(stopped)
        titles = {node.id: node.title for node in workflow}
        result = RunResult(workflow.name, workflow.hash, self.server.url, titles=titles)
        job = _Job(self.server, upload_files(self.server, workflow, folders.input), on_event, stopped)
        result.ui = job.run()
        result.times = job.times
        self._fetch(result, folders)
        result.seconds = time.perf_counter() - began
        return result

    def _fetch(self, result: RunResult, folders: Folders) -> None:
        judged = {node for key in ("likeness", "enrollment") for node, _ in result.shown(key)}
        for node, file in announced(result):
            temporary = file.get("type") == "temp"
            if temporary and not (self.previews or node in judged):
                continue
            folder, found = (folders.temp, result.previews) if temporary else (folders.output, result.outputs)
            target = _unused(host.inside(folder, relative_name(file)))
            self.server.download(file, target)
            found.append(SavedFile(target, node, result.titles.get(node, node)))


def _unused(path: Path) -> Path:
    candidate, number = path, 2
    while candidate.exists():
        candidate = path.with_stem(f"{path.stem}_{number}")
        number += 1
    return candidate


def upload_files(server: ComfyServer, workflow: Workflow, folder: Path) -> Workflow:
    """A copy of `workflow` that names its files as the server does, after sending those that are in `folder`.

    Each goes into a folder named by its content: the same file is stored once and never meets another one's name.
    """
    workflow = workflow.copy()
    for node in workflow.file_nodes():
        name = str(node.inputs.get(node.file_input or "") or "")
        source = host.inside(folder, name or ".")
        takes_folder = node.file_kind == "folder"
        if not name or not (source.is_dir() if takes_folder else source.is_file()):
            continue
        files = sorted(path for path in source.iterdir() if path.is_file()) if takes_folder else [source]
        digest = hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files))
        home = f"{UPLOADS}/{digest.hexdigest()[:12]}"
        names = [server.upload(file, safe_name(file.name), home) for file in files]
        node.inputs[str(node.file_input)] = home if takes_folder else names[0]
    return workflow


class _Job:
    """One prompt on the server, from submission to its history entry."""

    def __init__(self, server: ComfyServer, workflow: Workflow, on_event: OnEvent, stopped: Stopped) -> None:
        self.server, self.workflow, self.on_event, self.stopped = server, workflow, on_event, stopped
        self.id, self.client_id = str(uuid.uuid4()), str(uuid.uuid4())
        self.times: list[NodeTime] = []
        self._running: tuple[str, float] | None = None

    def run(self) -> dict[str, dict[str, list[Any]]]:
        """What the nodes showed, once the server has finished."""
        listener = Listener(self.server.socket_url(self.client_id), self.id, self.server.headers)
        listener.start()
        try:
            self._submit()
            entry = self._wait(listener)
            listener.settle(SETTLE_SECONDS)
            self._show(listener)
        except (Interrupted, KeyboardInterrupt) as error:
            self.server.cancel(self.id)
            raise Interrupted("The run was stopped; the server was told to stop it too.") from error
        finally:
            listener.end()
        self._raise_if_failed(entry)
        return {str(node): shown for node, shown in entry.get("outputs", {}).items() if isinstance(shown, dict)}

    def _submit(self) -> None:
        canvas = self.workflow.canvas
        request = {
            "prompt": self.workflow.to_api(),
            "prompt_id": self.id,
            "client_id": self.client_id,
            "extra_data": {} if canvas is None else {"extra_pnginfo": {"workflow": canvas}},
        }
        accepted, answer = self.server.submit(request)
        if not accepted or answer.get("node_errors"):
            if accepted:
                self.server.cancel(self.id)
            raise rejection(self.workflow, answer, self.server)
        self.on_event(Event("queued", message=self.id, total=len(self.workflow.nodes)))

    def _wait(self, listener: Listener) -> dict[str, Any]:
        pause = POLL_FIRST
        seen = asked = time.monotonic()
        while True:
            if self.stopped():
                raise Interrupted("The run was stopped.")
            self._show(listener)
            entry = self.server.history(self.id)
            if entry is not None:
                return entry
            if listener.finished.is_set():
                time.sleep(POLL_AT_THE_END)
            listener.finished.wait(pause)
            pause = min(pause * POLL_GROWTH, POLL_LAST)
            now = time.monotonic()
            if now - asked < ASK_SECONDS:
                continue
            asked = now
            if self.server.is_queued(self.id):
                seen = now
            elif now - seen > LOST_SECONDS:
                raise JobLost(
                    f"{self.server.url} no longer knows the job {self.id}; it was restarted or its queue was cleared. "
                    "Run it again."
                )

    def _show(self, listener: Listener) -> None:
        """Turn the server's messages into events and times."""
        for message in listener.messages():
            node_id = message.data.get("node")
            if message.kind == "execution_cached":
                for cached in message.data.get("nodes") or ():
                    self._done(str(cached), 0.0, cached=True)
            elif message.kind == "executing" or message.kind.startswith("execution_"):
                self._switch(None if node_id is None or message.kind != "executing" else str(node_id), message.at)
            elif message.kind == "progress" and node_id is not None:
                title = self._title(str(node_id))
                done, steps = message.data.get("value"), message.data.get("max")
                self.on_event(Event("progress", node=str(node_id), title=title, done=done, steps=steps))

    def _switch(self, node_id: str | None, at: float) -> None:
        if self._running is not None:
            self._done(self._running[0], at - self._running[1])
        self._running = None if node_id is None else (node_id, at)
        if node_id is not None:
            index, total = len(self.times), len(self.workflow.nodes)
            self.on_event(Event("node", node=node_id, title=self._title(node_id), index=index, total=total))

    def _done(self, node_id: str, seconds: float, *, cached: bool = False) -> None:
        if node_id not in self.workflow.nodes:
            return
        title = self._title(node_id)
        self.times.append(NodeTime(node_id, title, self.workflow.nodes[node_id].class_type, seconds, cached))
        index, total = len(self.times) - 1, len(self.workflow.nodes)
        kind = "cached" if cached else "node_done"
        self.on_event(Event(kind, node=node_id, title=title, index=index, total=total, seconds=round(seconds, 4)))

    def _title(self, node_id: str) -> str:
        node = self.workflow.nodes.get(node_id)
        return node.title if node else f"node {node_id}"

    def _raise_if_failed(self, entry: dict[str, Any]) -> None:
        status = entry.get("status") or {}
        messages: dict[str, Any] = dict(status.get("messages") or ())
        if "execution_interrupted" in messages:
            raise InterruptedOnServer(f"The run was stopped on {self.server.url} before it finished.")
        failed = messages.get("execution_error")
        if failed is not None:
            node_id = str(failed.get("node_id"))
            kind = str(failed.get("exception_type")).rpartition(".")[2]
            reason = str(failed.get("exception_message")).strip()
            raise ServerExecutionError(self._title(node_id), node_id, kind, reason)
        if status.get("status_str", "success") != "success":
            raise ServerExecutionError("the workflow", "unknown", "error", str(status))


def rejection(workflow: Workflow, answer: dict[str, Any], server: ComfyServer) -> WorkflowRejected:
    """The error for a workflow that the server did not take, with everything that is wrong with it."""
    node_errors = answer.get("node_errors") or {}
    lines = [
        f"{_titled(workflow, str(node_id))}: {problem.get('message')} ({problem.get('details')})"
        for node_id, report in node_errors.items()
        for problem in report.get("errors", ())
    ]
    if not lines:
        known = server.object_info()
        lines = [
            f"{node.title}: the server has no node {node.class_type}"
            for node in workflow
            if node.class_type not in known
        ]
    error = answer.get("error")
    if not lines:
        words = error if isinstance(error, dict) else {"message": str(error)}
        lines = [" ".join(str(words[key]) for key in ("message", "details") if words.get(key))]
    return WorkflowRejected(f"{server.url} did not accept {workflow.name}: {'; '.join(lines)}.", node_errors)


def _titled(workflow: Workflow, node_id: str) -> str:
    node = workflow.nodes.get(node_id)
    return f"{node.title} (node {node_id})" if node else f"node {node_id}"
