"""How a comparison was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..workflow.input_files import Given
from ..workflow.overrides import Setting

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
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def given(self) -> list[Given]:
        """The photos with the nodes that they are for, where that was said."""
        return [each if isinstance(each, Given) else Given(Path(each).expanduser()) for each in self.photos]
