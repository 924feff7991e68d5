"""Bring a finished prompt's files here: each under its own name, whole, never over another file, and looked at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...errors import OutputBlank, OutputUnwritable, ServerUnreachable
from ..backoff import Patience
from ..result import Folders, RunResult, SavedFile
from ..saved_files import File, announced, local_path
from .marks import unmarked
from .server import ComfyServer

if TYPE_CHECKING:
    from PIL import Image

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


class Fetch:
    """Fetches the files of one result from `server`. `previews` also brings those that are only shown.

    Pictures of a node with a likeness verdict or an enrollment are always fetched: the report shows them. Raises
    OutputMissing, OutputUnwritable, OutputBlank (unless `allow_black`), UnsafePath and ServerUnreachable.
    """

    def __init__(
        self,
        server: ComfyServer,
        folders: Folders,
        *,
        previews: bool,
        allow_black: bool,
        patience: Callable[[], Patience],
    ) -> None:
        self.server, self.folders, self.patience = server, folders, patience
        self.previews, self.allow_black = previews, allow_black

    def into(self, result: RunResult, prompt_id: str) -> None:
        """Fetch what the nodes of `result` announced, and add it to `result`; all of it or nothing."""
        judged = {node for key in ("likeness", "enrollment") for node, _ in result.shown(key)}
        fetched: list[tuple[list[SavedFile], SavedFile]] = []
        try:
            for node, file in announced(result):
                temporary = file.get("type") == "temp"
                if temporary and not (self.previews or node in judged):
                    continue
                folder, found = (
                    (self.folders.temp, result.previews) if temporary else (self.folders.output, result.outputs)
                )
                path = self._one(file, folder, prompt_id, judge=not temporary)
                fetched.append((found, SavedFile(path, node, result.titles.get(node, node))))
        except BaseException:
            for _, saved in fetched:
                saved.path.unlink(missing_ok=True)
            raise
        for found, saved in fetched:
            found.append(saved)

    def _one(self, file: File, folder: Path, prompt_id: str, *, judge: bool) -> Path:
        target = local_path(folder, unmarked(file, prompt_id))
        partial = target.with_name(f".{prompt_id}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._download(file, partial)
            if judge and not self.allow_black and target.suffix.lower() in PICTURES:
                refuse_black(partial, target.name)
            return _put(partial, target)
        except OSError as error:
            raise OutputUnwritable(f"{target} cannot be written ({error.strerror or error}).") from error
        finally:
            partial.unlink(missing_ok=True)

    def _download(self, file: File, partial: Path) -> None:
        patience = self.patience()
        while True:
            try:
                return self.server.download(file, partial)
            except ServerUnreachable:
                if not patience.pause():
                    raise


def _put(partial: Path, target: Path) -> Path:
    """Give a finished file its name, or a free one with a number; two threads never take the same."""
    while True:
        candidate = _free(target)
        try:
            _link(partial, candidate)
        except FileExistsError:
            continue
        return candidate


def _free(target: Path) -> Path:
    """`target`, or ``name_2`` and so on: found in few steps also where thousands of numbers are taken."""

    def numbered(number: int) -> Path:
        return target if number == 1 else target.with_stem(f"{target.stem}_{number}")

    taken, free = 0, 1
    while os.path.lexists(numbered(free)):
        taken, free = free, free * 2
    while free - taken > 1:
        middle = (taken + free) // 2
        if os.path.lexists(numbered(middle)):
            taken = middle
        else:
            free = middle
    return numbered(free)


def _link(partial: Path, candidate: Path) -> None:
    """Name `partial` also `candidate`, which must be free; a copy where the file system has no links."""
    try:
        os.link(partial, candidate)
    except FileExistsError:
        raise
    except OSError:
        with candidate.open("xb") as out, partial.open("rb") as source:
            try:
                shutil.copyfileobj(source, out)
            except OSError:
                candidate.unlink()
                raise


def refuse_black(path: Path, name: str) -> None:
    """Raise OutputBlank when every pixel of a picture is black: that is what a model makes of numbers that are none.

    A file that is not a picture is not judged.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            brightest = [high for _, high in _extrema(picture)]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return
    if not any(brightest):
        raise OutputBlank(
            f"{PurePosixPath(name).name} is completely black, which is what invalid numbers (NaN) become; use another "
            "model precision (such as --fp32-vae on the server), or allow black pictures."
        )


def _extrema(picture: Image.Image) -> list[tuple[float, float]]:
    """The lowest and highest value of each colour channel."""
    if "A" in picture.getbands() or picture.mode == "P":
        picture = picture.convert("RGB")
    return [channel.getextrema() for channel in picture.split()]  # type: ignore[misc]
