"""What stands between a workflow and where it will run, found before anything is uploaded."""

from .check import Findings, check, examine
from .here import findings_here
from .server import ServerCatalog, findings_on, require

__all__ = ["Findings", "ServerCatalog", "check", "examine", "findings_here", "findings_on", "require"]
