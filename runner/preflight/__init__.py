"""What stands between a workflow and a server, found before anything is uploaded."""

from .check import Findings, check, examine
from .server import ServerCatalog, findings_on, require

__all__ = ["Findings", "ServerCatalog", "check", "examine", "findings_on", "require"]
