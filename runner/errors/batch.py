"""What can go wrong with a batch's ledger, jobs and inputs."""

from __future__ import annotations

from .base import RunnerError


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
