// Growing inputs: Enroll Identity shows one free photo socket, and the next one when that is used.
// The server declares all of them, so graphs run the same without this file.
import { app } from "../../scripts/app.js";

const GROWING = { LikenessEnrollIdentity: { prefix: "photos_", type: "IMAGE", first: 2, last: 8 } };

function fit(node, { prefix, type, first, last }) {
  const slot = (number) => node.findInputSlot(`${prefix}${number}`);
  let used = first - 1;
  for (let number = first; number <= last; number++) {
    if (slot(number) >= 0 && node.inputs[slot(number)].link != null) used = number;
  }
  for (let number = last; number > used + 1; number--) {
    if (slot(number) >= 0) node.removeInput(slot(number));
  }
  for (let number = first; number <= Math.min(used + 1, last); number++) {
    if (slot(number) < 0) node.addInput(`${prefix}${number}`, type);
  }
}

app.registerExtension({
  name: "likeness-studio.grow",
  async beforeRegisterNodeDef(nodeType, nodeData) {
    const rule = GROWING[nodeData.name];
    if (!rule) return;
    const changed = nodeType.prototype.onConnectionsChange;
    nodeType.prototype.onConnectionsChange = function (...args) {
      changed?.apply(this, args);
      if (!app.configuringGraph) fit(this, rule);
    };
  },
  nodeCreated(node) {
    const rule = GROWING[node.comfyClass];
    if (rule && !app.configuringGraph) fit(node, rule);
  },
  loadedGraphNode(node) {
    const rule = GROWING[node.comfyClass];
    if (rule) fit(node, rule);
  },
});
