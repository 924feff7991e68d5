"""Write the map of docs/architecture.md: one line a module, from the first line of each file.

python docs/architecture.py
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- map -->\n", "<!-- end of the map -->"


def first_line(file: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]


def the_map() -> str:
    """The modules of each folder, a line each; a folder's own line is that of its package."""
    lines = []
    for room in ("core", "nodes", "runner"):
        folders = sorted({file.parent for file in (ROOT / room).rglob("*.py")})
        for folder in folders:
            lines += ["", f"#### `{folder.relative_to(ROOT).as_posix()}/`", "", first_line(folder / "__init__.py"), ""]
            files = sorted(file for file in folder.glob("*.py") if file.name != "__init__.py")
            lines += [f"- `{file.name}` {first_line(file)}" for file in files]
    return "\n".join(lines).lstrip("\n") + "\n\n"


def page() -> str:
    """The page with a new map in it."""
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + the_map() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
