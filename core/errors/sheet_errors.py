"""What can go wrong when photos are laid out for printing."""

from __future__ import annotations

from . import LikenessError


class PrintError(LikenessError):
    """A print sheet cannot be made."""


class PrintSizeUnknown(PrintError):
    """Nothing says how large the photo is on paper."""

    code = "print_size_unknown"
    meaning = "Photos are to be printed and nothing says in which size."
    hint = "Connect the id_photo of Make ID Photo, or give width and height in mm, or a document that has a print size."


class PrintProportionsDiffer(PrintError):
    """The photo would have to be stretched."""

    code = "print_proportions_differ"
    meaning = "A photo's sides have another ratio than those of its print, so that it would be stretched."
    hint = "Cut the photo to the document first with Make ID Photo or `likeness id`, or correct the size."


class PrintsDoNotFit(PrintError):
    """The photos have no room on the paper, or too many sheets would be needed."""

    code = "prints_do_not_fit"
    meaning = "The photos do not fit on the paper with these margins, or make too many or too large sheets."
    hint = "Choose a larger paper, a smaller margin or gap, fewer prints, or 300 pixels per inch."


class SheetNotSaved(PrintError):
    """A sheet's file cannot be written."""

    code = "sheet_not_saved"
    meaning = "The file of a print sheet cannot be written: the folder or the disk does not take it."
    hint = "Give another name or folder in which you may write, and look whether its disk has room."
