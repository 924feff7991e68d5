"""Turn the one pickle that the manifest pins into safetensors, once, when it is fetched.

Some weights are published as pickles only. Such a file is never loaded by its name: its sha256 must be the pinned one,
torch reads it with `weights_only`, which builds tensors and runs nothing, and only the safetensors file is kept.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

from . import disk
from .http import SourceFailed, WrongContent


def to_safetensors(pickled: Path, sha256: str, target: Path) -> None:
    """Write the tensors of the file `pickled`, which must have the given `sha256`, to `target`.

    The same tensors always become the same bytes, so that the result has a sha256 of its own. Raises WrongContent for
    another file, SourceFailed when it holds anything but named tensors, DiskFull.
    """
    found = disk.sha256(pickled)
    if found != sha256:
        raise WrongContent(f"the file to convert has sha256 {found} instead of {sha256}")
    import torch
    from safetensors.torch import save_file

    try:
        state = torch.load(pickled, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise SourceFailed(f"the file cannot be read as tensors ({type(error).__name__})") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise SourceFailed("the file holds something else than named tensors")
    disk.require_space(target.parent, pickled.stat().st_size, target.stem)
    with disk.clear_when_full(target.stem, target):
        save_file({name: value.contiguous() for name, value in state.items()}, str(target))
