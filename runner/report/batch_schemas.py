"""The types of what many runs come to: a job, a batch, and a comparison of every combination of some values."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .schema_base import Count, Listed, Number, Report, Text, Texts
from .schemas import (
    Baseline,
    ComparisonReport,
    ComplianceReport,
    EnrollmentReport,
    IDPhotoFileReport,
    IDPhotoReport,
    LikenessReport,
    MeasuredReport,
    ProvenanceReport,
    RunReport,
    WorkflowNamed,
)


class TryReport(Report):
    """One try of a job."""

    number: Count = None
    server: Text = ""
    prompt_id: str | None = None
    seed: Count = None
    started: Number = None
    seconds: Number = None
    outcome: Text = ""
    score: Number = None
    error_code: str | None = None
    error: str | None = None


class JobReport(Report):
    """One job of a batch: an entry of verdicts.json, and up to `picture` a line of verdicts.csv."""

    name: Text = ""
    photos: Texts = []
    verdict: str | None = None
    score: Number = None
    threshold: Number = None
    state: Text = ""
    error_code: str | None = None
    reason: Text = ""
    attempts: Count = None
    seed: Count = None
    server: str | None = None
    seconds: Number = None
    outputs: Texts = []
    key: Text = ""
    look: Texts = []
    picture: str | None = None
    settings: Texts = []
    finished: Number = None
    folder: str | None = None
    tries: Listed[TryReport] = []
    result: RunReport | None = None


class BatchReport(Report):
    """A whole batch: the last line of `batch --json`."""

    counts: dict[str, int] = {}
    jobs_run: Count = None
    to_look_at: Count = None
    seconds: Number = None
    folder: Text = ""
    sheet: Text = ""
    csv: Text = ""
    json_file: Text = Field(default="", alias="json")


class CellReport(Report):
    """One combination of `likeness compare`: its values by the inputs' names, and what its runs came to."""

    label: Text = ""
    values: dict[str, str] = {}
    runs: Count = None
    failed: Count = None
    confirmed: Count = None
    likeness: dict[str, float] | None = None
    seconds: Number = None
    stage_seconds: dict[str, float] = {}
    peak_memory_bytes: Count = None
    trials: list[dict[str, Any]] = []


class CompareReport(Report):
    """Every combination of some values: compare.json."""

    workflow: WorkflowNamed = WorkflowNamed()
    axes: list[dict[str, Any]] = []
    seeds: list[int] = []
    settings: Texts = []
    threshold: Number = None
    threshold_source: Text = ""
    engine: Text = ""
    baseline: Baseline | None = None
    warnings: Texts = []
    cells: Listed[CellReport] = []


REPORTS: tuple[type[Report], ...] = (
    *(LikenessReport, EnrollmentReport, ComplianceReport, IDPhotoReport, IDPhotoFileReport, ComparisonReport),
    *(MeasuredReport, ProvenanceReport, RunReport, JobReport, BatchReport, CompareReport),
)
"""Those that stand by themselves in a file or a line, for the documentation."""
