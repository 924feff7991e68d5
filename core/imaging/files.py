"""Which files count as photos, and whether one is whole: told without decoding where that can be, and without torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..errors import PhotoMissing, PhotoTooLarge, PhotoUnreadable

MAX_PIXELS = 100_000_000
"""Largest photo that is decoded, in pixels: 100 megapixels are 1.2 GB as float32 RGB."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"})
"""File name endings that count as photos when a folder is read."""

FOREIGN_SUFFIXES = frozenset({".heic", ".heif", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".psd"})
"""Endings of photos that are not read here: who gives one is told so, and not left to wonder."""

_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
"""The last bytes of a whole file; some cameras add a little after them."""

_TAIL_BYTES = 1024


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A photo that is open and not decoded yet; failures to decode it inside are errors of ours.

    Raises PhotoMissing, PhotoTooLarge or PhotoUnreadable.
    """
    if not path.is_file():
        raise PhotoMissing(f"There is no photo at {path}; check the name and the folder.")
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoTooLarge(
                    f"{path.name} has {image.width} x {image.height} pixels, more than the limit of "
                    f"{MAX_PIXELS // 1_000_000} megapixels; scale it down first."
                )
            yield image
    except Image.DecompressionBombError as error:
        raise PhotoTooLarge(f"{path.name} has too many pixels to be decoded safely; scale it down first.") from error
    except UnidentifiedImageError as error:
        raise PhotoUnreadable(
            f"{path.name} cannot be decoded (it is no picture of a known format); save it again as JPEG or PNG."
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise PhotoUnreadable(
            f"{path.name} cannot be decoded ({str(error).rstrip('.') or type(error).__name__}); "
            "save it again as JPEG or PNG."
        ) from error


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
