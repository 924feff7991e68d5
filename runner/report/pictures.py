"""Pictures inside a page: small, upright, as data URIs; and which of a run's pictures stand beside each other."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from PIL import Image, ImageOps, UnidentifiedImageError

from ...core.errors import PhotoUnreadable
from ...core.imaging.colour_profiles import needs_conversion, to_srgb
from ...core.imaging.encode import Stated, drawn_file
from ...core.imaging.files import picture_formats
from ...core.provenance.save import packet_to_keep

if TYPE_CHECKING:
    from ..backends.result import RunResult, SavedFile

LARGE, SMALL = 960, 320
"""Longest sides in pixels."""

QUALITY = 86


@dataclass(frozen=True)
class Thumb:
    """A picture as a data URI, and its width divided by its height."""

    uri: str
    ratio: float


def thumbnail(path: Path | None, side: int = LARGE) -> Thumb | None:
    """The picture as a small JPEG in a data URI; None when there is none or it cannot be read."""
    made = small_jpeg(path, side) if path is not None else None
    if made is None:
        return None
    data, width, height = made
    return Thumb("data:image/jpeg;base64," + base64.b64encode(data).decode(), round(width / height, 4))


def small_jpeg(path: Path, side: int) -> tuple[bytes, int, int] | None:
    """The picture as a JPEG of at most `side` pixels, its width and its height; None when it cannot be read.

    Upright, on white where it is transparent.
    """
    try:
        with Image.open(path, formats=picture_formats()) as opened:
            opened.draft("RGB", (side * 2, side * 2))
            picture = ImageOps.exif_transpose(opened)
            picture = to_srgb(picture) if needs_conversion(picture) else picture
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
                layer = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
            data = drawn_file(picture, "jpeg", Stated(packet_to_keep(path)), quality=QUALITY)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError, PhotoUnreadable):
        return None
    return data, picture.width, picture.height


PICTURES_SHOWN = 24
"""More pictures than this are counted and not shown: the page must stay small."""


@dataclass(frozen=True)
class Picture:
    """A picture in the page, `ratio` times as wide as high; `href` is the file beside the page, if it is one."""

    src: str
    ratio: float
    label: str
    name: str
    href: str | None = None


@dataclass(frozen=True)
class RunPictures:
    """The photos that went in and the pictures that came out, as far as they can be read and are shown."""

    photos: list[Picture]
    outputs: list[Picture]

    @classmethod
    def read(cls, result: RunResult, folder: Path) -> RunPictures:
        """Those of `result`; the files of its pictures lie in `folder`."""
        photos = []
        for index, photo in enumerate(result.photos[:PICTURES_SHOWN]):
            if (thumb := thumbnail(photo.path, SMALL if index else LARGE)) is not None:
                photos.append(Picture(thumb.uri, thumb.ratio, photo.title, photo.name))
        outputs = [_saved(file, folder.resolve()) for file in result.outputs[:PICTURES_SHOWN]]
        return cls(photos, [picture for picture in outputs if picture is not None])

    def pair(self) -> tuple[list[Picture], list[Picture]]:
        """The pictures to compare, and the photos that are left: before and after, or two photos under their titles.

        A folder of photos has no before: its result stands alone.
        """
        photos, after = self.photos, [replace(picture, label="After") for picture in self.outputs[:1]]
        if len(photos) > 1 and photos[0].label == photos[1].label:
            return [replace(picture, label="Result") for picture in after], photos
        if after:
            return [replace(picture, label="Before") for picture in photos[:1]] + after, photos[1:]
        return (photos, []) if len(photos) < 3 else ([photos[0], photos[-1]], photos[1:-1])


def _saved(file: SavedFile, folder: Path) -> Picture | None:
    thumb = thumbnail(file.path)
    if thumb is None:
        return None
    path = file.path.resolve()
    href = quote(path.relative_to(folder).as_posix()) if folder in path.parents else None
    return Picture(thumb.uri, thumb.ratio, file.title, file.path.name, href)
