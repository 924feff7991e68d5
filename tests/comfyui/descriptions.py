"""What a server says of a node, held against what our stand-in says of it, whatever the server's version."""

from __future__ import annotations

import json
from typing import Any

from likeness_studio.runner.backends.comfy.versions import Version

SINCE: dict[str, Version] = {
    "search_aliases": (0, 11),
    "is_input_list": (0, 12),
    "has_intermediate_output": (0, 19),
}
"""Parts of a description and the version of ComfyUI from which on servers give them."""

NOT_OURS = {"essentials_category", "dev_only", "price_badge", "output_matchtypes"}
"""What newer servers say as well, and our nodes leave empty."""


def described_here(node: Any, version: Version) -> dict[str, Any]:
    """The stand-in's description, as far as a server of `version` gives one."""
    mine = json.loads(json.dumps(node.GET_NODE_INFO_V1()))
    mine.pop("python_module")
    return {name: value for name, value in mine.items() if version >= SINCE.get(name, (0,))}


def described_there(real: dict[str, Any]) -> dict[str, Any]:
    """A server's description without where the class comes from, and without what is empty in newer versions."""
    return {name: value for name, value in real.items() if name != "python_module" and (value or name not in NOT_OURS)}
