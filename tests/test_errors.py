"""The error registry: every code is unique, explained, raised somewhere, and tested."""

import re
from pathlib import Path

import pytest

import likeness_studio.runner.errors  # noqa: F401 - registers the runner's errors
from likeness_studio.nodes.errors import LikenessError, registry

ROOT = Path(__file__).parents[1]
SOURCE = "\n".join(path.read_text() for folder in ("nodes", "runner") for path in (ROOT / folder).rglob("*.py"))
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
ERRORS = {code: cls for code, cls in registry().items() if cls.__module__.startswith("likeness_studio")}


@pytest.mark.parametrize("code", ERRORS)
def test_a_code_is_explained_raised_and_tested(code):
    error = ERRORS[code]
    assert re.fullmatch(r"[a-z][a-z_]+", code)
    assert error.meaning.endswith(".")
    assert re.search(rf"\b{error.__name__}\(", SOURCE.replace(f"class {error.__name__}(", "")), "nothing raises it"
    assert re.search(rf"\b{error.__name__}\b|[\"']{code}[\"']", TESTS), "no test names it"


def test_an_error_speaks_to_people_and_to_programs():
    error = next(iter(ERRORS.values()))("It broke.")
    assert isinstance(error, LikenessError)
    assert error.as_dict() == {"code": error.code, "message": "It broke.", "meaning": error.meaning}


def test_nothing_raises_a_bare_exception():
    assert not re.findall(r"raise (?:Exception|BaseException|RuntimeError)\b", SOURCE)
