"""Print sheets as files: PDF and PNG under names that never leave their folder and never take another file's place."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from .. import host
from ..errors import UnsafePath
from ..errors.sheet_errors import SheetNotSaved
from ..imaging.encode import PNG_COMPRESSION, srgb_profile
from .sheet import Sheet, sized
from .sheet_paper import MM_PER_INCH

if TYPE_CHECKING:
    from PIL import Image

USUAL_PPI = 250
"""Below this a print looks soft at reading distance, and offices ask for 300."""

File = tuple[str, bytes]
"""What follows a sheet's name, and the content: `.pdf`, or `_2.png` for the second of several pages."""


def png_bytes(picture: Image.Image, dpi: float) -> bytes:
    """A page as PNG with its resolution (pHYs: pixels per metre) and the sRGB profile."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", dpi=(dpi, dpi), icc_profile=srgb_profile(), compress_level=PNG_COMPRESSION)
    return buffer.getvalue()


def png_name(index: int, pages: int) -> str:
    """How a page's file name ends."""
    return ".png" if pages == 1 else f"_{index + 1}.png"


def save_numbered(root: Path, prefix: str, files: Sequence[File]) -> list[Path]:
    """Write all `files` as ``prefix_00001.pdf`` and so on under `root`, with the first number that no file there has.

    Raises UnsafePath and SheetNotSaved; then none of them is there.
    """
    path = host.inside(root, prefix.strip())
    if path == root.resolve():
        raise UnsafePath(f"The name {prefix!r} is that of the folder {path} itself; give a file's name.")
    if not prefix.isprintable():
        raise UnsafePath(f"The name {prefix[:80]!r} has characters that are not seen; give another name.")
    folder, stem = path.parent, path.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        first = _next_number(folder, stem)
        return _first_free(files, (folder / f"{stem}_{number:05}" for number in count(first)))
    except OSError as error:
        raise _not_saved(path, error) from error


def save_as(path: Path, files: Sequence[File]) -> list[Path]:
    """Write all `files` under the name of `path`, or the first free one of ``name_2``, ``name_3`` … beside it.

    Raises SheetNotSaved; then none of them is there.
    """
    stem = path.with_suffix("")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        names = (stem if number == 1 else stem.with_name(f"{stem.name}_{number}") for number in count(1))
        return _first_free(files, names)
    except OSError as error:
        raise _not_saved(path, error) from error


def _not_saved(path: Path, error: OSError) -> SheetNotSaved:
    return SheetNotSaved(
        f"{path.name[:80]} cannot be written to {path.parent} ({error.strerror or error}); give another name or room."
    )


def _next_number(folder: Path, stem: str) -> int:
    pattern = re.compile(re.escape(stem) + r"_(\d+)(?:[_.].*)?", re.IGNORECASE)
    numbers = (pattern.fullmatch(path.name) for path in folder.iterdir())
    return max((int(match[1]) for match in numbers if match), default=0) + 1


def _first_free(files: Sequence[File], names: Iterable[Path]) -> list[Path]:
    for name in names:
        written: list[Path] = []
        try:
            for ending, data in files:
                target = name.with_name(name.name + ending)
                with target.open("xb") as file:
                    written.append(target)
                    file.write(data)
        except FileExistsError:
            _remove(written)
        except BaseException:
            _remove(written)
            raise
        else:
            return written
    return []


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()


def pixels_per_inch(sheet: Sheet, pixels: tuple[int, int]) -> float:
    """How many pixels per inch a photo of that size in pixels has on paper, in the direction that has fewer."""
    return min(side / length * MM_PER_INCH for side, length in zip(pixels, sheet.photo_mm, strict=True))


def summary(sheet: Sheet, pixels: Sequence[tuple[int, int]], enlarged: float = 1.0) -> list[str]:
    """What a person needs to know to print the sheet, a sentence or two each. `pixels`: sizes of the photos.

    `enlarged`: the photos' pixels on a side for each of the photo that they were made from.
    """
    block, pages = sheet.pages[0].block, len(sheet.pages)
    photos = "1 photo" if sheet.count == 1 else f"{sheet.count} photos"
    sheets = "1 sheet" if pages == 1 else f"{pages} sheets"
    lies = ("landscape" if sheet.landscape else "portrait") + (", photos on their side" if sheet.turned else "")
    said = [
        f"{photos} of {sized(sheet.photo_mm)} on {sheets} {sheet.paper.name} "
        f"({sized((sheet.width_mm, sheet.height_mm))}, {lies}), with {sheet.gap_mm:g} mm between them.",
        "Print at 100 % (actual size), without fitting to the page. "
        f"On the first sheet all photos together measure {sized((block.width, block.height))}; check with a ruler.",
    ]
    strip = sheet.pages[0].strip
    if strip is not None:
        said.append(f"The scale bar is {'2 in' if sheet.paper.inches else '5 cm'} long.")
    density = min(pixels_per_inch(sheet, each) for each in pixels)
    own = density / enlarged
    how = f" (enlarged to {density:.0f})" if round(own) < round(density) else ""
    said.append(
        f"On paper the photos have {own:.0f} pixels per inch{how}"
        + (f", fewer than {USUAL_PPI}: the print may look soft." if own < USUAL_PPI else ".")
    )
    return said


def caption_of(sheet_size: tuple[float, float], title: str = "") -> str:
    """The line above the scale bar; what matters most is first, as a long one is cut off."""
    return " · ".join(word for word in ("Print at 100 %", sized(sheet_size), title) if word)
