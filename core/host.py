"""What surrounds the nodes: folders, progress, interruption and device, from ComfyUI or from the local engine.

Inside ComfyUI these come from ComfyUI. Elsewhere the local engine sets a `LocalHost` for the time of a run; without
one, sensible per-user defaults apply. Nothing here is created or downloaded at import.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import DependencyMissing, Interrupted, ModelMissing, UnsafePath

if TYPE_CHECKING:
    import torch

APP = "likeness-studio"


@dataclass
class LocalHost:
    """The surroundings of a run in this process. `node` is the id of the node that is at work in `graph`."""

    input_dir: Path
    output_dir: Path
    temp_dir: Path
    on_progress: Callable[[int, int], None] = lambda done, total: None
    interrupted: Callable[[], bool] = lambda: False
    run_id: str = field(default_factory=lambda: secrets.token_hex(8))
    graph: Mapping[str, Any] = field(default_factory=dict)
    node: str | None = None
    over: bool = False


_local: ContextVar[LocalHost | None] = ContextVar("likeness_local_host", default=None)


@contextmanager
def use(host: LocalHost) -> Iterator[LocalHost]:
    """Make `host` the surroundings of every node that runs inside the `with` block."""
    token = _local.set(host)
    host.over = False
    try:
        yield host
    finally:
        host.over = True
        _local.reset(token)


def _comfy(module: str) -> Any | None:
    """A module of the running ComfyUI, or None outside of one."""
    return sys.modules.get(module) if "comfy.model_management" in sys.modules else None


def inside_comfyui() -> bool:
    """Whether a ComfyUI server is running in this process."""
    return _comfy("folder_paths") is not None


def _folder(name: str, chosen: Callable[[LocalHost], Path]) -> Path:
    local = _local.get()
    if local is not None:
        return chosen(local)
    comfy = _comfy("folder_paths")
    if comfy is not None:
        return Path(getattr(comfy, f"get_{name}_directory")())
    return Path.cwd() / name


def input_dir() -> Path:
    """Where a graph's photos are read from."""
    return _folder("input", lambda host: host.input_dir)


def output_dir() -> Path:
    """Where results are written."""
    return _folder("output", lambda host: host.output_dir)


def temp_dir() -> Path:
    """Where previews are written."""
    return _folder("temp", lambda host: host.temp_dir)


def model_dirs() -> list[Path]:
    """Folders that hold this pack's model files, the one to write to first.

    ``LIKENESS_MODELS`` wins; inside ComfyUI it is ``models/likeness`` and every folder that
    extra_model_paths.yaml registers as ``likeness``; elsewhere a per-user data folder.
    """
    override = os.environ.get("LIKENESS_MODELS")
    if override:
        return [Path(override).expanduser().absolute()]
    comfy = _comfy("folder_paths")
    if comfy is not None:
        own = Path(comfy.models_dir) / "likeness"
        extra = [Path(folder) for folder in comfy.folder_names_and_paths.get("likeness", ([], set()))[0]]
        return [own, *(folder for folder in extra if folder != own)]
    import platformdirs

    return [Path(platformdirs.user_data_dir(APP, appauthor=False)) / "models"]


def model_files(kind: str) -> list[str]:
    """Names of the files of one kind, such as ``loras``: ComfyUI's list, elsewhere those below our model folders."""
    comfy = _comfy("folder_paths")
    if comfy is not None:
        return list(comfy.get_filename_list(kind))
    found = {
        path.relative_to(folder / kind).as_posix()
        for folder in model_dirs()
        for path in (folder / kind).rglob("*")
        if path.is_file()
    }
    return sorted(found)


def model_file(kind: str, name: str) -> Path:
    """The file of that name and kind. Raises UnsafePath, and ModelMissing when there is none.

    The name must stay in its folder; a link that the owner of the folder put there may lead anywhere, as in ComfyUI.
    """
    comfy = _comfy("folder_paths")
    roots = comfy.get_folder_paths(kind) if comfy is not None else [folder / kind for folder in model_dirs()]
    for root in roots:
        if Path(name).anchor or ".." in Path(name).parts or "\0" in name:
            raise UnsafePath(f"The name {name!r} leads outside {root}; give a name inside that folder.")
        path = Path(root) / name
        if path.is_file():
            return path
    raise ModelMissing(f"There is no file {name!r} in {kind}; put it into {roots[0]}.")


def clip_vocabulary_files() -> tuple[Path, Path] | None:
    """ComfyUI's own CLIP vocabulary: ``vocab.json`` and ``merges.txt``. None outside of ComfyUI."""
    encoder = _comfy("comfy.sd1_clip")
    if encoder is None:
        return None
    folder = Path(encoder.__file__).parent / "sd1_tokenizer"
    return folder / "vocab.json", folder / "merges.txt"


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


