"""Core's nodes on pictures and masks that the local engine carries, and what every carried node is made of.

They derive from `Carried` and not from `io.ComfyNode` directly, so that ComfyUI Manager, which reads the source, does
not list them as nodes of this pack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ...nodes.schema import io

if TYPE_CHECKING:
    import torch

MAX_SIDE = 16384
"""Core's limit for widths and heights, in pixels."""


class Carried(io.ComfyNode):
    """A core node that this engine carries: a subclass says what it takes and gives, in its class body."""

    title: ClassVar[str] = ""
    takes: ClassVar[tuple[io.Input, ...]] = ()
    gives: ClassVar[tuple[type[io.ComfyType], ...]] = ()
    saves: ClassVar[bool] = False

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The schema made of the class body; the id is the name of the class."""
        outputs = [kind.Output() for kind in cls.gives]
        return io.Schema(
            node_id=cls.__name__,
            display_name=cls.title,
            category="core",
            inputs=list(cls.takes),
            outputs=outputs,
            is_output_node=cls.saves,
        )


class EmptyImage(Carried):
    """A picture of one colour."""

    title = "Empty Image"
    takes = (
        io.Int.Input("width", default=512, min=1, max=MAX_SIDE, step=1),
        io.Int.Input("height", default=512, min=1, max=MAX_SIDE, step=1),
        io.Int.Input("batch_size", default=1, min=1, max=4096),
        io.Int.Input("color", default=0, min=0, max=0xFFFFFF, step=1, extra_dict={"display": "color"}),
    )
    gives = (io.Image,)

    @classmethod
    def execute(cls, width: int, height: int, batch_size: int, color: int) -> io.NodeOutput:
        """`color` is 0xRRGGBB."""
        import torch

        pixel = torch.tensor([(color >> shift & 0xFF) / 0xFF for shift in (16, 8, 0)])
        return io.NodeOutput(pixel.expand(batch_size, height, width, 3).clone())


class ImageInvert(Carried):
    """The negative."""

    title = "Invert Image Colors"
    takes = (io.Image.Input("image"),)
    gives = (io.Image,)

    @classmethod
    def execute(cls, image: torch.Tensor) -> io.NodeOutput:
        """One minus each value."""
        return io.NodeOutput(1.0 - image)


def _centre_crop(image: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """[B,C,H,W] cut to the proportions of `width` and `height`, the same amount on both sides."""
    old_height, old_width = image.shape[-2:]
    old, new = old_width / old_height, width / height
    x = round((old_width - old_width * (new / old)) / 2) if old > new else 0
    y = round((old_height - old_height * (old / new)) / 2) if old < new else 0
    return image[..., y : old_height - y, x : old_width - x]


def _scale(image: torch.Tensor, width: int, height: int, method: str, crop: str) -> torch.Tensor:
    """IMAGE [B,H,W,3] resized; ``lanczos`` goes through 8 bits, as in core."""
    import torch
    import torch.nn.functional as functional
    from PIL import Image

    from ...core.imaging.files import from_pil, to_pil

    planes = image.movedim(-1, 1)
    if crop == "center":
        planes = _centre_crop(planes, width, height)
    if method == "lanczos":
        pictures = [to_pil(p).resize((width, height), Image.Resampling.LANCZOS) for p in planes.movedim(1, -1)]
        return torch.cat([from_pil(picture) for picture in pictures])
    return functional.interpolate(planes, size=(height, width), mode=method).movedim(1, -1)


class ImageScale(Carried):
    """Another size."""

    title = "Upscale Image"
    takes = (
        io.Image.Input("image"),
        io.Combo.Input("upscale_method", options=["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]),
        io.Int.Input("width", default=512, min=0, max=MAX_SIDE, step=1),
        io.Int.Input("height", default=512, min=0, max=MAX_SIDE, step=1),
        io.Combo.Input("crop", options=["disabled", "center"]),
    )
    gives = (io.Image,)

    @classmethod
    def execute(cls, image: torch.Tensor, upscale_method: str, width: int, height: int, crop: str) -> io.NodeOutput:
        """A side of 0 follows from the other one; both 0 leave the picture as it is."""
        old_height, old_width = image.shape[1:3]
        if width == height == 0:
            return io.NodeOutput(image)
        width = width or max(1, round(old_width * height / old_height))
        height = height or max(1, round(old_height * width / old_width))
        return io.NodeOutput(_scale(image, width, height, upscale_method, crop))


class ImageBatch(Carried):
    """Two batches in one."""

    title = "Batch Images (DEPRECATED)"
    takes = (
        io.Image.Input("image1"),
        io.Image.Input("image2"),
    )
    gives = (io.Image,)

    @classmethod
    def execute(cls, image1: torch.Tensor, image2: torch.Tensor) -> io.NodeOutput:
        """The second batch is cropped and scaled to the size of the first; one without alpha becomes opaque."""
        import torch
        import torch.nn.functional as functional

        channels = max(image1.shape[-1], image2.shape[-1])
        image1, image2 = (functional.pad(each, (0, channels - each.shape[-1]), value=1.0) for each in (image1, image2))
        if image1.shape[1:] != image2.shape[1:]:
            image2 = _scale(image2, image1.shape[2], image1.shape[1], "bilinear", "center")
        return io.NodeOutput(torch.cat((image1, image2)))


class MaskToImage(Carried):
    """A mask as a gray picture."""

    title = "Convert Mask to Image"
    takes = (io.Mask.Input("mask"),)
    gives = (io.Image,)

    @classmethod
    def execute(cls, mask: torch.Tensor) -> io.NodeOutput:
        """The mask in all three channels."""
        return io.NodeOutput(mask.reshape(-1, *mask.shape[-2:], 1).expand(-1, -1, -1, 3))


class ImageToMask(Carried):
    """A channel of a picture as a mask."""

    title = "Convert Image to Mask"
    takes = (
        io.Image.Input("image"),
        io.Combo.Input("channel", options=["red", "green", "blue", "alpha"]),
    )
    gives = (io.Mask,)

    @classmethod
    def execute(cls, image: torch.Tensor, channel: str) -> io.NodeOutput:
        """The channel's values."""
        return io.NodeOutput(image[..., ("red", "green", "blue", "alpha").index(channel)])


