"""Write workflows/*.json, the canvas format of workflows/api/*.json, with ComfyUI's own canvas.

    python tests/comfyui/draw_workflows.py http://127.0.0.1:8188 [--screenshots FOLDER] [--covers] [NAME ...]

Run it against a ComfyUI that has this pack, after a workflow or a node's sockets changed. Placement and notes are in
workflows.toml; everything else comes from the API file, so that the two cannot drift apart. A workflow with nodes of
other packs is drawn on a server that has these packs too. ``--covers`` makes workflows/NAME.jpg of the drawn graph,
for those whose results cannot be shown.
"""

from __future__ import annotations

import argparse
import json
import tempfile
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
({columns, groups, note, noteHeight, gap, noteWidth, version, core, meta}) => {
  const find = (title) => {
    const found = app.graph._nodes.find((node) => node.title === title);
    if (!found) throw new Error(`no node is called ${title}`);
    return found;
  };
  const headroom = 90;
  const passing = new Set(Object.values(meta).map((said) => said.stage)
    .filter((stage) => stage?.passes?.some((name) => name)).map((stage) => stage.name));
  const size = (node) => {
    const least = node.computeSize();
    const taller = {LoadImage: 240, SaveImage: 380, PreviewImage: 380, LikenessEnrollIdentity: 240,
      LikenessCheckLikeness: 420, LikenessKeepBest: 320, LikenessCompareLikeness: 320};
    const wider = {SaveImage: 340, PreviewImage: 340, LikenessCheckLikeness: 400, LikenessKeepBest: 400,
      LikenessCompareLikeness: 400, LikenessEnrollIdentity: 320, LikenessProfessionalPrompt: 420};
    let height = least[1] + (taller[node.type] ?? 0);
    for (const widget of node.widgets ?? []) if (widget.type === 'customtext') height = Math.max(height, least[1]);
    node.size = [Math.max(least[0], wider[node.type] ?? 300), height];
  };
  const place = (titles, x, top) => {
    let y = top, widest = 0;
    for (const title of titles) {
      const node = find(title);
      size(node);
      node.pos = [x, y];
      y += node.size[1] + gap;
      widest = Math.max(widest, node.size[0]);
    }
    return [widest, y - gap];
  };
  const lay = (columns, x, top) => {
    let bottom = top;
    for (const titles of columns) {
      const [width, low] = place(titles, x, top);
      x += width + gap;
      bottom = Math.max(bottom, low);
    }
    return [x - gap, bottom];
  };
  lay(columns, noteWidth + gap, 0);
  let left = noteWidth + gap;
  for (let column = 0; groups.some((group) => group.column === column); column++) {
    let top = 0, right = left;
    for (const group of groups.filter((group) => group.column === column)) {
      const [far, low] = lay(group.columns, left + 20, top + headroom);
      const box = new LiteGraph.LGraphGroup(group.title);
      box.pos = [left, top]; box.size = [far - left + 20, low - top + 20];
      box.color = group.optional ? '#8a6d3b' : '#3f789e';
      app.graph.add(box);
      group.box = box;
      top = low + 20 + gap;
      right = Math.max(right, far + 20);
    }
    for (const group of groups.filter((group) => group.column === column)) group.box.size[0] = right - left;
    left = right + gap;
  }
  for (const node of app.graph._nodes) {
    const said = meta[node.title] ?? {};
    if (node.type.startsWith('Likeness')) {
      node.properties.cnr_id = 'likeness-studio';
      node.properties.ver = version;
      node.color = '#2a363b'; node.bgcolor = '#3f5159';
    } else {
      node.properties.cnr_id = said.cnr_id ?? 'comfy-core';
      node.properties.ver = said.ver ?? core;
    }
    if (said.models) node.properties.models = said.models;
    if (said.optional) node.mode = 2;
    if (said.stage?.on === false) node.mode = passing.has(said.stage.name) ? 4 : 2;
    const after = node.widgets?.find((widget) => widget.name === 'control_after_generate');
    if (after) after.value = 'fixed';
  }
  const text = LiteGraph.createNode('MarkdownNote');
  app.graph.add(text);
  text.title = 'Read me';
  text.widgets[0].value = note;
  text.pos = [0, 0];
  text.size = [noteWidth, noteHeight];
  window.likenessSizes = app.graph._nodes.map((node) => [node, [...node.size]]);
}
"""

SETTLE = "() => { for (const [node, size] of window.likenessSizes) node.setSize(size); }"
"""The canvas sizes some nodes once more when it first shows them."""

LOOK = """
(margin) => {
  app.canvas.low_quality_zoom_threshold = 0;
  app.extensionManager.setting.set('Comfy.Minimap.Visible', false);
  const boxes = [...app.graph._nodes, ...app.graph._groups].map((each) => each.boundingRect ?? each._bounding);
  const left = Math.min(...boxes.map((box) => box[0])), top = Math.min(...boxes.map((box) => box[1])) - 40;
  const right = Math.max(...boxes.map((box) => box[0] + box[2]));
  const bottom = Math.max(...boxes.map((box) => box[1] + box[3]));
  const view = app.canvas.canvas.getBoundingClientRect();
  const width = view.width - 2 * margin, height = view.height - 2 * margin;
  const scale = Math.min(width / (right - left), height / (bottom - top));
  app.canvas.ds.scale = scale;
  app.canvas.ds.offset = [margin / scale - left, margin / scale - top];
  app.canvas.setDirty(true, true);
  const corner = [view.left + margin, view.top + margin];
  return [...corner, corner[0] + (right - left) * scale, corner[1] + (bottom - top) * scale];
}
"""
LARGEST_COVER = (1920, 1280)

MARGIN = 100
"""Pixels of the screen around the graph, where the canvas has its bars."""

CORE = "0.3.64"
"""The ComfyUI that the graphs were drawn on, which is what the canvas writes as the version of core's nodes."""


