"""Processes by identity, not by number; and the guard that ends ComfyUI when its supervisor is gone.

It reads lines from its standard input, the other end of which only the supervisor holds: ``PID STAMP`` names the
process to guard, an empty line none. The end of the input means that the supervisor is dead, even by SIGKILL.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_TICK_SECONDS = 0.05

OF_OUR_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables that say where this Python finds its modules; another Python that obeys them does not start."""

PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR", "TEMP", "TMP"),
        *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "USERPROFILE"),
        *("HOMEDRIVE", "HOMEPATH", "USERNAME", "COMPUTERNAME", "SYSTEMDRIVE", "PROGRAMFILES", "NUMBER_OF_PROCESSORS"),
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DISPLAY", "WAYLAND_DISPLAY", "SSL_CERT_FILE"),
        *("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "TRANSFORMERS_CACHE", "TRANSFORMERS_OFFLINE"),
        *("LIKENESS_MODELS", "LIKENESS_OFFLINE", "LIKENESS_DEBUG", "NO_COLOR", "DO_NOT_TRACK", "CONDA_PREFIX"),
    }
)
"""The variables that another program such as ComfyUI gets; of all others it may hold the user's keys and tokens."""

PASSED_BEGINNINGS = (
    *("LC_", "XDG_", "CUDA_", "NVIDIA_", "CUDNN_", "NCCL_", "HIP_", "ROCM_", "ROCR_", "HSA_", "AMD_", "MIOPEN_"),
    *("PYTORCH_", "TORCH", "TRITON_", "OMP_", "MKL_", "OPENBLAS_", "NUMBA_", "KMP_", "ONEAPI_", "SYCL_", "ZE_", "COV_"),
)

MORE_VARIABLES = "LIKENESS_SERVER_ENV"
"""A variable with the names of more that ComfyUI shall get, separated by commas."""

SECRET = ("TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "API_KEY", "PRIVATE")
"""What is in the name of a secret, whatever the name begins with."""

_spawned: list[subprocess.Popen[Any]] = []
"""Detached processes that this process started; kept so that their end is no resource warning."""


@dataclass(frozen=True)
class ProcessId:
    """One process: its pid, and when it started in the words of the operating system."""

    pid: int
    stamp: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has `pid` now, or None."""
        stamp = _stamp(pid)
        return cls(pid, stamp) if stamp else None

    @classmethod
    def read(cls, values: dict[str, Any] | None) -> ProcessId | None:
        """From JSON. Raises ValueError, TypeError or KeyError for what names no process."""
        if not values:
            return None
        pid = int(values["pid"])
        if not 0 < pid < 1 << 31:
            raise ValueError(f"{pid} is no process")
        return cls(pid, str(values["stamp"]))

    def alive(self) -> bool:
        """Whether this very process runs; one that ended and was not collected yet does not."""
        return _stamp(self.pid) == self.stamp

    def wait_gone(self, seconds: float) -> bool:
        """Wait until it ended, `seconds` at most; whether it did."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_TICK_SECONDS)
        return True

    def send(self, number: int) -> None:
        """A signal to this process alone, if it still is this process."""
        with suppress(OSError):
            if self.alive():
                os.kill(self.pid, number)

    def kill_tree(self) -> None:
        """End it now, with all of the process group that it leads."""
        if self.alive():
            kill_group(self.pid)


def find_module(module: str, argument: str, variable: str, value: str) -> ProcessId | None:
    """A Python of this user's that runs ``-m module argument`` with `value` in the environment's `variable`."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.cmdline()[-3:] == ["-m", module, argument] and process.environ().get(variable) == value:
                return ProcessId.of(process.pid)
    return None


def kill_group(leader: int) -> None:
    """SIGKILL to every process of the group of `leader` (Windows: to the process and its descendants)."""
    with suppress(OSError):
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(leader)], capture_output=True, check=False)
        else:
            os.killpg(leader, signal.SIGKILL)


def own_group() -> dict[str, Any]:
    """Options of Popen that put a child into a process group of its own, which it leads."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}


def for_another_python(**more: str) -> dict[str, str]:
    """The environment for a Python that is not this one, such as ComfyUI's: what it needs of ours, with `more`.

    Nodes of anybody run there: the user's keys and tokens are not theirs. `MORE_VARIABLES` names what they get besides.
    """
    wanted = {name.strip() for name in os.environ.get(MORE_VARIABLES, "").split(",")}
    return {name: value for name, value in os.environ.items() if name in wanted or _is_passed(name)} | more


def _is_passed(name: str) -> bool:
    plain = name.upper()
    known = plain in PASSED or plain.startswith(PASSED_BEGINNINGS)
    return known and name not in OF_OUR_PYTHON and not any(word in plain for word in SECRET)


def detach(command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> ProcessId | None:
    """Start `command` apart from this terminal and session; its output goes to the end of `log`.

    Returns None when it ended at once.
    """
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env=os.environ | (environment or {}),
            **options,
        )
    _spawned[:] = [other for other in _spawned if other.poll() is None]
    _spawned.append(process)
    return ProcessId.of(process.pid)


def _stamp(pid: int) -> str:
    """When the process with this pid started, exact enough to tell two apart; empty when there is none.

    Linux counts from the boot: psutil makes a time of that which moves when the clock is set.
    """
    return _stamp_linux(pid) if sys.platform == "linux" else _stamp_elsewhere(pid)


def _stamp_linux(pid: int) -> str:
    try:
        # The command's name is in parentheses and may hold any character, so fields are counted from the last one.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _stamp_elsewhere(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return ""


def main() -> None:
    """Wait for the supervisor's end, then kill what it left."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        with suppress(AttributeError):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    guarded: ProcessId | None = None
    for line in sys.stdin:
        pid, _, stamp = line.strip().partition(" ")
        guarded = ProcessId(int(pid), stamp) if pid else None
    if guarded is not None:
        guarded.kill_tree()


if __name__ == "__main__":
    main()
