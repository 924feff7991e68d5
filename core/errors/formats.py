"""What can go wrong with documents and ID photos, prints, LoRA files, provenance and limits."""

from __future__ import annotations

from . import LikenessError, ModelError, PortraitError


class IDPhotoError(PortraitError):
    """An ID photo cannot be made as asked."""


class BackgroundNotAllowed(IDPhotoError):
    """The document does not take a background of the colour that was asked for."""

    code = "background_not_allowed"
    hint = "Choose one of the colours that the message names, or leave the choice to the document."


class AlterationForbidden(IDPhotoError):
    """A change to the photo was asked for that the document's authority forbids."""

    code = "alteration_forbidden"
    hint = "Leave the photo as photographed, without a retouch, and take it before a plain wall in even light."


class SizeNotDefined(IDPhotoError):
    """A document has no print size, or no upload size, and that one was asked for."""

    code = "size_not_defined"
    hint = "Choose the size auto, which takes the one that the document has."


class PhotoTooTight(IDPhotoError):
    """The photo ends so near to the head that no frame of the document's proportions fits into it."""

    code = "photo_too_tight"
    hint = "Step back from the camera, so that the photo shows head and shoulders with room on all sides."


class DocumentUnknown(LikenessError):
    """The table of documents has no entry of that name."""

    code = "document_unknown"
    hint = "Look at `likeness documents` and give one of its ids, or `icao` for a general 35 x 45 mm photo."


class DocumentInvalid(LikenessError):
    """A file of the table of documents has an unknown key, a wrong type or an impossible value."""

    code = "document_invalid"
    hint = "Correct the key that the message names, or install the pack again if you did not change the table."


class PrintError(LikenessError):
    """A print sheet cannot be made."""


class PrintSizeUnknown(PrintError):
    """Photos are to be printed and nothing says in which size."""

    code = "print_size_unknown"
    hint = "Connect the id_photo of Make ID Photo, or give width and height in mm, or a document that has a print size."


class PrintProportionsDiffer(PrintError):
    """A photo's sides have another ratio than those of its print, so that it would be stretched."""

    code = "print_proportions_differ"
    hint = "Cut the photo to the document first with Make ID Photo or `likeness id`, or correct the size."


class PrintsDoNotFit(PrintError):
    """The photos do not fit on the paper with these margins, or make too many or too large sheets."""

    code = "prints_do_not_fit"
    hint = "Choose a larger paper, a smaller margin or gap, fewer prints, or 300 pixels per inch."


class SheetNotSaved(PrintError):
    """The file of a print sheet cannot be written: the folder or the disk does not take it."""

    code = "sheet_not_saved"
    hint = "Give another name or folder in which you may write, and look whether its disk has room."


class LoraError(ModelError):
    """A LoRA cannot be read, applied or merged."""


class LoraFileDamaged(LoraError):
    """A LoRA file is truncated, breaks the safetensors format, or lacks parts of its layers."""

    code = "lora_file_damaged"
    hint = "Compare its size and sha256 with what the publisher states, and download it again."


class LoraWrongBase(LoraError):
    """A LoRA was made for another base model than the one it was to be put on or merged with."""

    code = "lora_wrong_base"
    hint = "Choose a checkpoint of the LoRA's base model, or a version of the LoRA for yours; Inspect LoRA names it."


class LoraMatchesNothing(LoraError):
    """Not one layer of a LoRA is in the connected model, or has a name that ComfyUI loads, so it would do nothing."""

    code = "lora_matches_nothing"
    hint = "Look at the LoRA with Inspect LoRA: its base model and format must be ones that ComfyUI loads."


class LoraNotMergeable(LoraError):
    """A LoRA is of a kind whose effect depends on the model, holds what a merge would lose, or names layers twice."""

    code = "lora_not_mergeable"
    hint = "Leave it out of the merge and apply it with Load LoRA Stack beside the merged file."


class LoraNotSaved(LoraError):
    """A merged LoRA cannot be written: the name cannot be used, or the folder or disk does not take it."""

    code = "lora_not_saved"
    hint = "Give a shorter, plain name, and look whether output/loras can be written and its disk has room."


class NoLoraChosen(LoraError):
    """No LoRA was chosen, or all rows are off or have strength 0."""

    code = "no_lora_chosen"
    hint = "Put .safetensors files into models/loras, press R on the canvas to refresh the list, and choose one."


class ProvenanceError(LikenessError):
    """A picture's file or what it says of its making cannot be written or read."""


class FileSizeOutOfReach(ProvenanceError):
    """The picture cannot be encoded into a file of the size that is asked for."""

    code = "file_size_out_of_reach"
    hint = "Choose JPEG, or a picture with fewer pixels for a largest size and with more pixels for a smallest one."


class MetadataTooLong(ProvenanceError):
    """The texts beside the pixels are longer than the file format can hold."""

    code = "metadata_too_long"
    hint = "Save as PNG, which has no such limit, or leave the workflow out of the file."


class MetadataUnreadable(ProvenanceError):
    """What a picture says of itself in XMP is damaged, too long, or unsafe to parse."""

    code = "metadata_unreadable"
    hint = "Ask whoever made the file for another copy, or take the metadata out with an image editor."


class GenerationFound(ProvenanceError):
    """The file was to state that no generative step was used, and the workflow does not show that."""

    code = "generation_found"
    hint = "Take the steps that are named out of the workflow, or set declare to what the graph shows."


class CredentialsNotSetUp(ProvenanceError):
    """Content credentials are signed with a certificate of yours, and none was found."""

    code = "credentials_not_set_up"
    hint = "Set LIKENESS_C2PA_CERT and LIKENESS_C2PA_KEY to PEM files where the picture is made, or turn sign off."


class CredentialsRefused(ProvenanceError):
    """The file could not be signed with the certificate and key that were given."""

    code = "credentials_refused"
    hint = "See docs/provenance.md for what C2PA demands of a signing certificate."


class PictureNotSaved(ProvenanceError):
    """The operating system did not let the picture be written."""

    code = "picture_not_saved"
    hint = "Look whether the disk is full, the folder may be written to, and the name is not too long."


class LimitsInvalid(LikenessError):
    """A table of limits has an unknown key, a wrong type or a bound that contradicts itself."""

    code = "limits_invalid"
    hint = "Correct the limit that is named in the message, or take the table as it comes with the pack."
