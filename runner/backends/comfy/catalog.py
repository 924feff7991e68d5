"""A server's catalogue, fetched once: the whole of it, or only the classes that a small workflow uses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from ...errors import raise_all
from ...workflow.graph import Workflow
from ...workflow.object_info import Catalog, NodeSpec, from_object_info
from ...workflow.preflight import Findings, examine
from .server import ComfyServer

ONE_BY_ONE = 16
"""Up to this many classes are asked for singly: 16 took 13 ms where the whole catalogue of 507 took 77 ms."""

TRUST_SECONDS = 60.0
"""How long the server's version is taken to be what it was."""


class ServerCatalog:
    """What `server` says of its nodes, kept until its version changes or `refresh` is called.

    Calling the object gives the whole catalogue, so that it can be passed to `workflow.load`, which then also has the
    server for files that only comfy-cli can convert. Safe to use from several threads.
    Raises ServerUnreachable and ServerRefused.
    """

    def __init__(self, server: ComfyServer) -> None:
        self.server = server
        with _KEPT_LOCK:
            self._kept = _KEPT.setdefault(server, _Kept())

    def __call__(self) -> Catalog:
        """The whole catalogue."""
        with self._kept.lock:
            self._expire()
            if not self._kept.whole:
                self._fetch()
            return self._kept.known

    def classes(self, wanted: Iterable[str]) -> Catalog:
        """A catalogue that has those of the `wanted` classes that the server has, and perhaps more."""
        kept = self._kept
        with kept.lock:
            self._expire()
            new = [name for name in dict.fromkeys(wanted) if name not in kept.known and name not in kept.absent]
            if not kept.whole and len(new) > ONE_BY_ONE:
                self._fetch()
            elif not kept.whole:
                for name in new:
                    self._fetch_one(name)
            return kept.known

    def refresh(self) -> Catalog:
        """The whole catalogue, fetched again."""
        with self._kept.lock:
            self._fetch()
            return self._kept.known

    @property
    def version(self) -> str:
        """What identifies the software of the server; see `version_of`."""
        with self._kept.lock:
            self._expire()
            return self._kept.version or ""

    def _expire(self) -> None:
        """Forget everything when the server has become another."""
        kept = self._kept
        if time.monotonic() - kept.looked < TRUST_SECONDS:
            return
        version = version_of(self.server.system_stats())
        if version != kept.version:
            kept.known, kept.absent, kept.whole, kept.version = {}, set(), False, version
        kept.looked = time.monotonic()

    def _fetch(self) -> None:
        self._kept.known = from_object_info(self.server.object_info())
        self._kept.absent, self._kept.whole = set(), True

    def _fetch_one(self, name: str) -> None:
        found = from_object_info(self.server.object_info(name))
        self._kept.known = self._kept.known | found
        if name not in found:
            self._kept.absent.add(name)


@dataclass(eq=False)
class _Kept:
    """What is kept of one server: shared by all its `ServerCatalog` objects, and gone with it."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    known: dict[str, NodeSpec] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    whole: bool = False
    version: str | None = None
    looked: float = float("-inf")


_KEPT: WeakKeyDictionary[ComfyServer, _Kept] = WeakKeyDictionary()
_KEPT_LOCK = threading.Lock()


def version_of(stats: dict[str, Any]) -> str:
    """What identifies the software of a server: a restart with another version or other arguments changes it."""
    system = stats.get("system")
    system = system if isinstance(system, dict) else {}
    return " ".join(str(system.get(key)) for key in ("comfyui_version", "python_version", "argv"))


def findings_on(workflow: Workflow, server: ComfyServer | ServerCatalog, *, files_follow: bool = True) -> Findings:
    """What is wrong with `workflow` on `server`; a problem must also be there in a catalogue fetched anew."""
    catalog = server if isinstance(server, ServerCatalog) else ServerCatalog(server)
    found = examine(workflow, catalog.classes(node.class_type for node in workflow), files_follow=files_follow)
    if found.problems:
        found = examine(workflow, catalog.refresh(), files_follow=files_follow)
    return found


def require(workflow: Workflow, server: ComfyServer | ServerCatalog, *, files_follow: bool = True) -> None:
    """Raise what stands in the way of running `workflow` on `server`: the one problem, or WorkflowInvalid with all.

    Nothing is sent to the server but questions. Call it before anything is uploaded, with the graph as it will run
    (optional nodes left out). See `check` for the problems and for `files_follow`.
    """
    raise_all(findings_on(workflow, server, files_follow=files_follow).problems)
