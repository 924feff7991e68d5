"""What the tiny autoencoder is trained on: pixels, their spectrum, and latents of unit size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

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
