"""The last line of defence: a process that ends ComfyUI when its supervisor is gone, however that came about.

It reads lines from its standard input, the other end of which only the supervisor holds: ``PID STAMP`` names the
process to guard, an empty line none. The end of the input means that the supervisor is dead, even by SIGKILL.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

from .processes import ProcessId


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
