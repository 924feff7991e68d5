// Words on the node: after a run, a node that has something to say says it (licence, verdict, file name).
import { app } from "../../scripts/app.js";
import { ComfyWidgets } from "../../scripts/widgets.js";

const SPEAKING = new Set([
  "LikenessLoadFaceEngine", "LikenessCheckLikeness", "LikenessGate", "LikenessSaveIdentity", "LikenessRestoreFace",
  "LikenessRetouchPhoto", "LikenessSwapFace", "LikenessStopMeasuring", "LikenessCompareLikeness", "LikenessProfessionalPrompt",
  "LikenessSubjectToken", "LikenessLoadLoraStack", "LikenessInspectLora", "LikenessMergeLoras",
]);

function say(node, text) {
  let widget = node.widgets?.find((candidate) => candidate.name === "result");
  if (!widget) {
    widget = ComfyWidgets.STRING(node, "result", ["STRING", { multiline: true }], app).widget;
    widget.serialize = false;
    widget.options.serialize = false;
    widget.options.read_only = true;
    if (widget.inputEl) widget.inputEl.readOnly = true;
  }
  widget.value = text;
}

app.registerExtension({
  name: "likenessstudio.text",
  async beforeRegisterNodeDef(nodeType, nodeData) {
    if (!SPEAKING.has(nodeData.name)) return;
    const executed = nodeType.prototype.onExecuted;
    nodeType.prototype.onExecuted = function (message, ...rest) {
      executed?.call(this, message, ...rest);
      if (message?.text?.length) say(this, message.text.join("\n"));
    };
  },
});
