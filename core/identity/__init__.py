"""Who is in the picture: detect, align and embed faces, enroll a person, and judge likeness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .calibration import TABLE, Calibration, calibration_of, table
    from .enrollment import (
        Identity,
        agreement,
        check_reference_photos,
        enroll,
        judge_references,
        load_identity,
        save_identity,
    )
    from .independence import independence_warnings, restored_warnings
    from .verdict import Gate, check_likeness, keep_best, rank

__getattr__ = lazy(
    __name__,
    {
        ".calibration": "Calibration calibration_of TABLE table",
        ".enrollment": "agreement check_reference_photos enroll Identity judge_references load_identity save_identity",
        ".independence": "independence_warnings restored_warnings",
        ".verdict": "check_likeness Gate keep_best rank",
    },
)
