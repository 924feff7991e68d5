"""The model store: which weights exist, where they come from, and that what is on disk is what was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .manifest import Model, UrlSource, WheelSource, models, refuse_pickle
    from .runtimes import session

__getattr__ = lazy(__name__, {".manifest": "Model models refuse_pickle UrlSource WheelSource", ".runtimes": "session"})
