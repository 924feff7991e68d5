"""Deletes our own history entries on a server, in the background: nobody has to wait for that."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ....core.errors import LikenessError
from ....core.interrupt import Stopped, never
from ...errors import OutputMissing, ServerOutOfMemory, ServerUnreachable
from ...workflow.graph import Workflow, load
from ...workflow.object_info import Catalog
from ...workflow.preflight import Findings
from ..backoff import OutageWait
from ..base import Event, Folders, OnEvent, RunsUnderWay, ignore
from ..result import RunResult
from ..saved_files import announced_files
from .catalog import ServerCatalog, findings_on, require
from .events import Listener
from .follow_prompt import Job
from .results import Fetch, reporting_nodes, results, server_seconds, unreported
from .server import ComfyServer
from .uploads import Uploads
from .versions import NEWEST, comfyui_version, forgets_cached_reports

if TYPE_CHECKING:
    from ..base import Fact

GATHER_SECONDS = 1.0
"""How long ids are gathered, so that one request deletes the entries of many short jobs."""

CLOSE_SECONDS = 2.0
"""How long closing waits for the last entries; a server that is away has lost them anyway."""


class HistoryCleanup:
    """Takes ids of collected prompts and deletes their entries, several at a time where they come quickly."""

    def __init__(self, server: ComfyServer) -> None:
        self._server = server
        self._ids: SimpleQueue[str | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def forget(self, prompt_id: str) -> None:
        """Delete this prompt's entry soon."""
        self._ids.put(prompt_id)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="likeness-tidy", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Delete what is left, and end."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._ids.put(None)
            thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        while True:
            ids = [self._ids.get()]
            deadline = time.monotonic() + GATHER_SECONDS
            while ids[-1] is not None and (left := deadline - time.monotonic()) > 0:
                with suppress(Empty):
                    ids.append(self._ids.get(timeout=left))
            known = [prompt_id for prompt_id in ids if prompt_id is not None]
            if known:
                self._server.forget(*known)
            if len(known) < len(ids):
                return


OUTAGE_SECONDS = 120.0
"""How long a server that goes away during a job is waited for: ComfyUI takes up to a minute to start."""

MOST_KEPT = 256
"""How many graphs are remembered to suit the server."""

FREE_SECONDS = 0.5
"""How long a server gets to empty its caches before a job is tried again there."""


class ServerBackend:
    """Runs workflows on the server at `url`, any number at a time, from any thread; `capacity` is how many are wanted.

    `wait_seconds` bounds the wait for a server that does not answer at the start, `outage_seconds` for one that goes
    away during a job. `previews` also fetches the pictures that are only shown. `keep_history` leaves the server's
    entry about the job where it is. `allow_black` takes pictures that are completely black for results.

    Raises ServerUnreachable, ServerRefused, WorkflowRejected, TooLargeForServer, ServerExecutionError,
    ServerOutOfMemory, ServerBroken, InterruptedOnServer, JobLost, OutputMissing, OutputBlank, OutputUnwritable,
    UnsafePath and Interrupted, and what the preflight finds.
    """

    remote = True
    resumable = True

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        capacity: int = 2,
        wait_seconds: float = 10.0,
        outage_seconds: float = OUTAGE_SECONDS,
        previews: bool = False,
        keep_history: bool = False,
        allow_black: bool = False,
    ) -> None:
        self.server = ComfyServer(url, headers, wait_seconds)
        self.name, self.capacity, self.affinity = self.server.url, capacity, ""
        self.outage_seconds = outage_seconds
        self.previews, self.keep_history, self.allow_black = previews, keep_history, allow_black
        self._listener = Listener(self.server)
        self._uploads = Uploads(self.server)
        self._tidy = HistoryCleanup(self.server)
        self._catalog = ServerCatalog(self.server)
        self._under_way = RunsUnderWay()
        self._has_answered = False
        self._ready = False
        self._suits: set[str] = set()
        self._version = NEWEST

    @cached_property
    def _managed(self) -> bool:
        from ...managed import is_managed

        return is_managed(self.name)

    def resting(self) -> bool:
        """Whether it is a managed server that is about to be recycled: that waits for a moment without work."""
        from ...managed import being_recycled

        return self._managed and being_recycled(self.name)

    def wait_ready(self, stopped: Stopped = never) -> None:
        """Wait until the server answers; see `Backend`."""
        self.server.wait_ready(stopped)
        self._has_answered = True

    def probe(self, timeout: float) -> LikenessError | None:
        """Ask the server once whether it is there."""
        try:
            self.server.system_stats(timeout)
        except LikenessError as error:
            return error
        return None

    def catalog(self) -> Catalog:
        """All node classes of the server; see `Backend`."""
        return self._awake_catalog()()

    def load(self, source: str | Path) -> Workflow:
        """Read a workflow; nodes that the server does not have are kept, for `check` to name them all."""
        return load(source, self._catalog)

    def check(self, workflow: Workflow) -> Findings:
        """What is wrong with `workflow` on the server; see `Backend`."""
        return findings_on(workflow, self._awake_catalog())

    def _awake_catalog(self) -> ServerCatalog:
        """The catalogue, once the server has answered for the first time."""
        if not self._has_answered:
            self.wait_ready()
        return self._catalog

    def facts(self) -> list[Fact]:
        """The server's version, devices, memory, pack and queue."""
        from .. import doctor as facts

        return facts.server(self.server)

    def cancel(self, prompt_id: str) -> None:
        """Stop a run, be it one of this object or another runner's; see `Backend`."""
        if not self._under_way.stop(prompt_id):
            self.server.cancel(prompt_id)

    def close(self) -> None:
        """Close the connections to the server."""
        self._listener.close()
        self._tidy.close()
        self.server.close()

    def run(
        self,
        workflow: Workflow,
        folders: Folders,
        on_event: OnEvent = ignore,
        stopped: Stopped = never,
        *,
        prompt_id: str | None = None,
        resume: bool = False,
    ) -> RunResult:
        """Run `workflow`; see `Backend`."""
        began = time.perf_counter()
        self._listener.start()
        prompt_id = prompt_id or str(uuid.uuid4())
        try:
            with self._under_way.enter(prompt_id, stopped) as told:
                self._prepare(workflow, told)
                result = _Run(self, workflow, folders, on_event, told).finish(prompt_id, resume=resume)
        except ServerUnreachable:
            self._ready = False
            raise
        result.seconds = time.perf_counter() - began
        return result

    def _prepare(self, workflow: Workflow, stopped: Stopped) -> None:
        """Wait for the server, and see whether it can run the graph: once for each graph while the server stays."""
        if not self._ready:
            self._version = comfyui_version(self.server.wait_ready(stopped))
            self._uploads.start_over(self._version)
            self._suits.clear()
            self._ready = True
        if workflow.hash not in self._suits:
            require(workflow, self._catalog)
            if len(self._suits) >= MOST_KEPT:
                self._suits.clear()
            self._suits.add(workflow.hash)


