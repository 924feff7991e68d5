"""One WebSocket for all jobs of a server, only ever looked at: messages, subscriptions, and a run's events of them."""

from __future__ import annotations

import json
import struct
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ...workflow.graph import Workflow
from ..backoff import backoff
from ..base import Event, OnEvent
from ..result import NodeTime
from . import bounded_socket

if TYPE_CHECKING:
    from .server import ComfyServer

TERMINAL = frozenset({"execution_success", "execution_error", "execution_interrupted"})

HELLO = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
"""The first thing to say: previews then come with the prompt and the node they belong to."""

PREVIEW_WITH_METADATA = 4
"""The kind of binary frame that says which prompt it belongs to: a big-endian number at its beginning."""

MIMES = ("image/jpeg", "image/png")


@dataclass(frozen=True)
class Message:
    """A message about the prompt `prompt_id`. `kind` is the server's word for it."""

    kind: str
    prompt_id: str
    data: Mapping[str, Any]

    @property
    def node(self) -> str | None:
        """The id of the node that it is about."""
        node = self.data.get("node")
        return str(node) if isinstance(node, str | int) else None

    @property
    def ends(self) -> bool:
        """Whether the prompt is over: its result is there, or will be in a moment."""
        return self.kind in TERMINAL or (self.kind == "executing" and self.data.get("node", "") is None)


@dataclass(frozen=True)
class Preview:
    """A picture of a node's work so far, as the server encoded it."""

    prompt_id: str
    node: str | None
    mime: str
    picture: bytes


def parse(frame: str | bytes) -> Message | Preview | None:
    """Read one frame; None for what is not about a prompt, of a kind not known here, or damaged."""
    return _text(frame) if isinstance(frame, str) else _binary(frame)


def _text(frame: str) -> Message | None:
    try:
        message = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("prompt_id"), str):
        return None
    return Message(str(message.get("type")), data["prompt_id"], data)


def _binary(frame: bytes) -> Preview | None:
    if len(frame) < 8:
        return None
    kind, second = struct.unpack(">II", frame[:8])
    if kind != PREVIEW_WITH_METADATA or len(frame) < 8 + second:
        return None
    try:
        metadata = json.loads(frame[8 : 8 + second])
    except (ValueError, RecursionError):
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("prompt_id"), str):
        return None
    node, mime = metadata.get("node_id"), metadata.get("image_type")
    return Preview(
        metadata["prompt_id"],
        str(node) if isinstance(node, str | int) else None,
        mime if mime in MIMES else MIMES[0],
        frame[8 + second :],
    )


FIRST_CONNECTION_SECONDS = 0.5
"""How long a job waits for the socket before it is submitted without: polling decides anyway."""

LISTEN_SECONDS = 0.5
"""How long the thread listens before it looks whether it should end."""

STEADY_SECONDS = 5.0
"""A connection that lasted so long was a good one: after it the pauses between attempts begin anew."""

MOST_WAITING = 10_000
"""Messages about one prompt that nobody has looked at yet; of more, only the end of the prompt is kept."""

Heard = tuple[float, Message | Preview]
"""Something the server said, and when it arrived (seconds of the monotonic clock)."""


class Subscription:
    """What the server says about one prompt. `over` is set, and `wake` each time, when it says that it is over."""

    def __init__(self, prompt_id: str, client_id: str) -> None:
        self.prompt_id, self.client_id = prompt_id, client_id
        self.wake = threading.Event()
        self.over = False
        self._messages: SimpleQueue[Heard] = SimpleQueue()

    def put(self, message: Message | Preview) -> None:
        """Take a message in; called by the listener's thread."""
        ends = isinstance(message, Message) and message.ends
        if ends or self._messages.qsize() < MOST_WAITING:
            self._messages.put((time.monotonic(), message))
        if ends:
            self.over = True
            self.wake.set()

    def again(self) -> None:
        """Forget that it was over: the prompt is submitted again."""
        self.over = False
        self.wake.clear()

    def messages(self) -> list[Heard]:
        """What has arrived since the last call."""
        found: list[Heard] = []
        with suppress(Empty):
            while True:
                found.append(self._messages.get_nowait())
        return found


