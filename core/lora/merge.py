"""The weighted sum of LoRAs, reduced to a rank, and its file: written whole or not at all, never over another."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from .. import host
from ..errors import UnsafePath
from ..errors.formats import LoraMatchesNothing, LoraNotMergeable, LoraNotSaved, LoraWrongBase
from ..files import claim_free_path
from .base_model import UNKNOWN, Family, fits
from .delta import Delta, Factors, Whole, bias_of, delta_of, flat, why_not
from .layers import Layer
from .lora_file import LoraFile, hashes, joined_words, licence
from .names import canonical, flat_name, is_described, is_text, loads, split_prefix

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Source:
    """A LoRA in a merge, with its weights for the diffusion model and for the text encoders."""

    file: LoraFile
    model: float
    text: float


@dataclass
class Merged:
    """The tensors of a merged LoRA in kohya's naming, and what the reduction lost.

    `errors` holds, by layer, the Frobenius norm of what was cut off, relative to the layer's own norm; `warnings` say
    which layers ComfyUI will not load.
    """

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    lost: float = 0.0
    total: float = 0.0
    warnings: list[str] = field(default_factory=list)

    @property
    def error(self) -> float:
        """Norm of everything that was cut off, relative to the norm of the whole sum."""
        return (self.lost / self.total) ** 0.5 if self.total else 0.0


@dataclass
class _Term:
    layer: Layer
    file: str
    weight: float
    tensors: dict[str, torch.Tensor]


def common_family(sources: Sequence[Source]) -> Family:
    """The base model of all sources. Raises LoraWrongBase when two were made for different ones."""
    known = [source.file for source in sources if source.file.family.name != UNKNOWN]
    surest = min(known, key=lambda file: len(file.family.others), default=sources[0].file)
    for file in known:
        if surest.family.name not in {file.family.name, *file.family.others}:
            one, other = (surest, file) if known.index(surest) < known.index(file) else (file, surest)
            raise LoraWrongBase(
                f"{one.name} is a LoRA for {one.family.name} and {other.name} is one for {other.family.name}; merge "
                "LoRAs of one base model."
            )
    return surest.family


def merge(
    sources: Sequence[Source], rank: int, precision: str = "float32", step: Callable[[], object] = lambda: None
) -> Merged:
    """The sum of the sources' changes times their weights.

    `rank` is the largest rank of a layer; 0 keeps the exact sum. Sums and decompositions are done in float64 and
    stored in `precision`. `step` is called after each layer. Raises LoraWrongBase, LoraNotMergeable, and
    LoraMatchesNothing for a source of which ComfyUI would load no layer.
    """
    family = common_family(sources).name
    terms = _terms(sources, family)
    merged = Merged(warnings=_unloaded(sources, family))
    for name, summands in terms.items():
        _merge_layer(merged, name, summands, rank, DTYPES[precision])
        step()
    return merged


def layer_count(sources: Sequence[Source]) -> int:
    """How many layers a merge has, for a progress bar."""
    return len(_terms(sources, common_family(sources).name))


def _terms(sources: Sequence[Source], family: str) -> dict[str, list[_Term]]:
    found: dict[str, list[_Term]] = {}
    inside: dict[tuple[bool, str], tuple[str, str]] = {}
    for source in sources:
        _check_whole(source)
        tensors = source.file.read_finite()
        names: dict[str, str] = {}
        for base, layer in _weighted_layers(source).items():
            name = canonical(base, family)
            _check_layer(source.file, layer, name)
            if name in names:
                raise LoraNotMergeable(
                    f"{source.file.name} has one layer twice, as {names[name][:100]!r} and {base[:100]!r}, of which "
                    "ComfyUI loads one; leave it out."
                )
            names[name] = base
            key = (is_text(base), flat_name(split_prefix(base)[1] if not is_text(base) else base))
            other, file = inside.setdefault(key, (name, source.file.name))
            if other != name:
                raise LoraNotMergeable(
                    f"{source.file.name} calls a layer {base[:100]!r} and {file} has it under another prefix, so "
                    "that it is not sure whether both mean the same; merge LoRAs of one format."
                )
            found.setdefault(name, []).append(_Term(layer, source.file.name, _weight(source, base), tensors))
    if not found:
        names_of_all = ", ".join(source.file.name for source in sources)
        raise LoraNotMergeable(
            f"There is no layer to merge in {names_of_all}; choose LoRAs with layers and weights above 0."
        )
    return found


def _weight(source: Source, base: str) -> float:
    return source.text if is_text(base) else source.model


def _weighted_layers(source: Source) -> dict[str, Layer]:
    return {base: layer for base, layer in source.file.layers.found.items() if _weight(source, base) != 0}


def _check_whole(source: Source) -> None:
    """A merge has layers and nothing else, so that what else a source has would be lost."""
    file = source.file
    if not file.layers.found:
        raise LoraNotMergeable(
            f"{file.name} has no LoRA layer, it is {file.stranger or 'of no known format'}; leave it out."
        )
    if file.layers.unknown and _weighted_layers(source):
        raise LoraNotMergeable(
            f"{file.name} cannot be merged: its tensor {file.layers.unknown[0][:100]!r} is of no kind that ComfyUI "
            "loads and would be lost; leave it out."
        )


def _check_layer(file: LoraFile, layer: Layer, name: str) -> None:
    reason = why_not(layer)
    if reason is None and layer.changes_bias and not name.startswith(("lora_unet_", "lora_te", "text_encoders.")):
        reason = "changes the bias of a part of a weight, which ComfyUI does not load"
    if reason is not None:
        raise LoraNotMergeable(f"{file.name} cannot be merged: its layer {layer.base[:100]!r} {reason}; leave it out.")


def _unloaded(sources: Sequence[Source], family: str) -> list[str]:
    """What ComfyUI will not load of the sources, in words. Raises LoraMatchesNothing where that is a whole source."""
    warnings: list[str] = []
    unsure = False
    for source in sources:
        layers = list(_weighted_layers(source))
        lost = [base for base in layers if not loads(base, family)]
        bodies = [base for base in layers if not is_text(base)]
        if layers and set(bodies or layers) <= set(lost):
            made_for = "" if family == UNKNOWN else f" for {family}"
            raise LoraMatchesNothing(
                f"{source.file.name} has no layer{made_for} under a name that ComfyUI loads, the first is "
                f"{lost[0][:100]!r}, so that a merge of it would do nothing; convert it first, or leave it out."
            )
        if lost:
            warnings.append(
                f"{len(lost)} of {len(layers)} layers of {source.file.name} have names that ComfyUI does not load, the "
                f"first is {lost[0][:100]!r}"
            )
        unsure = unsure or any(not is_described(base, family) for base in layers)
    if unsure:
        warnings.append("the base model is not known here, so that it is not sure that ComfyUI loads the layers")
    return warnings


def _merge_layer(merged: Merged, name: str, terms: list[_Term], rank: int, dtype: torch.dtype) -> None:
    deltas: list[Delta] = []
    bias: torch.Tensor | None = None
    shape: tuple[int, ...] = ()
    for term in terms:
        if term.layer.matrix is not None:
            deltas.append(_weighted(delta_of(term.layer, term.tensors), term.weight))
            own = term.layer.shape or ()
            shape = own if len(own) > len(shape) else shape
        change = bias_of(term.layer, term.tensors)
        if change is not None:
            if bias is not None and bias.shape != change.shape:
                _shapes_differ(name, terms)
            bias = term.weight * change if bias is None else bias + term.weight * change
    if bias is not None:
        _store(merged, f"{name}.diff_b", bias, dtype)
    if not deltas:
        return
    if len({_size(delta) for delta in deltas}) > 1:
        _shapes_differ(name, terms)
    told = len(shape) > 2 or any(term.layer.matrix is not None and term.layer.kernel_told for term in terms)
    if len(shape) == 1 or (told and rank == 0 and any(isinstance(delta, Whole) for delta in deltas)):
        whole = torch.stack([flat(delta) for delta in deltas]).sum(0)
        merged.total += float(torch.sum(whole**2))
        _store(merged, f"{name}.diff", whole.reshape(shape), dtype)
        return
    up, down, lost, total = reduced(deltas, rank)
    merged.lost += lost
    merged.total += total
    merged.errors[name] = (lost / total) ** 0.5 if total else 0.0
    merged.ranks[name] = up.shape[1]
    if len(shape) == 4:
        up, down = up[..., None, None], down.reshape(-1, *shape[1:])
    _store(merged, f"{name}.lora_up.weight", up, dtype)
    _store(merged, f"{name}.lora_down.weight", down, dtype)
    merged.tensors[f"{name}.alpha"] = torch.tensor(float(up.shape[1]))


def _size(delta: Delta) -> tuple[int, int]:
    if isinstance(delta, Whole):
        return (delta.matrix.shape[0], delta.matrix[0].numel())
    return (delta.up.shape[0], delta.down.shape[1])


def _shapes_differ(name: str, terms: list[_Term]) -> None:
    said = ", ".join(f"{term.file}: {list(term.layer.shape or ())}" for term in terms)
    raise LoraNotMergeable(f"The layer {name!r} has different shapes ({said}); merge LoRAs of one base model.")


def _store(merged: Merged, name: str, tensor: torch.Tensor, dtype: torch.dtype) -> None:
    stored = tensor.to(dtype).contiguous()
    if not torch.isfinite(stored).all():
        largest = float(tensor.abs().max())
        raise LoraNotMergeable(
            f"The layer {name!r} reaches {largest:.3g}, which {str(dtype).removeprefix('torch.')} cannot hold; store "
            "the merge in float32, or leave out a LoRA with damaged numbers."
        )
    merged.tensors[name] = stored


def _weighted(delta: Delta, weight: float) -> Delta:
    if isinstance(delta, Whole):
        return Whole(delta.matrix * weight)
    # The root of the weight goes to each factor, so that neither leaves the range of float16.
    root = abs(weight) ** 0.5
    return Factors(delta.up * root, delta.down * (root if weight > 0 else -root))


def reduced(deltas: Sequence[Delta], rank: int) -> tuple[torch.Tensor, torch.Tensor, float, float]:
    """`up` [rows, r] and `down` [r, columns] of a sum, the squared norm that was cut off, and that of the sum.

    Of the stacked factors U and D a QR decomposition of each is taken, and the singular values of the small matrix
    between them are those of the sum (Halko, Martinsson and Tropp 2011, section 5.1): exact, without the full
    matrix. With rank 0, and fewer columns of U than the matrix has rows and columns, the factors are returned; a sum
    that is no product of thin factors is then itself one factor, and the other is the unit matrix.
    """
    if any(isinstance(delta, Whole) for delta in deltas):
        whole = torch.stack([flat(delta) for delta in deltas]).sum(0)
        if rank == 0:
            unit = torch.eye(min(whole.shape), dtype=whole.dtype)
            pair = (unit, whole) if whole.shape[0] <= whole.shape[1] else (whole, unit)
            return *pair, 0.0, float(torch.sum(whole**2))
        left, values, right = torch.linalg.svd(whole, full_matrices=False)
    else:
        factors = [delta for delta in deltas if isinstance(delta, Factors)]
        up = torch.cat([each.up for each in factors], dim=1)
        down = torch.cat([each.down for each in factors], dim=0)
        if rank == 0 and up.shape[1] <= min(up.shape[0], down.shape[1]):
            return up, down, 0.0, Factors(up, down).norm() ** 2
        left_basis, left_small = torch.linalg.qr(up)
        right_basis, right_small = torch.linalg.qr(down.T)
        left, values, right = torch.linalg.svd(left_small @ right_small.T, full_matrices=False)
        left, right = left_basis @ left, right @ right_basis.T
    kept = min(rank or len(values), len(values))
    root = values[:kept].sqrt()
    lost = float(torch.sum(values[kept:] ** 2))
    return left[:, :kept] * root, root[:, None] * right[:kept], lost, float(torch.sum(values**2))


SUFFIX = ".safetensors"

KOHYA_VERSION = {
    "SD 1.5": "sd_v1", "SD 2": "sd_v2", "SDXL": "sdxl_base_v1-0", "SD 3": "sd3", "Flux": "flux1",
}  # fmt: skip
ARCHITECTURE = {
    "SD 1.5": "stable-diffusion-v1/lora", "SD 2": "stable-diffusion-v2-512/lora",
    "SDXL": "stable-diffusion-xl-v1-base/lora", "SD 3": "stable-diffusion-3-medium/lora", "Flux": "flux-1-dev/lora",
}  # fmt: skip
"""How kohya's trainer and Stability's modelspec call a base model."""


_FORBIDS = re.compile(
    r"no[- ]?deriv|\bnd\b|no[- ]?merg|not? .{0,20}\bmerg|\bmerg\w* .{0,20}(not|forbid|prohib)", re.IGNORECASE
)


def forbids_merging(licence: str) -> bool:
    """Whether a licence as stated reads as if changed or merged versions were not allowed, such as CC BY-ND."""
    return _FORBIDS.search(licence) is not None


def facts_of(source: Source) -> dict[str, Any]:
    """What a merge says of one of its sources."""
    header = source.file.header
    return {
        "file": source.file.name,
        **hashes(header.path, header.data_start),
        "weight": source.model,
        "weight_text_encoder": source.text,
        "base_model": source.file.family.name,
        "trigger_words": source.file.trigger_words,
        "licence": licence(header.metadata),
    }


def metadata_of(
    title: str, merged: Merged, family: Family, rank: int, facts: Sequence[dict[str, Any]]
) -> dict[str, str]:
    """The metadata of a merged file, in the keys that kohya's tools and Stability's modelspec read."""
    ranks = set(merged.ranks.values())
    found = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.title": title,
        "modelspec.merged_from": ", ".join(str(each["file"]) for each in facts),
        "modelspec.license": "; ".join(dict.fromkeys(str(each["licence"]) for each in facts)),
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(max(ranks)) if len(ranks) == 1 else "Dynamic",
        "ss_network_alpha": str(max(ranks)) if len(ranks) == 1 else "Dynamic",
        "likeness.merge": json.dumps(
            {"sources": list(facts), "rank": rank, "relative_error": merged.error, "base_model": family.name}
        ),
    }
    words = joined_words([each["trigger_words"] for each in facts])
    if words:
        found["modelspec.trigger_phrase"] = ", ".join(words)
    if family.name in KOHYA_VERSION and all(fits(family.name, other) for other in family.others):
        found["ss_base_model_version"] = KOHYA_VERSION[family.name]
        found["modelspec.architecture"] = ARCHITECTURE[family.name]
    return found


def place(filename: str) -> Path:
    """Where a merge of that name is written: inside output/loras. Raises UnsafePath."""
    path = host.file_inside(host.output_dir() / "loras", filename.strip() or "merged")
    if not filename.isprintable():
        raise UnsafePath(f"The name {filename[:80]!r} has characters that are not seen; give another name.")
    return path


def save(merged: Merged, metadata: dict[str, str], path: Path) -> Path:
    """Write to `path`, or to the first free ``name_2``, ``name_3`` … beside it. Returns where it was written.

    Raises LoraNotSaved.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(merged.tensors, part, metadata)
        return claim_free_path(part, path)
    except (OSError, SafetensorError) as error:
        raise LoraNotSaved(
            f"{path.name[:80]} cannot be written to {host.shown(path.parent)} "
            f"({host.reason_of(error)[:100]}); give another name or room."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()
