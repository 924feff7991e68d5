"""The workflows that come with the pack: what each does, where it runs, and which models it needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..workflow.graph import Workflow


@dataclass(frozen=True)
class AboutWorkflow:
    """An entry of workflows/about.toml. `comfyui`: the version that has its nodes, where older ones lack some."""

    name: str
    does: str
    comfyui: str = ""


@dataclass(frozen=True)
class NeededModel:
    """A model that a workflow needs. `folder`: where a server keeps it; empty for those that are fetched when needed.

    `size` is in bytes, `here` says whether the file is on this machine; None where that is not known.
    """

    name: str
    folder: str = ""
    size: int | None = None
    here: bool | None = None
    licence: str = ""


@dataclass(frozen=True)
class BundledWorkflow:
    """A workflow that comes with the pack. `runs_here`: without a ComfyUI server; those with one want a GPU.

    `packs`: other node packs that it needs. `nodes`: its node classes, without those of stages that are off.
    `comfyui`: the version of ComfyUI that was seen to have them, where older ones lack some.
    """

    name: str
    does: str
    runs_here: bool
    models: tuple[NeededModel, ...]
    packs: tuple[str, ...]
    nodes: tuple[str, ...]
    comfyui: str = ""

    @property
    def needs(self) -> str:
        """What it needs besides the models that are fetched, in words."""
        if self.runs_here:
            return "this machine"
        named = [model.name for model in self.models if model.folder]
        server = f"a ComfyUI server{self.comfyui and f' of {self.comfyui} or newer'}, better with a GPU"
        return ", ".join([server, *named, *(f"pack {pack}" for pack in self.packs)])

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return asdict(self) | {"needs": self.needs}


def list_workflows() -> list[BundledWorkflow]:
    """The workflows that come with the pack, the usual ones first. Nothing is fetched, and no torch is imported.

    Raises WorkflowUnreadable.
    """
    from ...core.toml_tables import read_tables
    from ..errors import WorkflowUnreadable
    from ..workflow.graph import BUNDLED, load

    about = read_tables(BUNDLED / "about.toml", AboutWorkflow, WorkflowUnreadable).values()
    return [_described(entry, load(entry.name)) for entry in about]


def _described(entry: AboutWorkflow, workflow: Workflow) -> BundledWorkflow:
    from ...core.node_facts import OUR_PREFIX
    from ..backends.core_nodes import CORE_NODES

    carried = {each.__name__ for each in CORE_NODES}
    classes = tuple(dict.fromkeys(node.class_type for node in workflow))
    packs = tuple(dict.fromkeys(pack for node in workflow if (pack := node.sources.get("cnr_id"))))
    return BundledWorkflow(
        entry.name,
        entry.does,
        all(each.startswith(OUR_PREFIX) or each in carried for each in classes),
        (*_fetched(workflow), *_from_elsewhere(workflow)),
        packs,
        classes,
        entry.comfyui,
    )


def _fetched(workflow: Workflow) -> list[NeededModel]:
    """The models of the store that its nodes load."""
    from ...core.models import store
    from ...core.node_facts import ENGINE, facts_of
    from ...core.provenance.save import models_used

    graph, known = workflow.to_api(), store.names()
    judges = any((facts := facts_of(node.class_type)) and facts.judges == "identity" for node in workflow)
    names = dict.fromkeys([name for name, _ in models_used(graph, list(graph))] + list(ENGINE if judges else ()))
    entries = [store.entry(name) for name in names if name in known]
    return [
        NeededModel(each.name, "", each.size, store.locate(each.name) is not None, each.licence) for each in entries
    ]


def _from_elsewhere(workflow: Workflow) -> list[NeededModel]:
    """The models that its file names, for a server's folders."""
    listed = [model for node in workflow for model in node.sources.get("models") or () if isinstance(model, dict)]
    found = {str(each.get("name")): NeededModel(str(each.get("name")), str(each.get("directory"))) for each in listed}
    return list(found.values())
