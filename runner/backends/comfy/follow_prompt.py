"""One prompt on a server, from submission to its history entry, through drops, restarts and doubts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ....core.errors import Interrupted
from ....core.interrupt import Stopped, last_wish
from ...errors import JobLost, ServerUnreachable
from ...workflow.graph import Workflow
from ..backoff import OutageWait, wait_unless_stopped
from ..base import Event, OnEvent
from .events import Listener, Subscription, Track
from .results import rejection
from .server import ComfyServer
from .uploads import force_rerun, tag_filenames

POLL_FIRST, POLL_GROWTH, POLL_LAST = 0.02, 1.4, 0.5
"""Seconds between two looks at the history without a socket: short at first, then longer, up to the last."""

POLL_WITH_SOCKET, POLL_LAST_WITH_SOCKET = 0.2, 2.0
"""The same while a socket is open, whose messages wake the poll at the right moment."""

END_FIRST, END_GROWTH, END_LAST = 0.001, 1.5, 0.05
"""Seconds between looks once the server has said that it is done: the history follows a moment later, and after it
another message, which wakes the poll too."""

END_SECONDS = 10.0
"""How long the history is looked at that closely; after that the message was not to be believed."""

TICK_SECONDS = 0.2
"""How often a wait looks whether the user has stopped the run."""

ASK_FIRST, ASK_LAST = 2.0, 10.0
"""Seconds without news from a job before the queue is asked for it, at first and later: queues may be long."""

RECHECK_SECONDS = 0.3
"""A job is lost when it is twice neither queued nor done, this far apart."""

SETTLE_SECONDS = 0.3
"""How long the last message is waited for once the result is there; times of nodes come from it."""

AMBIGUOUS_LOOKS = 3
"""How often a prompt whose request broke off is asked for before it is sent again: it may still be in validation."""

RESUBMISSIONS = 2
"""How often a job that the server has forgotten is submitted again."""


class Job:
    """One prompt. `rerun` names nodes that must not come from the server's cache.

    `patience` gives the bounded wait for a server that goes away in the meantime.
    """

    def __init__(
        self,
        server: ComfyServer,
        listener: Listener,
        workflow: Workflow,
        prompt_id: str,
        on_event: OnEvent,
        stopped: Stopped,
        patience: Callable[[], OutageWait],
        rerun: frozenset[str] = frozenset(),
    ) -> None:
        self.server, self.listener, self.workflow, self.id = server, listener, workflow, prompt_id
        self.on_event, self.stopped, self.patience = on_event, stopped, patience
        self.track = Track(workflow, on_event)
        self.notes: list[str] = []
        self._graph = tag_filenames(workflow, prompt_id)
        force_rerun(self._graph, set(rerun), prompt_id)
        self._news = time.monotonic()

    def run(self, *, resume: bool = False) -> dict[str, Any]:
        """The history entry of the finished prompt. `resume` asks for it before submitting: it may be there.

        Raises WorkflowRejected, JobLost, ServerUnreachable, ServerRefused and Interrupted; a stopped run is cancelled.
        """
        with last_wish(lambda: self.server.cancel(self.id)):
            return self._run(resume=resume)

    def _run(self, *, resume: bool) -> dict[str, Any]:
        subscription = self.listener.subscribe(self.id)
        try:
            if not (resume and self._known_with_patience()):
                self._submit(subscription)
            entry = self._wait(subscription)
            self._settle(subscription)
        except (Interrupted, KeyboardInterrupt) as error:
            self.server.cancel(self.id)
            raise Interrupted("The run was stopped; the server was told to stop it too.") from error
        finally:
            self.listener.unsubscribe(subscription)
        return entry

    def _submit(self, subscription: Subscription) -> None:
        canvas = self.workflow.canvas
        request = {
            "prompt": self._graph,
            "prompt_id": self.id,
            "client_id": subscription.client_id,
            "extra_data": {} if canvas is None else {"extra_pnginfo": {"workflow": canvas}},
        }
        self._news = time.monotonic()
        answer = self._post(request)
        if answer is not None:
            accepted, words = answer
            if not accepted or words.get("node_errors"):
                if accepted:
                    self.server.cancel(self.id)
                raise rejection(self.workflow, words, self.server)
        self.on_event(Event("queued", message=self.id, total=len(self.workflow.nodes)))

    def _post(self, request: dict[str, Any]) -> tuple[bool, dict[str, Any]] | None:
        """Post the prompt once; None when the answer was lost and the server turns out to have it."""
        patience = self.patience()
        while True:
            self._check()
            try:
                return self.server.submit(request)
            except ServerUnreachable as error:
                if error.sent and self._is_there(patience):
                    self.notes.append("The answer to the submission was lost; the server had the job.")
                    return None
                if not patience.pause():
                    raise

    def _is_there(self, patience: OutageWait) -> bool:
        """Whether the server has the prompt of a request that broke off."""
        looks = 0
        while looks < AMBIGUOUS_LOOKS:
            try:
                if self._is_known():
                    return True
                looks += 1
                wait_unless_stopped(RECHECK_SECONDS, self._check)
            except ServerUnreachable:
                if not patience.pause():
                    raise
        return False

    def _is_known(self) -> bool:
        """Whether the prompt waits, runs or is done. The queue comes first: prompts go from there to the history."""
        return self.server.is_queued(self.id) or self.server.history(self.id) is not None

    def _known_with_patience(self) -> bool:
        patience = self.patience()
        while True:
            try:
                return self._is_known()
            except ServerUnreachable:
                if not patience.pause():
                    raise

    def _wait(self, subscription: Subscription) -> dict[str, Any]:
        pace = _Pace(self.listener)
        ask, left = ASK_FIRST, RESUBMISSIONS
        while True:
            over = pace.wait(subscription, self._check)
            entry = self._look()
            if entry is not None:
                return entry
            heard = subscription.messages()
            self.track.follow(heard)
            now = time.monotonic()
            if heard or over:
                self._news = now
            if now - self._news < ask:
                continue
            self._news, ask = now, min(ask * 2, ASK_LAST)
            if self._is_lost():
                left = self._resubmit(subscription, left)
                pace, ask = _Pace(self.listener), ASK_FIRST

    def _look(self) -> dict[str, Any] | None:
        """The history entry if it is there, after waiting for a server that is away."""
        patience = self.patience()
        away = False
        while True:
            try:
                entry = self.server.history(self.id)
            except ServerUnreachable as error:
                if not away:
                    self.on_event(Event("server_away", message=str(error)))
                away = True
                if not patience.pause():
                    raise
                continue
            if away and entry is None:
                self._news = 0.0
            return entry

    def _is_lost(self) -> bool:
        """Whether the server knows the job no more: it was restarted, or its queue or history was cleared."""
        try:
            if self._is_known():
                return False
            wait_unless_stopped(RECHECK_SECONDS, self._check)
            return not self._is_known()
        except ServerUnreachable:
            return False

    def _resubmit(self, subscription: Subscription, left: int) -> int:
        """Submit a lost job again; returns how often that may still be done. Raises JobLost when it may not."""
        if left == 0:
            raise JobLost(
                f"{self.server.url} has lost the job {self.id} {RESUBMISSIONS + 1} times; "
                "it was restarted or its queue was cleared. Look at its log, then run it again."
            )
        self.notes.append("The server no longer knew the job, and it was submitted again.")
        self.on_event(Event("resubmitted", message=self.id))
        self.track.restart()
        subscription.again()
        subscription.client_id = self.listener.client_id
        self._submit(subscription)
        return left - 1

    def _settle(self, subscription: Subscription) -> None:
        """Wait for the last message, which can arrive after the result does, while the job's socket is open."""
        if self.listener.hears(subscription) and not (subscription.over or subscription.wake.wait(SETTLE_SECONDS)):
            self.listener.doubt()
        self.track.follow(subscription.messages())

    def _check(self) -> None:
        if self.stopped():
            raise Interrupted("The run was stopped.")


class _Pace:
    """The pauses between two looks at the history."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._pause, self._end = POLL_FIRST, END_FIRST
        self._woken: float | None = None

    def wait(self, subscription: Subscription, check: Callable[[], None]) -> bool:
        """Pause; whether the server has said that the prompt is over."""
        check()
        if self._woken is not None:
            return self._near_the_end(subscription, self._woken)
        listening = self._listener.hears(subscription)
        pause = max(self._pause, POLL_WITH_SOCKET) if listening else self._pause
        self._pause = min(pause * POLL_GROWTH, POLL_LAST_WITH_SOCKET if listening else POLL_LAST)
        deadline = time.monotonic() + pause
        while (left := deadline - time.monotonic()) > 0 and not subscription.wake.wait(min(left, TICK_SECONDS)):
            check()
        if subscription.over:
            self._woken = time.monotonic()
            subscription.wake.clear()
        return subscription.over

    def _near_the_end(self, subscription: Subscription, woken: float) -> bool:
        believed = time.monotonic() - woken < END_SECONDS
        subscription.wake.wait(self._end if believed else POLL_LAST)
        subscription.wake.clear()
        self._end = min(self._end * END_GROWTH, END_LAST)
        return believed
