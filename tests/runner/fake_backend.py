"""A backend without nodes, for what a real one cannot be made to show: it dies, hangs or answers as a test says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness_studio.core.errors import LikenessError
from likeness_studio.core.interrupt import Stopped, never
from likeness_studio.runner.backends import Folders, OnEvent, RunResult, ignore
from likeness_studio.runner.workflow import Findings, Workflow, load

if TYPE_CHECKING:
    from likeness_studio.runner.backends import Fact
    from likeness_studio.runner.workflow import Catalog


class FakeBackend:
    """`work` stands for the run; it is called with the workflow, the folders, `stopped`, `prompt_id` and `resume`."""

    def __init__(
        self,
        name: str = "http://fake:8188",
        work: Callable[..., Any] | None = None,
        *,
        capacity: int = 1,
        resumable: bool = True,
    ) -> None:
        self.name, self.work, self.capacity, self.resumable = name, work, capacity, resumable
        self.remote, self.affinity = True, ""
        self.cancelled: list[str] = []

    def resting(self) -> bool:
        return False

    def wait_ready(self, stopped: Stopped = never) -> None:
        pass

    def probe(self, timeout: float) -> LikenessError | None:
        return None

    def catalog(self) -> Catalog:
        return {}

    def load(self, source: str | Path) -> Workflow:
        return load(source, self.catalog)

    def check(self, workflow: Workflow) -> Findings:
        return Findings()

    def facts(self) -> list[Fact]:
        return []

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
        assert self.work is not None, "nothing should have run here"
        return self.work(workflow, folders, stopped=stopped, prompt_id=prompt_id, resume=resume)

    def cancel(self, prompt_id: str) -> None:
        self.cancelled.append(prompt_id)

    def close(self) -> None:
        pass
