"""Small graphs and small nodes for the tests of the runner."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from likeness_studio.nodes.schema import io
from likeness_studio.runner.backends import Folders, LocalEngine, local_classes
from likeness_studio.runner.workflow import Workflow
from likeness_studio.tests.runner.batches import write

Graph = dict[str, dict[str, Any]]


def node(class_type: str, title: str | None = None, **inputs: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"class_type": class_type, "inputs": inputs}
    return entry | ({"_meta": {"title": title}} if title else {})


@pytest.fixture
def bare_server() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Starts a server on a bare socket: each connection is handed to a function of the test's; its address."""
    listeners: list[socket.socket] = []

    def start(serve: Callable[[socket.socket], None]) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def handle(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                serve(connection)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


@pytest.fixture
def make() -> Callable[..., dict[str, Any]]:
    return node


@pytest.fixture
def invert() -> Graph:
    """EmptyImage -> ImageInvert -> SaveImage."""
    return {
        "1": node("EmptyImage", "Blank", width=16, height=8, batch_size=1, color=0x804020),
        "2": node("ImageInvert", "Negative", image=["1", 0]),
        "3": node("SaveImage", "Save", images=["2", 0], filename_prefix="negative"),
    }


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    for folder in (made.input, made.output, made.temp):
        folder.mkdir()
    return made


@pytest.fixture
def workflow() -> Callable[[Graph], Workflow]:
    return lambda graph: Workflow.from_api("test", graph)


@pytest.fixture
def engine() -> LocalEngine:
    return LocalEngine()


class Words(io.ComfyNode):
    """Gives a list of words."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TestWords",
            inputs=[io.String.Input("text", default="")],
            outputs=[io.String.Output(is_output_list=True)],
        )

    @classmethod
    def execute(cls, text: str) -> io.NodeOutput:
        return io.NodeOutput(text.split())


class Pair(io.ComfyNode):
    """Joins two words; records its calls."""

    calls: list[tuple[str, str]] = []  # noqa: RUF012

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TestPair",
            inputs=[io.String.Input("first"), io.String.Input("second", optional=True)],
            outputs=[io.String.Output()],
        )

    @classmethod
    def execute(cls, first: str, second: str = "nothing") -> io.NodeOutput:
        Pair.calls.append((first, second))
        return io.NodeOutput(f"{first}-{second}")


class Count(io.ComfyNode):
    """Takes a whole list at once."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TestCount",
            is_input_list=True,
            inputs=[io.String.Input("words"), io.Int.Input("add", default=0)],
            outputs=[io.Int.Output()],
        )

    @classmethod
    def execute(cls, words: list[str], add: list[int]) -> io.NodeOutput:
        return io.NodeOutput(len(words) + add[0])


class Fail(io.ComfyNode):
    """Breaks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="TestFail", inputs=[io.String.Input("word")], outputs=[io.String.Output()])

    @classmethod
    def execute(cls, word: str) -> io.NodeOutput:
        raise RuntimeError(f"broken by {word}")


class Picky(io.ComfyNode):
    """Checks its own input, and shows the hidden values."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TestPicky",
            inputs=[io.String.Input("word")],
            outputs=[],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, word: str) -> bool | str:
        return True if word == "please" else f"{word!r} is not polite"

    @classmethod
    def execute(cls, word: str) -> io.NodeOutput:
        hidden = cls.hidden
        return io.NodeOutput(ui={"text": [f"{word} {hidden.unique_id} {sorted(hidden.prompt)}"]})


TEST_NODES = (Words, Pair, Count, Fail, Picky)


@pytest.fixture
def test_engine() -> LocalEngine:
    """An engine that also has the nodes above."""
    Pair.calls.clear()
    own = {cls.define_schema().node_id: cls for cls in TEST_NODES}
    return LocalEngine({**local_classes(), **own})


@pytest.fixture
def pair_calls() -> list[tuple[str, str]]:
    return Pair.calls


@pytest.fixture
def photos(tmp_path, astronaut):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b", "c"):
        # a byte after the picture's end makes another file of the same picture
        (folder / f"{name}.jpg").write_bytes(astronaut.read_bytes() + name.encode())
    return folder


@pytest.fixture
def mirror(tmp_path, make):
    """Photo -> negative -> picture."""
    graph = {
        "1": make("LoadImage", "Photo", image=""),
        "2": make("ImageInvert", "Negative", image=["1", 0]),
        "3": make("SaveImage", "Save", images=["2", 0], filename_prefix="negative"),
    }
    return write(tmp_path / "mirror.json", graph)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser; skips where there is none."""
    sync = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("Chromium is not installed, so that pages cannot be opened")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a page as a user does, from a file; at the end nothing may have gone wrong in it."""
    troubles, pages = [], []

    def open_page(path: Path, place: str = "", **more: Any) -> Any:
        page = chromium.new_page(**({"viewport": {"width": 1280, "height": 900}} | more))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        page.goto(path.as_uri() + place)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert troubles == []
