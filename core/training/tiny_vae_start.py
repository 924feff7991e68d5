"""First weights of the tiny autoencoder: it begins as shrinking and enlarging, and learns only what that loses.

From PyTorch's first weights most of the training goes into carrying brightness and colour through thirty layers. Here
some channels carry them from the start: three average the picture down to the latents, which are its colours made
uncorrelated and of unit size, and six bring them back up, smoothly enlarged. All other weights are random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from .tiny_vae import STRIDE

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

RESIDUAL_SCALE = 0.2
"""Of the last layer of a residual block, so that a block begins near the identity."""

COLOURS = 3


def initialise(model: AutoencoderTiny, pictures: torch.Tensor) -> None:
    """Set the weights by torch's global random numbers and the colours of `pictures` [B,3,H,W] in 0..1."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        whiten, colour, mean = _colours(pictures)
        _encoder(list(model.encoder.layers), whiten, mean)
        _decoder(list(model.decoder.layers), colour, mean)


def _colours(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A matrix that makes colours uncorrelated and of unit size, its inverse, and the mean colour."""
    values = F.avg_pool2d(pictures, STRIDE).permute(1, 0, 2, 3).flatten(1).double()
    mean = values.mean(1)
    variances, axes = torch.linalg.eigh(torch.cov(values) + 1e-5 * torch.eye(COLOURS, dtype=torch.double))
    sizes = variances.sqrt()
    return (axes / sizes).T.float(), (axes * sizes).float(), mean.float()


def _encoder(layers: list[nn.Module], whiten: torch.Tensor, mean: torch.Tensor) -> None:
    """Average the colours of 2 x 2 pixels three times, then make them uncorrelated."""
    first, last = layers[0], layers[-1]
    for layer in layers[:-1]:
        if not isinstance(layer, nn.Conv2d):
            _carry(layer, COLOURS)
            continue
        layer.weight[:COLOURS] = 0.0
        for channel in range(COLOURS):
            if layer is first:
                layer.weight[channel, channel, 1, 1] = 1.0
            else:
                layer.weight[channel, channel, 1:, 1:] = 0.25
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    last.weight[:COLOURS] = 0.0
    last.weight[:COLOURS, :COLOURS, 1, 1] = whiten
    last.weight[COLOURS:] *= 0.5
    last.bias[:COLOURS] = -whiten @ mean


def _decoder(layers: list[nn.Module], colour: torch.Tensor, mean: torch.Tensor) -> None:
    """Carry what is above and below the mean apart, for signals stay positive; enlarge with weights 3/4 and 1/4."""
    first, last = layers[0], layers[-1]
    smooth = torch.outer(torch.tensor([0.25, 0.5, 0.25]), torch.tensor([0.25, 0.5, 0.25]))
    for layer in layers[:-1]:
        if not isinstance(layer, nn.Conv2d):
            _carry(layer, 2 * COLOURS)
            continue
        layer.weight[: 2 * COLOURS] = 0.0
        for channel in range(2 * COLOURS):
            if layer is first:
                layer.weight[channel, channel % COLOURS, 1, 1] = 1.0 if channel < COLOURS else -1.0
            else:
                layer.weight[channel, channel] = smooth
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    last.weight.zero_()
    last.weight[:, :COLOURS, 1, 1] = colour
    last.weight[:, COLOURS : 2 * COLOURS, 1, 1] = -colour
    last.bias.copy_(mean)


def _carry(layer: nn.Module, channels: int) -> None:
    """Make a residual block leave the first channels alone, and add little to the others."""
    convolutions = [module for module in layer.modules() if isinstance(module, nn.Conv2d)]
    if convolutions:
        convolutions[-1].weight *= RESIDUAL_SCALE
        convolutions[-1].weight[:channels] = 0.0
