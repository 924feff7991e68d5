"""An optional face parser: what every pixel of a head is, in 19 classes (BiSeNet, trained on CelebAMask-HQ).

Two branches: ResNet's features at an eighth of the size keep the edges, attention-weighted deep features bring the
meaning; a fusion step joins them. The names of the parts are those of the published checkpoint.

Never fetched unasked: the data that it was trained on is for research only, so whether its weights may be used
commercially is unclear. `likeness models get face_parsing` fetches it; the checks then say that they used it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .. import host
from ..errors import ModelCorrupt
from ..faces.anthropometry import frontal_eye_distance
from ..faces.mesh import MOUTH_CORNERS
from ..imaging.tensors import planes
from ..imaging.warp import Cut, rotate, sample
from ..models import store

if TYPE_CHECKING:
    from pathlib import Path

    from ..faces.mesh import FaceMesh


class ConvUnit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B,inputs,H,W] to [B,outputs,H,W]."""
        return F.relu(self.bn(self.conv(x)))


class ResidualBlock(nn.Module):
    """ResNet's basic block: two 3 x 3 convolutions and a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B,inputs,H,W] to [B,outputs,H/stride,W/stride]."""
        deep = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(deep + self.downsample(x))


class ResNet18(nn.Module):
    """The features at an 8th, a 16th and a 32nd of the picture's size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(ResidualBlock(64, 64, 1), ResidualBlock(64, 64, 1))
        self.layer2 = nn.Sequential(ResidualBlock(64, 128, 2), ResidualBlock(128, 128, 1))
        self.layer3 = nn.Sequential(ResidualBlock(128, 256, 2), ResidualBlock(256, 256, 1))
        self.layer4 = nn.Sequential(ResidualBlock(256, 512, 2), ResidualBlock(512, 512, 1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """[B,3,H,W] to 128, 256 and 512 channels."""
        x = self.layer1(F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1))
        eighth = self.layer2(x)
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class Attention(nn.Module):
    """Weighs each channel by what the whole picture shows (the paper's attention refinement module)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = ConvUnit(inputs, 128, 3)
        self.conv_atten = nn.Conv2d(128, 128, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(128)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B,inputs,H,W] to [B,128,H,W]."""
        x = self.conv(x)
        return x * torch.sigmoid(self.bn_atten(self.conv_atten(x.mean((2, 3), keepdim=True))))


class ContextPath(nn.Module):
    """The deep features, brought back up to an eighth of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16, self.arm32 = Attention(256), Attention(512)
        self.conv_head32, self.conv_head16 = ConvUnit(128, 128, 3), ConvUnit(128, 128, 3)
        self.conv_avg = ConvUnit(512, 128, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[B,3,H,W] to the spatial and the context features, 128 channels each at an eighth of the size."""
        eighth, sixteenth, deepest = self.resnet(x)
        deep = self.arm32(deepest) + self.conv_avg(deepest.mean((2, 3), keepdim=True))
        deep = self.conv_head32(F.interpolate(deep, sixteenth.shape[2:]))
        deep = self.arm16(sixteenth) + deep
        return eighth, self.conv_head16(F.interpolate(deep, eighth.shape[2:]))


class Fusion(nn.Module):
    """Joins both branches and adds what their joint attention stresses (the paper's feature fusion module)."""

    def __init__(self) -> None:
        super().__init__()
        self.convblk = ConvUnit(256, 256, 1)
        self.conv1 = nn.Conv2d(256, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, spatial: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Twice [B,128,H,W] to [B,256,H,W]."""
        x = self.convblk(torch.cat([spatial, context], 1))
        weight = torch.sigmoid(self.conv2(F.relu(self.conv1(x.mean((2, 3), keepdim=True)))))
        return x + x * weight


class Classifier(nn.Module):
    """From features to a score per class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = ConvUnit(256, 256, 3)
        self.conv_out = nn.Conv2d(256, classes, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B,256,H,W] to [B,classes,H,W]."""
        return self.conv_out(self.conv(x))


class BiSeNet(nn.Module):
    """The whole network, without the two auxiliary outputs that only training needs."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = Fusion()
        self.conv_out = Classifier(classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores [B,classes,H,W] for [B,3,H,W], H and W multiples of 32."""
        scores = self.conv_out(self.ffm(*self.cp(x)))
        return F.interpolate(scores, x.shape[2:], mode="bilinear", align_corners=True)


MODEL = "face_parsing"
"""Its name in the model store."""

CLASSES = (
    *("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "glasses", "left_ear", "right_ear"),
    *("ear_ring", "nose", "mouth", "upper_lip", "lower_lip", "neck", "necklace", "cloth", "hair", "hat"),
)
"""In the network's order (CelebAMask-HQ, Lee et al. 2020); left and right are the viewer's."""

SIDE = 512
"""Of the picture that the network sees, in pixels."""

CLOSE_UP = 4.0
"""Side of the close-up in eye distances, about as CelebA-HQ (Karras et al. 2018, appendix C) cuts its faces."""

BELOW_EYES = 0.1
"""How far the close-up's middle is below the eyes, in eye distances (same source)."""

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours: what the network was trained with."""

_loaded: dict[tuple[str, int], BiSeNet] = {}
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Parsing:
    """What each pixel of a level close-up is. labels: [side,side] indices into CLASSES; cut: its place in the photo."""

    labels: np.ndarray
    cut: Cut

    def of(self, *names: str) -> np.ndarray:
        """Where the close-up shows any of the named classes, [side,side] bool."""
        return np.isin(self.labels, [CLASSES.index(name) for name in names])

    def on(self, other: Cut, side: int) -> Parsing:
        """The same on another level cut of the photo, [side,side]; "background" outside of what was parsed."""
        steps = (np.arange(side) + 0.5) / side - 0.5
        x, y = (
            ((start + steps * other.width - middle) / self.cut.width + 0.5) * self.labels.shape[0]
            for start, middle in ((other.x, self.cut.x), (other.y, self.cut.y))
        )
        labels = self.labels[np.clip(y, 0, SIDE - 1).astype(int)[:, None], np.clip(x, 0, SIDE - 1).astype(int)]
        inside = ((y >= 0) & (y < SIDE))[:, None] & (x >= 0) & (x < SIDE)
        return Parsing(np.where(inside, labels, 0).astype(np.uint8), other)


SHARPENED = frozenset({"glasses", "dark_glasses", "eyes_visible", "mouth_visible", "face_occlusion", "head_covering"})
"""Measures that are surer with the parser."""


def offer(doubtful: Iterable[str]) -> str:
    """A sentence on how the parser would help with measures of these names, empty where it would not."""
    if SHARPENED.isdisjoint(doubtful):
        return ""
    if available():
        return "The face parser on this machine tells glasses and covers more surely: check again with parsing."
    return (
        "The optional face parser tells glasses and covers more surely: fetch it with `likeness models get "
        "face_parsing`, then check again with parsing."
    )


def available() -> bool:
    """Whether the parser's weights are on this machine; it is never fetched from here."""
    return store.locate(MODEL) is not None


def parse(photo: torch.Tensor, mesh: FaceMesh) -> Parsing:
    """The classes of the face of `mesh` in `photo` [H,W,3] in 0..1.

    Raises ModelMissing when the weights are not on this machine, ModelCorrupt when they are others.
    """
    network = _network(store.path(MODEL, download=False))
    eyes = (mesh.eyes[0].centre + mesh.eyes[1].centre) / 2
    down = mesh.points[list(MOUTH_CORNERS), :2].mean(0) - eyes
    unit = frontal_eye_distance(mesh.eye_distance, float(np.hypot(*down)))
    x, y = rotate((eyes + BELOW_EYES * down)[None].astype(np.float64), (0.0, 0.0), -mesh.roll)[0]
    cut = Cut(float(x), float(y), CLOSE_UP * unit, CLOSE_UP * unit, (0.0, 0.0), mesh.roll)
    close, _ = sample(planes(photo[None]), cut, SIDE, SIDE)
    mean, spread = (torch.tensor(value).view(1, 3, 1, 1) for value in (MEAN, SPREAD))
    with torch.inference_mode():
        scores = network((close.float().cpu() - mean) / spread)
    return Parsing(scores[0].argmax(0).numpy().astype(np.uint8), cut)


def _network(path: Path) -> BiSeNet:
    """Made once and then shared."""
    from safetensors.torch import load_file

    key = (str(path.resolve()), path.stat().st_mtime_ns)
    with _lock:
        if key not in _loaded:
            network = BiSeNet(len(CLASSES))
            try:
                weights = load_file(str(path))
                network.load_state_dict({name: weights[name] for name in network.state_dict()})
            except (RuntimeError, ValueError, KeyError) as error:
                raise ModelCorrupt(
                    f"{host.shown(path)} is not a face parser's weights ({error}); use another file."
                ) from error
            _loaded[key] = network.eval().requires_grad_(False)
        return _loaded[key]
