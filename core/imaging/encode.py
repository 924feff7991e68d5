"""A picture as the bytes of a file: sRGB profile, pixel density, metadata, and a size between given limits."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from .. import host
from ..errors import PhotoTooLarge, ShapeMismatch
from ..errors.formats import FileSizeOutOfReach, MetadataTooLong
from ..files import make_private_folder, write_exclusively

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

Form = Literal["jpeg", "png", "webp"]

FORM_OF_SUFFIX: Mapping[str, Form] = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}
"""What is written, by the ending of a file's name."""

LOWEST_QUALITY = 40
"""The search for a small file stops here: below it JPEG's blocks show on skin."""

FULL_COLOUR_QUALITY = 80
"""From this quality on JPEG keeps colour at full resolution (4:4:4); below it 4:2:0 is the better use of the bytes."""

LONGEST_SIDE = {"jpeg": 65_500, "png": 2**31 - 1, "webp": 16_383}
"""What the formats, or libjpeg, can hold; pixels."""

SEGMENT_BYTES = 65_533
"""The longest content of one segment of a JPEG file."""

XMP_MARK = b"http://ns.adobe.com/xap/1.0/\x00"
"""What a JPEG segment with XMP starts with (Adobe XMP specification, part 3)."""

PNG_COMPRESSION = 4
"""Core's zlib level for saved pictures."""

_MODEL, _MAKE = 0x0110, 0x010F
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _INCH = 0x011A, 0x011B, 0x0128, 2
_PROFILE_DATE = slice(24, 36)
_FIXED_DATE = b"".join(value.to_bytes(2, "big") for value in (2026, 1, 1, 0, 0, 0))


@dataclass(frozen=True)
class Encoded:
    """A file's bytes, and the quality (1 to 100) that it was encoded with; None for PNG."""

    data: bytes
    quality: int | None


@dataclass(frozen=True)
class Stated:
    """What a file says of how its pictures were made: an XMP packet, and its statement in words."""

    packet: bytes = b""
    words: str = ""


NOTHING_STATED = Stated()
"""Of a drawing without a photo in it."""


def drawn_file(image: Image.Image, form: Form, stated: Stated, *, quality: int = 92, compress: int = 1) -> bytes:
    """A picture to be looked at, such as an overlay, a preview or a thumbnail, as a file with what is `stated` of it.

    `compress`: zlib's level of a PNG.
    """
    if form == "png":
        return _png(image, None, stated.packet or None, {}, compress)
    write = _jpeg_writer if form == "jpeg" else _webp_writer
    return write(image.convert("RGB"), None, stated.packet or None, {})(quality)


def save_preview(image: Any, stated: Stated) -> list[dict[str, str]]:
    """Write IMAGE [B,H,W,3] into the temp folder as PNG; return the names as a server reports them.

    `stated`: of how the pictures were made.
    """
    from .files import to_pil

    folder = host.temp_dir()
    make_private_folder(folder)
    saved = []
    for picture in image:
        name = f"preview_{secrets.token_hex(6)}.png"
        write_exclusively(folder / name, drawn_file(to_pil(picture), "png", stated), private=True)
        saved.append({"filename": name, "subfolder": "", "type": "temp"})
    return saved


