"""What can go wrong with documents and with the ID photos that are made for them."""

from __future__ import annotations

from . import LikenessError, PortraitError


class IDPhotoError(PortraitError):
    """An ID photo cannot be made as asked."""


class AlterationForbidden(IDPhotoError):
    """The document's rules forbid what was asked for."""

    code = "alteration_forbidden"
    meaning = "A change to the photo was asked for that the document's authority forbids."
    hint = "Keep the background as photographed, and take the photo before a plain wall in even light."


class SizeNotDefined(IDPhotoError):
    """The document has no size of the kind that was asked for."""

    code = "size_not_defined"
    meaning = "A document has no print size, or no upload size, and that one was asked for."
    hint = "Choose the size auto, which takes the one that the document has."


class PhotoTooTight(IDPhotoError):
    """No frame of the document's shape fits into the photo."""

    code = "photo_too_tight"
    meaning = "The photo ends so near to the head that no frame of the document's proportions fits into it."
    hint = "Step back from the camera, so that the photo shows head and shoulders with room on all sides."


class DocumentUnknown(LikenessError):
    """No rules are known for a document of that name."""

    code = "document_unknown"
    meaning = "The table of documents has no entry of that name."
    hint = "Look at `likeness documents` and give one of its ids, or `icao` for a general 35 x 45 mm photo."


class DocumentInvalid(LikenessError):
    """An entry of the table of documents cannot be used as it is written."""

    code = "document_invalid"
    meaning = "A file of the table of documents has an unknown key, a wrong type or an impossible value."
    hint = "Correct the key that the message names, or install the pack again if you did not change the table."
