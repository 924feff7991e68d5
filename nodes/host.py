"""What ComfyUI gives: folders, progress, interruption, device and runs for `core.host`, and its own LoRA patches.

This file and `schema.py` are the only two that know whether ComfyUI is there. Modules of ComfyUI are looked up when
they are needed: at import it is still starting.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import DependencyMissing
from ..core.host import CurrentRun, Surroundings

if TYPE_CHECKING:
    import torch


def _comfy(module: str) -> Any | None:
    """A module of the running ComfyUI, or None outside of one."""
    return sys.modules.get(module) if "comfy.model_management" in sys.modules else None


class ComfySurroundings(Surroundings):
    """ComfyUI's folders, device, progress and runs; where a part of it is not there, the defaults."""

    @property
    def serving(self) -> bool:
        """Whether the server's folders are known, so that it is running."""
        return _comfy("folder_paths") is not None

    def folder(self, name: str) -> Path:
        """ComfyUI's folder of that name."""
        paths = _comfy("folder_paths")
        return super().folder(name) if paths is None else Path(getattr(paths, f"get_{name}_directory")())

    def model_dirs(self) -> list[Path]:
        """``models/likeness``, and every folder that extra_model_paths.yaml registers as ``likeness``."""
        paths = _comfy("folder_paths")
        if paths is None:
            return super().model_dirs()
        own = Path(paths.models_dir) / "likeness"
        extra = [Path(folder) for folder in paths.folder_names_and_paths.get("likeness", ([], set()))[0]]
        return [own, *(folder for folder in extra if folder != own)]

    def model_files(self, kind: str) -> list[str]:
        """ComfyUI's list."""
        paths = _comfy("folder_paths")
        return super().model_files(kind) if paths is None else list(paths.get_filename_list(kind))

    def model_roots(self, kind: str) -> list[Path]:
        """ComfyUI's folders for that kind."""
        paths = _comfy("folder_paths")
        return super().model_roots(kind) if paths is None else [Path(each) for each in paths.get_folder_paths(kind)]

    def registered_folders(self, kind: str) -> list[Path]:
        """The folder of that name in ComfyUI's models, and those that were registered under it."""
        paths = _comfy("folder_paths")
        if paths is None:
            return super().registered_folders(kind)
        registered = paths.folder_names_and_paths.get(kind, ([], set()))[0]
        return [Path(paths.models_dir) / kind, *(Path(folder) for folder in registered)]

    def clip_vocabulary_files(self) -> tuple[Path, Path] | None:
        """The vocabulary of ComfyUI's own tokenizer."""
        encoder = _comfy("comfy.sd1_clip")
        if encoder is None:
            return None
        folder = Path(encoder.__file__).parent / "sd1_tokenizer"
        return folder / "vocab.json", folder / "merges.txt"

    def given_by_another_pack(self, name: str) -> bool:
        """Whether the class that ComfyUI has under that name comes from another folder of custom_nodes."""
        registry, paths = _comfy("nodes"), _comfy("folder_paths")
        node_class = registry.NODE_CLASS_MAPPINGS.get(name) if registry is not None else None
        if node_class is None or paths is None:
            return False
        file = Path(getattr(sys.modules.get(node_class.__module__), "__file__", None) or "")
        packs = paths.get_folder_paths("custom_nodes")
        ours = Path(__file__).parent.parent
        return any(file.is_relative_to(pack) for pack in packs) and not file.is_relative_to(ours)

    def nothing(self) -> Any:
        """An ExecutionBlocker."""
        graph = _comfy("comfy_execution.graph_utils")
        return super().nothing() if graph is None else graph.ExecutionBlocker(None)

    def check_interrupted(self) -> None:
        """Raises ComfyUI's own exception."""
        management = _comfy("comfy.model_management")
        if management is not None:
            management.throw_exception_if_processing_interrupted()

    def current_run(self) -> CurrentRun | None:
        """The prompt that the executor is at, found in the server's queue."""
        utils, server = _comfy("comfy_execution.utils"), _comfy("server")
        asks = utils is not None and hasattr(utils, "get_executing_context")
        context = utils.get_executing_context() if utils is not None and asks else None
        if context is None or server is None:
            return None
        queue, prompt = server.PromptServer.instance.prompt_queue, context.prompt_id

        def graphs() -> list[Any]:
            return [entry[2] for entry in list(queue.currently_running.values()) if entry[1] == prompt]

        return CurrentRun(prompt, context.node_id, next(iter(graphs()), {}), lambda: not graphs())

    def progress_bar(self, total: int) -> Callable[[int], None] | None:
        """ComfyUI's bar on the node."""
        utils = _comfy("comfy.utils")
        return None if utils is None else utils.ProgressBar(total).update

    def torch_device(self) -> torch.device:
        """ComfyUI's choice."""
        management = _comfy("comfy.model_management")
        return super().torch_device() if management is None else management.get_torch_device()


def model_config(model: Any) -> str:
    """The name of ComfyUI's configuration of a MODEL, such as ``SD15``; empty for anything else."""
    config = getattr(getattr(model, "model", None), "model_config", None)
    return type(config).__name__ if config is not None else ""


def lora_names(model: Any = None, clip: Any = None) -> dict[str, Any]:
    """The names that a LoRA's layers may have, and which weight of the MODEL or CLIP each belongs to, from ComfyUI."""
    lora = _needed("comfy.lora")
    if model is not None:
        return lora.model_lora_keys_unet(model.model, {})
    return lora.model_lora_keys_clip(clip.cond_stage_model, {})


def lora_renamed(tensors: dict[str, Any]) -> dict[str, Any]:
    """Tensors of a LoRA under the names that ComfyUI brings a few publishers' own formats to."""
    return _needed("comfy.lora_convert").convert_lora(tensors)


def lora_patches(tensors: dict[str, Any], names: dict[str, Any]) -> dict[Any, Any]:
    """Patches for `add_patches` of the layers `names` (as of `lora_names`), read by ComfyUI from a LoRA's tensors."""
    return _needed("comfy.lora").load_lora(tensors, names, log_missing=False)


def add_lora_patches(value: Any, groups: list[tuple[dict[Any, Any], float]]) -> None:
    """Add groups of patches, each with its strength and in order, to a copied MODEL or CLIP.

    All weights that they name must exist. ComfyUI's `add_patches` lists the model's weights at each call, which is
    most of its time: the first group goes through it, and the others are written as it wrote the first, or go through
    it too where another ComfyUI writes them in another way.
    """
    patcher = getattr(value, "patcher", value)
    for number, (patches, strength) in enumerate(groups):
        entries = [(*_weight_and_part(key), strength, patch) for key, patch in patches.items()]
        if number > 0:
            for name, part, each, patch in entries:
                patcher.patches.setdefault(name, []).append((each, patch, 1.0, *part))
            continue
        value.add_patches(patches, strength)
        name, part, each, patch = entries[-1]
        if patcher.patches[name][-1:] != [(each, patch, 1.0, *part)]:
            for rest in groups[1:]:
                value.add_patches(*rest)
            return


def _weight_and_part(key: Any) -> tuple[str, tuple[Any, Any]]:
    """The weight that a patch's key names, and which part of it and by which function."""
    return (key, (None, None)) if isinstance(key, str) else (key[0], (key[1], key[2] if len(key) > 2 else None))


def _needed(module: str) -> Any:
    found = _comfy(module)
    if found is None:
        raise DependencyMissing("LoRAs are applied by ComfyUI, which does not run here; run the graph on a server.")
    return found
