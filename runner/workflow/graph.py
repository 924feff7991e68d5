"""A workflow: an API-format graph that can be loaded, looked into, changed by titles, hashed; its optional stages."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.graph import Link, as_link, hash_graph
from ...core.node_facts import FileKind, facts_of
from ..errors import AmbiguousTitle, UnknownInput, UnknownTitle, WorkflowMissing, WorkflowUnreadable
from .object_info import Catalog, catalog_here
from .workflow_files import check_extent, is_canvas, read_workflow_file

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

    def active_nodes(self) -> dict[str, Node]:
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


BUNDLED = Path(__file__).resolve().parents[2] / "workflows"
"""The workflows that come with the pack; ``api/`` has the API format of each."""

OPTIONAL_MARK = "(optional)"
"""A node that reads a file and whose title ends like this is left out when it is given none."""

SOURCES = ("cnr_id", "aux_id", "ver", "models")
"""What an API file may say in ``_meta`` of where a node's pack and models can be had, named as the canvas does it."""


@dataclass
class Node:
    """One node of a graph. `file_chosen`: the user, and not the workflow, says which file it reads."""

    id: str
    class_type: str
    title: str
    inputs: dict[str, Any] = field(default_factory=dict)
    optional: bool = False
    sources: dict[str, Any] = field(default_factory=dict)
    file_chosen: bool = False

    def choose(self, name: str, value: Any) -> None:
        """Set one value as the user wants it."""
        self.inputs[name] = value
        self.file_chosen = self.file_chosen or name == self.file_input

    @property
    def links(self) -> dict[str, Link]:
        """The linked inputs."""
        found = ((name, as_link(value)) for name, value in self.inputs.items())
        return {name: link for name, link in found if link is not None}

    @property
    def file_input(self) -> str | None:
        """The input that names the user's file or folder, or None for other nodes."""
        reads = self._reads
        return reads[0] if reads is not None else None

    @property
    def file_kind(self) -> FileKind | None:
        """What the user's file or folder holds, or None for other nodes."""
        reads = self._reads
        return reads[1] if reads is not None else None

    @property
    def _reads(self) -> tuple[str, FileKind] | None:
        facts = facts_of(self.class_type)
        return facts.reads if facts is not None else None


