"""Every backend keeps what `backends/base.py` promises, and nobody looks behind it.

The same tests run on this process, on a server that gives a real ComfyUI's recorded answers, and on a real ComfyUI.
"""

from __future__ import annotations

import ast
import uuid
from collections.abc import Callable, Iterator
from dataclasses import fields
from inspect import getmembers
from pathlib import Path

import pytest

from likeness_studio.core.errors import Interrupted
from likeness_studio.runner import errors
from likeness_studio.runner.backends import Backend, BackendOptions, Event, Folders, RunResult, connect
from likeness_studio.runner.client import Client
from likeness_studio.runner.workflow import Workflow
from likeness_studio.tests.faults.pretend import Pretend, graph, png
from likeness_studio.tests.runner.batches import write
from likeness_studio.tests.runner.fake_backend import FakeBackend

RUNNER = Path(__file__).parents[2] / "runner"
MEMBERS = [name for name, _ in getmembers(Backend) if not name.startswith("_")]


@pytest.fixture(params=["this process", "recorded answers", "a real ComfyUI"])
def address(request: pytest.FixtureRequest) -> Iterator[str | None]:
    if request.param == "this process":
        yield None
    elif request.param == "a real ComfyUI":
        yield request.getfixturevalue("comfyui_server").url
    else:
        server = Pretend()
        yield server.url
        server.close()


@pytest.fixture
def backend(address: str | None) -> Iterator[Backend]:
    made = connect(address, BackendOptions(capacity=3, keep_history=True))
    yield made
    made.close()


@pytest.fixture
def photo(folders: Folders) -> Workflow:
    """A photo and a plain picture, both saved."""
    (folders.input / "photo.png").write_bytes(png())
    return Workflow.from_api("test", graph())


class TestEveryBackend:
    def test_it_has_what_is_promised(self, backend):
        assert {"name", "capacity", "catalog", "probe", "load", "run", "cancel", "close"} <= set(MEMBERS)
        assert [name for name in [*MEMBERS, "affinity"] if not hasattr(backend, name)] == []
        assert [name for name in [*MEMBERS, "affinity"] if not hasattr(FakeBackend(), name)] == []

    def test_it_says_what_it_is_without_being_asked_for_anything(self, backend, address):
        assert backend.name == (address or "this machine")
        assert backend.remote == backend.resumable == (address is not None)
        assert backend.capacity == (3 if address else 1)
        assert backend.affinity == ""
        assert backend.resting() is False

    def test_it_is_there(self, backend, address):
        backend.wait_ready()
        assert backend.probe(5.0) is None
        names = [fact.name for fact in backend.facts()]
        assert ("ComfyUI" in names) == (address is not None)

    def test_it_knows_its_nodes(self, backend):
        assert {"LoadImage", "EmptyImage", "SaveImage"} <= set(backend.catalog())

    def test_it_reads_a_workflow(self, backend, tmp_path):
        path = write(tmp_path / "pretend.json", graph())
        workflow = backend.load(path)
        assert (workflow.name, len(workflow.nodes)) == ("pretend", 4)
        with pytest.raises(errors.WorkflowMissing):
            backend.load(tmp_path / "gone.json")

    def test_it_says_what_keeps_a_workflow_from_running(self, backend, photo):
        assert backend.check(photo).problems == []
        stranger = Workflow.from_api("test", graph() | {"9": {"class_type": "Stranger", "inputs": {}}})
        (problem,) = backend.check(stranger).problems
        assert isinstance(problem, errors.NodeClassMissing | errors.NeedsServer)
        assert "Stranger" in str(problem)

    def test_it_runs_a_workflow(self, backend, photo, folders):
        seen: list[Event] = []
        result = backend.run(photo, folders, seen.append)
        assert len(result.outputs) == 2
        for saved in result.outputs:
            assert saved.path.is_relative_to(folders.output)
            assert saved.path.is_file()
        assert (result.workflow, result.workflow_hash) == (photo.name, photo.hash)
        assert (result.place, result.remote) == (backend.name, backend.remote)
        assert result.as_dict()["engine"] == (backend.name if backend.remote else "local")
        assert seen
        assert result.seconds > 0

    def test_a_run_that_may_be_there_already_is_asked_for(self, backend, photo, folders):
        """Where a prompt does not outlive its runner there is nothing to ask for, and it is run."""
        result = backend.run(photo, folders, prompt_id=str(uuid.uuid4()), resume=True)
        assert len(result.outputs) == 2

    def test_a_stopped_run_is_interrupted(self, backend, photo, folders):
        with pytest.raises(Interrupted):
            backend.run(photo, folders, stopped=lambda: True)

    def test_a_run_is_cancelled_by_its_id_and_no_other_is(self, backend, photo, folders):
        number, other = str(uuid.uuid4()), str(uuid.uuid4())
        assert backend.run(photo, folders, lambda event: backend.cancel(other), prompt_id=number).outputs
        with pytest.raises(Interrupted):
            backend.run(photo, folders, lambda event: backend.cancel(number), prompt_id=number)
        backend.cancel(number)
        assert backend.run(photo, folders, prompt_id=str(uuid.uuid4())).outputs, "it runs again afterwards"

    def test_it_can_be_closed_twice(self, backend):
        backend.close()
        backend.close()

    def test_the_client_stands_on_it(self, address, photo, folders):
        with Client(address) as client:
            assert client.backend.name == (address or "this machine")
            assert "LoadImage" in client.catalog
            assert client.check(photo) == []
            assert client.run(photo, [folders.input / "photo.png"], folders.output).outputs


