"""Plain pictures, masks and landmarks for the tests of Restore Face."""

import numpy as np
import torch

from likeness_studio.core.imaging import rotate

FRONTAL = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.155], [0.4, 1.155]])
SKIN = torch.tensor([0.78, 0.6, 0.5])


def textured(height=160, width=128, colour=SKIN, seed=0):
    noise = torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(seed))
    return (colour + 0.06 * (noise - 0.5)).clamp(0, 1)


def disc(height=160, width=128, radius=35.0, at=(64, 80)):
    x, y = torch.arange(width)[None] - at[0], torch.arange(height)[:, None] - at[1]
    return ((x**2 + y**2).sqrt() <= radius).float()[None]


def face_at(unit, middle, degrees):
    return rotate(FRONTAL * unit + np.array(middle), middle, degrees)
