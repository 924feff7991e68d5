"""The layers of a LoRA file from the header alone: which tensors belong together, and of which kind they are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..errors.formats import LoraFileDamaged
from .adapter_metadata import adapter_scales
from .header import MAX_DIMENSIONS, Header, TensorInfo

ROLES = {
    ".lora_up.weight": "up", ".lora_down.weight": "down", ".lora_mid.weight": "mid",
    "_lora.up.weight": "up", "_lora.down.weight": "down",
    ".lora.up.weight": "up", ".lora.down.weight": "down",
    ".lora_B.weight": "up", ".lora_A.weight": "down",
    ".lora_B.default.weight": "up", ".lora_A.default.weight": "down",
    ".lora_B": "up", ".lora_A": "down",
    ".lora_B.bias": "up_bias", ".lora_B.default.bias": "up_bias",
    ".lora_magnitude_vector": "magnitude", ".lora_magnitude_vector.weight": "magnitude",
    ".lora_magnitude_vector.default": "magnitude", ".lora_magnitude_vector.default.weight": "magnitude",
    ".lora_linear_layer.up.weight": "up", ".lora_linear_layer.down.weight": "down",
    ".alpha": "alpha", ".dora_scale": "dora_scale", ".reshape_weight": "reshape",
    ".hada_w1_a": "w1_a", ".hada_w1_b": "w1_b", ".hada_w2_a": "w2_a", ".hada_w2_b": "w2_b",
    ".hada_t1": "t1", ".hada_t2": "t2",
    ".lokr_w1": "k1", ".lokr_w2": "k2", ".lokr_w1_a": "k1_a", ".lokr_w1_b": "k1_b",
    ".lokr_w2_a": "k2_a", ".lokr_w2_b": "k2_b", ".lokr_t2": "k_t2",
    ".a1.weight": "a1", ".a2.weight": "a2", ".b1.weight": "b1", ".b2.weight": "b2",
    ".oft_blocks": "oft_blocks", ".rescale": "rescale",
    ".w_norm": "w_norm", ".b_norm": "b_norm", ".diff": "diff", ".diff_b": "diff_b", ".set_weight": "set",
    ".on_input": "on_input",
}  # fmt: skip
"""How a tensor's name ends, and what it is: the endings that ComfyUI's comfy/lora.py and comfy/weight_adapter read.

