"""Putting LoRAs on a model: what fits is checked first, then ComfyUI's own patches are added in order."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core import host
from ..core.errors.formats import LoraFileDamaged, LoraMatchesNothing, LoraWrongBase
from ..core.lora.base_model import UNKNOWN, may_fit, of_model_class
from ..core.lora.header import TensorInfo
from ..core.lora.layers import ENDINGS, MAX_NUMBERS, UNREAD, Layer, Layers, layers_of
from ..core.lora.lora_file import MEMORY_LIMIT, Cache, LoraFile, open_lora
from ..core.lora.names import canonical, is_text
from . import host as comfy_host
from .sockets import Row, Stack

APPLIED = "likeness_loras"
"""Attachment of a model that holds the tokens of the stacks on it, so that none is put on twice."""


class Patched:
    """Collects patches for a MODEL or CLIP (or for none) and puts them on a copy, in order."""

    def __init__(self, given: Any | None) -> None:
        self.given = given
        self._groups: list[tuple[dict[Any, Any], float]] = []
        self._tokens: frozenset[str] = frozenset()
        self._had: frozenset[str] = frozenset()
        if given is not None:
            self._had = _patcher(given).get_attachment(APPLIED) or frozenset()

    def has(self, token: str) -> bool:
        """Whether the stack of that token is on the given model already."""
        return token in self._had

    def add(self, patches: dict[Any, Any], strength: float) -> None:
        """Put patches behind those before; strength 0 and no patches add nothing."""
        if patches and strength != 0:
            self._groups.append((patches, strength))

    def mark(self, token: str) -> None:
        """Note that the stack of that token is on it."""
        self._tokens |= {token}

    def result(self) -> Any | None:
        """A copy with all patches, or what was given when there is nothing to add."""
        if self.given is None or not self._groups:
            return self.given
        copy = self.given.clone()
        comfy_host.add_lora_patches(copy, self._groups)
        _patcher(copy).set_attachments(APPLIED, self._had | self._tokens)
        return copy


def _patcher(value: Any) -> Any:
    """A CLIP keeps its patches in a patcher of its own; a MODEL is one."""
    return getattr(value, "patcher", value)


@dataclass(frozen=True)
class Target:
    """The names of a model's LoRA layers (`comfy_host.lora_names`), the shapes of its weights, and its family.

    A name stands for a weight, for a part of one with where that lies, or for a weight whose halves are swapped.
    The shape of a weight that is kept quantised, packed into whole numbers, says nothing and is empty here.
    """

    names: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    key: int
    family: str = UNKNOWN

    def shape(self, base: str) -> tuple[int, ...] | None:
        """The shape of the weight (or of the part of one) that a layer changes; None if the model has none."""
        where = self.names.get(base)
        if isinstance(where, tuple) and where[1] is None:
            return self.shapes.get(where[0])
        if isinstance(where, tuple):
            weight, (axis, _, length) = where[0], where[1]
            whole = self.shapes.get(weight)
            return (*whole[:axis], length, *whole[axis + 1 :]) if whole else whole
        return None if where is None else self.shapes.get(where)


@dataclass(frozen=True)
class Mapped:
    """A LoRA's patches for one model, what of the file found its place, and what is worth saying of these layers."""

    patches: dict[Any, Any]
    matched: list[str]
    unmatched: list[str]
    misshapen: list[str]
    other: list[str]
    size: int
    notes: list[str]


_targets: weakref.WeakKeyDictionary[Any, Target] = weakref.WeakKeyDictionary()
_mapped = Cache(MEMORY_LIMIT)


