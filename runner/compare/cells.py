"""A comparison as a batch: its runs in a good order, and what became of each combination."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ..batch import verdict_tables as facts
from ..batch.inputs import safe_name
from ..batch.job_records import JobRow
from ..batch.keys import SEED_INPUTS
from ..batch.verdict_tables import replaced
from ..errors import BadVary, NothingToVary, OutputUnwritable, TooManyRuns
from ..report.schema_base import finite
from ..workflow.graph import Workflow
from ..workflow.object_info import MODEL_SUFFIXES
from ..workflow.overrides import Setting
from .vary import MOST_RUNS, Axis

if TYPE_CHECKING:
    from ..report.schemas import NodeSeconds

TABLE_NAME = "runs.jsonl"
"""The batch's inputs, in the folder of the comparison."""


@dataclass(frozen=True)
class PlannedRun:
    """One run: the value of each axis, in the order of the axes, and the seed."""

    choices: tuple[str, ...]
    seed: int | None


def plan_runs(axes: Sequence[Axis], seeds: Sequence[int]) -> list[PlannedRun]:
    """Every combination with every seed. What is slow to change changes least often: models first, seeds last.

    Raises BadVary and TooManyRuns.
    """
    if len(set(seeds)) < len(seeds):
        raise BadVary(f"A seed is there twice in {', '.join(map(str, seeds))}; leave one out.")
    cells, each = prod(len(axis.values) for axis in axes), max(len(seeds), 1)
    if cells * each > MOST_RUNS:
        times = f" with {each} seeds each" if each > 1 else ""
        raise TooManyRuns(f"{cells:,} combinations{times} are {cells * each:,} runs; {MOST_RUNS} are the most.")
    order = sorted(range(len(axes)), key=lambda place: not axes[place].heavy)
    runs = []
    for values in product(*(axes[place].values for place in order)):
        chosen = dict(zip(order, values, strict=True))
        choices = tuple(chosen[place] for place in range(len(axes)))
        runs += [PlannedRun(choices, seed) for seed in seeds or [None]]
    return runs


def seed_settings(workflow: Workflow, axes: Sequence[Axis], seed: int) -> list[Setting]:
    """The settings that give every node with a seed this one. Raises NothingToVary, or BadVary for a varied seed."""
    places = [
        (node, name)
        for node in workflow
        for name in SEED_INPUTS
        if isinstance(node.inputs.get(name), int) and not isinstance(node.inputs[name], bool)
    ]
    if not places:
        raise NothingToVary(f"{workflow.name} has no node with a seed, so that they change nothing; leave --seeds out.")
    for axis in axes:
        if any(name == axis.input and axis.target in {node.id, node.title} for node, name in places):
            raise BadVary(f"{axis.name} is varied and --seeds sets it too; leave one of them out.")
    return [Setting(node.id, name, str(seed)) for node, name in places]


def write_table(
    runs: Sequence[PlannedRun],
    axes: Sequence[Axis],
    seeds: Mapping[int, list[Setting]],
    photos: Mapping[str, list[Path]],
    folder: Path,
) -> Path:
    """Write the runs as a batch's JSONL table into `folder`; its path. Raises OutputUnwritable.

    `seeds` has the settings of each seed; `photos` the files by node.
    """
    files = {node: [str(path.absolute()) for path in paths] for node, paths in photos.items()}
    table = folder / TABLE_NAME
    try:
        with replaced(table) as file:
            for run in runs:
                settings = [axis.setting(value) for axis, value in zip(axes, run.choices, strict=True)]
                settings += seeds[run.seed] if run.seed is not None else []
                values = {f"{setting.target}.{setting.input}": setting.value for setting in settings}
                file.write(json.dumps({"name": _name(run), "inputs": files, "set": values}) + "\n")
    except OSError as error:
        reason = error.strerror or error
        raise OutputUnwritable(f"{table} cannot be written ({reason}); choose another --output.") from error
    return table


def _name(run: PlannedRun) -> str:
    words = [Path(choice).stem if choice.lower().endswith(MODEL_SUFFIXES) else choice for choice in run.choices]
    return safe_name("_".join([*words, *([] if run.seed is None else [f"seed{run.seed}"])]))


SAMPLERS = frozenset({"KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"})
"""Core's nodes that make pictures step by step: their time is shown where nothing was measured."""

SAMPLING = "sampling"


@dataclass(frozen=True)
class StageFigures:
    """A stage of one run: seconds, and peak memory in bytes where a node measured it."""

    name: str
    seconds: float
    peak_memory_bytes: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class Trial:
    """One run of a combination.

    likeness: the cosine, None without a usable face or without a check. confirmed: None where nothing was checked.
    seconds: the server's own time, or that of this process. kept: how many of `steps` nodes took their result from
    the run before. problem: why there is no picture or no likeness.
    """

    name: str
    seed: int | None
    state: str
    likeness: float | None
    confirmed: bool | None
    threshold: float | None
    seconds: float | None
    kept: int
    steps: int
    stages: tuple[StageFigures, ...]
    picture: str | None
    server: str | None
    problem: str
    error_code: str | None

    @property
    def failed(self) -> bool:
        """Whether the run has no result."""
        return self.state != "done"


