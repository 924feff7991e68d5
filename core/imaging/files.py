"""Photo files: which count as photos, whether one is whole, to tensors and back, and what saved pictures are called."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from .. import host
from ..errors import PhotoMissing, PhotoTooLarge, PhotoUnreadable
from .colour_profiles import WITH_ALPHA, needs_conversion, to_srgb

if TYPE_CHECKING:
    import torch
    from PIL import Image

MAX_PIXELS = 100_000_000
"""Largest photo that is decoded, in pixels: 100 megapixels are 1.2 GB as float32 RGB."""

MAX_SIDE = 65_500
"""Longest side of a photo, in pixels: JPEG has no longer one, and no photo is a line of pixels."""

MAX_FRAME_PIXELS = 200_000_000
"""Pixels of all frames of an animation, or pages of a TIFF, together: 2.4 GB as float32 RGB."""

MAX_FRAMES = 2000
"""Frames or pages: a minute of film. Only to count more of them takes minutes."""

MAX_SCANS = 200
"""Scans of a progressive JPEG: encoders make 10, and each is as much work as the whole picture."""

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")
"""Formats that are opened. Pillow knows more, of which some run a program (EPS) or are seldom looked after."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"})
"""File name endings that count as photos when a folder is read."""

FOREIGN_SUFFIXES = frozenset({".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".psd", ".eps", ".pdf"})
"""Endings of photos that are not read here: who gives one is told so, and not left to wonder."""

_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
"""The last bytes of a whole file; some cameras add a little after them."""

_TAIL_BYTES = 1024


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A photo that is open and not decoded yet; failures to decode it inside are errors of ours.

    Raises PhotoMissing, PhotoTooLarge or PhotoUnreadable.
    """
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise PhotoMissing(f"There is no photo at {host.shown(path)}; check the name and the folder.")
    try:
        with Image.open(path, formats=picture_formats()) as image:
            _check_size(path, image)
            if image.format in ("JPEG", "MPO"):
                _check_scans(path)
            yield image
    except Image.DecompressionBombError as error:
        raise PhotoTooLarge(f"{path.name} has too many pixels to be decoded safely; scale it down first.") from error
    except UnidentifiedImageError as error:
        raise PhotoUnreadable(f"{path.name} cannot be decoded ({_what_it_is(path)}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise PhotoUnreadable(
            f"{path.name} cannot be decoded ({host.reason_of(error).rstrip('.')}); save it again as JPEG or PNG."
        ) from error


def _check_size(path: Path, image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
        raise PhotoTooLarge(
            f"{path.name} has {image.width} x {image.height} pixels, more than the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE:,} on a side; scale it down first."
        )


def _check_scans(path: Path) -> None:
    """Refuse a JPEG whose decoding takes minutes: each scan begins with a marker that stands nowhere else."""
    with path.open("rb") as file:
        scans = sum(piece.count(b"\xff\xda") for piece in iter(lambda: file.read(1 << 20), b""))
    if scans > MAX_SCANS:
        raise PhotoTooLarge(
            f"{path.name} is drawn in {scans:,} scans, more than the limit of {MAX_SCANS}, and would take minutes to "
            "decode; save it again."
        )


@cache
def picture_formats() -> tuple[str, ...]:
    """`FORMATS`, as far as this machine reads them; HEIC photos of telephones are read by pillow-heif."""
    from PIL import Image, features

    with contextlib.suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener(thumbnails=False)
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN and (name != "AVIF" or features.check("avif")))


HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
"""Brands of HEIF files with HEVC pictures, ISO/IEC 23008-12; they stand at byte 8 behind ``ftyp``."""


def _what_it_is(path: Path) -> str:
    """What a file is that is not opened, and what to do; the rest of an error's sentence."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS:
        return "it is a HEIC photo, and pillow-heif is not installed); pip install pillow-heif, or save it as JPEG."
    if head[:4] in (b"%!PS", b"%PDF"):
        return "it is a PostScript or PDF file, which is a program and no photo); save it as JPEG or PNG."
    return "it is no picture of a known format); save it again as JPEG or PNG."


def check_whole(path: Path) -> None:
    """Refuse a photo that is damaged, cut off or too large, before it is sent anywhere.

    ComfyUI fills what is missing of a photo with grey and calls that a success. JPEG and PNG are decoded only where
    their end is not where it should be. Raises PhotoMissing, PhotoTooLarge or PhotoUnreadable.
    """
    with opened(path) as image:
        end = _ENDS.get(image.format or "")
        if end is None or end not in _tail(path):
            image.load()


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - _TAIL_BYTES, 0))
        return file.read()


