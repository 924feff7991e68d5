"""What surrounds the work: folders, progress, interruption and device, of whatever runs it.

The local engine sets a `LocalHost` for the time of a run. Where there is none, the `Surroundings` are asked: those of
ComfyUI once `nodes.host` has installed them, else sensible per-user defaults. Nothing is created or downloaded at
import.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import Interrupted, ModelMissing, UnsafePath
from .files import make_private_folder

if TYPE_CHECKING:
    import torch

APP = "likeness-studio"


@dataclass
class LocalHost:
    """The surroundings of a run in this process. `node` is the id of the node that is at work in `graph`."""

    input_dir: Path
    output_dir: Path
    temp_dir: Path
    on_progress: Callable[[int, int], None] = lambda done, total: None
    interrupted: Callable[[], bool] = lambda: False
    run_id: str = field(default_factory=lambda: secrets.token_hex(8))
    graph: Mapping[str, Any] = field(default_factory=dict)
    node: str | None = None
    over: bool = False


_local: ContextVar[LocalHost | None] = ContextVar("likeness_local_host", default=None)


@contextmanager
def use(host: LocalHost) -> Iterator[LocalHost]:
    """Make `host` the surroundings of every node that runs inside the `with` block."""
    token = _local.set(host)
    host.over = False
    try:
        yield host
    finally:
        host.over = True
        _local.reset(token)


@dataclass(frozen=True)
class CurrentRun:
    """The run that a node is part of: its id, the node's own id, the graph in API format, and whether it has ended."""

    id: str
    node: str | None
    graph: Mapping[str, Any]
    over: Callable[[], bool]


class Nothing:
    """Stands in an output for a value that there is not: whatever would work on it is left out, without an error."""


class Surroundings:
    """Folders, device and runs where no ComfyUI is: per-user folders, and folders below the working directory."""

    serving = False
    """Whether this process answers other people's requests, so that nobody reads its terminal."""

    def folder(self, name: str) -> Path:
        """The folder for ``input``, ``output`` or ``temp``."""
        return Path.cwd() / name

    def model_dirs(self) -> list[Path]:
        """Folders that hold this pack's model files, the one to write to first."""
        import platformdirs

        return [Path(platformdirs.user_data_dir(APP, appauthor=False)) / "models"]

    def model_files(self, kind: str) -> list[str]:
        """Names of the files of one kind, such as ``loras``."""
        found = {
            path.relative_to(folder / kind).as_posix()
            for folder in model_dirs()
            for path in (folder / kind).rglob("*")
            if path.is_file()
        }
        return sorted(found)

    def model_roots(self, kind: str) -> list[Path]:
        """Where files of one kind lie."""
        return [folder / kind for folder in model_dirs()]

    def registered_folders(self, kind: str) -> list[Path]:
        """Folders that other packs, or the user's settings, name for `kind`."""
        return []

    def clip_vocabulary_files(self) -> tuple[Path, Path] | None:
        """CLIP's ``vocab.json`` and ``merges.txt`` where they are at hand."""
        return None

    def given_by_another_pack(self, name: str) -> bool:
        """Whether the node class of that name is neither core's nor ours."""
        return False

    def nothing(self) -> Any:
        """What stands for an output without a value."""
        return Nothing()

    def check_interrupted(self) -> None:
        """Raise if the user pressed stop."""

    def current_run(self) -> CurrentRun | None:
        """The run that is under way."""
        return None

    def progress_bar(self, total: int) -> Callable[[int], None] | None:
        """A bar of `total` steps, to be called with steps done; None where nobody sees one."""
        return None

    def torch_device(self) -> torch.device:
        """The device to compute on."""
        import torch

        return torch.device("cuda" if torch.cuda.is_available() else "cpu")


_surroundings = Surroundings()


def install(surroundings: Surroundings) -> None:
    """Make `surroundings` what is asked from now on, outside of runs of the local engine."""
    global _surroundings
    _surroundings = surroundings


def is_serving() -> bool:
    """Whether a server such as ComfyUI runs in this process."""
    return _surroundings.serving


def shown(path: Path) -> str:
    """A path as an error names it: whole for who sits at this machine, and its last part for a server's clients."""
    return path.name if is_serving() else str(path)


_FOLDERS = re.compile(r"(?<=['\"])(?:/|[A-Za-z]:\\)[^'\"\n]*[/\\](?=[^'\"/\\\n]*['\"])")


def reason_of(error: BaseException) -> str:
    """What another library's error says, without the folders of the files that it names."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _FOLDERS.sub("", said) or type(error).__name__


def input_dir() -> Path:
    """Where a graph's photos are read from."""
    local = _local.get()
    return _surroundings.folder("input") if local is None else local.input_dir


def output_dir() -> Path:
    """Where results are written."""
    local = _local.get()
    return _surroundings.folder("output") if local is None else local.output_dir


def results_are_private() -> bool:
    """Whether the pictures that are saved are for their owner only.

    A server's are as its umask says, as those of its other nodes are: who starts it is often not who looks at them.
    """
    return not is_serving()


def make_result_folder(folder: Path) -> None:
    """Make a folder for pictures, for its owner only where those are. Raises OSError."""
    if results_are_private():
        make_private_folder(folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)


def temp_dir() -> Path:
    """Where previews are written."""
    local = _local.get()
    return _surroundings.folder("temp") if local is None else local.temp_dir


