"""Write workflows/*.json, the canvas format of workflows/api/*.json, with ComfyUI's own canvas.

    python tests/comfyui/draw_workflows.py http://127.0.0.1:8188 [NAME ...] [--places] [--covers]
        [--screenshots FOLDER]

Run it against a ComfyUI that has this pack, after a workflow or a node's sockets changed. Placement and notes are in
workflows.toml; everything else comes from the API file, so that the two cannot drift apart. A workflow with nodes of
other packs is drawn on a server that has these packs too; ``--places`` changes nothing but notes, groups, and where
and how large the nodes are, and needs no such packs. A workflow must open readable: tests/runner/test_layout.py.
``--covers`` makes workflows/NAME.jpg of the drawn graph, for those whose results cannot be shown.
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
GAP = 18

LAYOUT = tomllib.loads(Path(__file__).with_name("workflows.toml").read_text())

PLACE = """
({groups, note, folded, narrow, widths, heights, gap, version, core, meta, onlyPlaces}) => {
  const NODE_TITLE = 30, GROUP_TITLE = 44, MARGIN = 14, BETWEEN = 12, BADGE = 12;
  const find = (title) => {
    const found = app.graph._nodes.find((node) => node.title === title);
    if (!found) throw new Error(`no node is called ${title}`);
    return found;
  };
  const known = (node) => node.type in LiteGraph.registered_node_types;
  const passing = new Set(Object.values(meta).map((said) => said.stage)
    .filter((stage) => stage?.passes?.some((name) => name)).map((stage) => stage.name));
  let text = app.graph._nodes.find((node) => node.title === 'Read me');
  if (!text) {
    text = LiteGraph.createNode('MarkdownNote');
    app.graph.add(text);
    text.title = 'Read me';
  }
  text.widgets[0].value = note;
  for (const group of [...app.graph._groups]) app.graph.remove(group);
  const HEIGHT = {LoadImage: 326, SaveImage: 280, PreviewImage: 176, MarkdownNote: 326, LikenessCheckLikeness: 500,
    LikenessKeepBest: 470, LikenessGate: 300, LikenessCompareLikeness: 560, LikenessEnrollIdentity: 434};
  const WIDTH = {LoadImage: 280, LikenessProfessionalPrompt: 310, CheckpointLoaderSimple: 310, UNETLoader: 340,
    LikenessGate: 330, LikenessKeepBest: 330, LikenessCompareLikeness: 320};
  // How much taller a node is in Nodes 2.0, the canvas's other way to draw, and how wide a folded node at least.
  const TALLER = {EmptyLatentImage: 12, LikenessCheckIDPhoto: 40, LikenessFrameHeadshot: 48, LikenessLoadIdentity: 36,
    LikenessLoadLoraStack: 40, LikenessLoadPhotos: 36, LikenessMakeIDPhoto: 44, LikenessPrintSheet: 76,
    LikenessProfessionalPrompt: 108, LikenessProtectFace: 44, LikenessRetouchPhoto: 56, LikenessSaveIdentity: 36,
    LikenessSaveWithProvenance: 68, LikenessStudioBackdrop: 36, LikenessSubjectToken: 68, LikenessTryStrengths: 48};
  const FOLDED = narrow ? 0 : 225;
  const size = (node) => {
    if (!known(node)) return;
    const least = node.computeSize();
    node.size = [Math.max(widths[node.title] ?? WIDTH[node.type] ?? 290, node.flags.collapsed ? least[0] : 0),
      Math.max(least[1], heights[node.title] ?? HEIGHT[node.type] ?? 0)];
  };
  const pen = document.createElement('canvas').getContext('2d');
  // ComfyUI writes the pack's name above each of its nodes: over a folded node's neighbour if that is too near.
  const badge = (node) => node?.type.startsWith('Likeness') ? BADGE : 0;
  const foldedWidth = (node) => {
    pen.font = node.titleFontStyle ?? 'normal 14px Arial';
    return Math.max(FOLDED, Math.min(node.size[0], pen.measureText(node.title).width + 2 * NODE_TITLE));
  };
  const place = (titles, x, top) => {
    let y = top;
    const nodes = titles.map(find);
    for (const node of nodes) {
      node.flags.collapsed = folded.includes(node.title);
      if (!node.flags.collapsed) delete node.flags.collapsed;
      size(node);
    }
    const width = Math.max(...nodes.map((node) => node.flags.collapsed ? foldedWidth(node) : node.size[0]));
    for (const [index, node] of nodes.entries()) {
      node.pos = [Math.round(x), Math.round(y)];
      if (!node.flags.collapsed) node.size[0] = Math.round(width);
      const taller = node.flags.collapsed ? 0 : (TALLER[node.type] ?? 0) + 2;
      const below = Math.max(BETWEEN + badge(nodes[index + 1]), taller);
      y += (node.flags.collapsed ? 0 : node.size[1]) + NODE_TITLE + below;
    }
    const last = nodes.at(-1);
    return [width, last.flags.collapsed ? last.pos[1] : last.pos[1] + last.size[1]];
  };
  const lay = (columns, x, top) => {
    let bottom = top;
    for (const titles of columns) {
      const [width, low] = place(titles, x, top);
      x += width + BETWEEN;
      bottom = Math.max(bottom, low);
    }
    return [x - BETWEEN, bottom];
  };
  let left = -MARGIN;
  for (let column = 0; groups.some((group) => group.column === column); column++) {
    let top = -NODE_TITLE - GROUP_TITLE, right = left;
    for (const group of groups.filter((group) => group.column === column)) {
      const room = group.columns.some(([first]) => folded.includes(first)) ? BADGE : 0;
      const [far, low] = lay(group.columns, left + MARGIN, top + NODE_TITLE + GROUP_TITLE + room);
      const box = new LiteGraph.LGraphGroup(group.title);
      box.pos = [Math.round(left), Math.round(top)];
      box.size = [Math.round(far - left + MARGIN), Math.round(low - top + MARGIN)];
      box.color = group.optional ? '#8a6d3b' : '#3f789e';
      app.graph.add(box);
      group.box = box;
      top = low + MARGIN + gap;
      right = Math.max(right, far + MARGIN);
    }
    for (const group of groups.filter((group) => group.column === column)) group.box.size[0] = Math.round(right - left);
    left = right + gap;
  }
  window.likenessSizes = app.graph._nodes.filter((node) => !node.flags.collapsed).map((node) => [node, [...node.size]]);
  if (onlyPlaces) return;
  for (const node of app.graph._nodes.filter((node) => node !== text)) {
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
}
"""

SETTLE = "() => { for (const [node, size] of window.likenessSizes) node.setSize(size); }"
"""The canvas sizes some nodes once more when it first shows them."""

LOOK = """
(margin) => {
  app.canvas.low_quality_zoom_threshold = 0;
  app.extensionManager.setting.set('Comfy.Minimap.Visible', false);
  for (const node of app.graph._nodes) node.has_errors = false;
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
LARGEST_COVER = (1440, 960)

MARGIN = 100
"""Pixels of the screen around the graph, where the canvas has its bars."""

CORE = "0.3.64"
"""The ComfyUI that the graphs were drawn on, which is what the canvas writes as the version of core's nodes."""


def draw(canvas: Canvas, name: str, only_places: bool) -> dict[str, Any]:
    """The canvas format of an API file; with `only_places` the drawn file with its nodes placed anew."""
    api, drawn = (ROOT / "workflows" / part / f"{name}.json" for part in ("api", ""))
    graph = json.loads(api.read_text())
    layout = LAYOUT[name]
    canvas.open_file(drawn if only_places else api)
    canvas.fit_view()
    given = {
        "groups": layout["groups"],
        "note": layout["note"],
        "folded": folded(layout, graph),
        "narrow": layout.get("narrow", False),
        "widths": layout.get("widths", {}),
        "heights": layout.get("heights", {}),
        "gap": GAP,
        "version": VERSION,
        "core": CORE,
        "meta": {node["_meta"]["title"]: node["_meta"] for node in graph.values()},
        "onlyPlaces": only_places,
    }
    canvas.evaluate(PLACE, given)
    canvas.fit_view()
    canvas.evaluate(SETTLE)
    canvas.page.wait_for_timeout(500)
    workflow = canvas.workflow()
    if only_places:
        return placed(json.loads(drawn.read_text()), workflow, canvas.places())
    workflow["extra"] = {}
    return workflow


def folded(layout: dict[str, Any], graph: dict[str, Any]) -> list[str]:
    """The titles of the nodes that nobody needs to touch: those of a type that is folded, and those that are named."""
    by_type = [node["_meta"]["title"] for node in graph.values() if node["class_type"] in LAYOUT["folded_types"]]
    return [title for title in (*by_type, *layout.get("folded", ())) if title not in layout.get("open", ())]


def placed(workflow: dict[str, Any], now: dict[str, Any], places: dict[str, Any]) -> dict[str, Any]:
    """A drawn workflow with the places, sizes, folds, groups and note of the canvas, and nothing else of it."""
    for node in workflow["nodes"]:
        node |= places[str(node["id"])]
        if node["type"] == "MarkdownNote":
            (note,) = (each for each in now["nodes"] if each["id"] == node["id"])
            node["widgets_values"] = note["widgets_values"]
    workflow["groups"] = [group | {"id": number} for number, group in enumerate(now["groups"], 1)]
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
    parser.add_argument("--places", action="store_true", help="only place the nodes of the drawn files anew")
    arguments = parser.parse_intermixed_args()
    for api in sorted((ROOT / "workflows" / "api").glob("*.json")):
        if arguments.names and api.stem not in arguments.names:
            continue
        with open_canvas(arguments.url, 3840, 2160) as canvas, tempfile.TemporaryDirectory() as temp:
            workflow = draw(canvas, api.stem, arguments.places)
            if canvas.errors:
                raise SystemExit(f"{api.stem}: {canvas.errors}")
            if canvas.missing_nodes() and not arguments.places:
                raise SystemExit(f"{api.stem}: this server lacks {', '.join(canvas.missing_nodes())}.")
            (ROOT / "workflows" / api.name).write_text(json.dumps(workflow, indent=1) + "\n")
            drawn = (arguments.screenshots or Path(temp)) / f"{api.stem}.png"
            picture(canvas, drawn)
            if arguments.covers and LAYOUT[api.stem].get("graph_is_cover"):
                cover(drawn, api.stem)
        print(f"workflows/{api.name}")


if __name__ == "__main__":
    main()
