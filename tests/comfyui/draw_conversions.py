"""Draw small graphs on the real canvas and keep each with what the canvas makes of it: the truth for our converter.

Run with a server's address: ``python tests/comfyui/draw_conversions.py http://127.0.0.1:8188``. Writes
tests/runner/canvas/NAME.json: ``workflow`` as the canvas saves it, ``prompt`` as its Run button sends it, and
``nodes``, the server's description of the node classes in it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import canvas as driver
import httpx

TARGET = Path(__file__).parents[1] / "runner" / "canvas"

TOOLS = """
const g = app.graph; g.clear();
let x = 0;
const mk = (type) => { const n = LiteGraph.createNode(type); n.pos = [x += 300, 0]; g.add(n); return n; };
const slot = (n, name) => n.inputs.findIndex((i) => i.name === name);
const set = (n, name, value) => { n.widgets.find((w) => w.name === name).value = value; };
const group = (...nodes) => (nodes[0].graph).convertToSubgraph(new Set(nodes));
const promote = (sub, inner, name, type) => sub.addInput(name, type).connect(inner.inputs[slot(inner, name)], inner);
const press = (word, node) => { app.canvas.select(node);
  app.extensionManager.command.execute(`Comfy.Canvas.ToggleSelectedNodes.${word}`); };
const SKIP = 4, MUTE = 2;
"""

CHAIN = """
const e = mk('EmptyImage'), i = mk('ImageInvert'), s = mk('ImageScaleBy'), o = mk('SaveImage');
e.connect(0, i, 0); i.connect(0, s, 0); s.connect(0, o, 0);
"""

SAMPLER = """
const c = mk('CheckpointLoaderSimple'), p = mk('CLIPTextEncode'), n = mk('CLIPTextEncode'), l = mk('EmptyLatentImage'),
  k = mk('KSampler'), v = mk('VAEDecode'), o = mk('SaveImage'), lora = mk('LoraLoader');