`UNREAD` are those of PEFT that ComfyUI does not read.
"""

UNREAD = {
    "up_bias": "biases of lora_B",
    "magnitude": "DoRA magnitudes (lora_magnitude_vector)",
}

ENDINGS = {role: ending for ending, role in reversed(ROLES.items())}
"""One ending of each role, the first."""

_NAME = re.compile(rf"(.+?)({'|'.join(re.escape(ending) for ending in ROLES)})")

SETTINGS = {"alpha", "dora_scale", "magnitude", "rescale", "reshape"}
"""Roles that say how another tensor is used and change nothing alone."""

DIMENSIONS = (
    (2, 2, {"w1_a", "w1_b", "w2_a", "w2_b", "k1", "k1_a", "k1_b", "k2_a", "k2_b"}),
    (2, 5, {"up", "down", "mid", "k2", "a1", "a2", "b1", "b2"}),
    (4, 4, {"t1", "t2", "k_t2"}),
    (1, 5, {"diff", "diff_b", "w_norm", "b_norm", "set"}),
    (1, 1, {"up_bias"}),
)
"""How many dimensions tensors of a role may have, least and most, so that ComfyUI and we can multiply them."""

MAX_NUMBERS = 2**28
"""Of a change. A few thin parts can stand for a matrix that fills any memory; the largest weights have 2**27."""

BIASES = {"diff_b", "b_norm", "up_bias"}
"""Roles that change the bias beside the weight."""

WORDS = {
    "lora": "LoRA", "locon": "LoRA with a Tucker core", "loha": "LoHa", "lokr": "LoKr", "glora": "GLoRA",
    "oft": "OFT or BOFT", "full": "full difference", "norm": "norm", "bias": "bias", "set": "replacement",
    "ia3": "IA3",
}  # fmt: skip
"""Names of the kinds for people."""


@dataclass(frozen=True)
class Layer:
    """What a LoRA file has for one weight of a model. `base` is the layer's name without endings.

    `stated_alpha` is the alpha that the file's metadata state, where no tensor of the layer does.
    """

    base: str
    kind: str
    parts: Mapping[str, TensorInfo] = field(hash=False)
    stated_alpha: float | None = None

    @property
    def names(self) -> list[str]:
        """The names of its tensors in the file."""
        return [part.name for part in self.parts.values()]

    @property
    def dora(self) -> bool:
        """Whether it also changes the lengths of the weight's rows or columns (DoRA)."""
        return not {"dora_scale", "magnitude"}.isdisjoint(self.parts)

    @property
    def changes_bias(self) -> bool:
        """Whether it also changes the bias beside the weight."""
        return not BIASES.isdisjoint(self.parts)

    @property
    def rank(self) -> int | None:
        """The inner dimension, by which alpha is divided; None where there is none."""
        for role in ("down", "w1_b", "k2_b", "k1_b"):
            if role in self.parts:
                return self.parts[role].shape[0]
        return None

    @property
    def kernel_told(self) -> bool:
        """Whether `shape` has a convolution's kernel; LoHa and LoKr without a core multiply it into the columns."""
        return not (self.kind == "loha" and "t1" not in self.parts) and not (
            self.kind == "lokr" and "k2_b" in self.parts and "k_t2" not in self.parts
        )

    @property
    def matrix(self) -> tuple[int, int] | None:
        """Rows and columns of the change as a matrix [out, in x kernel]; None where they follow from the model."""
        shape = self.shape
        return None if shape is None else (shape[0], math.prod(shape[1:]))

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of the change as far as the file tells it, kernel included; a LoHa of a convolution is flat."""
        dims = {role: part.shape for role, part in self.parts.items()}
        if self.kind == "lora":
            return (dims["up"][0], *dims["down"][1:])
        if self.kind == "locon":
            return (dims["up"][0], dims["down"][1], *dims["mid"][2:])
        if self.kind == "loha" and "t1" in dims:
            return (dims["w1_a"][1], dims["w1_b"][1], *dims["t1"][2:])
        if self.kind == "loha":
            return (dims["w1_a"][0], dims["w1_b"][1])
        if self.kind == "lokr":
            return _lokr_shape(dims)
        for role in ("diff", "w_norm"):
            if role in dims:
                return dims[role]
        return None


def _lokr_shape(dims: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    left = dims["k1"] if "k1" in dims else (dims["k1_a"][0], dims["k1_b"][1])
    if "k2" in dims:
        right = dims["k2"]
    elif "k_t2" in dims:
        right = (dims["k2_a"][1], dims["k2_b"][1], *dims["k_t2"][2:])
    else:
        right = (dims["k2_a"][0], dims["k2_b"][1])
    return (left[0] * right[0], left[1] * right[1], *right[2:])


@dataclass(frozen=True)
class Layers:
    """All layers of a file by their base names, and the tensors that belong to none."""

    found: dict[str, Layer]
    other: list[str]

    @property
    def unknown(self) -> list[str]:
        """The tensors that belong to no layer and may change something: not alphas and other settings alone."""
        return [
            name for name in self.other if (found := _NAME.fullmatch(name)) is None or ROLES[found[2]] not in SETTINGS
        ]


def layers_of(header: Header, tensors: Mapping[str, TensorInfo] | None = None) -> Layers:
    """Group the tensors of a file (or `tensors`, those under other names) by layer.

    Raises LoraFileDamaged when a layer lacks a part or its parts do not fit each other.
    """
    grouped: dict[str, dict[str, TensorInfo]] = {}
    other = []
    scales = adapter_scales(header.metadata)
    for name, tensor in (header.tensors if tensors is None else tensors).items():
        match = _NAME.fullmatch(name)
        if match is None:
            other.append(name)
        else:
            grouped.setdefault(match[1], {})[ROLES[match[2]]] = tensor
    found = {}
    for base, parts in grouped.items():
        if parts.keys() <= SETTINGS:
            other += [part.name for part in parts.values()]
            continue
        kind = _kind(header, base, parts)
        _check(header, base, kind, parts)
        layer = Layer(base, kind, parts)
        if "alpha" not in parts and layer.rank is not None:
            layer = replace(layer, stated_alpha=scales.alpha(base, layer.rank))
        found[base] = layer
        if layer.matrix is not None and math.prod(layer.matrix) > MAX_NUMBERS:
            raise LoraFileDamaged(
                f"{header.path.name} has a change of {list(layer.matrix)} for its layer {base[:120]!r}, larger than "
                "any model's weight; it is not loaded."
            )
    ia3 = {name.removesuffix(".weight") for name in other} & {base for base in found if found[base].kind == "ia3"}
    return Layers(found, [name for name in other if name.removesuffix(".weight") not in ia3])


KRONECKER = {"k1", "k2", "k1_a", "k1_b", "k2_a", "k2_b", "k_t2"}
"""Roles of LoKr, each of whose two factors is whole or of parts."""

NEEDS = (
    ("locon", {"up", "down", "mid"}, {"mid"}),
    ("lora", {"up", "down"}, {"up", "down"}),
    ("loha", {"w1_a", "w1_b", "w2_a", "w2_b"}, {"w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2"}),
    ("glora", {"a1", "a2", "b1", "b2"}, {"a1", "a2", "b1", "b2"}),
    ("oft", {"oft_blocks"}, {"oft_blocks"}),
    ("full", {"diff"}, {"diff"}),
    ("norm", {"w_norm"}, {"w_norm", "b_norm"}),
    ("set", {"set"}, {"set"}),
    ("ia3", {"on_input"}, {"on_input"}),
)
"""Kind, the roles that it needs, and those by which it is recognised."""


INNER = {
    "lora": (("up", 1, "down", 0),),
    "locon": (("up", 1, "mid", 0), ("mid", 1, "down", 0)),
    "loha": (("w1_a", 1, "w1_b", 0), ("w2_a", 1, "w2_b", 0), ("w1_a", 0, "w2_a", 0), ("w1_b", 1, "w2_b", 1)),
    "loha with a core": (
        ("w1_a", 0, "t1", 0), ("t1", 1, "w1_b", 0), ("w2_a", 0, "t2", 0), ("t2", 1, "w2_b", 0),
        ("w1_a", 1, "w2_a", 1), ("w1_b", 1, "w2_b", 1), ("t1", 2, "t2", 2), ("t1", 3, "t2", 3),
    ),
    "lokr": (("k1_a", 1, "k1_b", 0), ("k2_a", 1, "k2_b", 0)),
    "lokr with a core": (("k1_a", 1, "k1_b", 0), ("k2_a", 0, "k_t2", 0), ("k_t2", 1, "k2_b", 0)),
}  # fmt: skip
"""Dimensions that must agree: a role and its axis, another role and its axis."""


def _kind(header: Header, base: str, parts: Mapping[str, TensorInfo]) -> str:
    if not KRONECKER.isdisjoint(parts):
        if not all(f"k{side}" in parts or {f"k{side}_a", f"k{side}_b"} <= set(parts) for side in (1, 2)):
            raise _incomplete(header, base, "a Kronecker factor")
        return "lokr"
    for kind, required, telling in NEEDS:
        if not telling.isdisjoint(parts):
            if not required <= parts.keys():
                raise _incomplete(header, base, ", ".join(sorted(required - set(parts))))
            if kind == "loha" and ("t1" in parts) != ("t2" in parts):
                raise _incomplete(header, base, "t1 or t2")
            return kind
    return "bias"


def _incomplete(header: Header, base: str, missing: str) -> LoraFileDamaged:
    return LoraFileDamaged(
        f"{header.path.name} lacks {missing} for its layer {base[:120]!r}; it is not loaded, get it again."
    )


def _check(header: Header, base: str, kind: str, parts: Mapping[str, TensorInfo]) -> None:
    """Inner dimensions agree, so that multiplying the parts cannot fail later."""
    if kind in ("loha", "lokr") and ("t1" in parts or "k_t2" in parts):
        kind += " with a core"
    dims = {role: part.shape for role, part in parts.items()}
    flat = {"up", "down"} if kind == "locon" else {"up"}
    for role, shape in dims.items():
        least, most = next((each[:2] for each in DIMENSIONS if role in each[2]), (0, MAX_DIMENSIONS))
        kernel = role in flat and math.prod(shape[2:]) != 1
        if role not in SETTINGS and (0 in shape or not least <= len(shape) <= most or kernel):
            raise LoraFileDamaged(
                f"{header.path.name} has a part of shape {list(shape)} for its layer {base[:120]!r}, which is no "
                "matrix that it could be; it is not loaded, get it again."
            )
    for first, axis, second, other_axis in INNER.get(kind, ()):
        if first in dims and second in dims and dims[first][axis] != dims[second][other_axis]:
            raise LoraFileDamaged(
                f"{header.path.name} has parts of {list(dims[first])} and {list(dims[second])} for its layer "
                f"{base[:120]!r}, which do not fit each other; it is not loaded, get it again."
            )
    if "alpha" in parts and parts["alpha"].numel != 1:
        raise LoraFileDamaged(
            f"{header.path.name} has {parts['alpha'].numel} alphas for its layer {base[:120]!r}; get it again."
        )
