"""The ID photo nodes a user can drag: make one, check one, lay out a sheet of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check_node import CheckIDPhoto
from .id_photo import MakeIDPhoto
from .print_sheet import PrintSheet
from .selfie_node import CheckSelfie

if TYPE_CHECKING:
    from .schema import io

NODES: list[type[io.ComfyNode]] = [MakeIDPhoto, CheckIDPhoto, CheckSelfie, PrintSheet]