def target_of(model: Any = None, clip: Any = None) -> Target:
    """What LoRAs can change of a MODEL or a CLIP. Computed once for each loaded model."""
    module = model.model if model is not None else clip.cond_stage_model
    found = _targets.get(module)
    if found is None:
        names = comfy_host.lora_names(model, clip)
        weights = module.state_dict()
        shapes = {name: tuple(weight.shape) if weight.is_floating_point() else () for name, weight in weights.items()}
        key = hash((tuple(sorted(map(repr, names.items()))), tuple(sorted(shapes.items()))))
        found = Target(names, shapes, key, of_model_class(comfy_host.model_config(model)))
        _targets[module] = found
    return found


def fits_shape(layer: Layer, shape: tuple[int, ...]) -> bool:
    """Whether a layer's change has as many rows and numbers as the weight; True where the file does not tell."""
    if not shape or "reshape" in layer.parts:
        return True
    for role in ("diff_b", "b_norm"):
        if role in layer.parts and layer.parts[role].shape != shape[:1]:
            return False
    if layer.kind == "set":
        return layer.parts["set"].shape == shape
    if layer.kind in ("full", "norm"):
        return layer.shape == shape
    matrix = layer.matrix
    return matrix is None or (matrix[0] == shape[0] and math.prod(matrix) == math.prod(shape))


def map_lora(file: LoraFile, target: Target) -> Mapped:
    """The patches of a file for a model, read once per file and kind of model."""
    key = (file.header.stamp, target.key)
    found = _mapped.get(key)
    if found is None:
        found = _map(file, target)
        _mapped.put(key, found.size, found)
    return found


def _map(file: LoraFile, target: Target) -> Mapped:
    """Layers are compared by the header; only the tensors of those that match are read."""
    layers, new = _as_comfy_renames(file)
    known = _known_names(layers, target, file.family.name if target.family == UNKNOWN else target.family)
    matched, unmatched, misshapen = [], [], []
    for base, layer in layers.found.items():
        shape = target.shape(known[base]) if base in known else None
        if shape is None or layer.kind == "ia3":
            unmatched.append(base)
        else:
            (matched if fits_shape(layer, shape) else misshapen).append(base)
    found = {base: layers.found[base] for base in matched}
    wanted = {part.name for layer in found.values() for part in layer.parts.values()} - new.keys()
    read = file.read_finite(list(wanted)) if wanted else {}
    tensors = _under_known_names(found, known, read | new)
    _check_growth(file, [known[base] for base in matched], tensors)
    names = {known[base]: target.names[known[base]] for base in matched}
    patches = comfy_host.lora_patches(tensors, names) if names else {}
    there = {key: patch for key, patch in patches.items() if (key if isinstance(key, str) else key[0]) in target.shapes}
    notes = _notes(found, known, len(patches) - len(there))
    size = sum(tensor.nbytes for tensor in read.values())
    return Mapped(there, matched, unmatched, misshapen, layers.other, size, notes)


def _as_comfy_renames(file: LoraFile) -> tuple[Layers, dict[str, Any]]:
    """The layers under the names that ComfyUI brings a few publishers' formats to, and the tensors that it adds."""
    infos = file.header.tensors
    renamed = comfy_host.lora_renamed(dict(infos))
    if renamed.keys() == infos.keys():
        return file.layers, {}
    new = {name: value for name, value in renamed.items() if not isinstance(value, TensorInfo)}
    added = {name: TensorInfo(name, "", tuple(value.shape), 0, 0) for name, value in new.items()}
    return layers_of(file.header, renamed | added), new


def _known_names(layers: Layers, target: Target, family: str) -> dict[str, str]:
    """By layer, the name that ComfyUI knows: the file's, or another one of the same layer; each weight once."""
    found: dict[str, str] = {}
    taken: set[Any] = set()
    for base in layers.found:
        name = base if base in target.names else canonical(base, family)
        if name in target.names and target.names[name] not in taken:
            taken.add(target.names[name])
            found[base] = name
    return found


