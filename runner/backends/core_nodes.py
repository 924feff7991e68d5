"""The few ComfyUI core nodes that the local engine carries: the same names, sockets and results, written anew.

They derive from `Carried` and not from `io.ComfyNode` directly, so that ComfyUI Manager, which reads the source, does
not list them as nodes of this pack. They are never registered inside ComfyUI.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...core import host
from ...core.errors import LikenessError
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


def _photo(name: str) -> Path:
    return host.inside(host.input_dir(), name)


class _PhotoFile(Carried):
    """What the two nodes share that read a file of the input folder."""

    @classmethod
    def validate_inputs(cls, image: str) -> bool | str:
        """The name must be that of a file inside the input folder."""
        try:
            return _photo(image).is_file() or f"there is no photo {image!r}; give one with --input"
        except LikenessError as error:
            return str(error)

    @classmethod
    def fingerprint_inputs(cls, image: str, **_: Any) -> str:
        """The file's content, so that a changed photo under the same name is read again."""
        return hashlib.sha256(_photo(image).read_bytes()).hexdigest()


def _photo_name() -> io.Input:
    return io.Combo.Input("image", options=[], extra_dict={"image_upload": True})


class LoadImage(_PhotoFile):
    """A photo of the input folder."""

    title = "Load Image"
    takes = (_photo_name(),)
    gives = (
        io.Image,
        io.Mask,
    )

    @classmethod
    def execute(cls, image: str) -> io.NodeOutput:
        """The picture, and 1 where it is transparent."""
        from ...core.imaging.files import load_photo

        return io.NodeOutput(*load_photo(_photo(image)))


class LoadImageMask(_PhotoFile):
    """One channel of a photo of the input folder."""

    title = "Load Image (as Mask)"
    takes = (
        _photo_name(),
        io.Combo.Input("channel", options=["alpha", "red", "green", "blue"]),
    )
    gives = (io.Mask,)

    @classmethod
    def execute(cls, image: str, channel: str) -> io.NodeOutput:
        """A colour channel as it is, or alpha inverted: 1 where the picture is transparent."""
        import torch

        from ...core.imaging.files import load_photo

        pixels, transparency = load_photo(_photo(image))
        if channel != "alpha":
            return io.NodeOutput(pixels[:1, ..., ("red", "green", "blue").index(channel)])
        same_size = transparency.shape == pixels.shape[:3]
        return io.NodeOutput(transparency[:1] if same_size else torch.zeros(pixels[:1].shape[:3]))


class SaveImage(Carried):
    """Pictures into the output folder."""

    title = "Save Image"
    takes = (
        io.Image.Input("images"),
        io.String.Input("filename_prefix", default="ComfyUI"),
    )
    saves = True

    @classmethod
    def execute(cls, images: torch.Tensor, filename_prefix: str) -> io.NodeOutput:
        """Numbered PNG files that carry the workflow."""
        from .saved_files import save_images

        hidden = cls.hidden
        saved = save_images(images, filename_prefix, host.output_dir(), hidden.prompt, hidden.extra_pnginfo)
        return io.NodeOutput(ui={"images": saved})


class PreviewImage(Carried):
    """Pictures that are only shown."""

    title = "Preview Image"
    takes = (io.Image.Input("images"),)
    saves = True

    @classmethod
    def execute(cls, images: torch.Tensor) -> io.NodeOutput:
        """PNG files in the temporary folder."""
        from ...core.imaging.files import save_preview

        return io.NodeOutput(ui={"images": save_preview(images)})


class EmptyImage(Carried):
    """A picture of one colour."""

    title = "EmptyImage"
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

    title = "Invert Image"
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

    title = "Batch Images"
    takes = (
        io.Image.Input("image1"),
        io.Image.Input("image2"),
    )
    gives = (io.Image,)

    @classmethod
    def execute(cls, image1: torch.Tensor, image2: torch.Tensor) -> io.NodeOutput:
        """The second batch is cropped and scaled to the size of the first."""
        import torch

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

    title = "InvertMask"
    takes = (io.Mask.Input("mask"),)
    gives = (io.Mask,)

    @classmethod
    def execute(cls, mask: torch.Tensor) -> io.NodeOutput:
        """One minus each value."""
        return io.NodeOutput(1.0 - mask)


class PreviewAny(Carried):
    """Any value, shown as text."""

    title = "Preview Any"
    takes = (io.Custom("*").Input("source"),)
    saves = True

    @classmethod
    def execute(cls, source: Any) -> io.NodeOutput:
        """Text as it is, the rest as JSON where it can be."""
        if isinstance(source, str | int | float):
            return io.NodeOutput(ui={"text": [str(source)]})
        try:
            return io.NodeOutput(ui={"text": ["None" if source is None else json.dumps(source)]})
        except (TypeError, ValueError):
            return io.NodeOutput(ui={"text": [str(source)]})


class _Primitive(Carried):
    @classmethod
    def execute(cls, value: Any) -> io.NodeOutput:
        """The value."""
        return io.NodeOutput(value)


class PrimitiveString(_Primitive):
    """A text."""

    title = "String"
    takes = (io.String.Input("value"),)
    gives = (io.String,)


class PrimitiveStringMultiline(_Primitive):
    """A text of several lines."""

    title = "String (Multiline)"
    takes = (io.String.Input("value", multiline=True),)
    gives = (io.String,)


class PrimitiveInt(_Primitive):
    """A whole number."""

    title = "Int"
    takes = (io.Int.Input("value", control_after_generate=True),)
    gives = (io.Int,)


class PrimitiveFloat(_Primitive):
    """A number."""

    title = "Float"
    takes = (io.Float.Input("value"),)
    gives = (io.Float,)


class PrimitiveBoolean(_Primitive):
    """True or false."""

    title = "Boolean"
    takes = (io.Boolean.Input("value"),)
    gives = (io.Boolean,)


CORE_NODES: list[type[io.ComfyNode]] = [
    LoadImage,
    LoadImageMask,
    SaveImage,
    PreviewImage,
    EmptyImage,
    ImageInvert,
    ImageScale,
    ImageBatch,
    MaskToImage,
    ImageToMask,
    InvertMask,
    PreviewAny,
    PrimitiveString,
    PrimitiveStringMultiline,
    PrimitiveInt,
    PrimitiveFloat,
    PrimitiveBoolean,
]