def test_a_server_that_is_away_is_told_by_its_probe():
    backend = connect("http://127.0.0.1:9", BackendOptions(wait_seconds=0.1))
    assert isinstance(backend.probe(1.0), errors.ServerUnreachable)
    for ask in (
        backend.wait_ready,
        backend.catalog,
        backend.facts,
        lambda: backend.check(Workflow.from_api("test", graph())),
    ):
        with pytest.raises(errors.ServerUnreachable):
            ask()
    backend.cancel(str(uuid.uuid4()))
    backend.close()


def test_no_address_that_is_none_becomes_a_backend():
    with pytest.raises(errors.BadServerAddress):
        connect("ftp://gpu-box")
    with pytest.raises(errors.NoManagedServer):
        connect("@nobody")


def test_where_a_result_comes_from_is_not_in_its_json():
    here = RunResult("a", "0", "local", place="this machine")
    there = RunResult("a", "0", "local", place="elsewhere", remote=True, started=here.started)
    assert here.as_dict() == there.as_dict()
    assert {"place", "remote"} <= {field.name for field in fields(RunResult)}


KINDS = {"ServerBackend", "LocalEngine"}
NAMES = {"local", "this machine"}


def looks_behind(source: str, names: dict[str, str]) -> Iterator[str]:
    """Each place in `source` that asks for a backend's class, or compares its name with a word."""
    for node in ast.walk(ast.parse(source)):
        asks = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        if not (asks or isinstance(node, ast.Compare | ast.pattern)):
            continue
        parts = list(ast.walk(node))
        words = {part.value for part in parts if isinstance(part, ast.Constant)}
        called = {part.id for part in parts if isinstance(part, ast.Name)}
        called |= {part.attr for part in parts if isinstance(part, ast.Attribute)}
        if called & KINDS or (words | {names.get(name) for name in called}) & NAMES:
            yield ast.unparse(node)


def constants(source: str) -> dict[str, str]:
    """The names that a module gives to a backend's name."""
    return {
        target.id: node.value.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value in NAMES
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def test_nobody_in_the_runner_asks_which_backend_it_is():
    sources = {path.relative_to(RUNNER): path.read_text("utf-8") for path in sorted(RUNNER.rglob("*.py"))}
    assert len(sources) > 50
    names = {name: word for source in sources.values() for name, word in constants(source).items()}
    assert {path: found for path, source in sources.items() if (found := list(looks_behind(source, names)))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "isinstance(client.backend, ServerBackend)",
        "isinstance(place.backend, (backend.ServerBackend, int))",
        "type(backend) is LocalEngine",
        "result.engine == 'local'",
        "cut_off.server == place.name != LOCAL",
        "name in {'this machine'}",
        "fleet.LOCAL != name",
        "match name:\n    case 'local': pass",
        "match backend:\n    case LocalEngine(): pass",
    ],
)
def test_such_a_question_is_found(source):
    assert list(looks_behind(source, {"LOCAL": "this machine"}))


@pytest.mark.parametrize(
    "source", ["backend.remote and not x", "name == other.name", "isinstance(error, ServerBroken)"]
)
def test_another_question_is_not(source: str):
    assert not list(looks_behind(source, {"LOCAL": "this machine"}))


def test_what_a_fake_stands_for_is_a_backend():
    """Pyright compares the fake with the protocol here."""
    accepts: Callable[[Backend], str] = lambda backend: backend.name  # noqa: E731 - typed for pyright
    assert accepts(FakeBackend("x")) == "x"
