"""Write workflows/*.json, the canvas format of workflows/api/*.json, with ComfyUI's own canvas.

    python tests/comfyui/draw_workflows.py http://127.0.0.1:8188 [--screenshots FOLDER]

Run it against a ComfyUI that has this pack, after a workflow or a node's sockets changed. Placement and notes are
here; everything else comes from the API file, so that the two cannot drift apart.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from canvas import Canvas, open_canvas

ROOT = Path(__file__).parents[2]
VERSION = "0.1.0"
GAP = 60
NOTE_WIDTH = 420

COLUMNS: dict[str, list[list[str]]] = {
    "studio_headshot": [
        ["Photo", "Reference photos (optional)"],
        ["Matte Person", "Face engine"],
        ["Refine Matte", "Person"],
        ["Frame"],
        ["Backdrop"],
        ["Compose"],
        ["Save headshot", "Likeness"],
    ],
    "check_likeness": [
        ["Reference photo", "More reference photos (optional)"],
        ["Face engine", "Photo to check"],
        ["Person"],
        ["Likeness"],
    ],
    "enroll_identity": [["Photos of one person", "Face engine"], ["Person"], ["Contact sheet", "Save person"]],
    "keep_the_best": [["Candidates", "Person"], ["Keep the Best"], ["Save best"]],
}

NOTES = {
    "studio_headshot": (
        "## Studio headshot\n\n1. Choose your photo in **Photo**.\n2. Press **Run**.\n\nThe person is cut out, "
        "framed, put before a studio backdrop, and checked: is it still the same person?\n\n**More evidence:** put other "
        "photos of the person into `input/references` and unmute **Reference photos** (select it, Ctrl+M). The result is then "
        "compared with how well these photos agree among themselves.\n\nThe first run fetches the models (about 220 MB)."
    ),
    "check_likeness": (
        "## Check likeness\n\nChoose a photo of the person in **Reference photo** and the picture in question in "
        "**Photo to check**, then press **Run**. The verdict, with box and score, appears on **Likeness**.\n\nMore "
        "reference photos give a better answer: put them into `input/references` and unmute the folder node (Ctrl+M)."
    ),
    "enroll_identity": (
        "## Enroll a person\n\nPut three to ten photos of one person into `input/person` and press **Run**. Photos "
        "that cannot be used are left out; the contact sheet says why.\n\nA saved identity is biometric data. It is written "
        "to `output/identities`, readable by you alone."
    ),
    "keep_the_best": (
        "## Keep the best\n\nPut candidate pictures into `input/candidates`, enroll the person first, and press "
        "**Run**. The picture most like the person is saved; sharpness and exposure decide between equals."
    ),
}

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
    canvas.open_file(api)
    canvas.evaluate(PLACE, [COLUMNS[api.stem], NOTES[api.stem], GAP, NOTE_WIDTH, VERSION, optional])
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
