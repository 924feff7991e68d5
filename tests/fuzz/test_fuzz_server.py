"""Whatever a server answers: a result, or an error of the registry, soon; and nothing outside of the output folder."""

from __future__ import annotations

import copy
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from likeness_studio.core.errors import LikenessError
from likeness_studio.runner.backends import Folders
from likeness_studio.runner.backends.comfy import backend
from likeness_studio.runner.backends.comfy import follow_prompt as job
from likeness_studio.tests.faults.graphs import run_on
from likeness_studio.tests.faults.pretend import PATHS, RECORDED, RECORDED_ID, Pretend, graph, png

PROFILE = settings(derandomize=True, deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
PATIENCE, SECONDS = 0.5, 2.0

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", ".", "..", "../x.png", "/x.png", "a\x00b", "\ud800", "temp", "output", RECORDED_ID])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def places(tree: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a JSON document, from the root on."""
    yield here
    if isinstance(tree, dict | list):
        for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(inner, (*here, key))


def replaced(tree: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at one place."""
    if not place:
        return value
    tree = copy.deepcopy(tree)
    spot = tree
    for key in place[:-1]:
        spot = spot[key]
    spot[place[-1]] = value
    return tree


mutations = st.sampled_from([(path, place) for path, tree in RECORDED.items() for place in places(tree) if place])


@pytest.fixture(scope="module")
def pretend() -> Iterator[Pretend]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ASK_FIRST", "ASK_LAST", "RECHECK_SECONDS", "SETTLE_SECONDS"):
            patch.setattr(job, name, 0.02)
        patch.setattr(backend, "FREE_SECONDS", 0.0)
        server = Pretend()
        yield server
        server.close()


def check(server: Pretend) -> None:
    """A run against the server ends as it should, whatever it answers.

    A server may truly say for ever that the job is still in its queue, so the run is stopped after a while.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = Folders(root / "input", root / "output", root / "temp")
        for folder in (folders.input, folders.output, folders.temp):
            folder.mkdir()
        (folders.input / "photo.png").write_bytes(png())
        try:
            result = run_on(
                server.url,
                graph(),
                folders,
                stopped=lambda: time.monotonic() - began > PATIENCE,
                wait_seconds=0.05,
                outage_seconds=0.1,
                previews=True,
            )
        except LikenessError as error:
            json.dumps(error.as_dict(), allow_nan=False)
        else:
            json.dumps(result.as_dict())
            assert all(file.path.is_file() for file in result.outputs + result.previews)
        made = [path for path in root.rglob("*") if path.is_file() and path.name != "photo.png"]
        assert all(folders.output in path.parents or folders.temp in path.parents for path in made)
    assert time.monotonic() - began < SECONDS


@PROFILE
@given(path=st.sampled_from(PATHS), body=st.binary(max_size=40), status=st.sampled_from([200, 200, 200, 400, 404, 500]))
def test_random_bytes(pretend: Pretend, path: str, body: bytes, status: int):
    pretend.reset()
    pretend.bodies[path], pretend.statuses[path] = body, status
    check(pretend)


@PROFILE
@given(path=st.sampled_from(list(RECORDED)), body=values)
def test_random_json(pretend: Pretend, path: str, body: Any):
    pretend.reset()
    pretend.bodies[path] = json.dumps(body).encode()
    check(pretend)


@PROFILE
@given(mutation=mutations, value=values)
@example(mutation=("/history", (RECORDED_ID, "outputs", "2", "images", 0, "filename")), value=".")
@example(mutation=("/history", (RECORDED_ID, "outputs", "2", "images", 0, "type")), value="\ud800")
@example(mutation=("/history", (RECORDED_ID, "status", "messages", 0, 1, "timestamp")), value=float("nan"))
@example(mutation=("/features", ("max_upload_size",)), value=float("inf"))
@example(mutation=("/prompt", ("node_errors",)), value={"2": {"errors": [{"message": []}]}})
@example(mutation=("/prompt", ("node_errors",)), value={"2": {"errors": 7}})
def test_recorded_answers_with_one_other_value(pretend: Pretend, mutation: tuple[str, tuple[Any, ...]], value: Any):
    path, place = mutation
    pretend.reset()
    pretend.bodies[path] = json.dumps(replaced(RECORDED[path], place, value)).encode()
    check(pretend)