def folders_of(kind: str) -> list[Path]:
    """Folders called `kind` in our model folders, beside them, and where ComfyUI and its other packs look for them."""
    found = [root / kind for folder in model_dirs() for root in (folder, folder.parent)]
    comfy = _comfy("folder_paths")
    if comfy is not None:
        registered = comfy.folder_names_and_paths.get(kind, ([], set()))[0]
        found += [Path(comfy.models_dir) / kind, *(Path(folder) for folder in registered)]
    return list(dict.fromkeys(found))


def inside(folder: Path, name: str) -> Path:
    """`folder / name`, resolved, and refused with UnsafePath when it would leave `folder`."""
    root = folder.resolve()
    try:
        path = (root / name).resolve()
    except (OSError, ValueError) as error:
        raise UnsafePath(f"{name[:80]!r} can be no file's name ({error}); give another name.") from error
    if path != root and root not in path.parents:
        raise UnsafePath(f"The name {name!r} leads outside {root}; give a name inside that folder.")
    return path


class Nothing:
    """Stands in an output for a value that there is not: whatever would work on it is left out, without an error."""


def nothing() -> Any:
    """What a node puts into an output that has no value this time: ComfyUI's ExecutionBlocker, or `Nothing`.

    An empty list would not do: ComfyUI fails with an IndexError on the node that gets it.
    """
    graph = _comfy("comfy_execution.graph_utils")
    return graph.ExecutionBlocker(None) if graph is not None else Nothing()


def check_interrupted() -> None:
    """Stop here if the user asked for it: ComfyUI's own exception inside ComfyUI, else Interrupted."""
    management = _comfy("comfy.model_management")
    if management is not None:
        management.throw_exception_if_processing_interrupted()
    local = _local.get()
    if local is not None and local.interrupted():
        raise Interrupted("The run was stopped.")


def given_by_another_pack(name: str) -> bool:
    """Whether the node class of that name comes from neither ComfyUI nor this pack. Outside of ComfyUI none does."""
    registry, paths = _comfy("nodes"), _comfy("folder_paths")
    node_class = registry.NODE_CLASS_MAPPINGS.get(name) if registry is not None else None
    if node_class is None or paths is None:
        return False
    file = Path(getattr(sys.modules.get(node_class.__module__), "__file__", None) or "")
    packs = paths.get_folder_paths("custom_nodes")
    return any(file.is_relative_to(pack) for pack in packs) and not file.is_relative_to(Path(__file__).parent.parent)


@dataclass(frozen=True)
class CurrentRun:
    """The run that a node is part of: its id, the node's own id, the graph in API format, and whether it has ended."""

    id: str
    node: str | None
    graph: Mapping[str, Any]
    over: Callable[[], bool]


def current_run() -> CurrentRun | None:
    """The run that is under way; None where nodes are called outside of any. For a node's `fingerprint_inputs` too."""
    local = _local.get()
    if local is not None:
        return CurrentRun(local.run_id, local.node, local.graph, lambda: local.over)
    utils, server = _comfy("comfy_execution.utils"), _comfy("server")
    context = utils.get_executing_context() if utils is not None and hasattr(utils, "get_executing_context") else None
    if context is None or server is None:
        return None
    queue, prompt = server.PromptServer.instance.prompt_queue, context.prompt_id

    def graphs() -> list[Any]:
        return [entry[2] for entry in list(queue.currently_running.values()) if entry[1] == prompt]

    return CurrentRun(prompt, context.node_id, next(iter(graphs()), {}), lambda: not graphs())


class Progress:
    """A node's progress bar. Each step also checks whether the user pressed stop."""

    def __init__(self, total: int) -> None:
        self.total = max(total, 1)
        self.done = 0
        utils = _comfy("comfy.utils")
        self._bar = utils.ProgressBar(self.total) if utils is not None else None

    def step(self, steps: int = 1) -> None:
        """Advance by `steps`."""
        check_interrupted()
        self.done = min(self.done + steps, self.total)
        if self._bar is not None:
            self._bar.update(steps)
        local = _local.get()
        if local is not None:
            local.on_progress(self.done, self.total)


def torch_device(name: str = "auto") -> torch.device:
    """A torch device for ``auto``, ``cpu`` or ``gpu``; ``auto`` is ComfyUI's choice where there is one."""
    import torch

    if name == "cpu":
        return torch.device("cpu")
    management = _comfy("comfy.model_management")
    if management is not None:
        return management.get_torch_device()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
