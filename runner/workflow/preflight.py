"""A workflow against what a place says of its nodes: every problem at once, and where what is missing can be had."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...core import __version__
from ...core.errors import LikenessError, PhotoMissing
from ...core.host import model_dirs
from ..errors import GraphCycle, ModelFileMissing, NodeClassMissing, NotAnOption, NothingToRun
from .graph import Node, Workflow
from .object_info import MODEL_SUFFIXES, Catalog
from .validate import Finding, NodeCheck, needed

OUR_PACK = "likeness-studio"
CORE = "comfy-core"
"""What the canvas writes as the pack of core's own nodes."""

_ID, _REPOSITORY, _VERSION = (
    re.compile(pattern) for pattern in (r"[A-Za-z0-9][\w.-]{0,99}", r"[\w.-]{1,100}/[\w.-]{1,100}", r"[\w.+-]{1,60}")
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

FOLDERS = {
    "ckpt_name": "checkpoints",
    "lora_name": "loras",
    "vae_name": "vae",
    "unet_name": "diffusion_models",
    "clip_name": "text_encoders",
    "clip_name1": "text_encoders",
    "clip_name2": "text_encoders",
    "clip_name3": "text_encoders",
    "control_net_name": "controlnet",
    "style_model_name": "style_models",
    "gligen_name": "gligen",
    "hypernetwork_name": "hypernetworks",
    "photomaker_model_name": "photomaker",
    "audio_encoder_name": "audio_encoders",
    "CLIPVisionLoader.clip_name": "clip_vision",
    "UpscaleModelLoader.model_name": "upscale_models",
    "ModelPatchLoader.name": "model_patches",
    "LikenessInspectLora.lora": "loras",
}
"""Folders below ``models`` by the input of core's loaders and of our nodes that names a file in them."""


@dataclass(frozen=True)
class Sources:
    """What is known of packs (by node class) and of models (by file name)."""

    packs: dict[str, dict[str, str]] = field(default_factory=dict)
    models: dict[str, dict[str, str]] = field(default_factory=dict)

    def pack(self, class_type: str) -> dict[str, str]:
        """The pack that has a node class: `id`, `version`, `url` and `install`, each where it is known."""
        if class_type.startswith("Likeness"):
            return _registered(OUR_PACK) | {"version": __version__}
        return self.packs.get(class_type, {})

    def model(self, name: str, class_type: str, input_name: str) -> dict[str, str]:
        """A model file: `name`, and `url`, `directory`, `hash` and `hash_type`, each where it is known."""
        file = re.split(r"[\\/]", name)[-1]
        kind = re.sub(r"^lora_[0-9]+$", "lora_name", input_name)
        folder = FOLDERS.get(f"{class_type}.{input_name}") or FOLDERS.get(kind)
        guess = {"directory": folder} if folder else {}
        return {"name": name} | guess | _from_manifest(file) | self.models.get(file, {})


def read(canvas: Any, graph: Iterable[Node] = ()) -> Sources:
    """What a canvas file, or an API file's ``_meta``, says of packs and models; anything malformed is passed over."""
    packs: dict[str, dict[str, str]] = {}
    models: dict[str, dict[str, str]] = {}
    lists = [_get(canvas, "models")]
    marked = ({"type": node.class_type, "properties": node.sources} for node in graph)
    for node in (*nodes(canvas), *marked):
        properties = _get(node, "properties")
        lists.append(_get(properties, "models"))
        found = _pack(properties)
        if found and isinstance(node.get("type"), str):
            packs.setdefault(node["type"], found)
    for subgraph in _subgraphs(canvas):
        lists.append(_get(subgraph, "models"))
    for entries in lists:
        for entry in entries if isinstance(entries, list) else ():
            model = _model(entry)
            if model:
                models.setdefault(
                    re.split(r"[\\/]", model["name"])[-1], {k: v for k, v in model.items() if k != "name"}
                )
    return Sources(packs, models)


def nodes(canvas: Any) -> Iterator[dict[str, Any]]:
    """Every node of a canvas file, those inside subgraphs too."""
    for graph in (canvas, *_subgraphs(canvas)):
        entries = _get(graph, "nodes")
        yield from (node for node in (entries if isinstance(entries, list) else ()) if isinstance(node, dict))


def _subgraphs(canvas: Any) -> list[Any]:
    found = _get(_get(canvas, "definitions"), "subgraphs")
    return found if isinstance(found, list) else []


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _pack(properties: Any) -> dict[str, str]:
    name, repository, version = (_get(properties, key) for key in ("cnr_id", "aux_id", "ver"))
    pack: dict[str, str] = {}
    if isinstance(name, str) and _ID.fullmatch(name):
        pack = {"id": CORE} if name == CORE else _registered(name)
    elif isinstance(repository, str) and _REPOSITORY.fullmatch(repository):
        url = f"https://github.com/{repository}"
        pack = {"id": repository, "url": url, "install": f"git clone {url} (in ComfyUI's custom_nodes folder)"}
    if pack and isinstance(version, str) and _VERSION.fullmatch(version):
        pack["version"] = version
    return pack


def _registered(name: str) -> dict[str, str]:
    return {"id": name, "url": f"https://registry.comfy.org/nodes/{name}", "install": f"comfy node install {name}"}


def _model(entry: Any) -> dict[str, str]:
    if not isinstance(_get(entry, "name"), str) or not entry["name"]:
        return {}
    words = {key: _plain(entry[key]) for key in ("name", "directory", "hash", "hash_type") if _get(entry, key)}
    url = _plain(_get(entry, "url") or "")
    return words | ({"url": url} if url.startswith(("https://", "http://")) else {})


def _plain(value: Any) -> str:
    return _CONTROL.sub("", str(value))[:2000]


def _from_manifest(file: str) -> dict[str, str]:
    from ...core.models.manifest import UrlSource, models

    for model in models().values():
        if model.file.rpartition("/")[2] == file:
            url = next((source.url for source in model.sources if isinstance(source, UrlSource)), "")
            return {"hash": model.sha256, "hash_type": "SHA256"} | ({"url": url} if url else {})
    return {}


LISTS_FILES = frozenset({"LoadLatent"})
"""Core classes that read a file of the input folder by a list that nothing marks as such; they check it themselves."""


@dataclass
class Findings:
    """What is wrong (`problems`), and what may be wrong but only the server can say (`doubts`)."""

    problems: list[LikenessError] = field(default_factory=list)
    doubts: list[LikenessError] = field(default_factory=list)


def check(workflow: Workflow, catalog: Catalog, *, files_follow: bool = True) -> list[LikenessError]:
    """Every sure problem of `workflow` on a server whose nodes are described by `catalog`; empty when it can run.

    With `files_follow` the user's photos are still to be uploaded, so that their names are not looked up. Without it
    a photo that is not in the server's input folder is a PhotoMissing. The others are NodeClassMissing (one for each
    class), ModelFileMissing (one for each file), NothingToRun, GraphCycle, InputRequired, BadLink, WrongType,
    OutOfRange and NotAnOption. The file that the workflow came from says where packs and models can be had.
    """
    return examine(workflow, catalog, files_follow=files_follow).problems


def examine(workflow: Workflow, catalog: Catalog, *, files_follow: bool = True, strict: bool = False) -> Findings:
    """The same, with what is not sure: foreign nodes may accept more than their description says.

    `strict` is for the local engine, which takes no words for truth values.
    """
    sources = read(workflow.canvas, workflow)
    found = Findings(_missing_classes(workflow, catalog, sources))
    try:
        nodes = needed(workflow, catalog)
    except (NothingToRun, GraphCycle) as problem:
        found.problems.append(problem)
        nodes = list(workflow)
    findings: list[Finding] = []
    for node in nodes:
        if node.class_type in catalog:
            node_check = NodeCheck(workflow, node, catalog, strict=strict)
            node_check.step()
            findings += node_check.findings
            if not files_follow:
                found.problems += _photo_missing(node, catalog)
    models = [finding for finding in findings if _names_model(finding)]
    found.problems += _missing_models(models, sources, here=strict)
    for finding in findings:
        if finding not in models:
            sure = finding.sure and _list_is_complete(finding)
            (found.problems if sure else found.doubts).append(finding.problem)
    return found


def _list_is_complete(finding: Finding) -> bool:
    """Whether a value outside of the list is wrong for certain."""
    return not (isinstance(finding.problem, NotAnOption) and finding.node.class_type in LISTS_FILES)


def _missing_classes(workflow: Workflow, catalog: Catalog, sources: Sources) -> list[LikenessError]:
    """A NodeClassMissing for each class that `catalog` lacks."""
    titles: dict[str, list[str]] = {}
    for node in workflow:
        if node.class_type not in catalog:
            titles.setdefault(node.class_type, []).append(node.title)
    return [_class_missing(name, used, sources.pack(name), catalog) for name, used in titles.items()]


def _class_missing(name: str, titles: list[str], pack: dict[str, str], catalog: Catalog) -> NodeClassMissing:
    others = [title for title in dict.fromkeys(titles) if title != name]
    used = f" (used by {', '.join(map(repr, others))})" if others else ""
    version = f" {pack['version']}" if "version" in pack else ""
    if pack.get("id") == CORE:
        how = f"it is part of ComfyUI{version}; update ComfyUI there"
    elif pack:
        how = f"it comes with the pack {pack['id']}{version}; install or update it there and restart ComfyUI: "
        how += pack["install"]
    else:
        close = difflib.get_close_matches(name, catalog, n=1, cutoff=0.85)
        meant = f"did you mean {close[0]!r}? Else " if close else ""
        how = f"{meant}search for the pack that has it in ComfyUI Manager, install it there and restart ComfyUI"
    return NodeClassMissing(f"The server has no node class {name}{used}; {how}.", name, titles, pack)


def _names_model(finding: Finding) -> bool:
    """Whether the value names a model file: then a server's list is complete, whoever wrote the node."""
    return (
        isinstance(finding.problem, NotAnOption)
        and isinstance(finding.value, str)
        and finding.value.lower().endswith(MODEL_SUFFIXES)
        and not finding.socket.names_upload
    )


def _missing_models(findings: list[Finding], sources: Sources, *, here: bool) -> list[LikenessError]:
    by_file: dict[str, list[Finding]] = {}
    for finding in findings:
        by_file.setdefault(finding.value, []).append(finding)
    return [_model_missing(name, users, sources, here=here) for name, users in by_file.items()]


def _model_missing(name: str, users: list[Finding], sources: Sources, *, here: bool) -> ModelFileMissing:
    first = users[0]
    model = sources.model(name, first.node.class_type, first.socket.name)
    inputs = [f"{user.node.title}.{user.socket.name}" for user in users]
    root = str(model_dirs()[0]) if here else "models"
    folder = f"{root}/{model['directory']}" if "directory" in model else "the folder of that kind of model"
    there = "" if here else " there"
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    alike = [str(choice) for choice in first.socket.choices or ()]
    alike = [choice for choice in alike if choice.replace("\\", "/").rpartition("/")[2].lower() == base]
    if alike:
        how = f"it has {alike[0]!r}: choose that one"
    elif "url" in model:
        how = f"fetch {model['url']} into {folder}{there}"
    else:
        how = f"put it into {folder}{there}, or choose another"
    digest = f" ({model.get('hash_type', 'hash')} {model['hash']})" if model.get("hash") and not alike else ""
    where = "This machine" if here else "The server"
    return ModelFileMissing(
        f"{where} has no model file {name!r} for {', '.join(inputs)}; {how}{digest}.", inputs, model
    )


def _photo_missing(node: Node, catalog: Catalog) -> list[LikenessError]:
    name = node.inputs.get(node.file_input or "")
    socket = catalog[node.class_type].by_name.get(node.file_input or "")
    plain = isinstance(name, str) and "/" not in name and "[" not in name
    if node.file_kind != "photo" or socket is None or socket.choices is None or not plain or name in socket.choices:
        return []
    where = f"{node.title}.{node.file_input}"
    return [PhotoMissing(f"{where} names {name!r}, which is not in the server's input folder; give a photo for it.")]