@dataclass
class Workflow:
    """A graph by node id. `canvas` is the canvas format it came from, which saved PNGs then carry.

    `allow_files`: files that lie beside the workflow, or in ``./input``, are read because it names them.
    """

    name: str
    nodes: dict[str, Node]
    canvas: dict[str, Any] | None = None
    folder: Path | None = None
    stages: Stages = field(default_factory=Stages)
    allow_files: bool = False

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    @classmethod
    def from_api(cls, name: str, graph: Any, *, folder: Path | None = None) -> Workflow:
        """Read API format: ``{id: {class_type, inputs, _meta}}``. Raises WorkflowUnreadable."""
        if not isinstance(graph, dict) or not graph:
            raise WorkflowUnreadable(f"{name} is not a workflow: an object of nodes was expected; export it again.")
        check_extent(name, graph)
        nodes = {str(node_id): _node(name, str(node_id), entry) for node_id, entry in graph.items()}
        stages = read(nodes, graph)
        return cls(name, stages.active_nodes() if stages.by_name else nodes, folder=folder, stages=stages)

    @classmethod
    def load(cls, source: str | Path) -> Workflow:
        """Read a workflow file, or the bundled workflow of that name; see `load` below."""
        return load(source)

    def set(self, place: str, value: Any) -> None:
        """Set one value, as in ``workflow.set("Backdrop.colour", "navy")``; nodes go by their titles or ids.

        Types and limits are checked when the workflow runs. A stage is switched with ``workflow.set("Pose.on", True)``.
        Raises UnknownTitle, AmbiguousTitle, or UnknownInput when the workflow has no such value or a link there.
        """
        target, _, name = place.rpartition(".")
        if self.is_stage(target, name):
            self.switch(target, bool(value))
            return
        node, name = self.find_input(target, name)
        if name not in node.inputs:
            raise UnknownInput(f"{node.title} has no input {name!r}{did_you_mean(name, node.inputs)}")
        if as_link(node.inputs[name]) is not None:
            raise UnknownInput(f"{place} is linked to another node and cannot be set to a value.")
        node.choose(name, value)

    def is_stage(self, target: str, name: str = SWITCH) -> bool:
        """Whether ``target.name`` is the switch of a stage."""
        return name == SWITCH and self.stages.find(target) is not None

    def switch(self, stage: str, on: bool) -> None:
        """Switch a stage on or off: its nodes come or go, and the links lead through or past them.

        Raises UnknownTitle.
        """
        found = self.stages.find(stage)
        if found is None:
            known = did_you_mean(stage, self.stages.by_name)
            raise UnknownTitle(f"{self.name} has no stage {stage!r}{known}")
        found.on = on
        self.nodes = self.stages.active_nodes()

    def allowing_files(self, allowed: bool = True) -> Workflow:
        """This workflow, which may then read the files that it names itself, unless it might before."""
        self.allow_files = self.allow_files or allowed
        return self

    def to_api(self) -> dict[str, Any]:
        """The graph in API format, as a server takes it."""
        return {
            node.id: {
                "class_type": node.class_type,
                "inputs": copy.deepcopy(node.inputs),
                "_meta": {"title": node.title} | ({"optional": True} if node.optional else {}),
            }
            for node in self
        }

    def copy(self) -> Workflow:
        """A graph that can be changed without changing this one."""
        return copy.deepcopy(self)

    @property
    def hash(self) -> str:
        """64 hex digits that depend on classes, links and values, and on neither titles nor the chosen files."""
        return hash_graph({node.id: {"class_type": node.class_type, "inputs": node.inputs} for node in self})

    def find(self, key: str) -> Node:
        """The node with this title or id; without regard to case and "(optional)" when nothing else matches.

        A node class that one node has is found by its name too: the canvas translates titles, and not that.

        Raises UnknownTitle with the closest names, or AmbiguousTitle with the ids.
        """
        for same in (str.__eq__, lambda a, b: plain_title(a) == plain_title(b)):
            found = [node for node in self if same(node.title, key)]
            if len(found) > 1:
                ids = ", ".join(node.id for node in found)
                raise AmbiguousTitle(f"Several nodes are called {key!r}; use one of their ids instead: {ids}.")
            if found:
                return found[0]
        if key in self.nodes:
            return self.nodes[key]
        of_class = [node for node in self if node.class_type == key]
        if len(of_class) == 1:
            return of_class[0]
        stage = self.stages.off_with(key)
        if stage is not None:
            raise UnknownTitle(f"{key!r} belongs to a stage that is off; set '{stage.name}.on=true' as well.")
        hint = did_you_mean(key, [node.title for node in self])
        raise UnknownTitle(f"No node of {self.name} is called {key!r}{hint}")

    def find_input(self, target: str, name: str) -> tuple[Node, str]:
        """The node of a title or id, and the name of its input: both may have full stops in them.

        ``Resize.resize_type.width`` is the input ``resize_type.width`` of Resize. Raises what `find` raises.
        """
        try:
            return self.find(target), name
        except UnknownTitle:
            head, dot, more = target.rpartition(".")
            while dot:
                name = f"{more}.{name}"
                node = next((node for node in self if name in node.inputs and head in {node.title, node.id}), None)
                if node is not None:
                    return self.find(head), name
                head, dot, more = head.rpartition(".")
            raise

    def file_nodes(self) -> list[Node]:
        """The nodes that read the user's files by name, in the order of the workflow."""
        return [node for node in self if node.file_input and node.file_input not in node.links]

    def remove(self, node_ids: Iterable[str]) -> None:
        """Take nodes out, and every link to them with them."""
        gone = set(node_ids)
        for node_id in gone:
            del self.nodes[node_id]
            self.stages.forget(node_id)
        for node in self:
            for name, (origin, _) in node.links.items():
                if origin in gone:
                    del node.inputs[name]


