"""How a batch was asked for, in a form that the ledger keeps, so that `likeness retry` can ask again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..backends.comfy.server import public_url
from ..errors import LedgerUnreadable
from ..workflow.overrides import Setting

UNTIL_PASS_ATTEMPTS = 4
"""How often a job is tried until it passes, unless the user says otherwise."""


@dataclass(frozen=True)
class BatchOptions:
    """A batch of `workflow` over `inputs` (a folder, CSV or JSONL) into `output`, on `servers` or in this process.

    `attempts` bounds the tries of a job. With `until_pass` a job whose likeness is not confirmed is tried again with
    a new seed. `in_flight` is how many jobs a server gets at a time. `wait_seconds` is how long the batch goes on
    while no server answers. `headers` go to the servers and are never kept.
    """

    workflow: str
    inputs: Path
    output: Path
    servers: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    attempts: int = 1
    until_pass: bool = False
    in_flight: int = 2
    wait_seconds: float = 300.0
    allow_black: bool = False
    reports: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def as_config(self) -> dict[str, Any]:
        """The options as JSON values, with absolute paths, and without headers and logins. Raises BadServerAddress."""
        path = Path(self.workflow).expanduser()
        values = asdict(self) | {
            "workflow": str(path.absolute()) if path.is_file() else self.workflow,
            "inputs": str(self.inputs.absolute()),
            "servers": [server if server.startswith("@") else public_url(server) for server in self.servers],
            "settings": [asdict(setting) for setting in self.settings],
        }
        return {key: value for key, value in values.items() if key not in {"headers", "output"}}

    @classmethod
    def from_config(cls, values: Mapping[str, Any], output: Path, **changes: Any) -> BatchOptions:
        """The options of the batch in `output`, with some of them changed. Raises LedgerUnreadable."""
        try:
            known = dict(values) | {
                "inputs": Path(values["inputs"]),
                "output": output,
                "servers": tuple(values["servers"]),
                "settings": tuple(Setting(**setting) for setting in values["settings"]),
            }
            return cls(**(known | changes))
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerUnreadable(
                f"The ledger in {output} does not say how the batch was started; give the whole command again."
            ) from error
