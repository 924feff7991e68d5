"""What stands between a workflow and where it will run, found before anything is uploaded."""

from ..backends.comfy.catalog import ServerCatalog, findings_on, require
from ..workflow.here import findings_here
from ..workflow.preflight import Findings, check, examine

__all__ = ["Findings", "ServerCatalog", "check", "examine", "findings_here", "findings_on", "require"]
