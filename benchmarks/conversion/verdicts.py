"""Our graph of a template beside the canvas's: equal, refused by name, wrong, or not to be judged."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from likeness_studio.core.errors import LikenessError
from likeness_studio.runner.workflow.canvas_graph import Unsure
from likeness_studio.runner.workflow.convert import to_api
from likeness_studio.runner.workflow.object_info import Catalog, from_object_info
from likeness_studio.runner.workflow.widgets import with_chosen

Graph = dict[str, Any]

CANVAS_ONLY = frozenset(
    {(kind, "audioUI") for kind in ("LoadAudio", "SaveAudio", "SaveAudioMP3", "SaveAudioOpus", "PreviewAudio")}
    | {("SaveGLB", "image"), ("Preview3D", "image"), ("PreviewAny", "preview"), ("PreviewAny", "previewMode")}
    | {("LoadImageOutput", "refresh")}
)
"""Inputs that the canvas sends for itself: the node class has none of that name, and the server passes them over."""

VIEWPORT = "LOAD_3D"
"""How a preview's camera stands: the canvas's own default where the file has none, which the server needs not."""


def judge_all(folder: Path) -> dict[str, list[str]]:
    """The verdict on each template whose truth lies in `folder`, as canvas_truth.py leaves it: a word and why."""
    catalog = from_object_info(json.loads((folder / "object_info.json").read_text()))
    return {
        path.parent.name: judge(path.parent.name, json.loads(path.read_text()), read_drawn(path), catalog)
        for path in sorted(folder.glob("*/sent.json"))
    }


def read_drawn(sent: Path) -> Graph:
    """The template that lies beside what the canvas sent."""
    return json.loads((sent.parent / "drawn.json").read_text())


def judge(name: str, sent: dict[str, Any], drawn: Graph, catalog: Catalog) -> list[str]:
    """The verdict on one template: a word, and why."""
    try:
        ours = to_api(drawn, catalog, name, keep_unknown=True, now=datetime.now().astimezone())
    except Unsure as reason:
        return ["refused", f"comfy_cli_missing: {reason}"]
    except LikenessError as error:
        return ["refused", f"{error.code}: {error}"]
    if sent["prompt"] is None or sent["missing"]:
        return ["not judged", sent.get("error") or "the server lacks " + ", ".join(sorted(map(str, sent["missing"])))]
    theirs = sent.get("by_name") or sent["prompt"]
    ours = with_their_ids(ours, theirs)
    differing = differences(ours, theirs, catalog)
    if differing:
        faults = differences(without_faults(ours, theirs, catalog), theirs, catalog)
        return ["wrong", "; ".join(faults[:5])] if faults else ["canvas at fault", "; ".join(differing)]
    if sent.get("by_name") and sent["by_name"] != sent["prompt"]:
        return ["equal", "by the names in the file; without them the canvas gives values to other widgets"]
    titles = [key for key in theirs if ours[key]["_meta"]["title"] != theirs[key]["_meta"]["title"]]
    return ["equal", f"titles of {', '.join(sorted({theirs[key]['class_type'] for key in titles}))}" if titles else ""]


def differences(ours: Graph, theirs: Graph, catalog: Catalog) -> list[str]:
    """Nodes and inputs that are not the same, in words."""
    found = [f"node {key} is {'missing' if key in theirs else 'too much'}" for key in sorted(set(ours) ^ set(theirs))]
    for key in sorted(set(ours) & set(theirs)):
        kind, mine, other = theirs[key]["class_type"], ours[key]["inputs"], theirs[key]["inputs"]
        if ours[key]["class_type"] != kind:
            found.append(f"node {key} is {ours[key]['class_type']} and not {kind}")
        for name in sorted(set(mine) | set(other)):
            if mine.get(name, ...) != other.get(name, ...) and not _is_canvas_own(kind, name, mine, catalog):
                found.append(f"{key} {kind}.{name}: {mine.get(name, 'nothing')!r:.80} and not "
                             f"{other.get(name, 'nothing')!r:.80}")  # fmt: skip
    return found


def _is_canvas_own(kind: str, name: str, mine: dict[str, Any], catalog: Catalog) -> bool:
    socket = catalog[kind].by_name.get(name) if kind in catalog else None
    if socket is None:
        return name not in mine and (kind, name) in CANVAS_ONLY
    return socket.type == VIEWPORT and mine.get(name) == ""


def without_faults(ours: Graph, theirs: Graph, catalog: Catalog) -> Graph:
    """Our graph with the inputs of a canvas that leaves out a link or a required one, or sends what is not offered."""
    kept: Graph = {}
    for key, entry in ours.items():
        other = theirs.get(key, {}).get("inputs", {})
        offered = with_chosen(catalog[entry["class_type"]], other).by_name if entry["class_type"] in catalog else {}
        inputs = dict(entry["inputs"])
        for name, value in entry["inputs"].items():
            choices = offered[name].choices if name in offered else None
            required = name in offered and offered[name].required
            if name not in other and (isinstance(value, list) or required):
                del inputs[name]
            elif choices and value in choices and name in other and other[name] not in choices:
                inputs[name] = other[name]
        kept[key] = entry | {"inputs": inputs}
    return kept


def with_their_ids(ours: Graph, theirs: Graph) -> Graph:
    """Our graph under the canvas's ids: newer canvases give a node of a subgraph another id if one outside has it."""
    free = [key for key in theirs if key not in ours]
    around = {key.rpartition(":")[0] for key in theirs}
    renamed: dict[str, str] = {}
    for key in (key for key in ours if key not in theirs):
        inside, _, _ = key.rpartition(":")
        for other in free:
            same = ours[key]["class_type"] == theirs[other].get("class_type") and key.count(":") == other.count(":")
            if same and (inside == other.rpartition(":")[0] or inside not in around):
                renamed[key] = other
                free.remove(other)
                break

    def link(value: Any) -> Any:
        return [renamed.get(value[0], value[0]), value[1]] if isinstance(value, list) and len(value) == 2 else value

    return {
        renamed.get(key, key): entry | {"inputs": {name: link(value) for name, value in entry["inputs"].items()}}
        for key, entry in ours.items()
    }
