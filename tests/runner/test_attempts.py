"""One job's tries on one backend, without a ledger and without a fleet: what is tried again, and what is kept.

The backend is a fake that says what each try comes to: a real one cannot be made to fail by chance in a given order.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from likeness_studio.core.errors import Interrupted
from likeness_studio.runner import errors
from likeness_studio.runner.backends import RunResult, SavedFile
from likeness_studio.runner.batch import attempts as attempts_module
from likeness_studio.runner.batch.attempts import Attempts, CutOff, Task, Try
from likeness_studio.runner.batch.judge import blame
from likeness_studio.runner.batch.keys import seed_for
from likeness_studio.runner.batch.result_folders import ResultFolders, Trial
from likeness_studio.tests.runner.fake_backend import FakeBackend

KEY = "ab" * 32
CHANCE = errors.OutputBlank("It is black.")
JOB = errors.InterruptedOnServer("Somebody stopped it.")
PHOTO = errors.TooLargeForServer("It is too large.")
SERVER = errors.ServerUnreachable("It went away.")


@dataclass
class Notes:
    """A journal that remembers; `error` is raised when a try begins."""

    tries: list[Try] = field(default_factory=list)
    unconfirmed_ones: list[Trial] = field(default_factory=list)
    failures: list[tuple[int, Exception]] = field(default_factory=list)
    error: Exception | None = None

    def begin(self, attempt: Try) -> None:
        self.tries.append(attempt)
        if self.error is not None:
            raise self.error

    def unconfirmed(self, attempt: Try, trial: Trial) -> None:
        assert attempt is self.tries[-1]
        self.unconfirmed_ones.append(trial)

    def failed(self, attempt: Try, error: Exception) -> None:
        self.failures.append((attempt.number, error))


class Scripted:
    """What each run comes to: an error, or a likeness. Remembers the seeds and how it was asked."""

    def __init__(self, *outcomes: Exception | float):
        self.outcomes, self.seeds, self.asked = list(outcomes), [], []

    def __call__(self, workflow, folders, *, stopped, prompt_id, resume):
        self.seeds.append(workflow.nodes["1"].inputs["seed"])
        self.asked.append((prompt_id, resume))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        picture = folders.output / f"{outcome}.png"
        picture.write_bytes(b"picture")
        report = {"all_passed": outcome > 0.4, "best": outcome}
        result = RunResult("test", "0", "fake", [SavedFile(picture, "1", "Save")], ui={"1": {"likeness": [report]}})
        result.prompt_id, result.seconds = prompt_id, outcome
        return result


@pytest.fixture
def sampled(workflow, make):
    return workflow({"1": make("KSampler", "Sampler", seed=7)})


@pytest.fixture
def job(sampled):
    return Task(KEY, sampled, "me")


@pytest.fixture
def shelf(tmp_path):
    return ResultFolders(tmp_path / "out")


@pytest.fixture
def trying(shelf, tmp_path):
    def make(most: int = 1, **options):
        return Attempts(shelf, tmp_path / "temp", most, **options)

    return make


def kept_files(shelf: ResultFolders) -> list[str]:
    return sorted(path.relative_to(shelf.folder).as_posix() for path in shelf.folder.rglob("*") if path.is_file())


def test_a_job_that_succeeds_is_tried_once(trying, job, shelf):
    script, notes = Scripted(0.3), Notes()
    kept = trying(3).run(FakeBackend(work=script), job, notes)
    assert (kept.best.verdict, kept.best.score, kept.seconds) == ("not_confirmed", 0.3, 0.3)
    assert kept.record["outputs"][0]["file"] == "me/0.3.png"
    assert kept_files(shelf) == ["me/0.3.png"]
    assert script.seeds == [7], "the first try keeps the seed of the workflow"
    assert script.asked == [(notes.tries[0].prompt_id, False)]
    assert not notes.failures
    assert not notes.unconfirmed_ones


def test_until_it_passes_each_try_has_a_seed_of_its_own(trying, job, shelf):
    script, notes = Scripted(0.1, 0.2, 0.7, 0.9), Notes()
    kept = trying(9, until_pass=True).run(FakeBackend(work=script), job, notes)
    assert (kept.best.verdict, kept.best.number) == ("passed", 3)
    assert script.seeds == [7, seed_for(KEY, 2), seed_for(KEY, 3)]
    assert [trial.score for trial in notes.unconfirmed_ones] == [0.1, 0.2]
    assert len({attempt.prompt_id for attempt in notes.tries}) == 3
    assert kept_files(shelf) == ["me/0.7.png"]


def test_when_no_try_passes_the_best_is_kept(trying, job, shelf):
    kept = trying(3, until_pass=True).run(FakeBackend(work=Scripted(0.1, 0.3, 0.2)), job, Notes())
    assert (kept.best.score, kept.seconds) == (0.3, 0.2)
    assert kept_files(shelf) == ["me/0.3.png"]


def test_a_retry_goes_on_to_seeds_that_were_not_used(trying, sampled):
    script = Scripted(0.1, 0.1)
    trying(2, until_pass=True).run(FakeBackend(work=script), Task(KEY, sampled, "me", seeds_used=4), Notes())
    assert script.seeds == [seed_for(KEY, 5), seed_for(KEY, 6)]


def test_what_failed_by_chance_is_tried_again(trying, job):
    script, notes = Scripted(CHANCE, 0.5), Notes()
    kept = trying(2).run(FakeBackend(work=script), job, notes)
    assert kept.best.number == 2
    assert notes.failures == [(1, CHANCE)]


@pytest.mark.parametrize("error", [CHANCE, JOB, PHOTO, SERVER])
def test_the_last_error_is_raised_for_the_caller_to_judge(trying, job, error):
    with pytest.raises(type(error)) as caught:
        trying().run(FakeBackend(work=Scripted(error)), job, Notes())
    assert blame(caught.value) in {"chance", "job", "photo", "server"}


@pytest.mark.parametrize("error", [CHANCE, JOB])
def test_an_earlier_result_is_kept_when_a_later_try_fails(trying, job, error):
    kept = trying(2, until_pass=True).run(FakeBackend(work=Scripted(0.2, error)), job, Notes())
    assert (kept.best.score, kept.seconds) == (0.2, 0.2)


@pytest.mark.parametrize("error", [PHOTO, SERVER, Interrupted("The run was stopped.")])
def test_what_another_place_or_the_user_must_settle_is_raised_all_the_same(trying, job, shelf, error):
    with pytest.raises(type(error)):
        trying(3, until_pass=True).run(FakeBackend(work=Scripted(0.2, error)), job, Notes())
    assert len(shelf.earlier("me", [1])) == 1, "the result of the first try waits for the next runner"


def test_results_from_before_a_kill_count(trying, job, sampled):
    with pytest.raises(errors.ServerUnreachable):
        trying(3, until_pass=True).run(FakeBackend(work=Scripted(0.3, SERVER)), job, Notes())
    script = Scripted(0.1, 0.2)
    kept = trying(3, until_pass=True).run(FakeBackend(work=script), Task(KEY, sampled, "me", first=2), Notes())
    assert kept.best.score == 0.3
    assert script.seeds == [seed_for(KEY, 2), seed_for(KEY, 3)]


def test_a_prompt_that_a_kill_cut_off_is_asked_for_where_it_was(trying, sampled):
    cut_off = CutOff("http://fake:8188", "0" * 36, 5)
    script, notes = Scripted(0.1, 0.5), Notes()
    trying(2, until_pass=True).run(FakeBackend(work=script), Task(KEY, sampled, "me", cut_off=cut_off), notes)
    (first, second) = script.asked
    assert first == ("0" * 36, True)
    assert second[1] is False, "only the try that was cut off is asked for"
    assert script.seeds[0] == 5


@pytest.mark.parametrize("backend", [FakeBackend("http://other:8188"), FakeBackend(resumable=False)])
def test_elsewhere_a_prompt_that_was_cut_off_begins_anew(trying, sampled, backend):
    backend.work = script = Scripted(0.5)
    trying().run(backend, Task(KEY, sampled, "me", cut_off=CutOff("http://fake:8188", "0" * 36, 5)), Notes())
    ((prompt_id, resume),) = script.asked
    assert (resume, script.seeds) == (False, [7])
    assert prompt_id != "0" * 36


def test_nothing_is_submitted_that_the_journal_could_not_note(trying, job):
    with pytest.raises(errors.LedgerBusy):
        trying(3).run(FakeBackend(), job, Notes(error=errors.LedgerBusy("Another runner has it.")))


def test_each_result_is_handed_on_before_it_is_judged(trying, job):
    seen: list[tuple[float, Path]] = []
    notes = Notes()
    finish = {"finish": lambda result, folder: seen.append((result.seconds, folder))}
    trying(2, until_pass=True, **finish).run(FakeBackend(work=Scripted(0.1, 0.5)), job, notes)
    assert seen == [(0.1, notes.tries[0].folder), (0.5, notes.tries[1].folder)]


def test_it_knows_neither_the_ledger_nor_the_fleet():
    tree = ast.parse(Path(attempts_module.__file__).read_text("utf-8"))
    known = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "judge" in known
    assert known & {"ledger", "fleet", "worker", "run", "job"} == set()