@dataclass(frozen=True)
class Cell:
    """One combination: the value of each axis, and its runs."""

    choices: tuple[str, ...]
    label: str
    trials: tuple[Trial, ...]

    @property
    def likenesses(self) -> list[float]:
        """The cosines of the runs that have one."""
        return [trial.likeness for trial in self.trials if trial.likeness is not None]

    @property
    def likeness(self) -> float | None:
        """The median cosine."""
        return median(self.likenesses) if self.likenesses else None

    @property
    def confirmed(self) -> int:
        """How many runs show the person."""
        return sum(trial.confirmed is True for trial in self.trials)

    @property
    def checked(self) -> bool:
        """Whether anything judged the likeness."""
        return any(trial.confirmed is not None for trial in self.trials)

    @property
    def failed(self) -> int:
        """How many runs have no result."""
        return sum(trial.failed for trial in self.trials)

    @property
    def seconds(self) -> float | None:
        """The median seconds of a run."""
        return _median(trial.seconds for trial in self.trials if not trial.failed)

    @property
    def peak_memory_bytes(self) -> int | None:
        """The highest memory that a stage measured."""
        peaks = [stage.peak_memory_bytes for trial in self.trials for stage in trial.stages]
        return max((peak for peak in peaks if peak is not None), default=None)

    @property
    def shown(self) -> Trial | None:
        """The run whose picture stands for the cell: the one nearest to the median; None without a picture."""
        middle = self.likeness or 0.0
        pictured = [trial for trial in self.trials if trial.picture is not None]
        judged = [trial for trial in pictured if trial.likeness is not None]
        return min(judged or pictured, key=lambda trial: abs((trial.likeness or 0.0) - middle), default=None)

    @property
    def problem(self) -> str:
        """Why the cell has no likeness, or why one of its runs has none; empty where all is well."""
        return next((trial.problem for trial in self.trials if trial.problem), "")

    def stage_seconds(self) -> dict[str, float]:
        """The median seconds of each stage that was computed."""
        names = dict.fromkeys(stage.name for trial in self.trials for stage in trial.stages)
        found = {
            name: _median(stage.seconds for trial in self.trials for stage in trial.stages if stage.name == name)
            for name in names
        }
        return {name: seconds for name, seconds in found.items() if seconds is not None}

    def as_dict(self, axes: Sequence[Axis]) -> dict[str, Any]:
        """For machine output."""
        return {
            "label": self.label,
            "values": {axis.name: choice for axis, choice in zip(axes, self.choices, strict=True)},
            "runs": len(self.trials),
            "failed": self.failed,
            "confirmed": self.confirmed if self.checked else None,
            "likeness": {"median": self.likeness, "low": min(self.likenesses), "high": max(self.likenesses)}
            if self.likenesses
            else None,
            "seconds": self.seconds,
            "stage_seconds": self.stage_seconds(),
            "peak_memory_bytes": self.peak_memory_bytes,
            "trials": [asdict(trial) for trial in self.trials],
        }


def _median(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return round(median(numbers), 4) if numbers else None


def cells_of(axes: Sequence[Axis], runs: Sequence[PlannedRun], rows: Iterable[JobRow]) -> list[Cell]:
    """The cells in the order of the axes' values; `rows` are the batch's, in the order of `runs`."""
    trials: dict[tuple[str, ...], list[Trial]] = {}
    for run, row in zip(runs, rows, strict=True):
        trials.setdefault(run.choices, []).append(trial_of(row, run.seed))
    return [
        Cell(choices, label_of(axes, choices), tuple(trials[choices]))
        for choices in product(*(axis.values for axis in axes))
    ]


def label_of(axes: Sequence[Axis], choices: Sequence[str], leave_out: Axis | None = None) -> str:
    """A combination in words, without the value of one axis."""
    words = [axis.words(choice) for axis, choice in zip(axes, choices, strict=True) if axis is not leave_out]
    return " · ".join(words)


def trial_of(row: JobRow, seed: int | None) -> Trial:
    """One row of the batch's ledger."""
    likeness, confirmed = finite(row.score), {"passed": True, "not_confirmed": False}.get(row.verdict or "")
    threshold = facts.threshold(row)
    if confirmed is None and row.state == "done":
        likeness, confirmed, threshold = _compared(row)
    times, server = row.report.times, row.report.server_seconds
    problem = ""
    if row.state != "done":
        problem = facts.reason(row) or facts.word(row)
    elif likeness is None and confirmed is not None:
        problem = facts.reason(row) or "There is no usable face."
    return Trial(
        name=row.name,
        seed=seed,
        state=row.state,
        likeness=likeness,
        confirmed=confirmed,
        threshold=threshold,
        seconds=finite(row.seconds) if server is None else server,
        kept=sum(time.cached for time in times),
        steps=len(times),
        stages=tuple(_stages(row, times)),
        picture=next((name for name in facts.output_files(row) if Path(name).suffix.lower() in PICTURES), None),
        server=row.server,
        problem=problem,
        error_code=row.error_code,
    )


PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


def _compared(row: JobRow) -> tuple[float | None, bool | None, float | None]:
    """Likeness, confirmation and threshold from Compare Likeness, in a workflow without another check."""
    reports = row.report.comparisons
    pictures = [picture for report in reports for picture in report.pictures]
    if not pictures:
        return None, None, None
    confirmed = all(picture.passed is True for picture in pictures)
    return _median(picture.cosine for picture in pictures), confirmed, reports[0].threshold


def _stages(row: JobRow, times: Sequence[NodeSeconds]) -> Iterable[StageFigures]:
    """What was measured in this very run; else the time of core's sampling nodes."""
    found = [
        StageFigures(
            entry.name or "Stage",
            entry.seconds,
            entry.peak_memory_bytes,
            entry.device or None,
        )
        for entry in row.report.measured
        if not entry.cached and entry.seconds is not None
    ]
    sampling = [
        time.seconds for time in times if time.class_type in SAMPLERS and not time.cached and time.seconds is not None
    ]
    return found or ([StageFigures(SAMPLING, round(sum(sampling), 4))] if sampling else [])