class InvertMask(Carried):
    """The other part of a mask."""

    title = "Invert Mask"
    takes = (io.Mask.Input("mask"),)
    gives = (io.Mask,)

    @classmethod
    def execute(cls, mask: torch.Tensor) -> io.NodeOutput:
        """One minus each value."""
        return io.NodeOutput(1.0 - mask)


class JoinImageWithAlpha(Carried):
    """A picture that is transparent."""

    title = "Join Image with Alpha"
    takes = (
        io.Image.Input("image"),
        io.Mask.Input("alpha"),
    )
    gives = (io.Image,)

    @classmethod
    def execute(cls, image: torch.Tensor, alpha: torch.Tensor) -> io.NodeOutput:
        """Transparent where `alpha` is 1, which is what masks mean in ComfyUI; the shorter batch begins again."""
        import torch
        import torch.nn.functional as functional

        count = max(len(image), len(alpha))
        planes = alpha.reshape(-1, 1, *alpha.shape[-2:])
        covers = 1.0 - functional.interpolate(planes, size=image.shape[1:3], mode="bilinear")[:, 0]
        pictures, covers = (each[torch.arange(count) % len(each)] for each in (image[..., :3], covers))
        return io.NodeOutput(torch.cat((pictures, covers[..., None]), dim=-1))


class GetImageSize(Carried):
    """How large a picture is."""

    title = "Get Image Size"
    takes = (io.Image.Input("image"),)
    gives = (io.Int, io.Int, io.Int)

    @classmethod
    def execute(cls, image: torch.Tensor) -> io.NodeOutput:
        """Width and height in pixels, and how many pictures."""
        return io.NodeOutput(image.shape[2], image.shape[1], image.shape[0])