def plain_title(title: str) -> str:
    """A title as people type it: without case, and without the mark of an optional node."""
    return title.strip().casefold().removesuffix(OPTIONAL_MARK).rstrip()


def did_you_mean(name: str, known: Iterable[str], limit: int = 12) -> str:
    """The end of a message about an unknown name, with its full stop or question mark.

    Close names where there are some, else the first `limit` of all.
    """
    names = list(dict.fromkeys(known))
    by_fold = {known_name.casefold(): known_name for known_name in names}
    close = difflib.get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.6)
    if close:
        return "; did you mean " + " or ".join(repr(by_fold[match]) for match in close) + "?"
    if not names:
        return "."
    more = ", ..." if len(names) > limit else "."
    return "; there are: " + ", ".join(repr(known_name) for known_name in names[:limit]) + more


def _node(name: str, node_id: str, entry: Any) -> Node:
    if not isinstance(entry, dict) or not isinstance(entry.get("class_type"), str):
        raise WorkflowUnreadable(
            f"{name} is not a workflow in API format: node {node_id} has no class_type; export it as API format."
        )
    inputs, meta = entry.get("inputs") or {}, entry.get("_meta") or {}
    if not isinstance(inputs, dict) or not isinstance(meta, dict):
        raise WorkflowUnreadable(f"{name} is damaged: the inputs of node {node_id} are not an object; export it again.")
    title = str(meta.get("title") or entry["class_type"])
    optional = meta.get("optional") is True or title.rstrip().casefold().endswith(OPTIONAL_MARK)
    values = {key: list(link) if (link := as_link(value)) else copy.deepcopy(value) for key, value in inputs.items()}
    sources = {key: copy.deepcopy(meta[key]) for key in SOURCES if key in meta}
    return Node(node_id, entry["class_type"], title, values, optional, sources)


def bundled() -> list[str]:
    """The names of the workflows that come with the pack."""
    return sorted({path.stem for folder in (BUNDLED, BUNDLED / "api") for path in folder.glob("*.json")})


def load(source: str | Path, catalog: Callable[[], Catalog] = catalog_here) -> Workflow:
    """Read a workflow file, or the bundled workflow of that name, in API or in canvas format, or in a picture.

    `catalog` is asked only for canvas format, whose widgets have no names in the file. A `preflight.ServerCatalog` is
    one: nodes that its server does not have are then kept, for `preflight.require` to name them all.
    Raises WorkflowMissing, WorkflowUnreadable, NotConvertible, ComfyCliMissing or ComfyCliFailed.
    """
    path = _locate(source)
    graph, drawn = read_workflow_file(path)
    check_extent(str(path), graph)
    if is_canvas(graph):
        from .convert import convert

        workflow = Workflow.from_api(path.stem, convert(graph, catalog, path.name), folder=path.parent)
        workflow.canvas = graph
        return workflow
    if isinstance(graph, dict) and isinstance(graph.get("prompt"), dict) and "class_type" not in graph["prompt"]:
        graph = graph["prompt"]
    workflow = Workflow.from_api(path.stem, graph, folder=path.parent)
    workflow.canvas = drawn
    return workflow


def _locate(source: str | Path) -> Path:
    path = Path(source).expanduser()
    if path.is_file():
        return path
    name = str(source)
    if name in bundled():
        api = BUNDLED / "api" / f"{name}.json"
        return api if api.is_file() else BUNDLED / f"{name}.json"
    raise WorkflowMissing(f"There is no workflow {name!r}: no such file{did_you_mean(name, bundled())}")
