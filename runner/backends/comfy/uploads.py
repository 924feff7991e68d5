"""The user's files on their way to a server: looked at, named by content, sent once; the job's id in file names.

ComfyUI fills up a truncated photo with grey, makes 16-bit ones white and takes every profile for sRGB; newer versions
read photos with a video decoder, which has a coarser chroma than libjpeg and knows no mirrored EXIF orientation. Here
the first is refused, and the others are sent with 8 bits in sRGB, upright, as the local engine reads them.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....core import host
from ....core.errors import PhotoUnreadable
from ....core.imaging.colour_profiles import needs_conversion, to_srgb
from ....core.imaging.files import check_whole, opened
from ...errors import OutputUnwritable, ServerRefused, ServerUnreachable
from ...workflow.graph import Workflow
from ...workflow.input_files import safe_name
from ..backoff import OutageWait
from ..saved_files import File
from .server import TOO_LARGE, ComfyServer
from .versions import NEWEST, READS_WITH_PYAV, Version

if TYPE_CHECKING:
    from PIL import Image

PREFIX_INPUT = "filename_prefix"
"""The input by which core's and other packs' nodes are told how to name their files."""

ANEW_INPUT = "likeness_anew"
"""An input that no node has: servers ignore it, and yet do not take the node's result from their cache."""


def filename_tag(prompt_id: str) -> str:
    """What is put into the names of the job's files."""
    return f"_{prompt_id[:8]}"


def tag_filenames(workflow: Workflow, prompt_id: str) -> dict[str, Any]:
    """The graph in API format, with the job's mark at the end of every filename prefix."""
    graph = workflow.to_api()
    for node in graph.values():
        prefix = node["inputs"].get(PREFIX_INPUT)
        if isinstance(prefix, str):
            node["inputs"][PREFIX_INPUT] = prefix + filename_tag(prompt_id)
    return graph


def force_rerun(graph: dict[str, Any], node_ids: set[str], prompt_id: str) -> None:
    """Make the nodes of `node_ids` run even where the server has their results in its cache."""
    for node_id in node_ids & set(graph):
        graph[node_id]["inputs"][ANEW_INPUT] = prompt_id


def without_filename_tag(file: File, prompt_id: str) -> File:
    """The file under the name that the workflow gave it."""
    return {**file, "filename": str(file["filename"]).replace(filename_tag(prompt_id), "", 1)}


def reads_exactly(picture: Image.Image, version: Version) -> bool:
    """Whether a server of that version of ComfyUI reads the pixels as Pillow does; animations are left to it."""
    if needs_conversion(picture) or picture.format in FOREIGN_TO_SERVERS:
        return False
    if version < READS_WITH_PYAV or (picture.format != "MPO" and getattr(picture, "is_animated", False)):
        return True
    from PIL import ExifTags

    upright = picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
    return upright and picture.format == "PNG" and picture.mode in ("RGB", "RGBA")


def checked_image(photo: Path, spare: Path, version: Version) -> Path:
    """`photo` if a server of `version` reads it as it is, else a copy in `spare` that it does: 8 bits, sRGB, PNG.

    Raises PhotoUnreadable when it is no picture or ends too early, PhotoTooLarge, and OutputUnwritable.
    """
    from PIL import ImageOps

    from ....core.imaging.encode import Stated, drawn_file
    from ....core.provenance.save import packet_to_keep

    check_whole(photo)
    with opened(photo) as picture:
        if reads_exactly(picture, version):
            return photo
        copy = spare / f"{photo.stem}.png"
        plain = to_srgb(ImageOps.exif_transpose(picture))
    try:
        spare.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(drawn_file(plain, "png", Stated(packet_to_keep(photo))))
    except OSError as error:
        raise OutputUnwritable(
            f"A copy of {photo.name} cannot be put into {spare} ({error.strerror or error}); make room, or set TMPDIR."
        ) from error
    return copy


FOREIGN_TO_SERVERS = ("HEIF",)
"""Formats that are read here and not by a ComfyUI."""

UPLOADS = "likeness"
"""Subfolder of the server's input folder for our files."""

SPARE = ".screened"
"""Subfolder of a run's own input folder for copies that a server reads better than the photo."""

MOST_KEPT = 1024
"""How many sent files are remembered; one more is sent again, which the server notices."""

FORM_BYTES = 1024
"""What the form around a file adds to the request, with room to spare."""


class Uploads:
    """Sends files to one server and remembers which are there: the same bytes are sent once."""

    def __init__(self, server: ComfyServer) -> None:
        self._server = server
        self._sent: dict[tuple[str, str], str] = {}
        self._version = NEWEST
        self._lock = threading.Lock()

    def start_over(self, version: Version) -> None:
        """Send everything again, as this version reads it: the server was restarted, perhaps without its inputs."""
        with self._lock:
            self._sent.clear()
            self._version = version

    def place(self, workflow: Workflow, folder: Path, patience: OutageWait) -> Workflow:
        """A copy of `workflow` that names its files as the server does, after sending those that are in `folder`.

        Each goes into a folder named by its content: the same file is stored once and never meets another one's name.
        Raises TooLargeForServer, PhotoUnreadable and PhotoTooLarge before sending.
        """
        if not workflow.file_nodes():
            return workflow
        workflow = workflow.copy()
        for node in workflow.file_nodes():
            name = str(node.inputs.get(node.file_input or "") or "")
            source = host.inside(folder, name or ".")
            takes_folder = node.file_kind == "folder"
            if not name or not (source.is_dir() if takes_folder else source.is_file()):
                continue
            if takes_folder:
                files = sorted(path for path in source.iterdir() if path.is_file())
            else:
                files = [checked_image(source, folder / SPARE, self._version) if node.file_kind == "photo" else source]
            digest = hashlib.sha256(b"".join(_digest(file) for file in files)).hexdigest()
            home = f"{UPLOADS}/{digest[:12]}"
            names = [self._send(file, home, patience) for file in files]
            node.inputs[str(node.file_input)] = home if takes_folder else names[0]
        return workflow

    def _send(self, file: Path, home: str, patience: OutageWait) -> str:
        key = (home, file.name)
        with self._lock:
            known = self._sent.get(key)
        if known is None:
            self._measure(file)
            known = self._send_with_patience(file, home, patience)
            with self._lock:
                if len(self._sent) >= MOST_KEPT:
                    self._sent.clear()
                self._sent[key] = known
        return known

    def _send_with_patience(self, file: Path, home: str, patience: OutageWait) -> str:
        while True:
            try:
                return self._server.upload(file, safe_name(file.name), home)
            except ServerRefused as error:
                if error.status == TOO_LARGE:
                    raise self._server.too_large(file.name, file.stat().st_size) from error
                raise
            except ServerUnreachable:
                if not patience.pause():
                    raise

    def _measure(self, file: Path) -> None:
        limit = self._server.upload_limit()
        size = file.stat().st_size
        if limit is not None and size + FORM_BYTES > limit:
            raise self._server.too_large(file.name, size)


def _digest(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise PhotoUnreadable(f"{file} cannot be read ({error.strerror or error}); check its permissions.") from error
