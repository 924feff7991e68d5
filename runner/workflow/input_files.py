"""Give a run its photos and other files: any path becomes a safe name in its input folder; model files are named."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core import host
from ...core.errors import PhotoMissing, UnsafePath, first_of
from ...core.files import free_path
from ...core.node_facts import FileKind
from ..errors import FilesNotAllowed, PhotoNotPlaced, UnknownInput, UnknownTitle
from .graph import BUNDLED, Node, Workflow
from .object_info import MODEL_SUFFIXES

IDENTITY_SUFFIX = ".safetensors"
AUDIO_SUFFIXES = frozenset({".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".wma"})
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".gif"})
"""Files that go to nodes that read sound or film; a film has a sound too."""

MOST_NAMED = 8
"""So many files are named in an error."""


@dataclass(frozen=True)
class Given:
    """One ``--input``: a file or folder, and the title or id of the node it is meant for, if said."""

    path: Path
    target: str | None = None


Photos = Sequence[str | Path] | Mapping[str, str | Path | Sequence[str | Path]]
"""Photos, folders and other files: in the order of the workflow's nodes, or by the title of the node they are for."""


def files_of(inputs: Photos | Iterable[Given]) -> list[Given]:
    """Files as they may be written, one by one."""
    if not isinstance(inputs, Mapping):
        each = [inputs] if isinstance(inputs, str | Path) else inputs
        return [path if isinstance(path, Given) else Given(Path(path).expanduser()) for path in each]
    found: list[Given] = []
    for title, paths in inputs.items():
        several = [paths] if isinstance(paths, str | Path) else paths
        found += [Given(Path(path).expanduser(), str(title)) for path in several]
    return found


def parse_given(text: str) -> Given:
    """Read ``PATH`` or ``Title=PATH``. A path that exists is a path, whatever is in it."""
    whole = Path(text).expanduser()
    target, equals, path = text.partition("=")
    if equals and not whole.exists():
        return Given(Path(path).expanduser(), target.strip())
    return Given(whole)


def safe_name(name: str) -> str:
    """A file name of plain letters, digits, dots, hyphens and underscores that says much the same."""
    path = Path(name)
    plain = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")[:80] or "photo"
    return stem + re.sub(r"[^A-Za-z0-9.]", "", path.suffix.lower())


def assign_input_files(workflow: Workflow, given: Sequence[Given]) -> dict[str, list[Path]]:
    """Which node gets which paths: first those that are named, then the rest in order.

    A photo goes to the next node that loads one (those that must have one first), then to a node that loads a folder;
    a folder goes to a node that loads a folder; a ``.safetensors`` file to a node that loads an identity; sound
    and film to nodes that load these.
    Raises PhotoMissing, PhotoNotPlaced, UnknownTitle, AmbiguousTitle or UnknownInput.
    """
    placed: dict[str, list[Path]] = {}
    for file in given:
        if not file.path.exists():
            raise _missing(workflow, file)
        if file.target is not None:
            _put(placed, _file_node(workflow, file.target), file.path)
    free = sorted((n for n in workflow.file_nodes() if n.id not in placed), key=lambda node: node.optional)
    for file in given:
        if file.target is None:
            node = _next_for(file.path, free)
            _put(placed, node, file.path)
            if node.file_kind != "folder":
                free.remove(node)
    return placed


def _missing(workflow: Workflow, file: Given) -> PhotoMissing | UnknownTitle:
    """The error for a path where nothing is: a column of a table that is no node's title was meant as a setting."""
    nothing = f"There is no photo or folder at {file.path}"
    if file.target is None:
        return PhotoMissing(f"{nothing}; check the path.")
    try:
        title = workflow.find(file.target).title
    except UnknownTitle:
        return UnknownTitle(
            f"No node of {workflow.name} is called {file.target!r}, and {nothing[0].lower()}{nothing[1:]}; "
            "write a setting as Title.input."
        )
    return PhotoMissing(f"{nothing} for {title!r}; check the path.")


def _file_node(workflow: Workflow, target: str) -> Node:
    node, nodes = workflow.find(target), workflow.file_nodes()
    if node not in nodes:
        names = ", ".join(repr(candidate.title) for candidate in nodes) or "none"
        raise UnknownInput(f"{node.title} does not load a photo; nodes that do: {names}.")
    return node


def _next_for(path: Path, free: list[Node]) -> Node:
    kinds = _kinds_of(path)
    for kind in kinds:
        for node in free:
            if node.file_kind == kind:
                return node
    raise PhotoNotPlaced(f"The workflow has no node left that could take the {kinds[0]} {path}; leave it out.")


