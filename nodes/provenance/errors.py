"""What can go wrong when a picture is written with its provenance, or read back."""

from __future__ import annotations

from ..errors import LikenessError


class ProvenanceError(LikenessError):
    """A picture's file or what it says of its making cannot be written or read."""


class FileSizeOutOfReach(ProvenanceError):
    """No quality gives a file of the size that a document asks for."""

    code = "file_size_out_of_reach"
    meaning = "The picture cannot be encoded into a file of the size that is asked for."
    hint = "Choose JPEG, or a picture with fewer pixels for a largest size and with more pixels for a smallest one."


class MetadataTooLong(ProvenanceError):
    """What shall be written beside the pixels does not fit into the format."""

    code = "metadata_too_long"
    meaning = "The texts beside the pixels are longer than the file format can hold."
    hint = "Save as PNG, which has no such limit, or leave the workflow out of the file."
