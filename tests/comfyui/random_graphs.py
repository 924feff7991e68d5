"""Random graphs with all that a canvas can do, drawn on it by JavaScript from a seed."""

from __future__ import annotations

DRAW = r"""
(seed) => {
  let state = seed * 2654435761 % 4294967296;
  const next = () => { state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0;
    return state / 4294967296; };
  const below = (n) => Math.floor(next() * n), pick = (list) => list[below(list.length)], chance = (p) => next() < p;
  const g = app.graph; g.clear();
  const known = (list) => list.filter((type) => type in LiteGraph.registered_node_types);
  const KINDS = known(['EmptyImage', 'EmptyImage', 'ImageInvert', 'ImageScaleBy', 'ImageBatch', 'ImageBlend',
    'ImageCompositeMasked', 'SolidMask', 'PrimitiveInt', 'PrimitiveFloat', 'PrimitiveString', 'PrimitiveBoolean',
    'StringConcatenate', 'EmptyLatentImage', 'KSampler', 'CLIPTextEncode', 'CheckpointLoaderSimple', 'VAEDecode',
    'ResizeImageMaskNode', 'ResizeImageMaskNode', 'BatchImagesNode', 'BatchImagesNode', 'CustomCombo',
    'ComfySwitchNode', 'ComfyMathExpression', 'StringFormat', 'Reroute', 'PreviewAny']);
  const TEXTS = ['', 'a face', 'x {y|y} // gone', '{one|one}', '%date:yyyy%', '%EmptyImage.width%_a', 'ü "q"', '[1]'];
  const attempt = (act) => { try { return act(); } catch (error) { return undefined; } };
  let x = 0;
  const make = (type, graph = g) => { const node = LiteGraph.createNode(type); node.pos = [x += 260, 40 * below(9)];
    graph.add(node); return node; };
  const fill = (node) => { for (const widget of node.widgets ?? []) if (chance(0.6)) attempt(() => {
    const options = widget.options ?? {};
    const values = typeof options.values === 'function' ? options.values() : options.values;
    let value;
    if (Array.isArray(values) && values.length) value = pick(values);
    else if (typeof widget.value === 'number')
      value = Math.min(options.max ?? 99, Math.max(options.min ?? 0, below(99)));
    else if (typeof widget.value === 'boolean') value = chance(0.5);
    else if (typeof widget.value === 'string') value = pick(TEXTS);
    else return;
    widget.value = value; widget.callback?.(value, app.canvas, node); }); };
  const link = (nodes, node) => { for (let slot = 0; slot < (node.inputs?.length ?? 0); slot++) {
    const input = node.inputs[slot];
    if (input.link != null || !chance(input.widget ? 0.12 : 0.85)) continue;
    const fits = (output) => LiteGraph.isValidConnection(output.type, input.type) &&
      (output.type !== '*' || input.type === '*');
    const origins = nodes.filter((other) => other !== node && (other.outputs ?? []).some(fits));
    if (!origins.length) continue;
    const origin = pick(origins);
    const outputs = origin.outputs.map((output, place) => [output, place]).filter(([output]) => fits(output));
    attempt(() => origin.connect(pick(outputs)[1], node, slot)); } };
  const nodes = [];
  for (let count = 5 + below(9); count > 0; count--) { const node = make(pick(KINDS)); fill(node); link(nodes, node);
    if (node.type !== 'Reroute') fill(node); nodes.push(node); }
  for (let count = 1 + below(2); count > 0; count--) { const node = make('SaveImage'); fill(node); link(nodes, node);
    nodes.push(node); }
  for (const node of nodes) { if (chance(0.15)) node.title = pick(['Mine', 'A title', 'EmptyImage']);
    if (chance(0.12)) node.mode = pick([2, 4]); }
  if (chance(0.3)) attempt(() => { const target = pick(nodes.filter((node) => node.widgets?.length));
    const place = target.inputs.findIndex((input) => input.widget && input.link == null);
    const primitive = make('PrimitiveNode'); primitive.connect(0, target, place); fill(primitive); });
  const free = (subgraph, name) => { let found = name;
    for (let n = 1; subgraph.inputs.some((input) => input.name === found); n++) found = `${name}_${n}`;
    return found; };
  const enclose = (graph) => attempt(() => {
    const inside = graph.nodes.filter((node) => node.type !== 'PrimitiveNode' && chance(0.4));
    if (!inside.length) return undefined;
    const made = graph.convertToSubgraph(new Set(inside)); const { subgraph, node: host } = made;
    for (const node of subgraph.nodes) (node.inputs ?? []).forEach((input, place) => {
      if (input.widget && input.link == null && chance(0.3)) attempt(() =>
        subgraph.addInput(free(subgraph, input.widget.name), input.type).connect(node.inputs[place], node)); });
    fill(host);
    return made; });
  if (chance(0.75)) { const made = enclose(g);
    if (made && chance(0.4)) { const deeper = enclose(made.subgraph); if (deeper) fill(made.node); }
    if (made && chance(0.3)) attempt(() => { const again = LiteGraph.createNode(made.node.type); g.add(again);
      link(g.nodes.filter((node) => node.type === 'EmptyImage'), again); fill(again); });
    if (made && chance(0.12)) { app.canvas.select(made.node);
      app.extensionManager.command.execute(`Comfy.Canvas.ToggleSelectedNodes.${pick(['Bypass', 'Mute'])}`); } }
  return JSON.stringify(g.serialize());
}
"""
"""The graph of a number, as the canvas saves it."""

OPEN = """async ([graph, byName]) => {
  LiteGraph.namedValuesRestore = byName;
  await app.loadGraphData(graph);
  await new Promise((done) => setTimeout(done, 80));
  return JSON.stringify((await app.graphToPrompt()).output);
}"""