def state_dir() -> Path:
    """What this user's processes remember between runs, and nobody else's; ``LIKENESS_STATE`` moves it."""
    import platformdirs

    chosen = os.environ.get("LIKENESS_STATE")
    return Path(chosen).expanduser().resolve() if chosen else Path(platformdirs.user_state_dir(APP, appauthor=False))


def model_dirs() -> list[Path]:
    """Folders that hold this pack's model files, the one to write to first.

    ``LIKENESS_MODELS`` wins; inside ComfyUI it is ``models/likeness`` and every folder that
    extra_model_paths.yaml registers as ``likeness``; elsewhere a per-user data folder.
    """
    override = os.environ.get("LIKENESS_MODELS")
    return [Path(override).expanduser().absolute()] if override else _surroundings.model_dirs()


def model_files(kind: str) -> list[str]:
    """Names of the files of one kind, such as ``loras``: ComfyUI's list, elsewhere those below our model folders."""
    return _surroundings.model_files(kind)


def model_file(kind: str, name: str) -> Path:
    """The file of that name and kind. Raises UnsafePath, and ModelMissing when there is none.

    The name must stay in its folder; a link that the owner of the folder put there may lead anywhere, as in ComfyUI.
    """
    roots = _surroundings.model_roots(kind)
    for root in roots:
        if Path(name).anchor or ".." in Path(name).parts or "\0" in name:
            raise UnsafePath(f"The name {name!r} leads outside {shown(root)}; give a name inside that folder.")
        path = root / name
        if path.is_file():
            return path
    raise ModelMissing(f"There is no file {name!r} in {kind}; put it into {shown(roots[0])}.")


def folders_of(kind: str) -> list[Path]:
    """Folders called `kind` in our model folders, beside them, and where ComfyUI and its other packs look for them."""
    found = [root / kind for folder in model_dirs() for root in (folder, folder.parent)]
    return list(dict.fromkeys([*found, *_surroundings.registered_folders(kind)]))


def clip_vocabulary_files() -> tuple[Path, Path] | None:
    """ComfyUI's own CLIP vocabulary: ``vocab.json`` and ``merges.txt``. None outside of ComfyUI."""
    return _surroundings.clip_vocabulary_files()


def given_by_another_pack(name: str) -> bool:
    """Whether the node class of that name comes from neither ComfyUI nor this pack. Outside of ComfyUI none does."""
    return _surroundings.given_by_another_pack(name)


def nothing() -> Any:
    """What a node puts into an output that has no value this time: ComfyUI's ExecutionBlocker, or `Nothing`.

    An empty list would not do: ComfyUI fails with an IndexError on the node that gets it.
    """
    return _surroundings.nothing()


def check_interrupted() -> None:
    """Stop here if the user asked for it: ComfyUI's own exception inside ComfyUI, else Interrupted."""
    _surroundings.check_interrupted()
    local = _local.get()
    if local is not None and local.interrupted():
        raise Interrupted("The run was stopped.")


def current_run() -> CurrentRun | None:
    """The run that is under way; None where nodes are called outside of any. For a node's `fingerprint_inputs` too."""
    local = _local.get()
    if local is None:
        return _surroundings.current_run()
    return CurrentRun(local.run_id, local.node, local.graph, lambda: local.over)


def torch_device(name: str = "auto") -> torch.device:
    """A torch device for ``auto``, ``cpu`` or ``gpu``; ``auto`` is ComfyUI's choice where there is one."""
    import torch

    return torch.device("cpu") if name == "cpu" else _surroundings.torch_device()


class Progress:
    """A node's progress bar. Each step also checks whether the user pressed stop."""

    def __init__(self, total: int) -> None:
        self.total = max(total, 1)
        self.done = 0
        self._bar = _surroundings.progress_bar(self.total)

    def step(self, steps: int = 1) -> None:
        """Advance by `steps`."""
        check_interrupted()
        self.done = min(self.done + steps, self.total)
        if self._bar is not None:
            self._bar(steps)
        local = _local.get()
        if local is not None:
            local.on_progress(self.done, self.total)


MOST_BYTES, MOST_PARTS = 240, 64
"""Bytes of one name and names of one path: file systems take 255 bytes, and numbers and endings are added."""


def inside(folder: Path, name: str) -> Path:
    """`folder / name`, resolved; refused with UnsafePath when it would leave `folder`, or be too long for a file."""
    root = folder.resolve()
    parts = name.replace("\\", "/").split("/")
    if len(parts) > MOST_PARTS or any(len(part.encode("utf-8", "surrogatepass")) > MOST_BYTES for part in parts):
        raise UnsafePath(
            f"The name {name[:40]!r}… is too long ({len(name):,} characters): {MOST_PARTS} folders in one another, and "
            f"{MOST_BYTES} bytes for each name, are the limit; give a shorter one."
        )
    try:
        path = (root / name).resolve()
    except (OSError, ValueError) as error:
        raise UnsafePath(f"{name[:80]!r} can be no file's name ({error}); give another name.") from error
    if path != root and root not in path.parents:
        raise UnsafePath(f"The name {name!r} leads outside {shown(root)}; give a name inside that folder.")
    return path


def file_inside(folder: Path, name: str) -> Path:
    """The same for a file that is to be written: `folder` itself, such as ``.`` or ``a/..``, is refused as well."""
    path = inside(folder, name)
    if path == folder.resolve():
        raise UnsafePath(f"The name {name[:80]!r} names no file in {shown(folder)}; give the file a name.")
    return path
