"""LoRA files as the nodes use them: checked, described by their metadata (which are claims), kept in memory."""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import category

from .. import host
from ..errors.formats import LoraFileDamaged
from .base_model import Family, family_of
from .header import Header, file_kind, read_header, stamp_of
from .layers import Layers, layers_of
from .publishers import common_names

if TYPE_CHECKING:
    import torch

PHRASE_KEYS = ("modelspec.trigger_phrase", "trigger_words", "trigger_phrase", "activation text", "instance_prompt")
"""Where a publisher writes the words, the first that is there counts."""

LICENCE_KEYS = ("modelspec.license", "license", "licence")

TAG_SHARE = 0.9
"""A tag on this part of the training pictures counts as a trigger word."""

TAG_LIMIT = 5
TAGS_SHOWN = 20
MOST_FOLDERS, MOST_TAGS = 10_000, 100_000
"""So many folders and tags of a file's metadata are looked at."""

GENERIC_FOLDERS = {"", "img", "image", "images", "data", "dataset", "train", "photos", "pictures", "input"}

SETTINGS = {
    "network": ("ss_network_module",),
    "rank": ("ss_network_dim",),
    "alpha": ("ss_network_alpha",),
    "base model file": ("ss_sd_model_name", "modelspec.implementation"),
    "base model hash": ("ss_new_sd_model_hash", "ss_sd_model_hash"),
    "base model version": ("ss_base_model_version", "modelspec.architecture"),
    "learning rate": ("ss_learning_rate",),
    "learning rate, UNet": ("ss_unet_lr",),
    "learning rate, text encoder": ("ss_text_encoder_lr",),
    "scheduler": ("ss_lr_scheduler",),
    "optimizer": ("ss_optimizer",),
    "steps": ("ss_steps", "ss_max_train_steps"),
    "epochs": ("ss_num_epochs",),
    "pictures": ("ss_num_train_images",),
    "batch size": ("ss_total_batch_size", "ss_batch_size_per_device"),
    "resolution": ("modelspec.resolution", "ss_resolution"),
    "clip skip": ("ss_clip_skip",),
    "noise offset": ("ss_noise_offset",),
    "precision": ("ss_mixed_precision",),
    "seed": ("ss_seed",),
    "title": ("modelspec.title", "ss_output_name"),
    "author": ("modelspec.author",),
    "date": ("modelspec.date",),
    "comment": ("ss_training_comment", "modelspec.description"),
}
"""What is shown of the training, and under which metadata keys kohya and Stability's modelspec write it."""

WORD_LIMIT = 300

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Unicode's categories of control characters, of marks that turn text round or hide it, and of no characters."""

_JOINERS = "\u200c\u200d"
"""Marks that are not seen and belong to the spelling of Persian and Indian words."""


def plain(text: str, limit: int = WORD_LIMIT) -> str:
    """Text of a stranger's file: without what is not seen, cut off at `limit` characters."""
    text = text[: 20 * limit]
    if not (text.isascii() and text.isprintable()):
        text = "".join(each for each in text if each.isspace() or each in _JOINERS or category(each) not in _UNSEEN)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def trigger_words(metadata: Mapping[str, str]) -> list[str]:
    """The words that call the LoRA up: as published, else tags on nearly every training picture, else folder names.

    kohya trains on folders named ``10_sks person``, or on class tokens of a configuration, and counts captions' tags
    per folder. Those of regularisation pictures are no trigger words. Empty if nothing is known.
    Words go into prompts: what a publisher wrote is taken as a prompt already, brackets in tags are made literal.
    """
    for key in PHRASE_KEYS:
        words = plain(metadata.get(key, "")).strip(" ,")
        if words and words.lower() not in ("none", "null"):
            return [words]
    concepts = [name for name, _ in _concepts(metadata)]
    least = TAG_SHARE * max(1, _pictures(metadata))
    common = [tag for tag, count in tags(metadata) if count >= least]
    named = [word for word in concepts if word.lower() not in GENERIC_FOLDERS]
    found = named[:TAGS_SHOWN] + common[:TAG_LIMIT]
    return joined_words([[literal(word) for word in found]])


def literal(word: str) -> str:
    """A word as a prompt must have it: ``saber \\(fate\\)``, because bare brackets are weights to ComfyUI."""
    return re.sub(r"(?<!\\)[()]", r"\\\g<0>", word)


def joined_words(groups: Iterable[Iterable[str]]) -> list[str]:
    """Words of several LoRAs in order, each once."""
    found: dict[str, str] = {}
    for group in groups:
        for word in group:
            found.setdefault(word.lower(), word)
    return list(found.values())


