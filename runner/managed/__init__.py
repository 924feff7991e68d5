"""A ComfyUI server that this machine runs for the user: started, watched, restarted and stopped.

from likeness_studio.runner.managed import Options, start

server = start(Options(cpu=True, recycle_after=500))
print(server.url, server.status().state)
server.stop()
"""

from .options import Limits, Options
from .server import Managed, being_recycled, find, resolve, start, statuses
from .state import ServerState

__all__ = ["Limits", "Managed", "Options", "ServerState", "being_recycled", "find", "resolve", "start", "statuses"]
