"""Whatever a WebSocket brings is read or passed over; progress that came of it can be shown and written as JSON."""

from __future__ import annotations

import json
import struct
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from likeness_studio.runner.backends import Event
from likeness_studio.runner.backends.comfy.events import Message, Preview, Subscription, Track, parse
from likeness_studio.runner.workflow import Workflow

PROMPT = "00000000-0000-4000-8000-000000000000"
WORKFLOW = Workflow.from_api(
    "fuzz", {str(number): {"class_type": "EmptyImage", "inputs": {}} for number in range(1, 4)}
)
KINDS = [
    "status", "execution_start", "execution_cached", "executing", "progress", "progress_state", "executed",
    "execution_success", "execution_error", "execution_interrupted", "feature_flags", "crystools.monitor",
]  # fmt: skip
PROFILE = settings(derandomize=True, deadline=None, max_examples=400)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["1", "2", PROMPT])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
data = st.fixed_dictionaries(
    {"prompt_id": st.just(PROMPT) | values},
    optional=dict.fromkeys(("node", "nodes", "value", "max", "output", "display_node", "timestamp", "node_id"), values),
)
messages = st.fixed_dictionaries({"type": st.sampled_from(KINDS) | values, "data": data | values})
texts = st.text() | values.map(json.dumps) | messages.map(json.dumps)


def preview(metadata: Any, size: int | None, kind: int, picture: bytes) -> bytes:
    """A binary frame with metadata whose stated length is `size`, or the true one."""
    words = json.dumps(metadata).encode()
    return struct.pack(">II", kind, len(words) if size is None else size) + words + picture


metadatas = values | st.fixed_dictionaries({"prompt_id": st.just(PROMPT), "node_id": values, "image_type": values})
previews = st.builds(
    preview, metadatas, st.none() | st.integers(0, 2**32 - 1), st.integers(0, 9), st.binary(max_size=20)
)
frames = texts | st.binary(max_size=64) | previews


@PROFILE
@given(frames)
@example("[" * 200_000)
@example('{"type": ' * 50_000)
@example("9" * 10_000)
@example(b"\x00\x00\x00\x04\xff\xff\xff\xff{}")
@example(struct.pack(">II", 4, 200_000) + b"[" * 200_000)
def test_any_frame_is_read_or_passed_over(frame: str | bytes):
    message = parse(frame)
    assert message is None or isinstance(message, Message | Preview)
    if message is not None:
        assert isinstance(message.prompt_id, str)
        assert message.node is None or isinstance(message.node, str)


def progress(**values: Any) -> str:
    return json.dumps({"type": "progress", "data": {"prompt_id": PROMPT, "node": "1", **values}})


@PROFILE
@given(st.lists(messages.map(json.dumps) | previews, max_size=12))
@example([progress(value=float("inf"), max=float("nan"))])
@example([progress(value=10**400, max=-1)])
@example([json.dumps({"type": "execution_cached", "data": {"prompt_id": PROMPT, "nodes": [{}, None, [], 1, "1"]}})])
def test_any_messages_are_progress_that_can_be_shown(sent: list[str | bytes]):
    events: list[Event] = []
    job, track = Subscription(PROMPT, "client"), Track(WORKFLOW, events.append)
    for frame in sent:
        message = parse(frame)
        if message is not None and message.prompt_id == PROMPT:
            job.put(message)
    track.follow(job.messages())
    for event in events:
        json.dumps(event.as_dict(), allow_nan=False)
        assert event.index is None or event.index >= 0
        assert event.title is None or isinstance(event.title, str)
    assert all(time.node in WORKFLOW.nodes and time.seconds >= 0 for time in track.times)