def encode_picture(
    picture: Tensor,
    form: Form,
    *,
    dpi: float | None = None,
    quality: int = 95,
    max_bytes: int | None = None,
    min_bytes: int | None = None,
    xmp: bytes | None = None,
    text: Mapping[str, str] | None = None,
) -> Encoded:
    """Encode `picture` [H,W,3] in 0..1, cut off to 8 bits as SaveImage does, always with an sRGB profile.

    PNG and WebP also take [H,W,4], whose last channel says how much of each pixel covers what is behind.

    `dpi` (pixels per inch, below 65536) is written to JFIF (whole numbers only) and EXIF, to pHYs in PNG (pixels per
    metre), and to EXIF in WebP, which has no other place for it. `xmp` is a whole packet. `text` is what ComfyUI keeps
    in a file (``prompt``, ``workflow``): text chunks in PNG, and the EXIF fields of ComfyUI's animated WebP elsewhere.

    Where the file at `quality` is larger than `max_bytes`, the highest quality down to 40 that fits is taken; where it
    is smaller than `min_bytes`, the lowest one up to 100 that is large enough. The same picture gives the same bytes.

    Raises FileSizeOutOfReach, MetadataTooLong, PhotoTooLarge (more pixels on a side than the format holds) and
    ShapeMismatch.
    """
    if picture.ndim != 3 or picture.shape[2] not in ((3,) if form == "jpeg" else (3, 4)):
        raise ShapeMismatch(f"A picture to be encoded is [H,W,3], and this one is {list(picture.shape)}; give one RGB.")
    if max(picture.shape[:2]) > LONGEST_SIDE[form]:
        raise PhotoTooLarge(
            f"A picture of {picture.shape[1]} x {picture.shape[0]} pixels is too large for {form.upper()}, which holds "
            f"{LONGEST_SIDE[form]} on a side; save it as PNG or scale it down."
        )
    from .files import to_pil

    image, extras = to_pil(picture), dict(text or {})
    if form == "png":
        return _check_png(_png(image, dpi, xmp, extras), max_bytes, min_bytes)
    write = _jpeg_writer(image, dpi, xmp, extras) if form == "jpeg" else _webp_writer(image, dpi, xmp, extras)
    return _searched(write, min(max(quality, 1), 100), max_bytes, min_bytes)


