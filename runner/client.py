"""The Python interface: a client runs workflows, on a ComfyUI server or in this process, and hands over the results."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING

from ..core.interrupt import Stopped, never
from .backends.base import Backend, Event, OnEvent, ignore
from .backends.execute import BackendOptions, connect, execute, make_folder
from .backends.result import RunResult
from .workflow.graph import Workflow
from .workflow.input_files import Photos, files_of

if TYPE_CHECKING:
    from ..core.errors import LikenessError
    from .workflow.object_info import Catalog


class Client:
    """Runs workflows on the ComfyUI server at `url`, or in this process when there is none.

    Any number of runs may be under way at a time, from any thread; one process runs one at a time without a server.
    `headers` go with every request. `wait_seconds` bounds the wait for a server that does not answer,
    `outage_seconds` the wait for one that goes away during a run. `previews` also fetches pictures that are only
    shown, `keep_history` leaves the server's history alone, and `allow_black` accepts completely black pictures.

    >>> with Client() as client:
    ...     result = client.run(Workflow.load("studio_headshot"), ["me.jpg"], output="headshots")
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        wait_seconds: float = 10.0,
        outage_seconds: float = 120.0,
        previews: bool = False,
        keep_history: bool = False,
        allow_black: bool = False,
    ) -> None:
        self.url = url
        self._options = BackendOptions(
            headers=headers,
            wait_seconds=wait_seconds,
            outage_seconds=outage_seconds,
            previews=previews,
            keep_history=keep_history,
            allow_black=allow_black,
        )
        self._runs = itertools.count()
        self._making = threading.RLock()
        self._backend: Backend | None = None
        self._temp: tempfile.TemporaryDirectory[str] | None = None

    @property
    def backend(self) -> Backend:
        """Where the workflows run. Raises BadServerAddress."""
        with self._making:
            if self._backend is None:
                self._backend = connect(self.url, self._options)
            return self._backend

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections, caches and previews."""
        if self._backend is not None:
            self._backend.close()
        if self._temp is not None:
            self._temp.cleanup()

    def _new_temp(self) -> Path:
        """A folder for a run: photos on their way, and until the client is closed pictures that are only shown."""
        with self._making:
            if self._temp is None:
                self._temp = tempfile.TemporaryDirectory(prefix="likeness-", ignore_cleanup_errors=True)
            return Path(self._temp.name) / str(next(self._runs))

    @property
    def catalog(self) -> Catalog:
        """The node classes that can be used here, by their id."""
        return self.backend.catalog()

    def load(self, source: str | Path) -> Workflow:
        """Read a workflow file or a bundled workflow, in API or in canvas format, with what is known of nodes here.

        Raises WorkflowMissing, WorkflowUnreadable, NotConvertible, ComfyCliMissing or ComfyCliFailed.
        """
        return self.backend.load(source)

    def check(self, workflow: Workflow) -> list[LikenessError]:
        """Everything that keeps `workflow` from running here; nothing is sent but questions. Empty when it can."""
        return self.backend.check(workflow).problems

    def run(
        self,
        workflow: Workflow,
        inputs: Photos = (),
        output: str | Path = "output",
        on_event: OnEvent = ignore,
        stopped: Stopped = never,
    ) -> RunResult:
        """Run `workflow` with `inputs` to its end; the pictures are in the folder `output` then.

        `on_event` is called with every Event. `stopped` is asked often; once it says True, Interrupted is raised.
        Raises OutputUnwritable, PhotoMissing, PhotoNotPlaced, and what the server or the nodes raise: all of them are
        LikenessError.
        """
        folder = Path(output).absolute()
        make_folder(folder)
        temp = self._new_temp()
        try:
            return execute(workflow, self.backend, folder, files_of(inputs), on_event, stopped, temp=temp)
        finally:
            shutil.rmtree(temp / "input", ignore_errors=True)
            with suppress(OSError):
                temp.rmdir()

    def start(self, workflow: Workflow, inputs: Photos = (), output: str | Path = "output") -> Run:
        """Begin to run `workflow` in a thread; see `Run`."""
        return Run(self, workflow, inputs, output)


class Run:
    """A run under way: iterate over it for its events, and ask for its result.

    >>> run = Client("http://gpu-box:8188").start(Workflow.load("studio_headshot"), ["me.jpg"])
    >>> for event in run:
    ...     print(event.kind, event.title)
    >>> print(run.result().verdict)
    """

    def __init__(self, client: Client, workflow: Workflow, inputs: Photos, output: str | Path) -> None:
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._stop, self._ended = threading.Event(), threading.Event()
        self._result: RunResult | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._work, args=(client, workflow.copy(), inputs, output), name="likeness-job", daemon=True
        )
        self._thread.start()

    def __iter__(self) -> Iterator[Event]:
        """The events, as they happen, until the run has ended. One reader only."""
        while (event := self._events.get()) is not None:
            yield event

    @property
    def done(self) -> bool:
        """Whether the run has ended, well or not."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Stop the run, on the server too; `result` then raises Interrupted."""
        self._stop.set()

    def result(self, timeout: float | None = None) -> RunResult:
        """Wait for the end, `timeout` seconds at most; raises what the run raised, or TimeoutError."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"The run has not ended after {timeout} s.")
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def _work(self, client: Client, workflow: Workflow, inputs: Photos, output: str | Path) -> None:
        try:
            self._result = client.run(workflow, inputs, output, self._events.put, self._stop.is_set)
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error
        finally:
            self._ended.set()
            self._events.put(None)
