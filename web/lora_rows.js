// Rows of the LoRA nodes: one free row is shown, and the next one when that is used.
// The rows that are not shown are there with their defaults, so graphs run the same without this file.
import { app } from "../../scripts/app.js";

const ROWS = 8;
const NODES = {
  LikenessLoadLoraStack: ["on", "lora", "strength_model", "strength_clip"],
  LikenessMergeLoras: ["on", "lora", "strength"],
};

const loaded = new WeakSet();
const widget = (node, name) => node.widgets?.find((candidate) => candidate.name === name);
const linked = (node, name) => node.inputs?.some((input) => input.name === name && input.link != null);

// Nodes 2.0 asks the options in frontends of early 2026, and the widget itself in later ones. The canvas makes room for
// hidden widgets too, four pixels more than they say.
function show(widget, visible) {
  widget.hidden = !visible;
  (widget.options ??= {}).hidden = !visible;
  if (visible) delete widget.computeSize;
  else widget.computeSize = () => [0, -4];
}

// A new node gets the least height, a loaded one keeps what it was saved with, and later the height follows the rows.
const HEIGHT = {
  added: (height, before, least) => least,
  loaded: (height, before, least) => Math.max(height, least),
  changed: (height, before, least) => Math.max(height + least - before, least),
};

function fit(node, what = "changed") {
  const kinds = NODES[node.comfyClass];
  let used = 0;
  for (let row = 1; row <= ROWS; row++) {
    const lora = widget(node, `lora_${row}`);
    const chosen = lora && lora.value !== "none";
    if (chosen || kinds.some((kind) => linked(node, `${kind}_${row}`))) used = row;
  }
  const before = node.computeSize()[1];
  for (let row = 1; row <= ROWS; row++) {
    for (const kind of kinds) {
      const shown = widget(node, `${kind}_${row}`);
      if (shown) show(shown, row <= used + 1);
    }
  }
  const [width, least] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), HEIGHT[what](node.size[1], before, least)]);
  node.setDirtyCanvas?.(true, true);
}

function watch(node) {
  for (let row = 1; row <= ROWS; row++) {
    const lora = widget(node, `lora_${row}`);
    if (!lora) continue;
    const chosen = lora.callback;
    lora.callback = function (...args) {
      const result = chosen?.apply(this, args);
      fit(node);
      return result;
    };
  }
}

app.registerExtension({
  name: "likenessstudio.lora-rows",
  async beforeRegisterNodeDef(nodeType, nodeData) {
    if (!NODES[nodeData.name]) return;
    const changed = nodeType.prototype.onConnectionsChange;
    nodeType.prototype.onConnectionsChange = function (...args) {
      changed?.apply(this, args);
      if (!app.configuringGraph) fit(this);
    };
  },
  nodeCreated(node) {
    if (!NODES[node.comfyClass]) return;
    watch(node);
    fit(node, "added");
    // A graph in API format fills its widgets without a word.
    requestAnimationFrame(() => fit(node, loaded.has(node) ? "loaded" : "added"));
  },
  loadedGraphNode(node) {
    if (!NODES[node.comfyClass]) return;
    loaded.add(node);
    fit(node, "loaded");
  },
});
