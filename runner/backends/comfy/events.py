"""One WebSocket for all the jobs on a server. It is only ever looked at: losing it changes nothing but the display."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ..backoff import backoff
from .messages import HELLO, Message, Preview, parse

if TYPE_CHECKING:
    from .server import ComfyServer

CONNECT_SECONDS = 2.0
FIRST_CONNECTION_SECONDS = 0.5
"""How long a job waits for the socket before it is submitted without: polling decides anyway."""

LISTEN_SECONDS = 0.5
"""How long the thread listens before it looks whether it should end."""

STEADY_SECONDS = 5.0
"""A connection that lasted so long was a good one: after it the pauses between attempts begin anew."""

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
        self._messages.put((time.monotonic(), message))
        if isinstance(message, Message) and message.ends:
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
            socket = websocket.create_connection(
                self._server.socket_url(client_id),
                timeout=CONNECT_SECONDS,
                header=self._server.headers,
                redirect_limit=0,  # the headers, a login among them, would go to wherever it leads
                skip_utf8_validation=True,  # `parse` does that, and a hundred times faster
            )
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
            while not (self._ending.is_set() or self._doubted.is_set()):
                with suppress(websocket.WebSocketTimeoutException):
                    code, frame = socket.recv_data()
                    self._take(frame.decode("utf-8", "replace") if code == websocket.ABNF.OPCODE_TEXT else frame)
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