def _parsed(metadata: Mapping[str, str], key: str) -> Any:
    try:
        return json.loads(metadata.get(key, "null"))
    except (ValueError, RecursionError):
        return None


def _object(metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    found = _parsed(metadata, key)
    return found if isinstance(found, dict) else {}


def _subsets(metadata: Mapping[str, str]) -> list[dict[str, Any]]:
    """The folders of kohya's dataset configuration (`ss_datasets`), which FluxGym and other front ends write."""
    datasets = _parsed(metadata, "ss_datasets")
    listed = [each.get("subsets") for each in datasets if isinstance(each, dict)] if isinstance(datasets, list) else []
    found = (subset for subsets in listed if isinstance(subsets, list) for subset in subsets)
    return [subset for subset in islice(found, MOST_FOLDERS) if isinstance(subset, dict)]


def _training_folders(metadata: Mapping[str, str], folders: Iterable[str]) -> list[str]:
    """Of folders, those of the training pictures: not of regularisation pictures, which show the class in general."""
    known = set(_object(metadata, "ss_dataset_dirs"))
    subsets = _subsets(metadata)
    trained = {str(each.get("image_dir")) for each in subsets if each.get("is_reg") is not True}
    regularising = set(_object(metadata, "ss_reg_dataset_dirs")) | {
        str(each.get("image_dir")) for each in subsets if each.get("is_reg") is True
    }
    others = regularising - trained
    left = [folder for folder in islice(folders, MOST_FOLDERS) if folder not in others]
    return [folder for folder in left if folder in known] or left if known else left


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _concepts(metadata: Mapping[str, str]) -> list[tuple[str, int]]:
    """What was trained, in words, and on how many pictures: class tokens, or the names of kohya's folders."""
    found = []
    for subset in _subsets(metadata):
        if subset.get("is_reg") is not True:
            folder = str(subset.get("image_dir") or "")
            named = re.match(r"\d+_(.+)", folder)
            tokens = subset.get("class_tokens") or (named[1].replace("_", " ") if named is not None else "")
            found.append((plain(str(tokens)), _number(subset.get("img_count"))))
    if found:
        return found
    folders = _object(metadata, "ss_dataset_dirs") or {name: {} for name in _object(metadata, "ss_tag_frequency")}
    for folder in _training_folders(metadata, folders):
        info = folders[folder]
        name = plain(re.sub(r"^\d+_", "", folder).replace("_", " "))
        found.append((name, _number(info.get("img_count")) if isinstance(info, dict) else 0))
    return found


def _pictures(metadata: Mapping[str, str]) -> int:
    """How many different pictures the captions belong to; without a count, the most frequent tag is on all of them."""
    counted = sum(count for _, count in _concepts(metadata))
    if counted:
        return counted
    found = tags(metadata)
    return found[0][1] if found else 0


def tags(metadata: Mapping[str, str]) -> list[tuple[str, int]]:
    """All tags of the training captions and on how many pictures they are, the most frequent first."""
    counted: Counter[str] = Counter()
    folders = _object(metadata, "ss_tag_frequency")
    for name in _training_folders(metadata, folders):
        folder = folders[name]
        if isinstance(folder, dict):
            for tag, count in islice(folder.items(), max(MOST_TAGS - len(counted), 0)):
                counted[plain(str(tag), 100)] += _number(count)
    counted.pop("", None)
    return counted.most_common()


def training(metadata: Mapping[str, str]) -> dict[str, str]:
    """How the LoRA was trained, by the names of `SETTINGS`; only what the file says."""
    found = {}
    for name, keys in SETTINGS.items():
        said = next((metadata[key] for key in keys if metadata.get(key, "None") not in ("", "None", "null")), None)
        if said is not None:
            found[name] = plain(said)
    return found


def licence(metadata: Mapping[str, str]) -> str:
    """The licence as the file states it, or ``not stated``."""
    return next((plain(metadata[key]) for key in LICENCE_KEYS if metadata.get(key)), "not stated")


def hashes(path: Path, data_start: int) -> dict[str, str]:
    """``sha256`` of the file, and ``autov3``: the first 12 digits of that of the tensors' bytes alone.

    AutoV3 stays the same when metadata are edited; kohya stores the whole of it as `sshs_model_hash`.
    """
    whole, tensors = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        whole.update(file.read(data_start))
        while chunk := file.read(2**20):
            whole.update(chunk)
            tensors.update(chunk)
    return {"sha256": whole.hexdigest(), "autov3": tensors.hexdigest()[:12]}


MEMORY_LIMIT = 2 * 2**30
"""Bytes of LoRA files whose tensors are kept; those used longest ago go first."""


@dataclass
class LoraFile:
    """One LoRA file whose header was checked. Its tensors are read on demand."""

    name: str
    header: Header

    @cached_property
    def layers(self) -> Layers:
        """Its layers. Raises LoraFileDamaged."""
        names = common_names(self.header.tensors)
        return layers_of(self.header, {names[name]: tensor for name, tensor in self.header.tensors.items()})

    @cached_property
    def family(self) -> Family:
        """The base model it was made for."""
        return family_of(self.layers.found.values(), self.header.metadata)

    @cached_property
    def stranger(self) -> str | None:
        """What it is instead, where it has no LoRA layer and its tensors' names tell."""
        return None if self.layers.found else file_kind(self.header.tensors)

    @cached_property
    def trigger_words(self) -> list[str]:
        """The words that call it up, or an empty list."""
        return trigger_words(self.header.metadata)

    def read(self, names: list[str] | None = None) -> dict[str, torch.Tensor]:
        """Its tensors (or those of `names`), mapped into memory and not copied.

        Raises LoraFileDamaged where the file is another one than when its header was checked.
        """
        from safetensors import SafetensorError, safe_open

        wanted = list(self.header.tensors) if names is None else names
        try:
            with safe_open(self.header.path, framework="pt") as file:
                found = {name: file.get_tensor(name) for name in wanted}
            unchanged = stamp_of(self.header.path) == self.header.stamp
        except (SafetensorError, OSError) as error:
            raise LoraFileDamaged(
                f"{self.name} cannot be read ({host.reason_of(error)[:200]}); get it again."
            ) from error
        if not unchanged:
            raise LoraFileDamaged(f"{self.name} was changed while it was read; run again when it is complete.")
        return found

    def read_finite(self, names: list[str] | None = None) -> dict[str, torch.Tensor]:
        """Its tensors, as `read`. Raises LoraFileDamaged where one holds NaN or infinity: they make black pictures."""
        found = self.read(names)
        for name, tensor in found.items():
            if not _finite(tensor):
                raise LoraFileDamaged(
                    f"{self.name} holds numbers that are not finite, first in {name[:120]!r}, and would make black "
                    "pictures; use another version of it."
                )
        return found


def _finite(tensor: torch.Tensor) -> bool:
    """Whether all numbers are finite; by the extremes, which carry NaN along and take a tenth of `isfinite`'s time."""
    import torch

    if not tensor.dtype.is_floating_point or tensor.numel() == 0:
        return True
    if tensor.dtype.itemsize == 1:
        tensor = tensor.float()
    extremes = torch.aminmax(tensor) if tensor.numel() > 1 else [tensor]
    return all(math.isfinite(extreme.item()) for extreme in extremes)


class Cache:
    """Values by key with a size each; what was used longest ago goes when the sum passes the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: OrderedDict[Hashable, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any | None:
        """What was kept under `key`, or None."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][1]

    def put(self, key: Hashable, size: int, value: Any) -> None:
        """Keep `value`, which takes `size` bytes; something larger than the limit is not kept."""
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (size, value)
            while self._kept and self.used > self.limit:
                self._kept.popitem(last=False)

    @property
    def used(self) -> int:
        """Bytes that are kept."""
        return sum(size for size, _ in self._kept.values())

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()


HEADER_LIMIT = 32 * 2**20
"""Bytes of headers that are kept, as they are in the files; read ones take some ten times as much."""

_files = Cache(HEADER_LIMIT)


def open_lora(name: str) -> LoraFile:
    """The LoRA of that name in ComfyUI's loras folders, with its header checked; unchanged files are read once.

    Raises ModelMissing, UnsafePath, UnsafeWeights and LoraFileDamaged.
    """
    path = host.model_file("loras", name)
    return open_path(path, name)


def open_path(path: Path, name: str) -> LoraFile:
    """The LoRA at `path`, called `name` in messages."""
    key = (name, *stamp_of(path))
    found = _files.get(key)
    if found is None:
        found = LoraFile(name, read_header(path))
        _files.put((name, *found.header.stamp), found.header.data_start, found)
    return found


def count_kinds(layers: Mapping[str, Any]) -> dict[str, int]:
    """How many layers of each kind."""
    return dict(Counter(layer.kind for layer in layers.values()))
