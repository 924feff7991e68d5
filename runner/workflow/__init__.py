"""Workflows: loaded, converted, changed, validated, and compared with what a place can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.lazy import lazy

if TYPE_CHECKING:
    from .canvas_texts import resolve
    from .convert import to_api
    from .graph import BUNDLED, Node, Workflow, as_link, bundled, did_you_mean, load
    from .input_files import Given, InputPhoto, named_models, safe_name, stage_input_files
    from .object_info import Catalog, from_object_info
    from .overrides import Setting, apply_setting
    from .preflight import Findings
    from .widgets import widget_values

__getattr__ = lazy(
    __name__,
    {
        ".convert": "to_api",
        ".canvas_texts": "resolve",
        ".graph": "as_link BUNDLED bundled did_you_mean load Node Workflow",
        ".input_files": "Given InputPhoto named_models safe_name stage_input_files",
        ".object_info": "Catalog from_object_info",
        ".overrides": "apply_setting Setting",
        ".preflight": "Findings",
        ".widgets": "widget_values",
    },
)
