"""What can go wrong with a ComfyUI that is started and kept here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import RunnerError


class BadServerName(RunnerError):
    """A managed server cannot have that name."""

    code = "bad_server_name"
    meaning = "A managed server's name must be one plain word."
    hint = "Choose a short name such as gpu-1, and write the same after the @ in --server."


class NoManagedServer(RunnerError):
    """No server of that name runs under our care."""

    code = "no_managed_server"
    meaning = "No managed server of that name is running."
    hint = "Run `likeness server status` for the names of those that run, or start one with --name NAME."


class ComfyUINotFound(RunnerError):
    """There is no ComfyUI, or no Python for it, where one was looked for."""

    code = "comfyui_not_found"
    meaning = "ComfyUI or its Python was not found on this machine."
    hint = (
        "Set COMFYUI_PATH to the folder with ComfyUI's main.py, and COMFYUI_PYTHON to its Python if that is elsewhere."
    )


class PackNotInstalled(RunnerError):
    """This pack cannot be put into ComfyUI's custom_nodes, or is there twice."""

    code = "pack_not_installed"
    meaning = "The pack is not in ComfyUI's custom_nodes exactly once and could not be put there."
    hint = "Leave exactly one copy or link of the pack in custom_nodes, and check that you may write to that folder."


class PortTaken(RunnerError):
    """The port that a managed server should listen on is in use."""

    code = "port_taken"
    meaning = "The port for a managed server is in use by another program."
    hint = (
        "Leave --port out to get the next free one, or look for it in `likeness server status`, which lists your own."
    )


class ServerStartFailed(RunnerError):
    """ComfyUI ended, or did not answer in time, when it was started; `log` has its last lines."""

    code = "server_start_failed"
    meaning = "ComfyUI did not come up when it was started."
    hint = "Read more with `likeness server logs`, and try `likeness server start --cpu` to rule the GPU out."

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        self.log = list(log)
        lines = "".join(f"\n  | {line}" for line in self.log)
        super().__init__(message + (f" The last lines of its log:{lines}" if lines else ""))

    def as_dict(self) -> dict[str, Any]:
        """The error with the last lines of the log."""
        return super().as_dict() | {"log": self.log}
