"""The node that lays photos out on paper: PDF and PNG in exact size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..core import host
from ..core.id_photo.sheet_layout import DEFAULT_PAPER, DPIS, ORIENTATIONS, PAPERS, Orientation
from ..core.node_facts import Effect, NodeFacts
from .schema import io, newer
from .sockets import ID_PHOTO, IDPhotoType

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from ..core.id_photo.measures import IDPhoto

AUTO = -1.0
"""What stands in the widgets for "the paper's own margin" and "the widest gap that costs no photo"."""


class PrintSheet(io.ComfyNode):
    """Photos on paper, in the size that an office measures."""

    FACTS: ClassVar = NodeFacts(Effect.COMBINES)

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPrintSheet",
            display_name="Lay Out Print Sheet",
            category=ID_PHOTO,
            **newer(cls.FACTS, "contact sheet", "print layout", "passport photo sheet", "PDF"),
            description=(
                "Lays ID photos out on paper in their exact size, with cut marks and a scale to check the print with "
                "a ruler, and saves the sheet as PDF and PNG."
            ),
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The photos, cut to their document; several take turns."),
                io.Combo.Input(
                    "paper", options=list(PAPERS), default=DEFAULT_PAPER, tooltip="The paper that is in the printer."
                ),
                io.Combo.Input(
                    "dpi",
                    options=list(DPIS),
                    default=DPIS[0],
                    tooltip="Pixels per inch of the PNG. The PDF keeps the photos' own pixels.",
                ),
                io.Int.Input(
                    "count", default=0, min=0, max=500, tooltip="Prints in all. 0 fills the sheet with all photos."
                ),
                io.Combo.Input(
                    "orientation",
                    options=list(ORIENTATIONS),
                    default=ORIENTATIONS[0],
                    tooltip="How the paper lies. Auto takes the way that holds the most photos.",
                ),
                io.Float.Input(
                    "gap_mm",
                    default=AUTO,
                    min=AUTO,
                    max=30.0,
                    step=0.5,
                    tooltip="Between two photos, in mm. -1 takes the widest of 3, 2, 1 and 0 that costs no photo.",
                ),
                io.Float.Input(
                    "margin_mm",
                    default=AUTO,
                    min=AUTO,
                    max=50.0,
                    step=0.5,
                    tooltip="Left blank on each side of the paper, in mm. -1 takes what suits the paper.",
                ),
                io.Boolean.Input("cut_marks", default=True, tooltip="Lines outside the photos that show where to cut."),
                io.Boolean.Input(
                    "caption", default=True, tooltip="Document, size and a scale bar, where there is room for them."
                ),
                io.Float.Input(
                    "width_mm",
                    default=0.0,
                    min=0.0,
                    max=300.0,
                    step=0.1,
                    tooltip="Width of a photo on paper, in mm. 0 takes that of the ID photo.",
                ),
                io.Float.Input(
                    "height_mm",
                    default=0.0,
                    min=0.0,
                    max=300.0,
                    step=0.1,
                    tooltip="Height of a photo on paper, in mm. 0 takes that of the ID photo.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="print_sheet",
                    tooltip="Name inside the output folder; a number and .pdf and .png are added.",
                ),
                IDPhotoType.Input(
                    "id_photo", optional=True, tooltip="From Make ID Photo: document and size of the photos."
                ),
            ],
            outputs=[
                io.Image.Output("sheet", display_name="sheet", tooltip="The sheets as they are printed."),
                io.String.Output("report", display_name="report", tooltip="How to print and check them, in words."),
            ],
        )

    @classmethod
    def execute(
        cls,
        images: torch.Tensor,
        paper: str,
        dpi: str,
        count: int,
        orientation: Orientation,
        gap_mm: float,
        margin_mm: float,
        cut_marks: bool,
        caption: bool,
        width_mm: float,
        height_mm: float,
        filename_prefix: str,
        id_photo: IDPhoto | None = None,
    ) -> io.NodeOutput:
        import torch

        from ..core.id_photo.sheet_draw import check_pixels, check_proportions, draw_page, page_pixels
        from ..core.id_photo.sheet_files import caption_of, pdf_bytes, png_bytes, png_name, save_numbered, summary
        from ..core.id_photo.sheet_layout import lay_out
        from ..core.imaging.files import to_pil
        from ..core.provenance.save import stated_of_this_run

        stated = stated_of_this_run(id_photo)
        size = _size(width_mm, height_mm, id_photo)
        pixels = int(images.shape[2]), int(images.shape[1])
        check_proportions(pixels, size)
        title = id_photo.document.title if id_photo is not None else ""
        sheet = lay_out(
            PAPERS[paper],
            size,
            len(images),
            count=count,
            orientation=orientation,
            gap_mm=None if gap_mm < 0 else gap_mm,
            margin_mm=None if margin_mm < 0 else margin_mm,
            cut_marks=cut_marks,
            caption=caption_of(size, title) if caption else "",
        )
        check_pixels(sheet, int(dpi))
        photos = [to_pil(image) for image in images]
        files = [(".pdf", pdf_bytes(sheet, photos, title, stated))]
        width, height = page_pixels(sheet, int(dpi))
        drawn = torch.empty(len(sheet.pages), height, width, 3)
        progress = host.Progress(len(sheet.pages))
        for index, page in enumerate(sheet.pages):
            picture = draw_page(sheet, page, photos, int(dpi))
            files.append((png_name(index, len(sheet.pages)), png_bytes(picture, int(dpi), stated)))
            _fill(drawn[index], picture)
            progress.step()
        saved = [_announced(path) for path in save_numbered(host.output_dir(), filename_prefix, files)]
        said = summary(sheet, [pixels], 1.0 if id_photo is None else id_photo.enlarged)
        shown = {"images": saved[1:], "files": saved[:1], "text": ["\n".join([*said, f"PDF: {saved[0]['filename']}"])]}
        return io.NodeOutput(drawn, "\n".join(said), ui=shown)


def _size(width_mm: float, height_mm: float, id_photo: IDPhoto | None) -> tuple[float, float]:
    """What was typed in, or the ID photo's size. Raises PrintSizeUnknown, also for a document that is only uploaded."""
    from ..core.errors.formats import PrintSizeUnknown
    from ..core.id_photo.sheet_draw import checked_size, size_of

    if width_mm or height_mm:
        return checked_size(width_mm, height_mm)
    if id_photo is None:
        raise PrintSizeUnknown(
            "Nothing says how large the photos are on paper; connect id_photo, or set width_mm and height_mm."
        )
    size_of(id_photo.document)
    return id_photo.width_mm, id_photo.height_mm


def _fill(target: torch.Tensor, picture: Image.Image) -> None:
    """Put 8-bit RGB into [H,W,3] as 0..1, without a second copy of the size of the target."""
    import numpy as np
    import torch

    target.copy_(torch.from_numpy(np.array(picture))).div_(255.0)


def _announced(path: Path) -> dict[str, str]:
    """A file of the output folder as a server reports it."""
    folder = path.parent.relative_to(host.output_dir().resolve()).as_posix()
    return {"filename": path.name, "subfolder": "" if folder == "." else folder, "type": "output"}