def _under_known_names(
    layers: Mapping[str, Layer], known: Mapping[str, str], tensors: Mapping[str, Any]
) -> dict[str, Any]:
    """The tensors of layers as ComfyUI reads them: its names and endings, and alphas that only the metadata state."""
    import torch

    found = {}
    for base, layer in layers.items():
        for role, part in layer.parts.items():
            if role not in UNREAD:
                found[known[base] + ENDINGS[role]] = tensors[part.name]
        if layer.stated_alpha is not None:
            found[f"{known[base]}.alpha"] = torch.tensor(layer.stated_alpha)
    return found


def _notes(layers: Mapping[str, Layer], known: Mapping[str, str], lost: int) -> list[str]:
    """What differs from what the file's author trained, or from what ComfyUI's own loader does."""
    notes = []
    renamed = [base for base in layers if known[base] != base]
    if renamed:
        notes.append(
            f"{len(renamed)} of its layers have names that ComfyUI's own loader does not know and were loaded under "
            f"those that it does; the first is {renamed[0][:100]!r}"
        )
    stated = sorted({layer.stated_alpha for layer in layers.values() if layer.stated_alpha not in (None, layer.rank)})
    if stated:
        notes.append(
            f"its alpha ({', '.join(f'{alpha:g}' for alpha in stated[:3])}) stands in its metadata alone and was used; "
            "ComfyUI's own loader does not read it there and takes the rank"
        )
    for role, what in UNREAD.items():
        count = sum(role in layer.parts for layer in layers.values())
        if count:
            notes.append(f"the {what} of {count} layers are not applied, because ComfyUI does not read them")
    if lost:
        notes.append(f"{lost} of its changes are to biases that the model does not have, and are left out")
    return notes


def _check_growth(file: LoraFile, matched: list[str], tensors: dict[str, Any]) -> None:
    """Two numbers in a file can enlarge a weight beyond any memory."""
    for base in matched:
        size = tensors.get(f"{base}.reshape_weight")
        if size is not None and not 0 < math.prod(size.flatten().tolist()) <= MAX_NUMBERS:
            raise LoraFileDamaged(
                f"{file.name} would enlarge {base[:120]!r} to {size.flatten().tolist()[:8]}, larger than any model's "
                "weight; it is not loaded."
            )


@dataclass
class Outcome:
    """What became of one row: counts of layers, and words for people."""

    row: Row
    file: LoraFile
    matched: int = 0
    of: int = 0
    matched_text: int = 0
    of_text: int = 0
    already: bool = False
    warnings: list[str] = field(default_factory=list)


def apply_stack(model: Any, clip: Any | None, stack: Stack) -> tuple[Any, Any | None, list[Outcome]]:
    """A model and CLIP with the rows of a stack on them, in order; without active rows they come back as they are.

    Rows of a stack that is on the model already are not added again. Raises LoraWrongBase, LoraMatchesNothing, and
    what `open_lora` raises; then nothing was changed, for patches go to copies.
    """
    outcomes = []
    progress = host.Progress(len(stack.all_rows()))
    on_model, on_clip = Patched(model), Patched(clip)
    for part in stack.chain():
        for row in part.rows:
            outcome = Outcome(row, open_lora(row.lora))
            _apply_row(outcome, on_model, on_clip, part.token)
            if any(before.row.lora == row.lora for before in outcomes):
                outcome.warnings.append("it is in the stack more than once, and its strengths add up")
            outcomes.append(outcome)
            progress.step()
        on_model.mark(part.token)
        on_clip.mark(part.token)
    return on_model.result(), on_clip.result(), outcomes


def _apply_row(outcome: Outcome, on_model: Patched, on_clip: Patched, token: str) -> None:
    file, row = outcome.file, outcome.row
    model, clip = on_model.given, on_clip.given
    if file.stranger is not None:
        raise LoraMatchesNothing(f"{file.name} is no LoRA but {file.stranger}; choose a LoRA.")
    check_base(file, of_model_class(comfy_host.model_config(model)))
    mapped = map_lora(file, target_of(model=model))
    mapped_text = map_lora(file, target_of(clip=clip)) if clip is not None else None
    _count(outcome, mapped, mapped_text)
    outcome.already = on_model.has(token)
    if not on_model.has(token):
        on_model.add(mapped.patches, row.model)
    if mapped_text is not None and not on_clip.has(token):
        on_clip.add(mapped_text.patches, row.clip)


