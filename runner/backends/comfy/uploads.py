"""The user's files on their way to a server: named by content, sent once, measured before they are sent."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from ....core import host
from ....core.errors import PhotoUnreadable
from ...errors import ServerRefused, ServerUnreachable
from ...workflow.graph import Workflow
from ...workflow.input_files import safe_name
from ..backoff import Patience
from .screen import screened
from .server import TOO_LARGE, ComfyServer

UPLOADS = "likeness"
"""Subfolder of the server's input folder for our files."""

SPARE = ".screened"
"""Subfolder of a run's own input folder for copies that a server reads better than the photo."""

MOST_KEPT = 1024
"""How many sent files are remembered; one more is sent again, which the server notices."""

FORM_BYTES = 1024
"""What the form around a file adds to the request, with room to spare."""


class Uploads:
    """Sends files to one server and remembers which are there: the same bytes are sent once."""

    def __init__(self, server: ComfyServer) -> None:
        self._server = server
        self._sent: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Send everything again: the server was restarted, perhaps with an empty input folder."""
        with self._lock:
            self._sent.clear()

    def place(self, workflow: Workflow, folder: Path, patience: Patience) -> Workflow:
        """A copy of `workflow` that names its files as the server does, after sending those that are in `folder`.

        Each goes into a folder named by its content: the same file is stored once and never meets another one's name.
        Raises TooLargeForServer, PhotoUnreadable and PhotoTooLarge before sending.
        """
        if not workflow.file_nodes():
            return workflow
        workflow = workflow.copy()
        for node in workflow.file_nodes():
            name = str(node.inputs.get(node.file_input or "") or "")
            source = host.inside(folder, name or ".")
            takes_folder = node.file_kind == "folder"
            if not name or not (source.is_dir() if takes_folder else source.is_file()):
                continue
            if takes_folder:
                files = sorted(path for path in source.iterdir() if path.is_file())
            else:
                files = [screened(source, folder / SPARE) if node.file_kind == "photo" else source]
            digest = hashlib.sha256(b"".join(_digest(file) for file in files)).hexdigest()
            home = f"{UPLOADS}/{digest[:12]}"
            names = [self._send(file, home, patience) for file in files]
            node.inputs[str(node.file_input)] = home if takes_folder else names[0]
        return workflow

    def _send(self, file: Path, home: str, patience: Patience) -> str:
        key = (home, file.name)
        with self._lock:
            known = self._sent.get(key)
        if known is None:
            self._measure(file)
            known = self._send_with_patience(file, home, patience)
            with self._lock:
                if len(self._sent) >= MOST_KEPT:
                    self._sent.clear()
                self._sent[key] = known
        return known

    def _send_with_patience(self, file: Path, home: str, patience: Patience) -> str:
        while True:
            try:
                return self._server.upload(file, safe_name(file.name), home)
            except ServerRefused as error:
                if error.status == TOO_LARGE:
                    raise self._server.too_large(file.name, file.stat().st_size) from error
                raise
            except ServerUnreachable:
                if not patience.pause():
                    raise

    def _measure(self, file: Path) -> None:
        limit = self._server.upload_limit()
        size = file.stat().st_size
        if limit is not None and size + FORM_BYTES > limit:
            raise self._server.too_large(file.name, size)


def _digest(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise PhotoUnreadable(f"{file} cannot be read ({error.strerror or error}); check its permissions.") from error
