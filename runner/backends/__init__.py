"""The places where a workflow runs, all alike to those who use them: see `base.Backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.lazy import lazy

if TYPE_CHECKING:
    from .base import Backend
    from .factory import BackendOptions, connect

__all__ = ["Backend", "BackendOptions", "connect"]

__getattr__ = lazy(__name__, {"Backend": ".base", "BackendOptions": ".factory", "connect": ".factory"})
