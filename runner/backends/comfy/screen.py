"""Photos are looked at before they are sent: a server reads some of them as something else, or as half of it.

ComfyUI fills up a truncated photo with grey and makes 16-bit ones white; here the first is refused, and the second
is sent with 8 bits, as the local engine reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ....core.imaging.files import check_whole, opened
from ...errors import OutputUnwritable

if TYPE_CHECKING:
    from PIL import Image

SIXTEEN_BIT_STEP = 257
"""65535 / 255."""


def screened(photo: Path, spare: Path) -> Path:
    """`photo` if a server reads it as it is, else a copy in the folder `spare` that it does.

    Raises PhotoUnreadable when it is no picture or ends too early, PhotoTooLarge, and OutputUnwritable.
    """
    check_whole(photo)
    with opened(photo) as picture:
        sixteen_bit = picture.mode == "I" or picture.mode.startswith("I;16")
        return _eight_bit(picture, photo, spare) if sixteen_bit else photo


def _eight_bit(picture: Image.Image, photo: Path, spare: Path) -> Path:
    import numpy as np
    from PIL import Image

    values = np.asarray(picture, dtype=np.float64) / SIXTEEN_BIT_STEP
    copy = spare / f"{photo.stem}.png"
    try:
        spare.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(copy, compress_level=1)
    except OSError as error:
        raise OutputUnwritable(
            f"A copy of {photo.name} cannot be put into {spare} ({error.strerror or error}); make room, or set TMPDIR."
        ) from error
    return copy
