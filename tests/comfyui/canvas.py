"""ComfyUI's canvas in headless Chromium: open a workflow as a user does, press Run, look at it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY = "window.app?.graph && window.app?.extensionManager && window.LiteGraph"


def chromium() -> str | None:
    """Where Chromium is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Canvas:
    """One browser page on a ComfyUI server."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(f"{error}\n{error.stack}"))

    def open_file(self, path: Path) -> None:
        """Open a workflow file the way dropping it on the canvas does: UI or API format."""
        text = path.read_text()
        self.page.evaluate(
            "async ([name, text]) => { await app.handleFile(new File([text], name, {type: 'application/json'})); }",
            [path.name, text],
        )
        self.page.wait_for_timeout(1500)

    def open_template(self, path: Path) -> None:
        """Open a workflow file the way the template browser does: the whole graph is shown."""
        self.page.evaluate(
            "async ([name, graph]) => { await app.loadGraphData(graph, true, true, name, {openSource: 'template'}); }",
            [path.stem, json.loads(path.read_text())],
        )
        self.page.wait_for_timeout(1000)

    def zoom(self) -> float:
        """How large the graph is shown; 1 is its own size."""
        return self.page.evaluate("() => app.canvas.ds.scale")

    def boxes(self) -> dict[str, list[float]]:
        """Left, top, width and height of each node as it is drawn, by its title."""
        return self.page.evaluate("""() => Object.fromEntries(app.graph._nodes.map((node) => {
          node.updateArea?.(app.canvas.ctx);
          return [node.title, [...node.boundingRect]];
        }))""")

    def close_dialogs(self) -> None:
        """Close what the canvas says of nodes or models that it misses."""
        self.page.wait_for_timeout(1000)
        for _ in range(3):
            buttons = self.page.locator(".p-dialog-close-button")
            if not buttons.count():
                return
            buttons.last.click()
            self.page.wait_for_timeout(800)

    def missing_nodes(self) -> list[str]:
        """Types on the canvas that the server does not know."""
        return self.page.evaluate(
            "() => app.graph._nodes.filter(n => !(n.type in LiteGraph.registered_node_types)).map(n => n.type)"
        )

    def offered_models(self) -> list[str]:
        """Missing models for which the canvas offers a download, as ``folder / name``.

        Older frontends show a dialog at once, newer ones a panel behind View details.
        """
        details = self.page.get_by_text("View details")
        self.page.get_by_text("Missing Models").or_(details).first.wait_for(timeout=20_000)
        if not details.count():
            lines = self.page.inner_text("body").splitlines()
            return [line for line, then in pairwise(lines) if then.startswith("Download")]
        details.click()
        buttons = self.page.get_by_role("button", name=re.compile(r"^Download .+\.\w+$"))
        buttons.first.wait_for(timeout=20_000)
        names = [str(button.get_attribute("aria-label")).removeprefix("Download ") for button in buttons.all()]
        lines = [line for line in self.page.inner_text("body").splitlines() if line.strip()]
        return [f"{lines[lines.index(name) + 1]} / {name}" for name in names]

    def titles(self) -> list[str]:
        """The titles of the nodes on the canvas."""
        return self.page.evaluate("() => app.graph._nodes.map(n => n.title)")

    def prompt(self) -> dict[str, Any]:
        """The graph in API format, converted by the canvas itself."""
        return json.loads(self.page.evaluate("async () => JSON.stringify((await app.graphToPrompt()).output)"))

    def workflow(self) -> dict[str, Any]:
        """The graph in UI format."""
        return json.loads(self.page.evaluate("() => JSON.stringify(app.graph.serialize())"))

    def places(self) -> dict[str, dict[str, Any]]:
        """Place, size and flags of each node by its id, of unknown nodes too."""
        script = "() => app.graph._nodes.map(n => [n.id, {pos: [...n.pos], size: [...n.size], flags: {...n.flags}}])"
        return {str(key): value for key, value in self.page.evaluate(script)}

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """Run JavaScript on the page."""
        return self.page.evaluate(script, argument)

    def press_run(self) -> str:
        """Press the Run button; the id of the prompt that the server queued."""
        with self.page.expect_response(lambda response: response.url.endswith("/prompt")) as posted:
            self.page.get_by_test_id("queue-button").click()
        answer = posted.value.json()
        if not posted.value.ok:
            raise AssertionError(f"The server refused the prompt: {answer}")
        return answer["prompt_id"]

    def fit_view(self) -> None:
        """Show the whole graph."""
        self.page.keyboard.press("Escape")
        self.page.evaluate("() => app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        self.page.wait_for_timeout(800)

    def screenshot(self, path: Path) -> None:
        """What the user sees."""
        self.page.screenshot(path=str(path))


@contextmanager
def open_canvas(url: str, width: int = 1920, height: int = 1080) -> Iterator[Canvas]:
    """A browser on the server at `url`, with an empty graph."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            canvas = Canvas(page)
            page.goto(url)
            page.wait_for_function(READY, timeout=90_000)
            page.wait_for_timeout(2500)
            page.keyboard.press("Escape")
            page.evaluate("() => app.graph.clear()")
            canvas.errors.clear()
            yield canvas
        finally:
            browser.close()
