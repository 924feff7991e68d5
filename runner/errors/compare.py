"""What can go wrong with what a comparison varies."""

from __future__ import annotations

from .base import RunnerError


class BadVary(RunnerError):
    """What shall be varied is not written as a setting with a list of values, or makes no sense together."""

    code = "bad_vary"
    meaning = "A --vary or --seeds is empty, names one value twice, or cannot be read."
    hint = 'Write --vary "Title.input=a,b,c" with different values; put a value with a comma in quotes.'


class TooManyRuns(RunnerError):
    """All combinations together are more runs than one comparison has."""

    code = "too_many_runs"
    meaning = "The values to vary and the seeds make more runs than one comparison may have."
    hint = "Vary less at a time: first the models with one seed, then the strengths of the best of them."
