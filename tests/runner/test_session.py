"""One run from photos to report: what can be known to fail fails before the work."""

import pytest

from likeness_studio.runner import errors
from likeness_studio.runner.result import RunResult, ignore, never
from likeness_studio.runner.session import run_once


class NeverAsked:
    def run(self, workflow, folders, on_event=ignore, stopped=never, *, prompt_id=None, resume=False) -> RunResult:
        raise AssertionError("the work began although its result could not be kept")

    def close(self) -> None:
        pass


def test_an_output_folder_that_cannot_be_written_to_is_noticed_first(workflow, invert, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.OutputUnwritable, match=r"output folder .*file"):
        run_once(workflow(invert), NeverAsked(), tmp_path / "file" / "results")
