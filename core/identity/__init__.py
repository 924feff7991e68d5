"""Who is in the picture: detect, align and embed faces, enroll a person, and judge likeness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .calibration import TABLE, Calibration, calibration_of, table
    from .enrollment import Identity, agreement, check_reference_photos, enroll, load_identity, save_identity
    from .verdict import Gate, check_likeness, independence_warnings, keep_best, rank, restored_warnings

__getattr__ = lazy(
    __name__,
    {
        ".calibration": "Calibration calibration_of TABLE table",
        ".enrollment": "agreement check_reference_photos enroll Identity load_identity save_identity",
        ".verdict": "check_likeness Gate independence_warnings keep_best rank restored_warnings",
    },
)
