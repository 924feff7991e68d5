"""A ComfyUI server that this machine runs for the user: started, watched, restarted and stopped.

`start(Options(cpu=True, recycle_after=500))` gives a `Managed` server with its `url`; `find(name)` gives one that runs.
"""

from .options import Limits, Options
from .server import Managed, being_recycled, find, is_managed, resolve, start, statuses
from .state import ServerState

__all__ = [
    "Limits",
    "Managed",
    "Options",
    "ServerState",
    "being_recycled",
    "find",
    "is_managed",
    "resolve",
    "start",
    "statuses",
]
