"""What every place promises where a workflow can run: this process, a server, and whatever else there will be.

Those who use a backend know nothing but this. Nobody asks which class it is, and nobody compares its name with a word:
what differs between places and matters to others is a member here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..workflow.graph import Workflow
from .result import Folders, OnEvent, RunResult, Stopped, ignore, never

if TYPE_CHECKING:
    from ...core.errors import LikenessError
    from ..doctor import Fact
    from ..workflow.object_info import Catalog
    from ..workflow.preflight import Findings


class Backend(Protocol):
    """A place where workflows run.

    `run` may be called from as many threads at a time as `capacity` says; every other member from any thread, at any
    time before `close`. All errors are LikenessError; away means ServerUnreachable, or ServerRefused where something
    else answers for the server. Making a backend asks nobody anything.
    """

    affinity: str
    """The models that the last job left loaded, in the words of those who plan jobs; empty where none is known.

    Who runs a job here writes it, and who chooses the next job reads it: one of the same models is the quickest.
    """

    @property
    def name(self) -> str:
        """What people and ledgers call the place: no two of a batch share it, it holds no login and never changes."""
        ...

    @property
    def remote(self) -> bool:
        """Whether the work is done elsewhere: asking costs time, and a path that a node names is a path there."""
        ...

    @property
    def capacity(self) -> int:
        """How many runs at a time keep the place busy; 1 where it can do no more than one."""
        ...

    @property
    def resumable(self) -> bool:
        """Whether a prompt outlives the runner that submitted it, so that `run` can be given its id with `resume`."""
        ...

    def resting(self) -> bool:
        """Whether it wants no new run for a while, although it answers: a server that is due to be restarted."""
        ...

    def wait_ready(self, stopped: Stopped = never) -> None:
        """Wait until it answers, as long as it was told to at the most.

        Raises ServerUnreachable, ServerRefused, and Interrupted once `stopped`.
        """
        ...

    def probe(self, timeout: float) -> LikenessError | None:
        """One look whether it answers, within `timeout` seconds; what is wrong with it, or None. Raises nothing."""
        ...

    def catalog(self) -> Catalog:
        """The node classes that can be used here, by their id; waits for a place that has never answered yet.

        Raises ServerUnreachable and ServerRefused.
        """
        ...

    def load(self, source: str | Path) -> Workflow:
        """Read a workflow file or a bundled workflow, in API or in canvas format, with what is known of nodes here.

        The place is asked for canvas format only. Raises WorkflowMissing, WorkflowUnreadable, NotConvertible,
        ComfyCliMissing, ComfyCliFailed, ServerUnreachable and ServerRefused.
        """
        ...

    def check(self, workflow: Workflow) -> Findings:
        """Everything that keeps `workflow` from running here, and what may; nothing is sent but questions.

        Raises ServerUnreachable and ServerRefused.
        """
        ...

    def facts(self) -> list[Fact]:
        """What is worth knowing of the place besides this machine: versions, devices, memory, the queue.

        Raises ServerUnreachable and ServerRefused.
        """
        ...

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
        """Run `workflow` to its end; its results are in `folders` then, and nowhere else on this machine.

        `on_event` is called in the order of what happens, from any thread. `stopped` is asked often; once it says True,
        the work is stopped where it is done and Interrupted is raised. `prompt_id` is the run's own id, a UUID; without
        one it gets a new one. With `resume` a resumable place is asked for that prompt first, because an earlier runner
        may have submitted it. Raises what the implementation's class lists, all of it LikenessError.
        """
        ...

    def cancel(self, prompt_id: str) -> None:
        """Stop the run of that id and no other, whoever began it; returns before it has ended.

        A `run` of this object then raises Interrupted. An id that is not known, or a place that is away, is no error.
        """
        ...

    def close(self) -> None:
        """Let go of connections and caches; a run under way may fail. Closing again does nothing."""
        ...
