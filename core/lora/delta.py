"""The change that a layer of a LoRA makes to its weight, exactly, as thin factors wherever these are smaller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from .layers import BIASES, KRONECKER, NEEDS, SETTINGS, WORDS, Layer

CANNOT = {
    "glora": "multiplies the model's weights",
    "oft": "rotates the model's weights",
    "set": "replaces the model's weights",
    "ia3": "scales the model's activations, which ComfyUI does not load",
}
"""Kinds whose change is not known without the model's weights, and why."""


@dataclass(frozen=True)
class Factors:
    """A change [rows, columns] = `up` [rows, r] times `down` [r, columns], in float64, alpha included."""

    up: torch.Tensor
    down: torch.Tensor

    def norm(self) -> float:
        """Its Frobenius norm from two r x r matrices: |UD|^2 = sum of (U'U) * (DD'), elementwise."""
        squared = torch.sum((self.up.T @ self.up) * (self.down @ self.down.T))
        return float(torch.sqrt(squared.clamp(min=0)))


@dataclass(frozen=True)
class Whole:
    """A change as the matrix itself, in float64, where factors would be no smaller."""

    matrix: torch.Tensor

    def norm(self) -> float:
        """Its Frobenius norm."""
        return float(torch.linalg.norm(self.matrix))


Delta = Factors | Whole


def why_not(layer: Layer) -> str | None:
    """Why a layer's change cannot be told from the file alone; None if it can."""
    if layer.dora:
        return "is a DoRA, whose effect depends on the lengths of the model's weights"
    if "reshape" in layer.parts:
        return "enlarges the model's weights"
    used = next((needed | telling for kind, needed, telling in NEEDS if kind == layer.kind), KRONECKER)
    if not layer.parts.keys() <= {*used, *SETTINGS, *BIASES}:
        return "is of two kinds at once"
    reason = CANNOT.get(layer.kind)
    return None if reason is None else f"is {WORDS[layer.kind]}, which {reason}"


def delta_of(layer: Layer, tensors: Mapping[str, torch.Tensor]) -> Delta:
    """The change of a layer for which `why_not` is None and that has a matrix; `tensors` by their names in the file.

    The formulas are those by which ComfyUI's comfy/weight_adapter applies each kind.
    """
    parts = {role: tensors[part.name].to(torch.float64) for role, part in layer.parts.items()}
    scale = _scale(layer, tensors)
    if layer.kind == "lora":
        return _scaled(parts["up"].flatten(1), parts["down"].flatten(1), scale)
    if layer.kind == "locon":
        down = torch.einsum("mn...,nj->mj...", parts["mid"], parts["down"].flatten(1))
        return _scaled(parts["up"].flatten(1), down.flatten(1), scale)
    if layer.kind == "loha":
        return _loha(layer, parts, scale)
    if layer.kind == "lokr":
        return _lokr(layer, parts, scale)
    whole = next(parts[role] for role in ("diff", "w_norm") if role in parts)
    return Whole(whole.reshape(whole.shape[0], -1))


def bias_of(layer: Layer, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    """The change of a layer's bias in float64, where it has one; a bias of PEFT's lora_B is scaled as its matrix."""
    found: torch.Tensor | None = None
    for role in ("diff_b", "b_norm", "up_bias"):
        if role in layer.parts:
            change = tensors[layer.parts[role].name].to(torch.float64)
            change = change * _scale(layer, tensors) if role == "up_bias" else change
            found = change if found is None else found + change
    return found


def _scale(layer: Layer, tensors: Mapping[str, torch.Tensor]) -> float:
    """Alpha, as a tensor or the metadata say it, by the rank; 1 where nothing says it."""
    if not layer.rank:
        return 1.0
    if "alpha" in layer.parts:
        return float(tensors[layer.parts["alpha"].name]) / layer.rank
    return 1.0 if layer.stated_alpha is None else layer.stated_alpha / layer.rank


def _scaled(up: torch.Tensor, down: torch.Tensor, scale: float) -> Factors:
    return Factors(up * scale, down)


def _loha(layer: Layer, parts: Mapping[str, torch.Tensor], scale: float) -> Delta:
    """(A1 B1) * (A2 B2) elementwise has the row-wise products of A1, A2 and column-wise ones of B1, B2 as factors."""
    if "t1" in parts:
        first, second = (
            torch.einsum("ijkl,jr,ip->prkl", parts[f"t{n}"], parts[f"w{n}_b"], parts[f"w{n}_a"]) for n in (1, 2)
        )
        return Whole((first * second).flatten(1) * scale)
    rank = parts["w1_b"].shape[0] * parts["w2_b"].shape[0]
    rows, columns = layer.matrix or (0, 0)
    if rank > min(rows, columns):
        return Whole((parts["w1_a"] @ parts["w1_b"]) * (parts["w2_a"] @ parts["w2_b"]) * scale)
    up = torch.einsum("or,os->ors", parts["w1_a"], parts["w2_a"]).flatten(1)
    down = torch.einsum("rc,sc->rsc", parts["w1_b"], parts["w2_b"]).flatten(0, 1)
    return _scaled(up, down, scale)


def _lokr(layer: Layer, parts: Mapping[str, torch.Tensor], scale: float) -> Delta:
    """Kronecker product of a small matrix and a larger one; with B = CD it is (A x C) (1 x D)."""
    left = parts["k1"] if "k1" in parts else parts["k1_a"] @ parts["k1_b"]
    scale = scale if "k1_b" in parts or "k2_b" in parts else 1.0
    rows, columns = layer.matrix or (0, 0)
    if "k2_b" in parts and "k_t2" not in parts:
        rank = left.shape[1] * parts["k2_b"].shape[0]
        if rank <= min(rows, columns):
            ones = torch.eye(left.shape[1], dtype=torch.float64)
            return _scaled(torch.kron(left, parts["k2_a"]), torch.kron(ones, parts["k2_b"]), scale)
        right = parts["k2_a"] @ parts["k2_b"]
    elif "k_t2" in parts:
        right = torch.einsum("ijkl,jr,ip->prkl", parts["k_t2"], parts["k2_b"], parts["k2_a"])
    else:
        right = parts["k2"]
    left = left.reshape(*left.shape[:2], *[1] * (right.ndim - 2))
    # torch.kron fails on some tensors whose dimensions einsum left in another order.
    return Whole(torch.kron(left, right.contiguous()).flatten(1) * scale)


def flat(delta: Delta) -> torch.Tensor:
    """The change as a full matrix; for small ones and for tests."""
    return delta.matrix if isinstance(delta, Whole) else delta.up @ delta.down