def check_base(file: LoraFile, model: str) -> None:
    """Raise LoraWrongBase if a LoRA was made for another base model than the family `model`."""
    family = file.family
    if not may_fit(family, model):
        raise LoraWrongBase(
            f"{file.name} is a LoRA for {family.name} ({family.why}) and the model is {model}; connect a model of "
            f"{family.name}, or choose a LoRA for {model}."
        )


def _count(outcome: Outcome, mapped: Mapped, mapped_text: Mapped | None) -> None:
    file = outcome.file
    body = [base for base in (*mapped.matched, *mapped.unmatched, *mapped.misshapen) if not is_text(base)]
    text = set(mapped_text.matched) if mapped_text is not None else set()
    body = [base for base in body if base not in text]
    everything = len(mapped.matched) + len(mapped.unmatched) + len(mapped.misshapen)
    outcome.matched, outcome.of = len(mapped.matched), len(body)
    outcome.matched_text, outcome.of_text = len(text), everything - len(body)
    if outcome.matched == 0 and (outcome.of or not text):
        _refuse_unmatched(outcome, mapped, mapped_text)
    if outcome.matched < outcome.of:
        matched = set(mapped.matched)
        first = next(base for base in body if base not in matched)
        outcome.warnings.append(
            f"only {outcome.matched} of {outcome.of} keys match the model"
            + (f", {len(mapped.misshapen)} of them have another shape" if mapped.misshapen else "")
            + f"; the first that does not is {first[:100]!r}"
        )
    if outcome.of_text and mapped_text is None:
        outcome.warnings.append(f"its {outcome.of_text} text-encoder keys are not used, because no CLIP is connected")
    elif outcome.matched_text < outcome.of_text:
        outcome.warnings.append(f"only {outcome.matched_text} of {outcome.of_text} text-encoder keys match the CLIP")
    if mapped.other:
        outcome.warnings.append(
            f"{len(mapped.other)} of its tensors belong to no kind of layer that is known, the first is "
            f"{mapped.other[0][:100]!r}"
        )
    cores = sum("k_t2" in layer.parts for layer in file.layers.found.values())
    if cores:
        outcome.warnings.append(
            f"{cores} of its layers are LoKr with a Tucker core, which ComfyUI leaves out with some versions of torch "
            "(its log says so); Merge LoRAs makes them ordinary ones"
        )
    outcome.warnings += mapped.notes + (mapped_text.notes if mapped_text is not None else [])
    if file.family.contradiction:
        outcome.warnings.append(
            f"its metadata say {file.family.stated} and its layers {file.family.name}, which counts"
        )
    if not file.trigger_words:
        outcome.warnings.append("its metadata name no trigger words")


def _refuse_unmatched(outcome: Outcome, mapped: Mapped, mapped_text: Mapped | None) -> None:
    file = outcome.file
    made_for = "" if file.family.name == UNKNOWN else f", which was made for {file.family.name},"
    total = outcome.of + outcome.of_text
    if outcome.of_text and not outcome.of and mapped_text is None:
        raise LoraMatchesNothing(
            f"All {total} keys of {file.name} are a text encoder's, and no CLIP is connected; connect one."
        )
    shapes = ""
    if mapped.misshapen:
        shapes = f" ({len(mapped.misshapen)} have the right name and another shape)"
    first = (file.layers.other or list(file.layers.found) or [""])[0][:100]
    raise LoraMatchesNothing(
        f"0 of {total or len(file.header.tensors)} keys of {file.name}{made_for} match the model{shapes}, the first "
        f"is {first!r}; choose a LoRA for this model."
    )
