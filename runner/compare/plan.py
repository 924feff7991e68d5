"""A comparison as a batch: its runs in a good order, written as the table that a batch reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path

from ..batch.export import replaced
from ..batch.names import safe_name
from ..batch.seeds import SEED_INPUTS
from ..errors import BadVary, NothingToVary, OutputUnwritable, TooManyRuns
from ..workflow.graph import Workflow
from ..workflow.object_info import MODEL_SUFFIXES
from ..workflow.overrides import Setting
from .options import MOST_RUNS
from .vary import Axis

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