def load_photo(path: Path, *, first: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a photo as ComfyUI's LoadImage does, but refuse a damaged one instead of guessing.

    Returns IMAGE [1,H,W,3] float32 in 0..1, upright by its EXIF orientation, and MASK [1,H,W] that is 1 where the
    picture is transparent ([1,64,64] zeros for a picture without transparency). Several frames of an animation are
    a batch, except in MPO. Grayscale, CMYK, Lab, palette, 16-bit and floating-point pictures become 8-bit RGB, and
    colours of another profile (Display P3, Adobe RGB) sRGB, which LoadImage takes for sRGB unchanged.

    `first`: only the first frame is decoded. Raises PhotoMissing, PhotoTooLarge or PhotoUnreadable.
    """
    with opened(Path(path)) as photo:
        return _frames(Path(path), photo, first)


def load_on_white(path: Path) -> torch.Tensor:
    """A photo [H,W,3] as `load_photo` reads it; where it is transparent, white as paper is, and not what colour the
    file hides there. Raises what `load_photo` raises."""
    pictures, clear = load_photo(path, first=True)
    picture = pictures[0]
    if clear.shape[1:] == picture.shape[:2]:
        picture = picture.lerp(picture.new_ones(()), clear[0, ..., None])
    return picture


def _frames(path: Path, photo: Image.Image, first: bool) -> tuple[torch.Tensor, torch.Tensor]:
    import torch
    from PIL import ImageOps

    images: torch.Tensor | None = None
    masks: list[torch.Tensor] = []
    count = 1 if first or photo.format == "MPO" else _count_frames(path, photo)
    if count * photo.width * photo.height > max(MAX_FRAME_PIXELS, photo.width * photo.height):
        raise PhotoTooLarge(
            f"{path.name} has {count:,} frames of {photo.width} x {photo.height} pixels, more than the limit of "
            f"{MAX_FRAME_PIXELS // 1_000_000} megapixels together; save the frame that you need as a picture."
        )
    for index in range(count):
        photo.seek(index)
        _check_size(path, photo)
        frame = ImageOps.exif_transpose(photo)
        if images is not None and (frame.height, frame.width) != tuple(images.shape[1:3]):
            continue
        image, mask = _tensors(frame)
        if images is None:
            images = image if count == 1 else image.new_empty(count, *image.shape[1:])
        if count > 1:
            images[len(masks)] = image[0]
        masks.append(mask)
    if images is None:
        raise PhotoUnreadable(f"{path.name} holds no picture; save it again as JPEG or PNG.")
    if len({mask.shape for mask in masks}) > 1:
        masks = [mask if mask.shape[1:] == images.shape[1:3] else torch.zeros(1, *images.shape[1:3]) for mask in masks]
    return images[: len(masks)], masks[0] if len(masks) == 1 else torch.cat(masks)


def _count_frames(path: Path, photo: Image.Image) -> int:
    """How many there are. Pillow walks through all of a GIF or a TIFF to say it. Raises PhotoTooLarge."""
    if photo.format == "TIFF":
        count = _pages(photo)
    elif photo.format == "GIF" and _gif_has_more(path, MAX_FRAMES):
        count = MAX_FRAMES + 1
    else:
        count = getattr(photo, "n_frames", 1)
    if count > MAX_FRAMES:
        raise PhotoTooLarge(
            f"{path.name} has more than {MAX_FRAMES:,} frames; save the frame that you need as a picture."
        )
    return count


def _pages(photo: Image.Image) -> int:
    """The pages of a TIFF, one by one, and one more than `MAX_FRAMES` at most."""
    count = 0
    with contextlib.suppress(EOFError):
        while count <= MAX_FRAMES:
            photo.seek(count)
            count += 1
    photo.seek(0)
    return count


def _gif_has_more(path: Path, most: int) -> bool:
    """Whether a GIF has more than `most` frames, by its blocks alone (GIF89a, 17 to 27)."""
    data = path.read_bytes()
    at, frames = 13 + _table(data, 10), 0
    while at < len(data) and data[at] in b",!" and frames <= most:
        if data[at] == ord(","):
            frames += 1
            at += 11 + _table(data, at + 9)
        else:
            at += 2
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
    return frames > most


def _table(data: bytes, at: int) -> int:
    """Bytes of the colour table that the flags at `at` announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _tensors(frame: Image.Image) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    alpha = None
    if frame.mode in WITH_ALPHA:
        alpha = frame.getchannel("A") if "A" in frame.getbands() else frame.convert("RGBA").getchannel("A")
    elif frame.mode == "P" and "transparency" in frame.info:
        alpha = frame.convert("RGBA").getchannel("A")
    mask = torch.zeros(1, 64, 64) if alpha is None else 1.0 - _unit(alpha)[None]
    picture = to_srgb(frame) if needs_conversion(frame) else frame
    return _unit(picture if picture.mode == "RGB" else picture.convert("RGB"))[None], mask


def _unit(picture: Image.Image) -> torch.Tensor:
    """In 0..1, with no second copy of the numbers: a photo of 100 megapixels has 1.2 GB of them."""
    import numpy as np
    import torch

    values = np.array(picture, dtype=np.float32)
    values /= 255.0
    return torch.from_numpy(values)


def to_pil(image: torch.Tensor) -> Image.Image:
    """One picture [H,W,3] in 0..1 as an 8-bit RGB image, cut off as ComfyUI's SaveImage does."""
    import numpy as np
    from PIL import Image

    return Image.fromarray(np.clip(255.0 * image.detach().cpu().numpy(), 0, 255).astype(np.uint8))


def from_pil(picture: Image.Image) -> torch.Tensor:
    """A PIL image as IMAGE [1,H,W,3] float32 in 0..1."""
    return _unit(picture.convert("RGB"))[None]


_DATE_PARTS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "hh": "%H", "mm": "%M", "ss": "%S"}


