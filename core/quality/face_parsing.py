"""BiSeNet (Yu et al. 2018) with ResNet-18 (He et al. 2016), in the form in which face parsers are trained.

Two branches: ResNet's features at an eighth of the size keep the edges, attention-weighted deep features bring the
meaning; a fusion step joins them. The names of the parts are those of the published checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


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
