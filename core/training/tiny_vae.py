"""The tiny autoencoder (TAESD's architecture): made, written and read in the layout that ComfyUI's VAELoader reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..errors import DependencyMissing, TrainingStateInvalid

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
    part = file.with_name(f".{file.name}.part")
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, part, metadata)
    part.replace(file)


def _name(key: str) -> str:
    """ComfyUI's decoder counts the clamp in front of it as a layer; diffusers does that step in its forward."""
    found: Any = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(.+)", key)
    half, layer, rest = found.groups()
    return f"taesd_{half}.{int(layer) + (half == 'decoder')}.{rest}"
