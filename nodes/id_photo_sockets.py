"""The socket type and the inputs that several ID photo nodes share."""

from __future__ import annotations

from .schema import io

CATEGORY = "Likeness Studio/ID photo"

IDPhotoType = io.Custom("LIKENESS_ID_PHOTO")
