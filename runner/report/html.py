"""What all pages share: the environment of their templates, what these show as a picture, chart or number, versions."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core import __version__
from .schema_base import is_number

if TYPE_CHECKING:
    import jinja2

LIBRARIES = ("torch", "onnxruntime", "numpy", "pillow")


def versions() -> dict[str, str]:
    """What this run was made with."""
    found = {"likeness-studio": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


TEMPLATES = Path(__file__).parent / "templates"


@cache
def templates() -> jinja2.Environment:
    """The templates of all pages. Everything from outside is escaped; a picture is a path, which a template shrinks."""
    import jinja2

    from .pictures import thumbnail
    from .svg_chart import mark, svg

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "chance": chance, "megabytes": megabytes}
    environment.filters |= {"thumbnail": thumbnail, "chart": svg, "series_mark": mark}
    return environment


MOST_CERTAIN = 0.999
"""A probability above it is shown as being above it."""


def number(value: Any, digits: int = 2) -> str:
    """A number for people, with a real minus sign; a dash for none."""
    if not is_number(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def chance(value: float) -> str:
    """A probability in percent that is never rounded to certainty."""
    if value > MOST_CERTAIN:
        return f"> {MOST_CERTAIN:.1%}"
    return f"< {1 - MOST_CERTAIN:.1%}" if value < 1 - MOST_CERTAIN else f"{value:.1%}"


def megabytes(value: float | None) -> str:
    """Bytes for people; a dash for none."""
    if value is None:
        return "–"
    return f"{value / 2**30:.1f} GB" if value >= 2**30 else f"{value / 2**20:,.0f} MB"
