"""Names of a package that are imported when they are first used, so that the command line starts quickly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for `package`: `modules` lists the names of each module, which is relative to the package.

    >>> __getattr__ = lazy(__name__, {".engines": "FaceEngine load_engine", ".face": "Face"})
    """
    homes = {name: module for module, names in modules.items() for name in names.split()}

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name], package), name)

    return get