c.connect(0, lora, 0); c.connect(1, lora, 1); lora.connect(1, p, 0); lora.connect(1, n, 0); lora.connect(0, k, 0);
p.connect(0, k, 1); n.connect(0, k, 2); l.connect(0, k, 3); k.connect(0, v, 0); c.connect(2, v, 1); v.connect(0, o, 0);
set(p, 'text', 'a portrait'); set(n, 'text', 'blurry'); set(k, 'seed', 77); set(k, 'control_after_generate', 'fixed');
"""

GRAPHS = {
    "plain": CHAIN,
    "bypassed": CHAIN + "i.mode = SKIP;",
    "muted": CHAIN + "i.mode = MUTE;",
    "bypassed_loader": SAMPLER + "lora.mode = SKIP;",
    "bypassed_without_match": SAMPLER + "k.mode = SKIP; l.mode = SKIP;",
    "bypassed_twice": CHAIN + "i.mode = SKIP; s.mode = SKIP;",
    "muted_output": CHAIN + "const q = mk('PreviewImage'); i.connect(0, q, 0); o.mode = MUTE;",
    "sampler": SAMPLER,
    "reroutes": CHAIN
    + """const r = mk('Reroute'), t = mk('Reroute'); e.connect(0, r, 0); r.connect(0, t, 0); t.connect(0, i, 0);""",
    "reroute_from_nowhere": CHAIN + "const r = mk('Reroute'); r.connect(0, s, 0);",
    "reroute_of_muted": CHAIN + "const r = mk('Reroute'); i.connect(0, r, 0); r.connect(0, s, 0); i.mode = MUTE;",
    "reroute_of_bypassed": CHAIN + "const r = mk('Reroute'); i.connect(0, r, 0); r.connect(0, s, 0); i.mode = SKIP;",
    "primitive": SAMPLER
    + """const a = mk('PrimitiveNode'); a.connect(0, k, slot(k, 'steps')); a.widgets[0].value = 7;
    const b = mk('PrimitiveNode'); b.connect(0, k, slot(k, 'seed')); b.widgets[0].value = 123;""",
    "primitive_of_text": SAMPLER
    + """const a = mk('PrimitiveString'); set(a, 'value', 'words'); a.connect(0, p, slot(p, 'text'));""",
    "muted_value": SAMPLER
    + """const a = mk('PrimitiveInt'); set(a, 'value', 9); a.connect(0, k, slot(k, 'steps')); a.mode = MUTE;""",
    "bypassed_value": SAMPLER
    + """const a = mk('PrimitiveInt'); set(a, 'value', 9); a.connect(0, k, slot(k, 'steps')); a.mode = SKIP;""",
    "note": CHAIN + "mk('Note'); mk('MarkdownNote');",
    "titles": CHAIN + "i.title = 'Negative'; e.title = 'Blank';",
    "subgraph": CHAIN + "group(i, s);",
    "subgraph_bypassed": CHAIN + "const r = group(i, s); press('Bypass', r.node);",
    "subgraph_muted": CHAIN + "const r = group(i, s); press('Mute', r.node);",
    "subgraph_bypassed_with_output": CHAIN
    + "const q = mk('PreviewImage'); i.connect(0, q, 0); const r = group(i, s, q); press('Bypass', r.node);",
    "subgraph_passes_on": CHAIN + "const r = group(i, s); for (const n of r.subgraph.nodes) n.mode = SKIP;",
    "subgraph_with_muted": CHAIN + "i.mode = MUTE; group(i, s);",
    "subgraph_with_bypassed": CHAIN + "s.mode = SKIP; group(i, s);",
    "subgraph_in_subgraph": CHAIN
    + """const q = mk('PreviewImage'); i.connect(0, q, 0); const r = group(i, s);
    group(r.subgraph.nodes.find((n) => n.type === 'ImageScaleBy'));""",
    "subgraph_of_everything": CHAIN + "group(e, i, s, o);",
    "subgraph_widget": CHAIN
    + """const r = group(i, s); const z = r.subgraph.nodes.find((n) => n.type === 'ImageScaleBy');
    promote(r.subgraph, z, 'scale_by', 'FLOAT'); set(r.node, 'scale_by', 0.5);""",
    "subgraph_widget_linked": CHAIN
    + """const r = group(i, s); const z = r.subgraph.nodes.find((n) => n.type === 'ImageScaleBy');
    promote(r.subgraph, z, 'scale_by', 'FLOAT'); const f = mk('PrimitiveFloat'); set(f, 'value', 0.25);
    f.connect(0, r.node, slot(r.node, 'scale_by'));""",
    "subgraph_seed": SAMPLER
    + """const r = group(k, v); const z = r.subgraph.nodes.find((n) => n.type === 'KSampler');
    promote(r.subgraph, z, 'seed', 'INT'); promote(r.subgraph, z, 'steps', 'INT');
    promote(r.subgraph, z, 'sampler_name', 'COMBO');
    set(r.node, 'seed', 5); set(r.node, 'steps', 6); set(r.node, 'sampler_name', 'heun');""",
    "group_of_reroutes": CHAIN + "const r = mk('Reroute'); e.connect(0, r, 0); r.connect(0, i, 0); group(r, i);",
    "subgraph_reroute": CHAIN + "const r = mk('Reroute'); i.connect(0, r, 0); r.connect(0, s, 0); group(i, r, s);",
    "subgraph_twice": CHAIN
    + """const r = group(s); const z = r.subgraph.nodes[0]; promote(r.subgraph, z, 'scale_by', 'FLOAT');
    set(r.node, 'scale_by', 0.5); const again = LiteGraph.createNode(r.node.type); g.add(again);
    const q = mk('PreviewImage'); i.connect(0, again, 0); again.connect(0, q, 0); set(again, 'scale_by', 0.25);""",
    "prompt_text": SAMPLER
    + r"""set(p, 'text', 'a /* no\nmore */ b // gone {x|y}\nnext \\{x|y\\} {one|one} {a{b|b}|ab} } | {c\\|d} end {e|e');
    set(n, 'text', 'http://cut {f} \\\\{g|g}');""",
    "prompt_text_of_primitive": SAMPLER
    + """const a = mk('PrimitiveNode'); a.connect(0, p, slot(p, 'text')); a.widgets[0].value = 'x {y|y} // z';""",
    "prompt_text_of_subgraph": SAMPLER
    + """const r = group(p); promote(r.subgraph, r.subgraph.nodes[0], 'text', 'STRING');
    set(r.node, 'text', 'x {y|y} // z');""",
    "lists": "const a = mk('ImageInvert'), b = mk('LoadImage'), o = mk('PreviewImage');"
    "set(b, 'image', 'me.png'); b.connect(0, a, 0); a.connect(0, o, 0);",
}
"""JavaScript that draws each graph."""


KINDS = (
    *("CLIPTextEncode", "CheckpointLoaderSimple", "EmptyImage", "EmptyLatentImage", "ImageInvert", "ImageScaleBy"),
    *("KSampler", "LoadImage", "LoraLoader", "PreviewImage", "PrimitiveFloat", "PrimitiveInt", "PrimitiveString"),
    *("SaveImage", "VAEDecode"),
)


def main(url: str, names: list[str]) -> None:
    """Draw, convert, open again what was saved, convert again, and keep."""
    TARGET.mkdir(exist_ok=True)
    described = httpx.get(f"{url}/object_info", timeout=60).json()
    with driver.open_canvas(url) as canvas:
        for name in names or GRAPHS:
            canvas.evaluate("() => {" + TOOLS + GRAPHS[name] + "}")
            canvas.page.wait_for_timeout(200)
            file = TARGET / f"{name}.json"
            file.write_text(json.dumps(canvas.workflow()))
            canvas.open_file(file)
            kept = {"workflow": json.loads(file.read_text()), "prompt": canvas.prompt()}
            kept["nodes"] = {kind: described[kind] for kind in KINDS if f'"{kind}"' in file.read_text()}
            file.write_text(json.dumps(kept, sort_keys=True) + "\n")
            print(name, len(kept["prompt"]), *canvas.errors)
            canvas.errors.clear()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