@dataclass
class _Run:
    """One run on one server: a prompt, or two where the first one's result could not be had."""

    backend: ServerBackend
    workflow: Workflow
    folders: Folders
    on_event: OnEvent
    stopped: Stopped

    def finish(self, prompt_id: str, *, resume: bool) -> RunResult:
        placed = self.backend._uploads.place(self.workflow, self.folders.input, self._patience())
        titles = {node.id: node.title for node in self.workflow}
        name = self.backend.name
        result = RunResult(self.workflow.name, self.workflow.hash, name, titles=titles, place=name, remote=True)
        shows = reporting_nodes(self.workflow) if forgets_cached_reports(self.backend._version) else frozenset()
        try:
            self._prompt(result, placed, prompt_id, resume=resume, rerun=shows)
        except ServerOutOfMemory:
            self._note(result, "The server ran out of memory; it was told to free it, and the job was run again.")
            self.backend.server.free()
            time.sleep(FREE_SECONDS)
            self._prompt(result, placed, str(uuid.uuid4()), rerun=shows)
        except OutputMissing as error:
            self._note(result, f"{str(error).removesuffix('; run it again.')}; the job was run again.")
            shown = frozenset(node for node, _ in announced_files(result))
            self._prompt(result, placed, str(uuid.uuid4()), rerun=shows | shown)
        return result

    def _prompt(
        self,
        result: RunResult,
        placed: Workflow,
        prompt_id: str,
        *,
        resume: bool = False,
        rerun: frozenset[str] = frozenset(),
    ) -> None:
        """Run one prompt to its end and put everything about it into `result`."""
        backend, server = self.backend, self.backend.server
        result.prompt_id = prompt_id
        job = Job(server, backend._listener, placed, prompt_id, self.on_event, self.stopped, self._patience, rerun)
        entry = job.run(resume=resume)
        result.notes += job.notes
        result.times = job.track.times
        result.server_seconds = server_seconds(entry)
        try:
            result.ui = results(entry, self.workflow, server.url)
            for title in unreported(entry, self.workflow, result.ui):
                self._note(result, f"The server took {title} from its cache and kept no report of it.")
            fetch = Fetch(
                server,
                self.folders,
                previews=backend.previews,
                allow_black=backend.allow_black,
                patience=self._patience,
            )
            fetch.into(result, prompt_id)
        finally:
            if not backend.keep_history:
                backend._tidy.forget(prompt_id)

    def _patience(self) -> OutageWait:
        return OutageWait(self.backend.outage_seconds, self.stopped)

    def _note(self, result: RunResult, note: str) -> None:
        result.notes.append(note)
        self.on_event(Event("note", message=note))
