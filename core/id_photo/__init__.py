"""ID and profile photos by the rules of each document: make, check and print them. Nothing is generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .document import EDITS, MM_PER_INCH, Document, Edits, HeadTop, Range, facts, length, size
    from .documents import FOLDER, NOWHERE, names, near_misses, read
    from .framing import LARGEST_SHIFT, Bounds, Framing, choose_frame, picture_size
    from .head import Crown, HairTop, Head, crown_from_face, crown_under_hair, find_head, frontal_unit, hair_top
    from .head_in_photo import FILLED, FileSource, LocatedHead, TensorSource, locate_head
    from .judge import About, Compliance, check_id_photo, judge_all, measure_all
    from .limits import limits_for, table
    from .make import (
        MakeOptions,
        choose_background,
        cut_out,
        in_picture,
        make_id_photo,
        may_tilt,
        replace_background,
        turned,
    )
    from .make_report import of_the_photo
    from .measures import (
        FileFacts,
        History,
        IDPhoto,
        forbidden_edits,
        measure_edits,
        measure_file,
        measure_geometry,
        measure_size,
        place,
        read_facts,
    )
    from .overlay import BAD, EDGE, GOOD, SCALE_WIDTH, TALL, UNSURE, draw_overlay, matte_of, overlay_of
    from .sheet_draw import check_pixels, check_proportions, draw_page, read_size, size_by_density
    from .sheet_files import caption_of, pdf_bytes, png_bytes, save_as, save_numbered, summary
    from .sheet_layout import CLEARANCE_MM, LONGEST_MARK_MM, MARK_WIDTH_MM, PAPERS, SHORTEST_MARK_MM, Box, lay_out

__getattr__ = lazy(
    __name__,
    {
        ".document": "Document EDITS Edits facts HeadTop length MM_PER_INCH Range size",
        ".documents": "FOLDER names near_misses NOWHERE read",
        ".framing": "Bounds choose_frame Framing LARGEST_SHIFT picture_size",
        ".head": "Crown crown_from_face crown_under_hair find_head frontal_unit hair_top HairTop Head",
        ".head_in_photo": "FileSource FILLED locate_head LocatedHead TensorSource",
        ".judge": "About check_id_photo Compliance judge_all measure_all",
        ".limits": "limits_for table",
        ".make": ("choose_background cut_out in_picture make_id_photo MakeOptions may_tilt replace_background turned"),
        ".make_report": "of_the_photo",
        ".measures": (
            "FileFacts forbidden_edits History IDPhoto measure_edits measure_file measure_geometry "
            "measure_size place read_facts"
        ),
        ".overlay": "BAD draw_overlay EDGE GOOD matte_of overlay_of SCALE_WIDTH TALL UNSURE",
        ".sheet_draw": "check_pixels check_proportions draw_page read_size size_by_density",
        ".sheet_files": "caption_of pdf_bytes png_bytes save_as save_numbered summary",
        ".sheet_layout": "Box CLEARANCE_MM lay_out LONGEST_MARK_MM MARK_WIDTH_MM PAPERS SHORTEST_MARK_MM",
    },
)
