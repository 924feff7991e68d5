// Growing inputs: Enroll Identity and Compare Likeness show one free picture socket, and the next one when that is used.
// The server declares all of them, so graphs run the same without this file.
import { app } from "../../scripts/app.js";

// Sockets of one number come and go together.
const GROWING = {
  LikenessEnrollIdentity: { sockets: { photos_: "IMAGE" }, first: 2, last: 8 },
  LikenessCompareLikeness: { sockets: { images_: "IMAGE", labels_: "STRING" }, first: 2, last: 4 },
};

function fit(node, { sockets, first, last }) {
  const prefixes = Object.keys(sockets);
  const slot = (prefix, number) => node.findInputSlot(`${prefix}${number}`);
  const linked = (place) => place >= 0 && node.inputs[place].link != null;
  let used = first - 1;
  for (let number = first; number <= last; number++) {
    if (prefixes.some((prefix) => linked(slot(prefix, number)))) used = number;
  }
  for (let number = last; number > used + 1; number--) {
    for (const prefix of prefixes) {
      if (slot(prefix, number) >= 0) node.removeInput(slot(prefix, number));
    }
  }
  for (let number = first; number <= Math.min(used + 1, last); number++) {
    for (const prefix of prefixes) {
      if (slot(prefix, number) < 0) node.addInput(`${prefix}${number}`, sockets[prefix]);
    }
  }
}

app.registerExtension({
  name: "likenessstudio.grow",
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
