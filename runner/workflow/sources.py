"""Where missing packs and models can be had: what the canvas file says of them, and what this pack knows itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ... import __version__
from .graph import Node

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
