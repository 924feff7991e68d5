// Rows of the LoRA nodes: one free row is shown, and the next one when that is used.
// The rows that are not shown are there with their defaults, so graphs run the same without this file.
import { app } from "../../scripts/app.js";

const ROWS = 8;
const NODES = {
  LikenessLoadLoraStack: ["on", "lora", "strength_model", "strength_clip"],
  LikenessMergeLoras: ["on", "lora", "strength"],
};

const widget = (node, name) => node.widgets?.find((candidate) => candidate.name === name);
const linked = (node, name) => node.inputs?.some((input) => input.name === name && input.link != null);

function fit(node) {
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
      if (shown) shown.hidden = row > used + 1;
    }
  }
  // A node that was made larger, or saved with its size, keeps what it has beyond its rows.
  const [width, least] = node.computeSize();
  const height = node.size[1] >= before ? node.size[1] + least - before : Math.max(node.size[1], least);
  node.setSize([Math.max(node.size[0], width), height]);
  node.setDirtyCanvas?.(true, true);
}

// The canvas sizes a new node for all of its widgets after it was created.
const fitSoon = (node) => requestAnimationFrame(() => fit(node));

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
  name: "likeness-studio.lora-rows",
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
    fitSoon(node);
  },
  loadedGraphNode(node) {
    if (NODES[node.comfyClass]) fitSoon(node);
  },
});
