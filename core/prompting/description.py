"""What is known of a photo: words by field, where each comes from, and the numbers behind the measured ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

FIELDS = (
    "glasses",
    "facial_hair",
    "hair",
    "hair_texture",
    "hair_colour",
    "head_covering",
    "skin_details",
    "jewellery",
    "aids",
    "expression",
    "attire",
    "pose",
    "framing",
    "light",
    "background",
    "sharpness",
)
"""The fields a description may have, in the order in which a sentence names them; an unknown one is absent."""

MEASURED = "measured"
CAPTION = "caption"


@dataclass(frozen=True)
class Description:
    """What travels on a LIKENESS_DESCRIPTION socket.

    `fields` maps names of `FIELDS` to a phrase that stands alone as a tag and inside a sentence ("plain grey
    background"). `text` is one or two sentences. `measured` holds the numbers by field. `models` names what captioned.
    `sources` maps each field to `MEASURED` or `CAPTION`; `caption` is the captioning model's own sentence.
    """

    fields: dict[str, str]
    text: str = ""
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    caption: str = ""

    def to_json(self) -> str:
        """The fields as JSON: for each its value, its source, and the numbers where it was measured.

        What was measured and allows no word has the value null.
        """
        rows = {
            name: {"value": self.fields.get(name), "source": self.sources.get(name, MEASURED)} | self._numbers(name)
            for name in FIELDS
            if name in self.fields or name in self.measured
        }
        found = {"fields": rows, "caption": self.caption, "models": self.models}
        return json.dumps(found, indent=2, ensure_ascii=False)

    def _numbers(self, name: str) -> dict[str, Any]:
        return {"numbers": self.measured[name]} if name in self.measured else {}