def expand_prefix(prefix: str, width: int, height: int, now: time.struct_time | None = None) -> str:
    """Fill in ``%width%``, ``%height%``, ``%year%`` … ``%second%`` and ``%date:yyyy-MM-dd%``."""
    now = now or time.localtime()
    words = {"width": str(width), "height": str(height), "year": str(now.tm_year)}
    for name, value in (
        ("month", now.tm_mon),
        ("day", now.tm_mday),
        ("hour", now.tm_hour),
        ("minute", now.tm_min),
        ("second", now.tm_sec),
    ):
        words[name] = f"{value:02}"

    def date(match: re.Match[str]) -> str:
        return re.sub("yyyy|yy|MM|dd|hh|mm|ss", lambda part: time.strftime(_DATE_PARTS[part[0]], now), match[1])

    prefix = re.sub(r"%date:([^%]*)%", date, prefix)
    return re.sub(r"%(\w+)%", lambda match: words.get(match[1], match[0]), prefix)


def next_counter(folder: Path, stem: str) -> int:
    """One more than the highest number of ``stem_00001_…`` in `folder`."""
    pattern = re.compile(re.escape(stem) + r"_(\d+)(?:_.*)?", re.IGNORECASE)
    numbers = (pattern.fullmatch(path.stem) for path in folder.iterdir())
    return max((int(match[1]) for match in numbers if match), default=0) + 1


def place_saved_picture(root: Path, prefix: str, width: int, height: int) -> tuple[Path, str]:
    """The folder and the beginning of the name for a prefix of pictures of that size, in pixels.

    Raises UnsafePath when it leads outside `root`.
    """
    path = host.inside(root, expand_prefix(prefix, width, height))
    return (path, "") if path == root.resolve() else (path.parent, path.name)


def relative_subfolder(folder: Path, root: Path) -> str:
    """The subfolder as a server reports it: with slashes, empty for `root` itself."""
    path = folder.relative_to(root.resolve()).as_posix()
    return "" if path == "." else path
