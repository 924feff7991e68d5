"""A number that has a meaning is written down once."""

import ast
from pathlib import Path

import pytest

import likeness_studio

ROOT = Path(likeness_studio.__file__).parent


def constants(path):
    """Every number of a module, docstrings and comments left out."""
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    }


@pytest.mark.parametrize(
    ("number", "home"),
    [
        (0.2126, "core/imaging/colour.py"),
        (0.7152, "core/imaging/colour.py"),
        (1.155, "core/faces/anthropometry.py"),
        (25.4, "core/id_photo/document.py"),
        (0.04045, "core/imaging/colour.py"),
        (0.95047, "core/imaging/colour.py"),
    ],
)
def test_a_constant_has_one_home(number, home):
    paths = [path for room in ("core", "nodes", "runner") for path in sorted((ROOT / room).rglob("*.py"))]
    assert [path.relative_to(ROOT).as_posix() for path in paths if number in constants(path)] == [home]
