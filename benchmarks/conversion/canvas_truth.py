"""What the canvas makes of every template: opened in headless Chromium on a real ComfyUI, kept so that it is done once.

    COMFYUI_PATH=… COMFYUI_PYTHON=… python benchmarks/conversion/canvas_truth.py OUT [--templates DIR] [--front-end DIR]

OUT gets NAME/drawn.json (the template) and NAME/sent.json (what the canvas sends, or why it cannot judge),
object_info.json and about.json. What is there is not done again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from likeness_studio.tests.comfyui import canvas as driver
from likeness_studio.tests.conftest import start_comfyui

ASK = """async (graph) => {
  const missing = new Set();
  const see = (nodes, inner) => { for (const node of nodes ?? [])
    if (!inner.has(node.type) && !(node.type in LiteGraph.registered_node_types)) missing.add(node.type); };
  const inner = new Set((graph.definitions?.subgraphs ?? []).map((one) => one.id));
  see(graph.nodes, inner);
  for (const one of graph.definitions?.subgraphs ?? []) see(one.nodes, inner);
  const read = async (byName) => {
    LiteGraph.namedValuesRestore = byName;
    await app.loadGraphData(structuredClone(graph));
    await new Promise((done) => setTimeout(done, 60));
    return (await app.graphToPrompt()).output;
  };
  const named = JSON.stringify(graph).includes('"widgets_values_named"') && 'namedValuesRestore' in LiteGraph;
  const prompt = await read(false);
  return JSON.stringify({missing: [...missing], prompt, by_name: named ? await read(true) : null});
}"""
PAGE_OF = 40
"""Templates that one browser page opens before it is left for a new one."""


def templates_of(url: str) -> dict[str, Any]:
    """The templates that a server offers, by name."""
    with httpx.Client(base_url=f"{url}/templates", timeout=30) as client:
        groups = client.get("/index.json").json()
        names = sorted({entry["name"] for group in groups for entry in group["templates"]})
        answers = {name: client.get(f"/{name}.json") for name in names}
        return {name: answer.json() for name, answer in answers.items() if answer.status_code == 200}


def templates_in(folder: Path) -> dict[str, Any]:
    """The templates in a folder, such as an unpacked package of them, by name."""
    graphs = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.rglob("*.json"))}
    return {name: graph for name, graph in graphs.items() if isinstance(graph, dict) and "nodes" in graph}


@contextlib.contextmanager
def comfyui(*words: str) -> Iterator[str]:
    """A real ComfyUI; its address."""
    base = Path(tempfile.mkdtemp(prefix="conversion-"))
    process, server = start_comfyui(base, *words)
    try:
        yield server.url
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(base, ignore_errors=True)


def collect(url: str, templates: dict[str, Any], out: Path) -> None:
    """Open each template that is not there yet, and keep what the canvas makes of it."""
    described = httpx.get(f"{url}/object_info", timeout=60).json()
    (out / "object_info.json").write_text(json.dumps(described))
    left = [name for name in templates if not (out / name / "sent.json").is_file()]
    for first in range(0, len(left), PAGE_OF):
        with driver.open_canvas(url) as canvas:
            canvas.page.set_default_timeout(60_000)
            for name in left[first : first + PAGE_OF]:
                try:
                    sent = json.loads(canvas.evaluate(ASK, templates[name]))
                except Exception as error:  # noqa: BLE001
                    sent = {"missing": [], "prompt": None, "error": str(error)[:400]}
                (out / name).mkdir(exist_ok=True)
                (out / name / "drawn.json").write_text(json.dumps(templates[name]))
                (out / name / "sent.json").write_text(json.dumps(sent))
        print(min(first + PAGE_OF, len(left)), "of", len(left), flush=True)


def main() -> None:
    """See the head of this file."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("out", type=Path)
    words.add_argument("--templates", type=Path, help="a folder of templates [default: those that the server offers]")
    words.add_argument("--front-end", type=Path, help="the static folder of another frontend than the server's own")
    given = words.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    more = ["--front-end-root", str(given.front_end.resolve())] if given.front_end else []
    with comfyui(*more) as url:
        about = httpx.get(f"{url}/system_stats", timeout=30).json()["system"]["comfyui_version"]
        (out_about := given.out / "about.json").write_text(json.dumps({"comfyui": about}))
        collect(url, templates_in(given.templates) if given.templates else templates_of(url), given.out)
        print(out_about.read_text())


if __name__ == "__main__":
    main()
