"""The identity nodes that read and write files: load photos, save and load an identity."""

from __future__ import annotations

from pathlib import Path

from ..core import host
from ..core.errors import PhotoMissing
from ..core.identity.enrollment import Identity
from ..core.identity.files import load_identity, save_identity
from ..core.imaging.files import SUFFIXES
from ..core.imaging.photos import load_photo
from .schema import io
from .sockets import CATEGORY, IdentityType


class LoadPhotos(io.ComfyNode):
    """Read all photos of a folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessLoadPhotos",
            display_name="Load Photos",
            category=CATEGORY,
            description="Reads all photos of a folder inside the input folder, upright and in order of their names.",
            inputs=[
                io.String.Input(
                    "folder",
                    default="",
                    tooltip="A folder inside the input folder. Empty: the input folder itself.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "photos",
                    display_name="photos",
                    tooltip="The photos, each in its own size.",
                    is_output_list=True,
                ),
                io.String.Output(
                    "names",
                    display_name="names",
                    tooltip="Their file names, in the same order.",
                    is_output_list=True,
                ),
            ],
        )

    @classmethod
    def execute(cls, folder: str) -> io.NodeOutput:
        """Read them."""
        files = _photo_files(folder)
        progress = host.Progress(len(files))
        photos = []
        for file in files:
            photos.append(load_photo(file)[0][:1])
            progress.step()
        return io.NodeOutput(photos, [file.name for file in files])

    @classmethod
    def fingerprint_inputs(cls, folder: str) -> list[tuple[str, int, int]]:
        """Read again when a file was added, removed or changed."""
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in _photo_files(folder)]


def _photo_files(folder: str) -> list[Path]:
    path = host.inside(host.input_dir(), folder)
    files = sorted(file for file in path.glob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
    if not files:
        raise PhotoMissing(f"The folder {folder!r} holds no photos; put some into {path} or name another folder.")
    return files


class SaveIdentity(io.ComfyNode):
    """Write an identity into the output folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessSaveIdentity",
            display_name="Save Identity",
            category=CATEGORY,
            description=(
                "Writes an identity as safetensors into the output folder. A face embedding is biometric data: it is "
                "written only here, only where you say, readable by you alone."
            ),
            is_output_node=True,
            inputs=[
                IdentityType.Input("identity", tooltip="The person to save."),
                io.String.Input(
                    "filename",
                    default="identities/person",
                    tooltip="Name inside the output folder; .safetensors is added.",
                ),
            ],
            outputs=[io.String.Output("path", display_name="path", tooltip="The file that was written.")],
        )

    @classmethod
    def execute(cls, identity: Identity, filename: str) -> io.NodeOutput:
        """Save."""
        path = save_identity(identity, host.inside(host.output_dir(), filename))
        return io.NodeOutput(str(path), ui={"text": [str(path)], "saved": [str(path)]})


class LoadIdentity(io.ComfyNode):
    """Read a saved identity."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Sockets and widgets."""
        return io.Schema(
            node_id="LikenessLoadIdentity",
            display_name="Load Identity",
            category=CATEGORY,
            description="Reads an identity that Save Identity wrote, from the input or else from the output folder.",
            inputs=[
                io.String.Input(
                    "filename",
                    default="identities/person.safetensors",
                    tooltip="Name inside the input or the output folder.",
                ),
            ],
            outputs=[
                IdentityType.Output(
                    "identity", display_name="identity", tooltip="The person, to check pictures against."
                )
            ],
        )

    @classmethod
    def execute(cls, filename: str) -> io.NodeOutput:
        """Load."""
        return io.NodeOutput(load_identity(_identity_file(filename)))

    @classmethod
    def fingerprint_inputs(cls, filename: str) -> int | None:
        """Load again when the file changed."""
        file = _identity_file(filename)
        return file.stat().st_mtime_ns if file.is_file() else None


def _identity_file(filename: str) -> Path:
    given = host.inside(host.input_dir(), filename)
    return given if given.is_file() else host.inside(host.output_dir(), filename)