class Listener:
    """Reads a server's messages in a thread, which opens, reads and closes the socket all by itself.

    Every connection has a client id of its own: a server that notices late that a connection is gone takes the id
    out of its list, and would so silence a new connection under the same one.
    """

    def __init__(self, server: ComfyServer) -> None:
        self._server = server
        self._client_id = str(uuid.uuid4())
        self._jobs: dict[str, Subscription] = {}
        self._open, self._tried = threading.Event(), threading.Event()
        self._ending, self._doubted = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that nobody has reason to doubt."""
        return self._open.is_set() and not self._doubted.is_set()

    @property
    def client_id(self) -> str:
        """The id under which the present connection is known to the server."""
        return self._client_id

    def start(self) -> None:
        """Begin to connect, unless that was done before."""
        with self._lock:
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, name="likeness-progress", daemon=True)
                self._thread.start()

    def subscribe(self, prompt_id: str) -> Subscription:
        """Listen for a prompt that will be submitted with the client id of the subscription."""
        self.start()
        self._tried.wait(FIRST_CONNECTION_SECONDS)
        with self._lock:
            job = self._jobs[prompt_id] = Subscription(prompt_id, self._client_id)
        return job

    def unsubscribe(self, job: Subscription) -> None:
        """Listen no more."""
        with self._lock:
            self._jobs.pop(job.prompt_id, None)

    def hears(self, job: Subscription) -> bool:
        """Whether the connection is open, not doubted, and the one that the server tells about this job.

        After a drop there is another one, which never hears of the job.
        """
        return self.is_open and job.client_id == self._client_id

    def doubt(self) -> None:
        """Connect anew: a job has ended and the socket, though open, has said nothing about it."""
        self._doubted.set()

    def close(self) -> None:
        """Ask the thread to close its socket; does not wait."""
        self._ending.set()

    def _run(self) -> None:
        pauses = backoff()
        while not self._ending.is_set():
            if self._listen():
                pauses = backoff()
            self._ending.wait(next(pauses))

    def _listen(self) -> bool:
        """Connect and read until the connection is lost or doubted; whether it was there for a while."""
        import websocket

        client_id = str(uuid.uuid4())
        with self._lock:
            self._client_id = client_id
        try:
            socket: Any = websocket.create_connection(
                self._server.socket_url(client_id),
                timeout=bounded_socket.CONNECT_SECONDS,
                header=self._server.headers,
                redirect_limit=0,  # the headers, a login among them, would go to wherever it leads
                skip_utf8_validation=True,  # `parse` does that, and a hundred times faster
                fire_cont_frame=True,
                class_=bounded_socket.socket_class(),
            )
            socket.greeted()
        except (OSError, ValueError, websocket.WebSocketException):
            self._tried.set()
            return False
        self._doubted.clear()
        began = time.monotonic()
        try:
            socket.settimeout(LISTEN_SECONDS)
            socket.send(HELLO)
            self._open.set()
            self._tried.set()
            bounded_socket.bound_frames(socket)
            message = bounded_socket.Fragments()
            while not (self._ending.is_set() or self._doubted.is_set()):
                with suppress(websocket.WebSocketTimeoutException):
                    whole = message.add(*socket.recv_data_frame())
                    if whole is not None:
                        self._take(whole)
        except (OSError, ValueError, websocket.WebSocketException):
            pass
        finally:
            self._open.clear()
            self._tried.set()
            with suppress(OSError, ValueError, websocket.WebSocketException):
                socket.close(timeout=1)
        return time.monotonic() - began >= STEADY_SECONDS

    def _take(self, frame: str | bytes) -> None:
        message = parse(frame)
        if message is None:
            return
        with self._lock:
            job = self._jobs.get(message.prompt_id)
        if job is not None:
            job.put(message)


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