def _kinds_of(path: Path) -> tuple[FileKind, ...]:
    """What a path may be given as, what is likeliest first."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return ("folder",)
    if suffix == IDENTITY_SUFFIX:
        return ("identity",)
    if suffix in AUDIO_SUFFIXES:
        return ("audio",)
    if suffix in VIDEO_SUFFIXES:
        return ("video", "audio", "photo", "folder") if suffix == ".gif" else ("video", "audio")
    return ("photo", "folder")


def _put(placed: dict[str, list[Path]], node: Node, path: Path) -> None:
    takes_folder = node.file_kind == "folder"
    if path.is_dir() and not takes_folder:
        raise PhotoNotPlaced(f"{node.title} takes one file and {path} is a folder; name a file in it.")
    if node.id in placed and not takes_folder:
        raise PhotoNotPlaced(f"{node.title} takes one file and was given two; leave out {path}.")
    placed.setdefault(node.id, []).append(path)


def stage_input_files(
    workflow: Workflow, given: Sequence[Given], folder: Path, search: Sequence[Path] = ()
) -> tuple[Workflow, list[InputPhoto]]:
    """`workflow`, naming files in `folder`, and the files by what the user called them; a copy where it is changed.

    A node that got no file keeps the one it names if that is in one of the `search` folders and allowed (see
    `named_files`); else an optional node is left out with its links, and any other is left as it is: a server may have
    the file. A LoadImage that is given a folder by name becomes Load Photos. Raises FilesNotAllowed.
    """
    if not given and not workflow.file_nodes():
        return workflow, []
    workflow = workflow.copy()
    for file in given:
        if file.target is not None and file.path.is_dir():
            _widen(workflow, _file_node(workflow, file.target))
    placed = assign_input_files(workflow, given)
    placed |= named_files(workflow, placed, search)
    photos: list[InputPhoto] = []
    for node in workflow.file_nodes():
        sources = placed.get(node.id)
        if sources:
            photos += _bring(node, sources, folder)
        elif node.optional:
            workflow.remove([node.id])
    return workflow, photos


def _widen(workflow: Workflow, node: Node) -> None:
    """Make a node that loads one photo load a folder, so that one workflow serves photos and folders alike."""
    if node.class_type != "LoadImage":
        return
    used = {link[1] for other in workflow for link in other.links.values() if link[0] == node.id}
    if used - {0}:
        raise PhotoNotPlaced(f"{node.title} also gives a mask, which a folder of photos cannot; name one file.")
    node.class_type, node.inputs = "LikenessLoadPhotos", {"folder": ""}


def search_folders(workflow: Workflow) -> list[Path]:
    """Where files that a workflow names are looked for: beside its own file, and in ``./input``."""
    return [folder for folder in (workflow.folder, Path("input")) if folder is not None]


def named_files(workflow: Workflow, placed: Container[str], search: Sequence[Path]) -> dict[str, list[Path]]:
    """The file or folder in one of the `search` folders that each node names itself, but for those in `placed`.

    A workflow may come from anybody, and what it names may be private: a file counts where the user chose it for the
    node or allowed the workflow's files, or where it came with the pack. A `search` folder as a whole never does.
    Raises FilesNotAllowed with all the others.
    """
    found: dict[str, list[Path]] = {}
    refused: list[str] = []
    for node in workflow.file_nodes():
        name = str(node.inputs.get(node.file_input or "") or "")
        if node.id in placed or not name:
            continue
        path = None if _leads_nowhere(name) else _locate_named(node, name, search)
        allowed = node.file_chosen or workflow.allow_files or (path is not None and BUNDLED in path.parents)
        if path is not None and allowed:
            found[node.id] = [path]
        elif path is not None or (node.file_kind == "folder" and _leads_nowhere(name)):
            refused.append(f"{node.title!r} reads {path or f'the whole folder {name!r}'}")
    if refused:
        raise FilesNotAllowed(
            f"{workflow.name} names files of this machine that you did not: {first_of(refused, MOST_NAMED)}; "
            "give the photos that you mean with --input, or allow named files with --allow-files."
        )
    return found


def _leads_nowhere(name: str) -> bool:
    """Whether a name is that of the folder it is looked for in, however it is written: ``.``, ``sub/..``."""
    return posixpath.normpath(name.replace("\\", "/").strip()) == "."


def _locate_named(node: Node, name: str, search: Sequence[Path]) -> Path | None:
    for folder in search:
        try:
            path = host.inside(folder, name)
        except UnsafePath:
            continue
        if path != folder.resolve() and (path.is_dir() if node.file_kind == "folder" else path.is_file()):
            return path
    return None


def _bring(node: Node, sources: list[Path], folder: Path) -> list[InputPhoto]:
    """Link or copy the files; name them in the graph."""
    takes_folder = node.file_kind == "folder"
    home = folder / safe_name(f"photos_{node.id}") if takes_folder else folder
    home.mkdir(parents=True, exist_ok=True)
    photos = []
    for source in (file for path in sources for file in photos_in(path)):
        safe = free_path(home / safe_name(source.name))
        _link(source, safe)
        photos.append(InputPhoto(node.id, node.title, source.name, source.absolute(), safe.name))
        node.inputs[str(node.file_input)] = (home if takes_folder else safe).relative_to(folder).as_posix()
    return photos


def photos_in(path: Path) -> list[Path]:
    """The photos of a folder by name, or the file itself. Raises PhotoMissing for a folder without photos."""
    from ...core.imaging.files import SUFFIXES

    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise PhotoMissing(f"There is no photo in the folder {path}; JPEG, PNG, WebP and other pictures are read.")
    return files


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            error.filename = error.filename or str(source)
            raise


UNKNOWN_LICENCE = "its publisher's: not known here"

_ROW = re.compile(r"_(\d+)$")


def named_models(workflow: Workflow) -> list[dict[str, Any]]:
    """A file each, once, in the form of `RunResult.models`. Rows of a LoRA stack that are off are left out."""
    found: dict[str, dict[str, Any]] = {}
    for node in workflow:
        for name, value in node.inputs.items():
            if _names_model(node, name, value):
                entry = {"name": value, "use": node.title, "licence": UNKNOWN_LICENCE, "commercial": "unclear"}
                found.setdefault(value, entry)
    return list(found.values())


def _names_model(node: Node, name: str, value: Any) -> bool:
    if not isinstance(value, str) or not value.lower().endswith(MODEL_SUFFIXES):
        return False
    row = _ROW.search(name)
    off = row is not None and node.inputs.get(f"on_{row[1]}") is False
    return not off and name != node.file_input and not name.startswith("filename")


@dataclass(frozen=True)
class InputPhoto:
    """A photo or other file that a node read. `name` is what the user called it, `staged` its name for the run."""

    node: str
    title: str
    name: str
    path: Path
    staged: str = ""
