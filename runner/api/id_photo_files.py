"""What is written of ID photos: the photo's own file, its report, prints on paper, and the overview of many."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.files import beside, make_private_folder, write_new, write_whole
from ..errors import OutputUnwritable

if TYPE_CHECKING:
    from ...core.id_photo.document import Document
    from .id_photos import IDPhotoFile, RefusedPhoto

REPORT_ENDINGS = {"overlay": ".overlay.png", "json": ".report.json", "html": ".report.html"}
"""What lies beside an ID photo."""


def save_new(path: Path, data: bytes) -> Path:
    """Write `data` to `path`, or to the first free one of name_2, name_3 and so on, for its owner's eyes only.

    The names of its report are free then, too. Raises OutputUnwritable.
    """
    try:
        make_private_folder(path.parent)
        return write_new(path, data, *REPORT_ENDINGS.values(), private=True)
    except OSError as error:
        raise OutputUnwritable(
            f"{path.name} cannot be written to {path.parent} ({error.strerror or error}); choose another --out."
        ) from error


def write_report(file: IDPhotoFile) -> IDPhotoFile:
    """Write beside a finished photo: it with its measured lines, the report as JSON and, where checked, as a page."""
    from ...core.id_photo.overlay import draw_overlay
    from ...core.imaging.encode import drawn_file
    from ...core.imaging.files import to_pil
    from ...core.models import store
    from ...core.provenance.save import stated_of_photos
    from ..report.compliance import Checked, render_compliance
    from ..report.schemas import ComplianceReport

    others = {name: beside(file.path, ending) for name, ending in REPORT_ENDINGS.items()}
    if file.compliance is None:
        del others["html"]
    try:
        found, head = file.compliance, file.made.head
        if found is not None and found.head is not None and len(found.faces) == 1:
            head = found.head  # what the page says of the head, and not what was aimed at
        drawn = to_pil(draw_overlay(file.made.picture[0], head, file.made.id_photo.document))
        overlay = drawn_file(drawn, "png", stated_of_photos([file.path]))
        write_whole(others["overlay"], overlay, private=True)
        if file.compliance is not None:
            models = [
                store.used(name)[0] if name in store.names() else {"name": name, "licence": licence}
                for name, licence in file.record.models
            ]
            checked = Checked(ComplianceReport.read(file.compliance.as_dict()), file.path, others["overlay"])
            write_whole(others["html"], render_compliance([checked], models), private=True)
        done = dataclasses.replace(file, others=others)
        write_whole(others["json"], json.dumps(done.as_dict(), indent=2, ensure_ascii=False) + "\n", private=True)
    except OSError as error:
        raise OutputUnwritable(
            f"The report cannot be written to {file.path.parent} ({error.strerror or error}); choose another --out."
        ) from error
    return done


def print_sheet(document: Document, made: Sequence[IDPhotoFile], paper: str, count: int = 0) -> list[Path]:
    """The photos of one document on paper, as PDF with their own pixels; the files that were written.

    `count`: prints in all; without it the sheet is filled.
    """
    from ...core.id_photo.sheet_files import caption_of, pdf_bytes, save_as
    from ...core.id_photo.sheet_layout import PAPERS, lay_out
    from ...core.imaging.files import to_pil
    from ...core.provenance.save import stated_of_photos

    done = [each for each in made if each.made.id_photo.document.id == document.id]
    if not done:
        return []
    first = done[0].made.id_photo
    size, title = (first.width_mm, first.height_mm), document.title
    laid = lay_out(PAPERS[paper], size, len(done), count=count, caption=caption_of(size, title))
    pictures = [to_pil(each.made.picture[0]) for each in done]
    name = f"{done[0].path.stem}.{paper}.pdf" if len(done) == 1 else f"{document.id}.{paper}.pdf"
    path, stated = done[0].path.parent / name, stated_of_photos([each.path for each in done])
    return save_as(path, [(path.suffix, pdf_bytes(laid, pictures, title, stated))])


def write_id_overview(
    made: Sequence[IDPhotoFile], refused: Sequence[RefusedPhoto], folder: Path, documents: int
) -> tuple[Path, Path]:
    """The page and the table of all photos, what failed first. Raises OutputUnwritable."""
    from ..batch.photo_rows import refused_row, row_of, write_overview

    def name_of(source: Path, document: Document) -> str:
        return source.stem if documents == 1 else f"{source.stem}.{document.id}"

    rows = []
    for each in made:
        document, compliance = each.made.id_photo.document, each.compliance
        report = each.made.report | {"document_title": document.title}
        judged = [] if compliance is None else [compliance.as_dict()]
        result = {"id_photos": [report], "compliance": judged, "look": [{"text": text} for text in each.look]}
        page, name = each.others.get("html"), name_of(each.source, document)
        rows.append(row_of(each.source, each.path, folder, result, not each.failed, page, each.seconds, name))
    rows += [refused_row(each.source, each.error, name_of(each.source, each.document)) for each in refused]
    return write_overview(rows, folder, "ID photos")
