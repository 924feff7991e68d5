"""The root of the runner's errors, and how several problems become one error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.errors import LikenessError


class RunnerError(LikenessError):
    """A workflow cannot be read, set up or run."""


class WorkflowInvalid(RunnerError):
    """Several problems were found before anything ran; `problems` lists them."""

    code = "workflow_invalid"
    meaning = "The workflow has several problems; each is listed with its own code."
    hint = "Mend them in the order given, and let `likeness doctor WORKFLOW` look again without running anything."

    def __init__(self, problems: Sequence[LikenessError]) -> None:
        self.problems = list(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"The workflow cannot run; {len(self.problems)} problems must be mended:{lines}")

    def as_dict(self) -> dict[str, Any]:
        """The error with all its problems."""
        return super().as_dict() | {"problems": [problem.as_dict() for problem in self.problems]}


def raise_all(problems: Sequence[LikenessError]) -> None:
    """Raise the one problem itself, or WorkflowInvalid for several; nothing for none."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise WorkflowInvalid(problems)
