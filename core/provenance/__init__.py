"""Where a picture comes from: written into the file when it is saved, signed if the user wishes, and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .credentials import MIME, Action, Ingredient, Signing, available, credentials_of, padding_is_clean, sign
    from .origin import origin_of, origin_of_node, packet_of, photo_files, this_run
    from .save import UNKNOWN_LICENCE, Signature, Target, picture_file, target_for
    from .source_types import COMPOSITE, GENERATED
    from .trace import UNKNOWN, effect
    from .verify_file import State, check_credentials, check_file
    from .xmp import SILENT, Generative, Origin, Record, packet

__getattr__ = lazy(
    __name__,
    {
        ".credentials": "Action available credentials_of Ingredient MIME padding_is_clean sign Signing",
        ".origin": "origin_of origin_of_node packet_of photo_files this_run",
        ".save": "picture_file Signature Target target_for UNKNOWN_LICENCE",
        ".source_types": "COMPOSITE GENERATED",
        ".trace": "effect UNKNOWN",
        ".verify_file": "check_credentials check_file State",
        ".xmp": "Generative Origin packet Record SILENT",
    },
)
