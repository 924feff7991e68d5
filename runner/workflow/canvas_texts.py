"""What the canvas makes of texts when it sends a graph: choices of dynamic prompts, dates, and values of widgets.

The canvas chooses by chance each time. Here the text and its place decide, so that the same file always gives the same
graph and a batch can be resumed. ``%date:yyyy-MM-dd%`` and ``%Node.widget%`` stand in file names of nodes that save.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .graph import Workflow

SAVING = frozenset(
    {"SaveImage", "SaveImageAdvanced", "SaveSVGNode", "SaveVideo", "SaveAnimatedWEBP", "SaveWEBM", "SaveAudio"}
    | {"SaveAudioMP3", "SaveAudioOpus", "SaveAudioAdvanced", "SaveGLB", "Save3DAdvanced", "SaveGaussianSplat"}
    | {"SavePointCloud", "SaveAnimatedPNG", "CLIPSave", "VAESave", "ModelSave", "LoraSave", "SaveLatent"}
)
"""Node classes whose `filename_prefix` is replaced."""

PREFIX, NAME_PROPERTY = "filename_prefix", "Node name for S&R"

_MARK = re.compile(r"%([^%]+)%")
_FORBIDDEN = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_DATE = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyyy|yyy?")

FindWidget = Callable[[str, str], Any]
"""The value of a widget, by the name or title of its node and its own; None where there is none."""


def replace_marks(text: str, find_widget: FindWidget, now: datetime | None) -> str:
    """`text` with dates and values of widgets in place of the marks that are understood; the others stay.

    Without `now` dates stay: a graph is the same one whenever it is read, and they are replaced when it runs.
    """

    def replaced(mark: re.Match[str]) -> str:
        node, *widget = mark[1].split(".")
        if len(widget) != 1:
            if now is None or not node.startswith("date:"):
                return mark[0]
            return format_date(node.removeprefix("date:"), now)
        value = find_widget(node, widget[0])
        return mark[0] if value is None else _FORBIDDEN.sub("_", as_text(value))

    return _MARK.sub(replaced, text)


def with_dates(workflow: Workflow, now: datetime) -> Workflow:
    """A workflow that was drawn on the canvas with dates in its file names; a copy where there are any."""
    marked = [node.id for node in workflow if node.class_type in SAVING and "%date:" in str(node.inputs.get(PREFIX))]
    if workflow.canvas is None or not marked:
        return workflow
    workflow = workflow.copy()
    for node_id in marked:
        inputs = workflow.nodes[node_id].inputs
        if isinstance(inputs[PREFIX], str):
            inputs[PREFIX] = replace_marks(inputs[PREFIX], lambda *_: None, now)
    return workflow


def format_date(pattern: str, now: datetime) -> str:
    """`pattern` with day, month, year, hour, minute and second: one letter as it is, two with a leading nought."""
    parts = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def part(found: re.Match[str]) -> str:
        letters = found[0]
        if letters[0] == "y":
            return {"yy": f"{now.year % 100:02d}", "yyyy": str(now.year)}.get(letters, letters)
        return str(parts[letters[0]]).rjust(len(letters), "0")

    return _DATE.sub(part, pattern)


def as_text(value: Any) -> str:
    """A widget's value as the canvas writes it into a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


_COMMENT = re.compile(r"/\*.*?\*/|//[^\n\r]*", re.DOTALL)
_PART = re.compile(r"\\.|[^\\{}|]+|.", re.DOTALL)
_ESCAPED = re.compile(r"\\([{}|])")


def resolve(text: str, place: str) -> str:
    """`text` without comments and with one of each set of choices. `place` is whatever tells this input from others."""
    return _resolve(text, random.Random(f"{place}\n{text}"))  # noqa: S311


def _resolve(text: str, chance: random.Random) -> str:
    parts = iter(_PART.findall(_COMMENT.sub("", text)))
    resolved = [_resolve(chance.choice(_choices(parts)), chance) if part == "{" else part for part in parts]
    return _ESCAPED.sub(r"\1", "".join(resolved))


def _choices(parts: Iterator[str]) -> list[str]:
    """The choices up to the closing brace, or to the end where there is none; those within them are left for later."""
    choices, depth = [""], 0
    for part in parts:
        if part == "}" and not depth:
            break
        if part == "|" and not depth:
            choices.append("")
            continue
        depth += (part == "{") - (part == "}")
        choices[-1] += part
    return choices
