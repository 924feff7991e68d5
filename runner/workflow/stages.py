"""Stages of a workflow that can be switched on and off: what a bypassed group is on ComfyUI's canvas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .graph import Link, Node

SWITCH = "on"
"""The input of a stage: ``--set "Pose.on=true"``."""


@dataclass
class Stage:
    """Nodes that belong together. `passes` says for each of them which input each of its outputs passes on."""

    name: str
    on: bool = True
    passes: dict[str, list[str | None]] = field(default_factory=dict)


@dataclass
class Stages:
    """The stages of one workflow by name, its nodes with those that are off, and its links as they were written."""

    by_name: dict[str, Stage] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    links: dict[str, dict[str, Link]] = field(default_factory=dict)

    def find(self, name: str) -> Stage | None:
        """The stage of that name, without regard to case."""
        wanted = name.strip().casefold()
        return next((stage for key, stage in self.by_name.items() if key.casefold() == wanted), None)

    def off_with(self, title: str) -> Stage | None:
        """The stage that is off and has a node with this title or id."""
        wanted = title.strip().casefold()
        for stage in self.by_name.values():
            if not stage.on and any(wanted in {key, self.nodes[key].title.casefold()} for key in stage.passes):
                return stage
        return None

    def forget(self, node_id: str) -> None:
        """Leave a node out for good."""
        self.nodes.pop(node_id, None)
        self.links.pop(node_id, None)

    def living(self) -> dict[str, Node]:
        """The nodes of the stages that are on and of none, linked past those that are off."""
        off = {key: passes for stage in self.by_name.values() if not stage.on for key, passes in stage.passes.items()}
        for key, links in self.links.items():
            for name, link in links.items():
                found = self._origin(link, off)
                if found is None:
                    self.nodes[key].inputs.pop(name, None)
                else:
                    self.nodes[key].inputs[name] = list(found)
        return {key: node for key, node in self.nodes.items() if key not in off}

    def _origin(self, link: Link, off: Mapping[str, list[str | None]]) -> Link | None:
        seen: set[Link] = set()
        while link[0] in off and link not in seen:
            seen.add(link)
            passes = off[link[0]]
            name = passes[link[1]] if link[1] < len(passes) else None
            before = self.links[link[0]].get(name) if name else None
            if before is None:
                return None
            link = before
        return None if link in seen or link[0] not in self.nodes else link


def read(nodes: Mapping[str, Node], graph: Mapping[str, Any]) -> Stages:
    """The stages that an API file marks: ``_meta.stage`` is ``{"name": ..., "on": false, "passes": ["model"]}``.

    `passes` names, for each output of the node, the input whose link takes its place while the stage is off, or null.
    A mark that is not of this form is passed over.
    """
    stages = Stages(nodes=dict(nodes), links={key: dict(node.links) for key, node in nodes.items()})
    for key, entry in graph.items():
        mark = (entry.get("_meta") or {}).get("stage")
        if not isinstance(mark, dict) or not isinstance(mark.get("name"), str):
            continue
        stage = stages.by_name.setdefault(mark["name"], Stage(mark["name"]))
        stage.on = stage.on and mark.get("on") is not False
        stage.passes[str(key)] = _names(mark.get("passes"))
    return stages


def _names(value: Any) -> list[str | None]:
    entries: Iterable[Any] = value if isinstance(value, list) else ()
    return [entry if isinstance(entry, str) else None for entry in entries]
