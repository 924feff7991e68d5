"""The few ComfyUI core nodes that the local engine carries: the same names, sockets and results, written anew.

They are those of ComfyUI 0.33.0; `tests/runner/test_client.py` has what 0.3.64 does otherwise.
They derive from `Carried` and not from `io.ComfyNode` directly, so that ComfyUI Manager, which reads the source, does
not list them as nodes of this pack. They are never registered inside ComfyUI.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core import host
from ...core.errors import LikenessError
from ...nodes.schema import io
from .core_picture_nodes import (
    Carried,
    EmptyImage,
    GetImageSize,
    ImageBatch,
    ImageInvert,
    ImageScale,
    ImageToMask,
    InvertMask,
    JoinImageWithAlpha,
    MaskToImage,
)

if TYPE_CHECKING:
    import torch


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
        """A colour channel as it is, or alpha inverted: 1 where the picture is transparent.

        The empty mask of an opaque picture has its size, as in 0.3.64; newer versions give one of 64 x 64.
        """
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
    gives = (io.Image,)
    saves = True

    @classmethod
    def execute(cls, images: torch.Tensor, filename_prefix: str) -> io.NodeOutput:
        """Numbered PNG files that carry the workflow; the pictures as they came."""
        from .saved_files import save_images

        hidden = cls.hidden
        saved = save_images(images, filename_prefix, host.output_dir(), hidden.prompt, hidden.extra_pnginfo)
        return io.NodeOutput(images, ui={"images": saved})


class PreviewImage(Carried):
    """Pictures that are only shown."""

    title = "Preview Image"
    takes = (io.Image.Input("images"),)
    gives = (io.Image,)
    saves = True

    @classmethod
    def execute(cls, images: torch.Tensor) -> io.NodeOutput:
        """PNG files in the temporary folder; the pictures as they came."""
        from ...core.imaging.encode import save_preview
        from ...core.provenance.save import stated_of_this_run

        return io.NodeOutput(images, ui={"images": save_preview(images, stated_of_this_run())})


class PreviewAny(Carried):
    """Any value, shown as text."""

    title = "Preview as Text"
    takes = (io.Custom("*").Input("source"),)
    gives = (io.String,)
    saves = True

    @classmethod
    def execute(cls, source: Any) -> io.NodeOutput:
        """Text as it is, the rest as JSON where it can be; the same text is given on."""
        text = str(source)
        if not isinstance(source, str | int | float):
            with contextlib.suppress(TypeError, ValueError):
                text = "None" if source is None else json.dumps(source, indent=4, ensure_ascii=False)
        return io.NodeOutput(text, ui={"text": [text]})


class _Primitive(Carried):
    @classmethod
    def execute(cls, value: Any) -> io.NodeOutput:
        """The value."""
        return io.NodeOutput(value)


class PrimitiveString(_Primitive):
    """A text."""

    title = "Text"
    takes = (io.String.Input("value"),)
    gives = (io.String,)


class PrimitiveStringMultiline(_Primitive):
    """A text of several lines."""

    title = "Text (Multiline)"
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
    JoinImageWithAlpha,
    GetImageSize,
    PreviewAny,
    PrimitiveString,
    PrimitiveStringMultiline,
    PrimitiveInt,
    PrimitiveFloat,
    PrimitiveBoolean,
]
