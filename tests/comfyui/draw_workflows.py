"""Write workflows/*.json, the canvas format of workflows/api/*.json, with ComfyUI's own canvas.

    python tests/comfyui/draw_workflows.py http://127.0.0.1:8188 [--screenshots FOLDER]

Run it against a ComfyUI that has this pack, after a workflow or a node's sockets changed. Placement and notes are in
workflows.toml; everything else comes from the API file, so that the two cannot drift apart.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

from canvas import Canvas, open_canvas

ROOT = Path(__file__).parents[2]
VERSION = "0.1.0"
GAP = 60
NOTE_WIDTH = 420

LAYOUT = tomllib.loads(Path(__file__).with_name("workflows.toml").read_text())

PLACE = """
([columns, note, gap, noteWidth, version, optional]) => {
  const find = (title) => app.graph._nodes.find((node) => node.title === title);
  let x = noteWidth + gap;
  for (const titles of columns) {
    let y = 0, widest = 0;
    for (const title of titles) {
      const node = find(title);
      const least = node.computeSize();
      node.size = [Math.max(least[0], 300), least[1] + (node.type === 'LoadImage' ? 240 : 0)];
      if (node.type === 'LikenessCheckLikeness') node.size = [400, least[1] + 420];
      if (node.type === 'LikenessEnrollIdentity') node.size = [320, least[1] + 240];
      if (['SaveImage', 'PreviewImage'].includes(node.type)) node.size = [340, least[1] + 380];
      node.pos = [x, y];
      y += node.size[1] + gap;
      widest = Math.max(widest, node.size[0]);
    }
    x += widest + gap;
  }
  for (const node of app.graph._nodes) {
    if (node.type.startsWith('Likeness')) {
      node.properties.cnr_id = 'likeness-studio';
      node.properties.ver = version;
      node.color = '#2a363b'; node.bgcolor = '#3f5159';
    }
    if (optional.includes(node.title)) node.mode = 2;
    const after = node.widgets?.find((widget) => widget.name === 'control_after_generate');
    if (after) after.value = 'fixed';
  }
  const text = LiteGraph.createNode('MarkdownNote');
  app.graph.add(text);
  text.title = 'Read me';
  text.widgets[0].value = note;
  text.pos = [0, 0];
  text.size = [noteWidth, 360];
}
"""


def draw(canvas: Canvas, api: Path) -> dict[str, Any]:
    """The canvas format of an API file."""
    graph = json.loads(api.read_text())
    optional = [node["_meta"]["title"] for node in graph.values() if node["_meta"].get("optional")]
    layout = LAYOUT[api.stem]
    canvas.open_file(api)
    canvas.evaluate(PLACE, [layout["columns"], layout["note"], GAP, NOTE_WIDTH, VERSION, optional])
    canvas.fit_view()
    workflow = canvas.workflow()
    workflow["extra"] = {}
    return workflow


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--screenshots", type=Path)
    arguments = parser.parse_args()
    for api in sorted((ROOT / "workflows" / "api").glob("*.json")):
        with open_canvas(arguments.url, 2560, 1440) as canvas:
            workflow = draw(canvas, api)
            if canvas.errors:
                raise SystemExit(f"{api.stem}: {canvas.errors}")
            (ROOT / "workflows" / api.name).write_text(json.dumps(workflow, indent=1) + "\n")
            if arguments.screenshots:
                canvas.screenshot(arguments.screenshots / f"{api.stem}.png")
        print(f"workflows/{api.name}")


if __name__ == "__main__":
    main()