@cache
def srgb_profile() -> bytes:
    """LittleCMS's sRGB profile (ICC), with a fixed date of creation, so that equal pictures give equal files."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_PROFILE_DATE] = _FIXED_DATE
    return bytes(profile)


def _searched(write: Callable[[int], bytes], quality: int, max_bytes: int | None, min_bytes: int | None) -> Encoded:
    first = Encoded(write(quality), quality)
    found = first
    if max_bytes is not None and len(first.data) > max_bytes:
        found = _largest_within(write, quality, max_bytes)
    elif min_bytes is not None and len(first.data) < min_bytes:
        found = _smallest_above(write, quality, min_bytes)
    _check_limits(found, max_bytes, min_bytes)
    return found


def _largest_within(write: Callable[[int], bytes], quality: int, limit: int) -> Encoded:
    """The highest quality below `quality` whose file is at most `limit` bytes, or else the lowest quality there is."""
    low, high = min(LOWEST_QUALITY, quality), quality - 1
    best = Encoded(write(low), low)
    while low < high and len(best.data) <= limit:
        middle = (low + high + 1) // 2
        tried = Encoded(write(middle), middle)
        if len(tried.data) <= limit:
            best, low = tried, middle
        else:
            high = middle - 1
    return best


def _smallest_above(write: Callable[[int], bytes], quality: int, limit: int) -> Encoded:
    """The lowest quality above `quality` whose file is at least `limit` bytes, or else quality 100."""
    low, high = quality, 100
    best = Encoded(write(high), high)
    while low + 1 < high and len(best.data) >= limit:
        middle = (low + high) // 2
        tried = Encoded(write(middle), middle)
        if len(tried.data) >= limit:
            best, high = tried, middle
        else:
            low = middle
    return best


def _check_limits(found: Encoded, max_bytes: int | None, min_bytes: int | None) -> None:
    size = len(found.data)
    if max_bytes is not None and min_bytes is not None and not min_bytes <= size <= max_bytes:
        raise FileSizeOutOfReach(
            f"No quality from {LOWEST_QUALITY} to 100 gives a file of {min_bytes} to {max_bytes} bytes, quality "
            f"{found.quality} gives {size}; give a picture with {'fewer' if size > max_bytes else 'more'} pixels."
        )
    if max_bytes is not None and size > max_bytes:
        raise FileSizeOutOfReach(
            f"The smallest file is {size} bytes (quality {found.quality}) and at most {max_bytes} are allowed; give a "
            "picture with fewer pixels."
        )
    if min_bytes is not None and size < min_bytes:
        raise FileSizeOutOfReach(
            f"The largest file is {size} bytes (quality {found.quality}) and at least {min_bytes} are asked for; give "
            "a picture with more pixels."
        )


def _check_png(data: bytes, max_bytes: int | None, min_bytes: int | None) -> Encoded:
    size = len(data)
    if max_bytes is not None and size > max_bytes:
        raise FileSizeOutOfReach(
            f"As PNG, which has no quality to lower, the file is {size} bytes and at most {max_bytes} are allowed; "
            "save it as JPEG."
        )
    if min_bytes is not None and size < min_bytes:
        raise FileSizeOutOfReach(
            f"As PNG the file is {size} bytes and at least {min_bytes} are asked for; give a picture with more pixels."
        )
    return Encoded(data, None)


def _jpeg_writer(
    image: Image.Image, dpi: float | None, xmp: bytes | None, text: dict[str, str]
) -> Callable[[int], bytes]:
    exif, extra = _exif(dpi, text), b""
    if len(exif) > SEGMENT_BYTES:
        raise MetadataTooLong(
            f"JPEG holds {SEGMENT_BYTES} bytes of EXIF and the workflow needs {len(exif)}; save as PNG or without it."
        )
    if xmp is not None:
        content = XMP_MARK + xmp
        if len(content) > SEGMENT_BYTES:
            raise MetadataTooLong(
                f"JPEG holds {SEGMENT_BYTES} bytes of XMP and this packet has {len(content)}; save as PNG."
            )
        extra = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
    density = {"dpi": (dpi, dpi)} if dpi is not None else {}

    def write(quality: int) -> bytes:
        subsampling = 0 if quality >= FULL_COLOUR_QUALITY else 2
        return _saved(
            image,
            "JPEG",
            quality=quality,
            subsampling=subsampling,
            icc_profile=srgb_profile(),
            exif=exif,
            extra=extra,
            **density,
        )

    return write


def _webp_writer(
    image: Image.Image, dpi: float | None, xmp: bytes | None, text: dict[str, str]
) -> Callable[[int], bytes]:
    exif = _exif(dpi, text)

    def write(quality: int) -> bytes:
        return _saved(image, "WEBP", quality=quality, method=4, icc_profile=srgb_profile(), exif=exif, xmp=xmp or b"")

    return write


def _png(
    image: Image.Image,
    dpi: float | None,
    xmp: bytes | None,
    text: dict[str, str],
    compress: int = PNG_COMPRESSION,
) -> bytes:
    """The profile is an iCCP chunk without an sRGB chunk beside it: the PNG specification advises against both."""
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value)
    if xmp is not None:
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8"))
    density = {"dpi": (dpi, dpi)} if dpi is not None else {}
    return _saved(image, "PNG", pnginfo=chunks, icc_profile=srgb_profile(), compress_level=compress, **density)


def _exif(dpi: float | None, text: dict[str, str]) -> bytes:
    """EXIF with the resolution, and the texts as ComfyUI's WebP has them: "prompt:…" as Model, the others from Make on
    downwards. Empty where there is neither."""
    from PIL import Image
    from PIL.TiffImagePlugin import IFDRational

    exif, tag = Image.Exif(), _MAKE
    if dpi is not None:
        exif[_X_RESOLUTION] = exif[_Y_RESOLUTION] = IFDRational(round(dpi * 1000), 1000)
        exif[_RESOLUTION_UNIT] = _INCH
    for key, value in text.items():
        if key == "prompt":
            exif[_MODEL] = f"{key}:{value}"
            continue
        exif[tag] = f"{key}:{value}"
        tag -= 1
    return exif.tobytes() if len(exif) else b""


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
