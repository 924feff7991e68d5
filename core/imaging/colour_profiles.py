"""A decoded photo as 8 bits in sRGB, whatever its file holds: ICC profiles, CMYK, Lab, 16 bits, floating point."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

from ..errors import PhotoUnreadable

if TYPE_CHECKING:
    from PIL import Image, ImageCms

PROFILED = ("RGB", "RGBA", "CMYK", "L", "LA")
"""Colour models for which a file's profile can be meant; others become RGB first."""

WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
"""Modes whose last band is transparency. The A of LAB is a colour."""

SRGB_NAMES = ("srgb", "iec61966-2.1", "iec 61966-2-1")
"""What descriptions of sRGB profiles have in them; such photos are left as they are."""

SRGB_PRIMARIES = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""XYZ of red, green and blue of IEC 61966-2-1, adapted to D50."""

NEAR = 0.003
"""By how much a profile's primaries may differ from them."""


def eight_bit(frame: Image.Image) -> Image.Image:
    """A picture of 8 bits: 16-bit grey as Pillow's I or I;16, and floating point, are scaled and not clipped.

    Floating point is taken for 0..1, or for 0..255 where it is larger. Raises PhotoUnreadable for other ranges.
    """
    import numpy as np
    from PIL import Image

    if frame.mode == "I" or frame.mode.startswith("I;16"):
        values = np.asarray(frame, dtype=np.float64) / 257.0
    elif frame.mode == "F":
        values = np.asarray(frame, dtype=np.float64)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        if not (low >= -1e-3 and high <= 255.5):
            raise PhotoUnreadable(
                f"The photo holds numbers from {low:g} to {high:g}, and 0 to 1 or 0 to 255 are read; save it as JPEG "
                "or PNG."
            )
        values = np.nan_to_num(values) * (255.0 if high <= 1.0 + 1e-3 else 1.0) + 0.5
    else:
        return frame
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def needs_conversion(picture: Image.Image) -> bool:
    """Whether a reader that knows neither profiles nor unusual modes would show the picture in other colours."""
    if picture.mode in ("CMYK", "LAB", "F", "I") or picture.mode.startswith("I;16"):
        return True
    profile = picture.info.get("icc_profile")
    return bool(profile) and picture.mode in PROFILED and not is_srgb(profile)


def to_srgb(frame: Image.Image) -> Image.Image:
    """`frame` as RGB, or RGBA where it is transparent, in sRGB and 8 bits. Raises PhotoUnreadable."""
    frame = eight_bit(frame)
    profile = frame.info.get("icc_profile")
    alpha = None
    if frame.mode in WITH_ALPHA or "transparency" in frame.info:
        clear = frame.convert("RGBA")
        alpha = clear.getchannel("A")
        frame = clear.convert("RGB") if frame.mode not in ("LA",) else frame.convert("L")
    picture = in_srgb(frame, profile)
    if alpha is not None:
        picture.putalpha(alpha)
    return picture


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """`picture` as RGB in sRGB. `profile`: the ICC profile of its file, if it has one, as phones' photos do (P3).

    A profile that is damaged or is for another kind of picture is left aside, as viewers do. Lab is D50, as in TIFF.
    """
    from PIL import ImageCms

    if picture.mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB", 5000))
        return ImageCms.profileToProfile(picture, lab, _srgb(), outputMode="RGB") or picture.convert("RGB")
    if profile and picture.mode in PROFILED and not is_srgb(profile):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(picture, source, _srgb(), outputMode="RGB") or picture.convert("RGB")
        except (ImageCms.PyCMSError, OSError):
            pass
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile is one of sRGB, by its description and its primaries; a damaged one is not."""
    from PIL import ImageCms

    try:
        found = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        words = ImageCms.getProfileDescription(found).lower()
    except (ImageCms.PyCMSError, OSError):
        return False
    if not any(name in words for name in SRGB_NAMES):
        return False
    seen = [getattr(found.profile, f"{name}_colorant") for name in ("red", "green", "blue")]
    return all(
        colorant is not None and max(abs(a - b) for a, b in zip(colorant[0], known, strict=True)) < NEAR
        for colorant, known in zip(seen, SRGB_PRIMARIES, strict=True)
    )


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
