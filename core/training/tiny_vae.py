"""The tiny autoencoder (TAESD's architecture): made, first weights, loss, and ComfyUI's file layout.

From PyTorch's first weights most of the training goes into carrying brightness and colour through thirty layers. Here
some channels carry them from the start: three average the picture down to the latents, which are its colours made
uncorrelated and of unit size, and six bring them back up, smoothly enlarged. All other weights are random.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..errors import DependencyMissing, TrainingStateInvalid
from ..files import make_private_folder, written_whole

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

LATENT_SCALE = {"sd15": 0.18215, "sdxl": 0.13025}
"""Factor from the stored latents of a model family to latents of unit size (`scaling_factor` in the published
vae/config.json of Stable Diffusion 1.5 and SDXL). Ours are of unit size; a file says by which factor to divide them."""

STRIDE = 8
"""Pixels to a latent, along each side."""


def make() -> AutoencoderTiny:
    """An untrained one: 2.4 million parameters, 4 latent channels, 8 pixels to a latent; from torch's global seed.

    Raises DependencyMissing without diffusers.
    """
    try:
        from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    except ImportError as error:
        raise DependencyMissing(
            f"The tiny autoencoder needs diffusers, which cannot be imported ({error}); install it with: pip install "
            "'likeness-studio[generation]'"
        ) from error
    return AutoencoderTiny()


def encode(model: AutoencoderTiny, pictures: torch.Tensor) -> torch.Tensor:
    """Pictures [B,3,H,W] in 0..1, sides divisible by 8 -> latents [B,4,H/8,W/8] of about unit size."""
    return model.encoder(pictures * 2.0 - 1.0)


def decode(model: AutoencoderTiny, latents: torch.Tensor) -> torch.Tensor:
    """Latents [B,4,h,w] -> pictures [B,3,8h,8w], in 0..1 up to the network's error."""
    return model.decoder(latents) * 0.5 + 0.5


def reconstruct(model: AutoencoderTiny, pictures: torch.Tensor) -> torch.Tensor:
    """Pictures [B,3,H,W] in 0..1 through encoder and decoder, without gradients, cut off at 0 and 1."""
    with torch.no_grad():
        return decode(model, encode(model, pictures)).clamp(0.0, 1.0)


def save(model: AutoencoderTiny, file: Path, family: str, metadata: dict[str, str]) -> None:
    """Write encoder and decoder as one file that VAELoader reads, in float32; `family` is a key of LATENT_SCALE."""
    tensors = {_name(key): value.detach().float().cpu().contiguous() for key, value in model.state_dict().items()}
    tensors["vae_scale"] = torch.tensor(LATENT_SCALE[family])
    tensors["vae_shift"] = torch.tensor(0.0)
    write(file, tensors, {"format": "pt", "family": family} | metadata)


def load(file: Path) -> AutoencoderTiny:
    """Read what `save` wrote. Raises TrainingStateInvalid for any other file."""
    model = make()
    try:
        tensors = load_file(file)
        model.load_state_dict({key: tensors[_name(key)] for key in model.state_dict()})
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise TrainingStateInvalid(
            f"{file.name} is no tiny autoencoder ({type(error).__name__}); give a file of `likeness train tiny-vae`."
        ) from error
    return model.eval()


def write(file: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file, moved into place when it is whole, so that a stopped run leaves the older one."""
    make_private_folder(file.parent)
    with written_whole(file, private=True) as part:  # what was learnt from people's photos is for its owner only
        save_file(tensors, part, metadata)


def _name(key: str) -> str:
    """ComfyUI's decoder counts the clamp in front of it as a layer; diffusers does that step in its forward."""
    found: Any = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(.+)", key)
    half, layer, rest = found.groups()
    return f"taesd_{half}.{int(layer) + (half == 'decoder')}.{rest}"


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


SPECTRUM_WEIGHT = 0.1
LATENT_WEIGHT = 0.005
"""Small, for the few crops of a batch are never of mean 0 themselves: at 0.05 their colours were lost."""

LATENT_NOISE = 0.05
"""Standard deviation of the noise on the latents while training. With latents of unit size it costs next to no
fidelity and makes the decoder smooth: a sampler never gives back exactly what the encoder wrote."""


@dataclass(frozen=True)
class Loss:
    """The sum to minimise and its parts, as tensors without dimension."""

    total: torch.Tensor
    pixels: torch.Tensor
    spectrum: torch.Tensor
    latents: torch.Tensor


def loss(pictures: torch.Tensor, decoded: torch.Tensor, latents: torch.Tensor) -> Loss:
    """Of pictures [B,3,H,W] in 0..1, what became of them, and the latents [B,4,h,w] in between.

    L1 on pixels keeps edges that squared error would blur. L1 on the orthonormal 2-D Fourier transform (Cho et al.,
    "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", 2021, weight 0.1) asks for every frequency alike,
    where pixels are nearly content with the low ones; it needs no pretrained network, as perceptual losses do.
    """
    pixels = (decoded - pictures).abs().mean()
    spectrum = torch.fft.rfft2(decoded - pictures, norm="ortho").abs().mean()
    scale = unit_size(latents)
    return Loss(pixels + SPECTRUM_WEIGHT * spectrum + LATENT_WEIGHT * scale, pixels, spectrum, scale)


def unit_size(latents: torch.Tensor) -> torch.Tensor:
    """How far each channel of latents [B,C,h,w] is from mean 0 and standard deviation 1, squared and averaged.

    A sampler's noise schedule is made for latents of that size.
    """
    mean = latents.mean((0, 2, 3))
    deviation = (latents.var((0, 2, 3)) + 1e-6).sqrt()
    return (mean.square() + (deviation - 1.0).square()).mean()


def psnr(pictures: torch.Tensor, decoded: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in 0..1, over all pixels and channels; at most 100."""
    error = (pictures.double() - decoded.double()).square().mean().item()
    return min(-10.0 * math.log10(max(error, 1e-10)), 100.0)
