"""A server's messages about one prompt, turned into the events and times of a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...workflow.graph import Workflow
from ..result import Event, NodeTime, OnEvent
from .events import Heard
from .messages import Message, Preview

LARGEST_COUNT = 2**53
"""Beyond this a number in JSON is not exact, and no node has as many steps."""


class Track:
    """Follows one prompt: which node runs, how far it is, how long each took."""

    def __init__(self, workflow: Workflow, on_event: OnEvent) -> None:
        self.times: list[NodeTime] = []
        self._workflow, self._on_event = workflow, on_event
        self._running: tuple[str, float] | None = None

    def restart(self) -> None:
        """Forget everything: the prompt is run again."""
        self.times.clear()
        self._running = None

    def follow(self, heard: Iterable[Heard]) -> None:
        """Take in what has arrived, in any order and with any contents."""
        for at, message in heard:
            if isinstance(message, Preview):
                self._preview(message)
            elif message.kind == "execution_cached":
                nodes = message.data.get("nodes")
                for cached in nodes if isinstance(nodes, list) else ():
                    self._done(str(cached), 0.0, cached=True)
            elif message.kind == "executing" or message.kind.startswith("execution_"):
                self._switch(message.node if message.kind == "executing" else None, at)
            elif message.kind == "progress":
                self._progress(message)

    def _progress(self, message: Message) -> None:
        done, steps = _count(message.data.get("value")), _count(message.data.get("max"))
        if message.node is not None and done is not None and steps is not None:
            title = self._title(message.node)
            self._on_event(Event("progress", node=message.node, title=title, done=done, steps=steps))

    def _preview(self, preview: Preview) -> None:
        title = None if preview.node is None else self._title(preview.node)
        self._on_event(Event("preview", node=preview.node, title=title, picture=preview.picture, mime=preview.mime))

    def _switch(self, node_id: str | None, at: float) -> None:
        if self._running is not None:
            self._done(self._running[0], at - self._running[1])
        self._running = None if node_id is None else (node_id, at)
        if node_id is not None:
            index, total = len(self.times), len(self._workflow.nodes)
            self._on_event(Event("node", node=node_id, title=self._title(node_id), index=index, total=total))

    def _done(self, node_id: str, seconds: float, *, cached: bool = False) -> None:
        node = self._workflow.nodes.get(node_id)
        if node is None:
            return
        self.times.append(NodeTime(node_id, node.title, node.class_type, seconds, cached))
        index, total = len(self.times) - 1, len(self._workflow.nodes)
        kind = "cached" if cached else "node_done"
        event = Event(kind, node=node_id, title=node.title, index=index, total=total, seconds=round(seconds, 4))
        self._on_event(event)

    def _title(self, node_id: str) -> str:
        node = self._workflow.nodes.get(node_id)
        return node.title if node else f"node {node_id}"


def _count(value: Any) -> int | None:
    """A number of steps; None for what cannot be one."""
    return int(value) if isinstance(value, int | float) and 0 <= value < LARGEST_COUNT else None
