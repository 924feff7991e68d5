"""What can go wrong when a picture is written with its provenance, or read back."""

from __future__ import annotations

from . import LikenessError


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


class MetadataUnreadable(ProvenanceError):
    """A picture's XMP packet is damaged or of a kind that is not read."""

    code = "metadata_unreadable"
    meaning = "What a picture says of itself in XMP is damaged, too long, or unsafe to parse."
    hint = "Ask whoever made the file for another copy, or take the metadata out with an image editor."


class GenerationFound(ProvenanceError):
    """The statement that no generative step was used was asked for, and cannot be made."""

    code = "generation_found"
    meaning = "The file was to state that no generative step was used, and the workflow does not show that."
    hint = "Take the steps that are named out of the workflow, or set declare to what the graph shows."


class CredentialsNotSetUp(ProvenanceError):
    """Signing was asked for without a certificate and its key."""

    code = "credentials_not_set_up"
    meaning = "Content credentials are signed with a certificate of yours, and none was found."
    hint = "Set LIKENESS_C2PA_CERT and LIKENESS_C2PA_KEY to PEM files where the picture is made, or turn sign off."


class CredentialsRefused(ProvenanceError):
    """The C2PA library will not sign with this certificate and key, or not this file."""

    code = "credentials_refused"
    meaning = "The file could not be signed with the certificate and key that were given."
    hint = "See docs/provenance.md for what C2PA demands of a signing certificate."


class PictureNotSaved(ProvenanceError):
    """A picture's file cannot be written to the output folder."""

    code = "picture_not_saved"
    meaning = "The operating system did not let the picture be written."
    hint = "Look whether the disk is full, the folder may be written to, and the name is not too long."
