"""The shapes that the studio works with: checks with clear errors, batch matching and resizing, in one place."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..errors import ShapeMismatch


def check_image(image: torch.Tensor, what: str = "image") -> torch.Tensor:
    """IMAGE [B,H,W,3] as float32. An alpha channel is dropped. Raises ShapeMismatch for anything else."""
    if image.ndim != 4 or image.shape[-1] not in (3, 4) or 0 in image.shape:
        raise ShapeMismatch(
            f"The {what} has the shape {list(image.shape)}; give pictures of the shape [batch, height, width, 3]."
        )
    return image[..., :3].float()


def check_mask(mask: torch.Tensor, what: str = "mask") -> torch.Tensor:
    """MASK [B,H,W] as float32 in 0..1; [H,W] becomes a batch of one. Raises ShapeMismatch for anything else."""
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim != 3 or 0 in mask.shape:
        raise ShapeMismatch(
            f"The {what} has the shape {list(mask.shape)}; give masks of the shape [batch, height, width]."
        )
    return mask.float().clamp(0, 1)


def match_batch(tensor: torch.Tensor, count: int, what: str) -> torch.Tensor:
    """Repeat a batch of one to `count`. Raises ShapeMismatch when the batch is neither 1 nor `count`."""
    if tensor.shape[0] == count:
        return tensor
    if tensor.shape[0] != 1:
        raise ShapeMismatch(
            f"There are {tensor.shape[0]} of {what} for {count} pictures; give one for all or one for each."
        )
    return tensor.expand(count, *tensor.shape[1:])


def check_same_size(mask: torch.Tensor, image: torch.Tensor, what: str) -> None:
    """Raise ShapeMismatch unless MASK or IMAGE `mask` has the height and width of IMAGE `image`."""
    if mask.shape[1:3] != image.shape[1:3]:
        raise ShapeMismatch(
            f"The {what} is {mask.shape[2]} x {mask.shape[1]} pixels and the picture "
            f"{image.shape[2]} x {image.shape[1]}; give both in the same size."
        )


def planes(image: torch.Tensor) -> torch.Tensor:
    """IMAGE [B,H,W,C] or MASK [B,H,W] as [B,C,H,W], the order that torch's filters want (a view)."""
    return image.unsqueeze(1) if image.ndim == 3 else image.permute(0, 3, 1, 2)


def pixels(tensor: torch.Tensor) -> torch.Tensor:
    """[B,C,H,W] back to IMAGE [B,H,W,C], contiguous."""
    return tensor.permute(0, 2, 3, 1).contiguous()


def resize(tensor: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize [B,C,H,W]: antialiased when it shrinks (torch's triangle filter), bilinear when it grows."""
    if tensor.shape[-2:] == (height, width):
        return tensor
    shrinks = height < tensor.shape[-2] or width < tensor.shape[-1]
    return F.interpolate(tensor, size=(height, width), mode="bilinear", antialias=shrinks, align_corners=False)


def joined(pictures: list[torch.Tensor]) -> torch.Tensor:
    """A list of batches as one batch; a single one is not copied."""
    return pictures[0] if len(pictures) == 1 else torch.cat(pictures)