def draw(canvas: Canvas, api: Path) -> dict[str, Any]:
    """The canvas format of an API file."""
    graph = json.loads(api.read_text())
    layout = LAYOUT[api.stem]
    canvas.open_file(api)
    canvas.fit_view()
    given = {
        "columns": layout.get("columns", []),
        "groups": layout.get("groups", []),
        "note": layout["note"],
        "noteHeight": layout.get("note_height", 360),
        "gap": GAP,
        "noteWidth": NOTE_WIDTH,
        "version": VERSION,
        "core": CORE,
        "meta": {node["_meta"]["title"]: node["_meta"] for node in graph.values()},
    }
    canvas.evaluate(PLACE, given)
    canvas.fit_view()
    canvas.evaluate(SETTLE)
    canvas.page.wait_for_timeout(500)
    workflow = canvas.workflow()
    workflow["extra"] = {}
    return workflow


def picture(canvas: Canvas, target: Path) -> None:
    """The whole graph and nothing else, as large as the screen."""
    from PIL import Image

    box = canvas.evaluate(LOOK, MARGIN)
    canvas.page.wait_for_timeout(1500)
    canvas.screenshot(target)
    with Image.open(target) as screen:
        graph = screen.convert("RGB").crop(
            tuple(round(edge) + (12 if place > 1 else -12) for place, edge in enumerate(box))
        )
    graph.save(target)


def cover(drawn: Path, name: str) -> None:
    """The graph as the template browser's picture."""
    from PIL import Image, ImageOps

    with Image.open(drawn) as graph:
        sheet = ImageOps.contain(graph, LARGEST_COVER, Image.Resampling.LANCZOS)
    sheet.save(ROOT / "workflows" / f"{name}.jpg", quality=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--screenshots", type=Path)
    parser.add_argument("--covers", action="store_true")
    arguments = parser.parse_args()
    for api in sorted((ROOT / "workflows" / "api").glob("*.json")):
        if arguments.names and api.stem not in arguments.names:
            continue
        with open_canvas(arguments.url, 3840, 2160) as canvas, tempfile.TemporaryDirectory() as temp:
            workflow = draw(canvas, api)
            if canvas.errors:
                raise SystemExit(f"{api.stem}: {canvas.errors}")
            if canvas.missing_nodes():
                raise SystemExit(f"{api.stem}: this server lacks {', '.join(canvas.missing_nodes())}.")
            (ROOT / "workflows" / api.name).write_text(json.dumps(workflow, indent=1) + "\n")
            drawn = (arguments.screenshots or Path(temp)) / f"{api.stem}.png"
            picture(canvas, drawn)
            if arguments.covers and "groups" in LAYOUT[api.stem]:
                cover(drawn, api.stem)
        print(f"workflows/{api.name}")


if __name__ == "__main__":
    main()
