"""How a comparison was asked for: what is varied, ``Title.input=a,b,c``, checked before anything runs."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...core.compare.labels import as_number
from ...core.errors import LikenessError
from ..errors import BadVary, raise_all
from ..workflow.graph import Workflow
from ..workflow.input_files import Given
from ..workflow.object_info import MODEL_SUFFIXES, Catalog
from ..workflow.overrides import Setting, apply_setting, parse_setting


@dataclass(frozen=True)
class Axis:
    """One input that is varied, and its values as they were written. `target` is a node's title or id."""

    target: str
    input: str
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """The input as it is set: ``Title.input``."""
        return f"{self.target}.{self.input}"

    @property
    def numeric(self) -> bool:
        """Whether there are two or more values and all are numbers."""
        return len(self.values) > 1 and all(as_number(value) is not None for value in self.values)

    @property
    def heavy(self) -> bool:
        """Whether a value is a model's file, which takes long to load."""
        return any(value.lower().endswith(MODEL_SUFFIXES) for value in self.values)

    def setting(self, value: str) -> Setting:
        """The setting that gives the input one of the values."""
        return Setting(self.target, self.input, value)

    def words(self, value: str) -> str:
        """A value for people: with the input's name where the value alone says nothing."""
        alone = as_number(value) is None and value.casefold() not in {"true", "false", "yes", "no", "on", "off"}
        return value if alone else f"{self.input} {value}"


def read_axis(text: str) -> Axis:
    """Read ``Title.input=a,b,c``; a value with a comma stands in double quotes. Raises BadVary."""
    try:
        setting = parse_setting(text)
        rows = list(csv.reader([setting.value], skipinitialspace=True, strict=True))
    except (ValueError, csv.Error) as error:
        raise BadVary(f"{text!r} cannot be read ({str(error).rstrip('.')}); write it as Title.input=a,b,c.") from error
    values = [value.strip() for row in rows for value in row]
    if not values or "" in values:
        raise BadVary(f"{text!r} has an empty value; write the values with commas between them.")
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise BadVary(f"{text!r} has the value {twice[0]!r} twice; leave one out.")
    return Axis(setting.target, setting.input, tuple(values))


def check_axes(workflow: Workflow, axes: Sequence[Axis], catalog: Catalog) -> None:
    """Raise BadVary, or what is wrong with values for this workflow: all problems at once."""
    if not axes:
        raise BadVary("Nothing is varied; say what, such as --vary 'Sampler.denoise=0.1,0.3,0.5'.")
    problems: list[LikenessError] = []
    seen: dict[tuple[str, str], str] = {}
    for axis in axes:
        graphs: dict[str, str] = {}
        for value in axis.values:
            changed = workflow.copy()
            try:
                apply_setting(changed, axis.setting(value), catalog)
            except LikenessError as error:
                problems.append(error)
                continue
            same = graphs.setdefault(json.dumps(changed.to_api(), sort_keys=True), value)
            if same != value:
                problems.append(BadVary(f"{axis.name} is the same with {same!r} and with {value!r}; leave one out."))
        place = _place(workflow, axis)
        if place in seen:
            problems.append(BadVary(f"{seen[place]} and {axis.name} vary the same input; write all values in one."))
        seen[place] = axis.name
    raise_all(list({str(problem): problem for problem in problems}.values()))


def _place(workflow: Workflow, axis: Axis) -> tuple[str, str]:
    try:
        return workflow.find(axis.target).id, axis.input
    except LikenessError:
        return axis.target.casefold(), axis.input


MOST_RUNS = 500
"""More runs than this are taken for a mistake: the report would be too large to look at."""


@dataclass(frozen=True)
class CompareOptions:
    """A comparison of `workflow` with every combination of `vary`, into `output`, on `servers` or in this process.

    `vary` has ``Title.input=a,b,c`` for each input that is varied. `photos` are paths, or `Given` with the title of
    the node that they are for. With `seeds` every combination runs once with each, in all nodes that have a seed.
    The other options are those of a batch.
    """

    workflow: str
    vary: tuple[str, ...]
    output: Path
    photos: tuple[str | Path | Given, ...] = ()
    seeds: tuple[int, ...] = ()
    servers: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    in_flight: int = 2
    wait_seconds: float = 300.0
    allow_black: bool = False
    allow_files: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def given(self) -> list[Given]:
        """The photos with the nodes that they are for, where that was said."""
        return [each if isinstance(each, Given) else Given(Path(each).expanduser()) for each in self.photos]
